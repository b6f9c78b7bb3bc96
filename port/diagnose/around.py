"""What else the network had at hand: is the port's value made of another one, or of the right one in another way?

A value between modules comes without inputs. What it was made from is looked for among the values before it: only where the
reference's value is recognised as made from one of them is the port's tried as made from it otherwise.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from port.diagnose import modules, windows
from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import comparable, found, reference_of
from port.diagnose.windows import close, sample

CERTAIN = 0.98
LATEST = 12  # values before the site that are tried as what it was made from
LARGEST = 2_000_000
MEND_FLOW = "Flow is in pixels, x before y, fetched from position + flow; check whose flow it is."


def missing(evidence: Evidence) -> Finding | None:
    """The port has no such value: a call or a step is left out."""
    if evidence.port is not None or evidence.reference is None or "gradient" in evidence.kind:
        return None
    hint = "Compare the loops and branches that lead here: frames, keyframes, levels."
    return Finding("missing", "the port never comes here", hint, 1.0, (142,))


def exchanged(evidence: Evidence) -> Finding | None:
    """It is, unchanged, another value that the network makes."""
    if not comparable(evidence) or "gradient" in evidence.kind or evidence.reference.size < 4:
        return None
    for name, value in {**named(evidence, "before"), **named(evidence, "beside")}.items():
        if value.shape == evidence.port.shape and close(value.astype(np.float64), evidence.port.astype(np.float64)):
            hint = "Compare names and order of arguments, and what is done to this value."
            return found(evidence, "exchanged", value.astype(np.float64), f"it is {name}, unchanged", hint)
    return None


def sum_of_two(evidence: Evidence) -> Finding | None:
    """The plain sum of two values, where the reference does something more to one of them."""
    if not comparable(evidence) or "gradient" in evidence.kind:
        return None
    near = [(name, value.astype(np.float64)) for name, value in list(named(evidence, "before").items())[-LATEST:]]
    for i, (one, a) in enumerate(near):
        for other, b in near[:i]:
            if close(a + b, evidence.port.astype(np.float64)):
                hint = "Look for a factor or a function that the reference applies before adding."
                return found(evidence, "missing_term", a + b, f"it is {one} + {other} and no more", hint)
    return None


def made_from_before(evidence: Evidence) -> Finding | None:
    """A slope, a pooling or a resizing of an earlier value, where the reference is such a one, too."""
    if not comparable(evidence) or evidence.kind not in ("input", "value") or evidence.port.ndim < 2:
        return None
    for term in terms(evidence):
        rest = replace(evidence, kind="output", reference=evidence.reference - term, port=evidence.port - term)
        for x in sources(evidence):
            tried = replace(rest, inputs=[x])
            for explain in (modules.slope, windows.pooling, windows.interpolation):
                finding = explain(tried) if is_fit(explain, x, rest) else None
                if finding is not None and finding.explained >= CERTAIN:
                    return finding
    return None


def is_fit(explain, x: np.ndarray, rest: Evidence) -> bool:
    """Slopes keep the size, the others change it."""
    return (explain is modules.slope) == (x.shape == rest.port.shape)


def terms(evidence: Evidence) -> Iterator[np.ndarray | float]:
    """What may have been added to the value in question: nothing, or what was made just before."""
    yield np.float32(0)
    latest = [value for value in named(evidence, "before").values() if value.shape == evidence.port.shape]
    yield from latest[-2:][::-1]


def sources(evidence: Evidence) -> Iterator[np.ndarray]:
    """Earlier values, and their pictures one by one, that have as many channels; the latest first."""
    wanted = evidence.port.shape
    for value in list(named(evidence, "earlier").values())[::-1]:
        for part in pictures(value):
            if part.ndim == len(wanted) and part.shape[:2] == wanted[:2] and part.size <= LARGEST:
                yield part
                yield from scaled(part, evidence.reference)


def scaled(part: np.ndarray, reference: np.ndarray) -> Iterator[np.ndarray]:
    """A value times a factor, if the mean of what is made of it tells one: pooling and resizing keep the mean."""
    mean = float(part.mean(dtype=np.float64))
    factor = float(reference.mean(dtype=np.float64)) / mean if mean else 0.0
    if part.shape != reference.shape and factor and abs(factor - 1) > 1e-3 and np.isfinite(factor):
        yield part * factor


def pictures(value: np.ndarray) -> Iterator[np.ndarray]:
    """A value as it is, and the parts of a batch or of a clip: (n, c, h, w) -> n times (1, c, h, w)"""
    yield value
    if value.ndim == 4 and value.shape[0] > 1:
        yield from (value[i : i + 1] for i in range(len(value)))
    if value.ndim == 5:
        yield from (value[:, i] for i in range(value.shape[1]))


def warped(evidence: Evidence) -> Finding | None:
    """Sampled along another flow than the reference's: axes, sign, factor, frame; or outside and between pixels otherwise."""
    b = evidence.port
    if not comparable(evidence) or evidence.kind not in ("input", "value") or b.ndim != 4 or b.size > LARGEST:
        return None
    own = recognised(evidence)
    if own is None:
        return None
    x, flow, flows = own
    for label, words, value in ways(x, flow, flows):
        finding = found(evidence, label, value, f"the features are sampled {words}", MEND_FLOW, (47, 48, 49, 66, 142))
        if finding.explained > 0.95:  # positions are rounded in float32, which a cell's border makes large
            return replace(finding, explained=max(finding.explained, CERTAIN))
    return None


def recognised(evidence: Evidence) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]] | None:
    """(picture, flow, all flows) of which the reference's value is the warp."""
    n, _, h, w = evidence.port.shape
    flows = [part.astype(np.float64) for value in list(named(evidence, "earlier").values())[::-1]
             for part in pictures(value) if part.shape == (n, 2, h, w)][:8]  # fmt: skip
    same = [value for value in named(evidence, "before").values() if value.shape == evidence.port.shape]
    for x in (value.astype(np.float64) for value in same[-LATEST:][::-1]):
        for flow in flows:
            if close(sample(x, grid(flow), "bilinear", "border", True), reference_of(evidence)):
                return x, flow, flows
    return None


def ways(x: np.ndarray, flow: np.ndarray, flows: list[np.ndarray]) -> Iterator[tuple[str, str, np.ndarray]]:
    """(label, words, value) of every other way to sample a picture along a flow."""
    bent = {"with x and y of the flow exchanged": flow[:, ::-1], "against the flow": -flow, "where they are": 0 * flow}
    bent |= {f"along {factor:g} times the flow": factor * flow for factor in (0.25, 0.5, 2.0, 4.0)}
    bent |= {f"along another flow, {i}": other for i, other in enumerate(flows) if other is not flow}
    for words, other in bent.items():
        yield "flow", words, sample(x, grid(other), "bilinear", "border", True)
    yield "border", "with zeros outside", sample(x, grid(flow), "bilinear", "zeros", True)
    yield "interpolation_mode", "at the nearest pixel", sample(x, grid(flow), "nearest", "border", True)
    yield "align_corners", "with align_corners=False", sample(x, grid(flow), "bilinear", "border", False)


def grid(flow: np.ndarray) -> np.ndarray:
    """Positions from -1 to 1. (n, 2, h, w) -> (n, h, w, 2)"""
    h, w = flow.shape[2:]
    rows, columns = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
    x = 2 * (columns + flow[:, 0]) / max(w - 1, 1) - 1
    y = 2 * (rows + flow[:, 1]) / max(h - 1, 1) - 1
    return np.stack([x, y], -1)


def other_loss(evidence: Evidence) -> Finding | None:
    """A loss that is wrong on the right output, and not by a number of elements: another function of it."""
    if evidence.site != "end/loss" or evidence.kind != "value" or not comparable(evidence):
        return None
    says = f"{float(evidence.port):.6g} of the right output, in the reference {float(evidence.reference):.6g}"
    hint = "Compare the loss and its arguments: kink, smoothing, epsilon, what the mean covers."
    return Finding("loss", says, hint, 1.0, (91, 92, 96))


def named(evidence: Evidence, which: str) -> Mapping[str, np.ndarray]:
    """A part of the context that holds values by name."""
    return evidence.context.get(which) or {}


FIRST = (missing,)
EXPLANATIONS = (exchanged, sum_of_two, warped, made_from_before)

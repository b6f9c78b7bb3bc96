"""Policies in use elsewhere, run on the same traces: what would they have said of the same two networks?

They see what such tools see: every module's output, the network's output and its loss, and the gradients of the parameters, of
two runs that nobody corrects on the way.
"""

from collections.abc import Callable, Iterator

import numpy as np

from port.parity.ratio import value_of
from port.parity.trace import Trace

Policy = Callable[[np.ndarray, np.ndarray], bool]


def _allclose(tolerance: float) -> Policy:
    return lambda a, b: np.allclose(b, a, rtol=tolerance, atol=tolerance)


def _cosine(a: np.ndarray, b: np.ndarray) -> bool:
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return bool(lengths == 0 or (a * b).sum() / lengths >= 0.999)


def _mean(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.isclose(b.mean(), a.mean(), rtol=1e-4, atol=1e-5))


POLICIES: dict[str, Policy] = {
    "allclose 1e-3": _allclose(1e-3),
    "allclose 1e-4": _allclose(1e-4),
    "allclose 1e-5": _allclose(1e-5),
    "cosine 0.999": _cosine,
    "mean of tensor": _mean,
}
FIRST_STEP = "first step only"  # the loss of the first training step, to four places
NAMES = (*POLICIES, FIRST_STEP)


def judge(reference: dict[str, Trace], port: dict[str, Trace]) -> dict[str, str | None]:
    """Name of the first site that a policy objects to, by policy; None where it finds nothing wrong.

    reference, port  traces by pass
    """
    found: dict[str, str | None] = dict.fromkeys(NAMES)
    for site, a, b in shared_sites(reference["reference"], port["imposed"]):
        for name, policy in POLICIES.items():
            if found[name] is None and (b is None or a.shape != b.shape or not policy(a, b)):
                found[name] = site
    if "training" in reference and "updates" in port:
        found[FIRST_STEP] = first_step(reference["training"], port["updates"])
    return found


def shared_sites(reference: Trace, port: Trace) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """What those tools compare, in the order of execution; None for what the port does not have."""
    for name, site in reference.sites.items():
        seen = ":out" in name or name.startswith("end/") if site.kind != "gradient" else name.startswith("parameters/")
        if seen and (a := reference.whole(name)) is not None:
            b = value_of(name, port, reference) if name in port.sites else None
            yield name, a.astype(np.float64), None if b is None else b.astype(np.float64)


def first_step(reference: Trace, port: Trace) -> str | None:
    """The loss before anything has been learnt."""
    name = "step.00/loss"
    a, b = (trace.whole(name) if name in trace.sites else None for trace in (reference, port))
    return None if a is not None and b is not None and np.allclose(b, a, rtol=1e-4, atol=0) else name

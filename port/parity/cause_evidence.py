"""What a diagnosis is made from: the two values of one wrong site, with what its module was given and holds.

A `cause` is a `port.parity.causes.Cause`.
"""


import numpy as np

from port.diagnose.evidence import Evidence
from port.parity.measure import Row
from port.parity.ratio import value_of
from port.parity.recorder import GRADIENT
from port.parity.trace import Trace

VALUES = frozenset({"input", "output", "value"})  # kinds of sites that a wrong value may have been made from


def weight_evidence(cause, forward: Trace, weights: tuple) -> Evidence:
    """A parameter that differs: value against value."""
    name = cause.first.site
    return Evidence(
        stage="forward", kind="parameter", site=name, module=cause.module, **about_module(cause.module, forward, weights),
        reference=weights[0].get(name), port=weights[1].get(name),
    )  # fmt: skip


def site_evidence(
    cause, reference: Trace, port: Trace, truth: Trace, forward: Trace, weights: tuple
) -> Evidence:
    """One wrong site with what its module was given and holds."""
    row = cause.telling
    kind = "parameter_gradient" if row.site.startswith("parameters/") else row.kind
    return Evidence(
        stage="forward" if cause.stage == "modules" else cause.stage, kind=kind,
        site=row.site, module=cause.module, **about_module(cause.module, forward, weights),
        inputs=inputs_of_call(forward, row.site), reference=whole(reference, row.site),
        port=value_of(row.site, port, reference) if row.site in port.sites else None,
        truth=whole(truth, row.site), context=context_of(row, reference, port, forward),
    )  # fmt: skip


def about_module(module: str, forward: Trace, weights: tuple) -> dict[str, object]:
    """Class, description and parameters of a module on both sides."""
    kind, line = forward.about.get("modules", {}).get(module, ("", ""))
    own, other = (
        {name.rpartition(".")[2]: array for name, array in held.items() if name.rpartition(".")[0] == module}
        for held in weights
    )
    return {"module_type": kind, "description": line, "parameters": own, "port_parameters": other}


def whole(trace: Trace, site: str) -> np.ndarray | None:
    """The value of a site, None where the trace does not have it."""
    return trace.whole(site) if site in trace.sites else None


def inputs_of_call(forward: Trace, site: str) -> list[np.ndarray]:
    """The tensors that the module was given in the call a site belongs to."""
    base, _, nth = site.removesuffix(GRADIENT).partition("#")
    base, suffix = base.partition(":")[0], f"#{nth}" if nth else ""
    found, place = [], 0
    while (array := whole(forward, f"{base}:in{place}{suffix}")) is not None:
        found.append(array)
        place += 1
    return found


def context_of(row: Row, reference: Trace, port: Trace, forward: Trace) -> dict[str, object]:
    """More that a diagnosis of gradients and updates needs."""
    if row.site.startswith("step."):
        return training_context(row.site, reference, port)
    if row.kind != "gradient":
        return {
            "before": values_before(row.site, forward),
            "beside": values_beside(row.site, forward),
            "earlier": values_earlier(row.site, forward),
            "calls": other_calls(row.site, forward),
        }
    module = row.site.removesuffix(GRADIENT).removeprefix("parameters/").partition(":")[0]
    owner = module.rpartition(".")[0] if row.site.startswith("parameters/") else module.partition("/")[2]
    arriving = whole(forward, f"forward/{owner}:out{GRADIENT}")
    return {"output_gradient": arriving} if arriving is not None else {}


def values_before(site: str, forward: Trace, most: int = 40) -> dict[str, np.ndarray]:
    """What the network had made before a site and could have added there: values of a shape that fits, the latest last.

    Values that are the same as an earlier one (what one module gives and the next is given) are listed once.
    """
    if site not in forward.sites:
        return {}
    return values_earlier(site, forward, most, tuple(forward.sites[site].shape))


def values_earlier(
    site: str, forward: Trace, most: int = 60, shape: tuple[int, ...] | None = None
) -> dict[str, np.ndarray]:
    """What the network had made before a site, of any shape or of one, the latest last."""
    found, seen = {}, set()
    for name, held in forward.sites.items():
        if name == site:
            break
        fits = held.kind in VALUES and "float" in held.dtype and shape in (None, tuple(held.shape))
        if fits and held.hash not in seen:
            seen.add(held.hash)
            found[name.partition("/")[2]] = name
    return {label: array for label, name in list(found.items())[-most:] if (array := whole(forward, name)) is not None}


def values_beside(site: str, forward: Trace, most: int = 12) -> dict[str, np.ndarray]:
    """Values of the same shape that the network makes in the same step after a site."""
    if site not in forward.sites:
        return {}
    label, own = site.partition("/")[0], forward.sites[site]
    after = list(forward.sites.values())[list(forward.sites).index(site) + 1 :]
    same = [held for held in after if held.kind in VALUES and held.shape == own.shape and held.hash != own.hash]
    names = [held.name for held in same if held.name.partition("/")[0] == label]
    return {name.partition("/")[2]: array for name in names[:most] if (array := whole(forward, name)) is not None}


def other_calls(site: str, forward: Trace, most: int = 64) -> dict[str, np.ndarray]:
    """The same site in the other calls of its module, in this step and in others."""
    base = lambda name: name.partition("/")[2].partition("#")[0]  # noqa: E731
    names = [name for name in forward.sites if base(name) == base(site) and name != site][:most]
    return {name: array for name in names if (array := whole(forward, name)) is not None}


def training_context(site: str, reference: Trace, port: Trace) -> dict[str, object]:
    """The history of one parameter up to the step of a wrong site."""
    label, _, rest = site.partition("/")
    name, step = rest.partition("@")[0], int(label.removeprefix("step."))
    labels = [f"step.{k:02d}/{name}" for k in range(step + 1)]
    history = [
        (whole(reference, f"{at}@grad"), whole(reference, f"{at}@update"), whole(port, f"{at}@update")) for at in labels
    ]
    rate = whole(reference, f"{label}/{name}@lr")
    moves = [held.rms > 0 for at, held in reference.sites.items() if at.endswith(f"/{name}@update")]
    return {
        "step": step,
        "lr": float(rate) if rate is not None else None,
        "gradient": history[-1][0],
        "parameter": whole(reference, f"{label}/{name}@parameter"),
        "optimizer": reference.about.get("optimizer", ""),
        "history": history,
        "moves": any(moves),
    }

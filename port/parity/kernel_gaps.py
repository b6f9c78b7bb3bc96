"""Kernels of MindSpore that are known to err: a table by version, and what of a port's errors they explain."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from port.diagnose.evidence import Finding
from port.parity.causes import Cause
from port.parity.compare import Stage
from port.parity.kernels import KERNELS
from port.parity.measure import rms
from port.parity.ratio import error_ratios, value_of
from port.parity.recorder import GRADIENT
from port.parity.tolerance import Tolerances
from port.parity.trace import Site, Trace

FILE = Path(__file__).with_name("kernel_gaps.toml")
LOOK_BACK = 40  # sites before a value, or behind one, among which its other end is looked for
ACCUMULATED = "accumulated"
SAME = 1e-6  # a function is recognised in float64: inputs rounded once to float32 on the way leave less


@dataclass(frozen=True)
class Gap:
    """One entry of kernel_gaps.toml, where the fields are described."""

    op: str
    versions: tuple[str, ...]
    device: str
    entry: int
    measured: float
    kind: str = "error"
    gradient: float | None = None
    bound: float | None = None
    gradient_bound: float | None = None
    instead: str = ""

    def applies(self, backend: Mapping[str, object]) -> bool:
        """Whether this is the version and device that a trace was made with."""
        version, device = str(backend.get("version")), str(backend.get("device"))
        return device == self.device and any(fnmatch(version, pattern) for pattern in self.versions)


def load(path: Path = FILE) -> tuple[Gap, ...]:
    """The project's own table, so a wrong field is a plain TypeError."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["gap"]
    return tuple(Gap(**{**entry, "versions": tuple(entry["versions"])}) for entry in entries)


@dataclass(frozen=True)
class Model:
    """What a known kernel makes of one site: `predicted` in float64, and how far it may be from the function."""

    gap: Gap
    predicted: np.ndarray
    bound: float | None


class Gaps:
    """The known kernels of one pair's reference, found by computing again what each site was made from.

    reference, truth  the reference's run, and the run in float64 that was fed with its values
    table             entries that count
    """

    def __init__(self, reference: Trace, truth: Trace, table: tuple[Gap, ...]):
        self.reference, self.truth = reference, truth
        self.table = [gap for gap in table if gap.op in KERNELS]
        self.values = [
            s for s in reference.sites.values() if s.kind in ("input", "output", "value") and "float" in s.dtype
        ]
        self.place = {site.name: i for i, site in enumerate(self.values)}
        self.known: dict[str, tuple[Gap, str] | None] = {}

    def model(self, site: str) -> Model | None:
        """What the kernel behind a value, or behind a gradient, makes of it; None where there is no known one."""
        return self._of_gradient(site) if site.endswith(GRADIENT) else self._of_value(site)

    def _of_value(self, site: str) -> Model | None:
        if (made := self.made(site)) is None:
            return None
        gap, x = made[0], self.reference.whole(made[1]).astype(np.float64)
        kernel, exact = KERNELS[gap.op], self.truth.whole(site)
        bound = None if gap.bound is None else gap.bound * kernel.unit(x, exact)
        return Model(gap, kernel.kernel(x, exact.shape), bound)

    def _of_gradient(self, site: str) -> Model | None:
        source, exact = site.removesuffix(GRADIENT), self.truth.whole(site)
        start = self.place.get(source)
        if start is None or exact is None:
            return None
        for value in self.values[start + 1 : start + 1 + LOOK_BACK]:
            made = self.made(value.name)
            arriving = self.reference.whole(value.name + GRADIENT) if made else None
            if arriving is None or made[1] != source:
                continue
            gap, x = made[0], self.reference.whole(source).astype(np.float64)
            kernel, arriving = KERNELS[gap.op], arriving.astype(np.float64)
            bound = None if gap.gradient_bound is None else gap.gradient_bound * kernel.gradient_unit(arriving, exact)
            return Model(gap, kernel.gradient(x, arriving), bound)
        return None

    def made(self, site: str) -> tuple[Gap, str] | None:
        """By which known kernel a value is made, and the site that it is made from."""
        if site not in self.known:
            self.known[site] = self._find(site)
        return self.known[site]

    def _find(self, site: str) -> tuple[Gap, str] | None:
        if site not in self.place or (exact := self.truth.whole(site)) is None:
            return None
        y = self.values[self.place[site]]
        for x in self._before(site):
            for gap in self.table:
                if KERNELS[gap.op].plausible(x, y) and self._gives(gap, x.name, exact):
                    return gap, x.name
        return None

    def _before(self, site: str) -> list[Site]:
        """What a value can be made from: the inputs of the module that returned it, else what came shortly before."""
        base, _, call = site.partition("#")
        if ":out" in base:
            start = f"{base.partition(':')[0]}:in"
            return [s for s in self.values if s.name.startswith(start) and s.name.partition("#")[2] == call]
        place = self.place[site]
        return self.values[max(place - LOOK_BACK, 0) : place][::-1]

    def _gives(self, gap: Gap, source: str, exact: np.ndarray) -> bool:
        x = self.reference.whole(source)
        if x is None or not exact.size:
            return False
        made = KERNELS[gap.op].function(x.astype(np.float64), exact.shape)
        return bool(np.abs(made - exact).max() <= SAME * np.abs(exact).max())


def gaps_of(ours: Mapping[str, Trace], theirs: Mapping[str, Trace]) -> Gaps:
    """The known kernels of the version and device that the port ran with."""
    about = theirs["forced"].about
    known = tuple(gap for gap in load() if gap.applies(about.get("backend", {})))
    return Gaps(ours["reference"], ours["forced64"], known if about.get("dtype", "float32") == "float32" else ())


def judge_gaps(gaps: Gaps, stages: Mapping[str, Stage], ours: Mapping[str, Trace], theirs: Mapping[str, Trace],
               limits: Tolerances) -> list[dict[str, object]]:  # fmt: skip
    """Let pass what known kernels of the port's version explain on right inputs. -> report["kernel_gaps"]"""
    found, backend = [], theirs["forced"].about.get("backend", {})
    for name in ("forward", "backward"):
        found += pass_known_gaps(stages[name], gaps, ours["reference"], theirs["forced"], ours["forced64"], limits)
    return listed(found, str(backend.get("version")))


def pass_known_gaps(
    stage: Stage, gaps: Gaps, reference: Trace, port: Trace, truth: Trace, limits: Tolerances
) -> list[dict]:
    """Let pass what errs within the bound of a known kernel and exactly as that kernel does. -> what is to be listed

    The port's value is held against the kernel's model by the same ratio as everything is against the truth, so a mistake
    beside the gap still fails.
    """
    found = []
    for row in stage.failing:
        model = gaps.model(row.site) if row.ratio is not None else None
        if model is None or model.bound is None:
            continue
        a, b, exact = (value_of(row.site, trace, reference) for trace in (reference, port, truth))
        error = float(np.abs(b - exact.astype(np.float64)).max())
        if error <= model.bound and predicts(model, a, b, exact, limits):
            row.note = f"kernel gap of {model.gap.op} (catalogue {model.gap.entry}): {row.reason}"
            row.reason = None
            found.append(
                {"stage": stage.name, "site": row.site, "measured": error, "bound": model.bound, "gap": model.gap}
            )
    return found


def predicts(model: Model, a: np.ndarray, b: np.ndarray, exact: np.ndarray, limits: Tolerances) -> bool:
    """Whether the port is as near to the model as it would have to be to the truth."""
    own = a - exact.astype(np.float64)
    by_rms, largest = error_ratios(model.predicted + own, b, model.predicted, limits)
    return by_rms <= limits.ratio_rms and largest <= limits.ratio_largest


def listed(found: list[dict], version: str) -> list[dict[str, object]]:
    """For report.json: one entry per operator."""
    entries: dict[str, dict[str, object]] = {}
    for one in found:
        gap = one["gap"]
        entry = entries.setdefault(gap.op, {"op": gap.op, "version": version, "device": gap.device, "entry": gap.entry,
                                            "bound": 0.0, "measured": 0.0, "sites": [], "instead": gap.instead})  # fmt: skip
        if one["measured"] >= entry["measured"]:
            entry["measured"], entry["bound"] = one["measured"], one["bound"]
        entry["sites"].append(one["site"])
    return list(entries.values())


def name_gaps(causes: list[Cause], ours: Mapping[str, Trace], theirs: Mapping[str, Trace], limits: Tolerances) -> None:
    """Put the diagnosis first where a wrong value is what a known kernel gives: one without a bound, or of another version."""
    about = theirs["forced"].about
    gaps = Gaps(ours["reference"], ours["forced64"], load() if about.get("dtype", "float32") == "float32" else ())
    version = theirs["forced"].about.get("backend", {}).get("version")
    for cause in causes:
        model = gaps.model(cause.telling.site) if cause.stage in ("forward", "backward") else None
        a, b, exact = cause.evidence.reference, cause.evidence.port, cause.evidence.truth
        if model is None or b is None or b.shape != model.predicted.shape or not predicts(model, a, b, exact, limits):
            continue
        error = float(np.abs(b - exact.astype(np.float64)).max())
        says = (
            f"exactly what MindSpore {version} computes for {model.gap.op}: its kernel errs by up to {error:.2g} here"
        )
        cause.findings.insert(0, Finding("kernel_gap", says, model.gap.instead, 1.0, (model.gap.entry,)))


def as_the_kernel(gaps: Gaps, site: str) -> np.ndarray | None:
    """What a port may add at a site by a known kernel within its bound, for the noisy run; None for nothing."""
    model = gaps.model(site)
    return None if model is None or model.bound is None else model.predicted - gaps.truth.whole(site)


def reached_by_gaps(stages: Mapping[str, Stage], ours: Mapping[str, Trace], theirs: Mapping[str, Trace],
                    limits: Tolerances) -> None:  # fmt: skip
    """Losses and gradients of training steps that a known kernel reaches: relatively, they err as much as in the noisy run,
    in which the reference computes with the kernel's errors."""
    runs = {"training": ("updates", "updates64"), f"{ACCUMULATED} training": ("training", "training64")}
    for name, (run, exact) in runs.items():
        for row in stages[name].failing if name in stages else ():
            twin = "end/loss" if row.kind == "loss" else f"parameters/{row.site.partition('/')[2]}"
            held = [ours[which].whole(twin) if twin in ours[which].sites else None for which in ("noisy", "float64")]
            if row.kind not in ("loss", "gradient") or row.ratio is None or any(array is None for array in held):
                continue
            value = value_of(row.site, theirs[run], ours["training"])
            if relative(value, ours[exact].whole(row.site)) <= limits.ratio_amplified * relative(*held):
                row.note, row.reason = f"reached by a kernel gap: {row.reason}", None


def relative(value: np.ndarray, exact: np.ndarray) -> float:
    """rms error over the rms of the exact value."""
    scale = rms(exact)
    return rms(value - exact.astype(np.float64)) / scale if scale else np.inf

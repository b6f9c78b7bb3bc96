"""A part of a verification: which modules, which stages, how far. What is left out is listed, never counted as compared."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from port.errors import UsageError
from port.parity.compare import Stage
from port.parity.pair_compare import NETWORK, blame, called_modules
from port.parity.recorder import GRADIENT
from port.parity.trace import Trace

# What --stages takes -> the stages of the report, and the passes of both sides that they are judged by. The passes
# "reference" and "forced" are always needed: they say what the networks hold and what their modules are.
STAGES = {
    "weights": (("weights",), ("reference",), ("forced",)),
    "forward": (("forward",), ("reference", "forced64"), ("forced",)),
    "backward": (("backward",), ("reference", "forced64"), ("forced",)),
    "training": (
        ("training",),
        ("reference", "float64", "forced64", "noisy", "training", "updates64", "tiny", "tiny64"),
        ("forced", "updates", "tiny"),
    ),
    # amplified rounding is told from bugs by the fed run and by the noisy one
    "accumulated": (
        ("accumulated", "accumulated training"),
        ("reference", "float64", "forced64", "noisy", "training", "training64"),
        ("forced", "imposed", "training"),
    ),
    "free": (("free decisions",), ("reference", "float64"), ("forced", "free")),
    "compiled": (
        ("compiled", "free decisions"),
        ("reference", "float64", "forced64", "noisy"),
        ("forced", "imposed", "free", "compiled"),
    ),
}
FORWARD_ONLY = ("weights", "forward", "accumulated")  # what there is before the way back


@dataclass(frozen=True)
class Selection:
    """What is judged. Empty fields leave nothing out.

    only    patterns of module names as fnmatch takes them; the network itself is called ""
    stages  names of STAGES
    until   the last module that is judged, in the order of execution
    """

    only: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    until: str | None = None

    @property
    def everything(self) -> bool:
        return not (self.only or self.stages or self.until)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of STAGES that are judged."""
        wanted = self.stages or tuple(STAGES)
        return tuple(name for name in STAGES if name in wanted and (self.until is None or name in FORWARD_ONLY))

    def wants(self, stage: str) -> bool:
        """Whether a stage of the report is judged. Training along the whole network comes after any module."""
        if self.until is not None and "training" in stage:
            return False
        return self.everything or any(stage in STAGES[name][0] for name in self.chosen)

    def passes(self, side: str, known: Iterable[str]) -> list[str]:
        """Those of the passes of a side ("torch" or "ms") that the chosen stages need, in their order."""
        if self.everything:
            return list(known)
        place = 1 if side == "torch" else 2
        needed = {name for stage in self.chosen for name in STAGES[stage][place]}
        if self.until is not None:
            needed -= {"training", "training64"}
        return [name for name in known if name in needed]

    def why_not(self, stage: str) -> str:
        """Why a stage was not judged."""
        chosen = not self.stages or any(stage in STAGES[name][0] for name in self.stages)
        return f"comes after --until {self.until}" if chosen else "left out by --stages"


EVERYTHING = Selection()


def make_selection(only: str | None, stages: str | None, until: str | None) -> Selection:
    """From the words of a command line. Raises UsageError for a stage that does not exist or a choice of nothing."""
    chosen = tuple(stages.split(",")) if stages is not None else ()
    for name in chosen:
        if name not in STAGES:
            raise UsageError(
                f"--stages: there is no stage {name!r}{nearest(name, STAGES)}; known: {', '.join(STAGES)}."
            )
    selection = Selection(tuple(only.split(",")) if only is not None else (), chosen, until)
    if not selection.chosen:
        raise UsageError(
            f"--until {until} leaves nothing of --stages {stages}: it judges {', '.join(FORWARD_ONLY)}, which are "
            "over when a module has given its output."
        )
    return selection


def nearest(name: str, known: Iterable[str]) -> str:
    """ " (nearest: 'x')", or nothing where no name is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    return f" (nearest: {close[0]!r})" if close else ""


def check_names(selection: Selection, reference: Trace) -> None:
    """Raises UsageError for a pattern that fits no module of the reference, and for an unknown module of --until."""
    known = module_names(reference)
    for pattern in selection.only:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UsageError(f"--only: no module of the reference is called {pattern!r}{nearest(pattern, known)}.")
    if selection.until is None:
        return
    if selection.until not in known:
        raise UsageError(
            f"--until: there is no module {selection.until!r} in the reference{nearest(selection.until, known)}."
        )
    if not first_output(selection.until, reference):
        called = called_modules(reference)
        raise UsageError(
            f"--until: the module {selection.until!r} gives no output in this run{nearest(selection.until, called)}."
        )


def module_names(reference: Trace) -> list[str]:
    """Every module of the reference, the network itself, and whatever else its sites are blamed on."""
    called = called_modules(reference)
    blamed = (blame(site, called) for site in reference.sites)
    return list(dict.fromkeys([NETWORK, *reference.about.get("modules", {}), *blamed]))


def first_output(module: str, reference: Trace) -> list[str]:
    """The sites of what a module returns from its first call: one, or the parts of a nested value."""
    names = (name for name, site in reference.sites.items() if site.kind != "gradient")
    own = [name for name in names if name.partition("/")[2].partition(":out")[0] == module and ":out" in name]
    return [name for name in own if "#" not in name and name.partition("/")[0] == own[0].partition("/")[0]]


def apply(selection: Selection, stages: dict[str, Stage], reference: Trace, port: Trace) -> dict[str, Stage]:
    """The stages that are wanted, of them what is wanted; the rest of their sites counts as skipped.

    reference  the run that the sites are named by
    port       its fed run: what it did not come to behind --until is no failure
    """
    if selection.everything:
        return stages
    kept = {name: stage for name, stage in stages.items() if selection.wants(name)}
    for stage in kept.values():
        if selection.only:
            leave_out(stage, lambda row: chosen_by(row, selection.only), "left out by --only")
        if selection.until is not None and stage.name != "weights":
            stop_at(selection.until, stage, reference, port)
    return kept


def chosen_by(row, patterns: tuple[str, ...]) -> bool:
    """A site belongs to the module whose value it is, and to the one that computes it."""
    return any(fnmatchcase(name, pattern) for name in {row.module, module_at(row.site)} for pattern in patterns)


def module_at(site: str) -> str:
    """The module whose input, output or parameter a site is; the network for its output and its loss."""
    if site.startswith("end/"):
        return NETWORK
    name = site.partition("/")[2] or site
    if ":" in name:
        return name.partition(":")[0]
    return name.partition("@")[0].rpartition(".")[0] if "@" in name or "/" not in site else NETWORK


def stop_at(until: str, stage: Stage, reference: Trace, port: Trace) -> None:
    """Leave out what comes after a module's first output, and a break-off there."""
    last = first_output(until, reference)[-1]
    names = list(reference.sites)
    before = set(names[: names.index(last) + 1])
    why = f"comes after --until {until}"
    if stage.broke_off and last in port.sites:
        why, stage.broke_off = f"{why} (there the port broke off: {stage.broke_off})", None
    leave_out(stage, lambda row: row.site in before and not row.site.endswith(GRADIENT), why)


def leave_out(stage: Stage, wanted, why: str) -> None:
    """Move the rows that are not wanted to what was skipped."""
    stage.skipped += [(row.site, why) for row in stage.rows if not wanted(row)]
    stage.rows = [row for row in stage.rows if wanted(row)]


def judged(selection: Selection, stages: dict[str, Stage]) -> dict[str, Stage]:
    """The stages that count for the verdict: where a selection leaves a stage without sites, the stage is not judged."""
    if selection.everything:
        return stages
    return {name: stage for name, stage in stages.items() if stage.rows or stage.broke_off}


def left_out(selection: Selection, stages: dict[str, Stage], known: Iterable[str]) -> dict[str, object]:
    """What a report says of a part of a verification: the choice, stages not run, and a line that sums both up.

    known  names of all stages that there would be
    """
    not_run = {name: selection.why_not(name) for name in known if name not in stages and not selection.wants(name)}
    words = []
    if not_run:
        words.append("stages " + ", ".join(not_run))
    for flag, text in (("only", "--only"), ("until", "--until")):
        count = sum(text in why for stage in stages.values() for _, why in stage.skipped)
        if count:
            value = getattr(selection, flag)
            words.append(f"{count} sites by {text} {value if flag == 'until' else ','.join(value)}")
    return {
        "only": list(selection.only), "stages": list(selection.stages), "until": selection.until,
        "not_run": not_run, "left_out": "; ".join(words),
    }  # fmt: skip

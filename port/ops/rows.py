"""What is known of one operator, put together: a verdict, what to take care of, and what to write instead."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from port.ops.jobs import BACKWARD, COMPILED, COMPILED_BACKWARD, FORWARD
from port.ops.judge import ABSENT, AGREE, CRASH, DIFFERENT, KERNEL, RAISES, ROUNDING, SAME, SHAPE, TYPE, Outcome
from port.ops.table import BASE, Operator

# verdict -> what a porter has to do: nothing, to take care, or to write something else
SAME_AS, WITHIN_ROUNDING, WITH_CARE = "same", "same within rounding", "same with care"
OTHER_DEFAULT, OTHER_RESULT = "different default", "different result"
KERNEL_MISSING, NOT_THERE, REFUSED, CRASHES = "kernel missing", "not there", "refused", "crash"
STATUS = {
    SAME_AS: "same", WITHIN_ROUNDING: "same", WITH_CARE: "care", OTHER_DEFAULT: "care", OTHER_RESULT: "care",
    KERNEL_MISSING: "missing", NOT_THERE: "missing", REFUSED: "missing", CRASHES: "missing",
}  # fmt: skip
FAILED = {KERNEL: KERNEL_MISSING, ABSENT: NOT_THERE, RAISES: REFUSED, CRASH: CRASHES}
FIRST = f"{BASE}/float32/{FORWARD}"
ASPECTS = {  # column of the table -> the keys it sums up
    "forward": (FIRST,),
    "backward": (f"{BASE}/float32/{BACKWARD}",),
    "compiled": (f"{BASE}/float32/{COMPILED}", f"{BASE}/float32/{COMPILED_BACKWARD}"),
    "float16": (f"{BASE}/float16/{FORWARD}", f"{BASE}/float16/{BACKWARD}"),
}
ORDER = (SAME, ROUNDING, "not compared", "lenient", TYPE, DIFFERENT, SHAPE, RAISES, ABSENT, KERNEL, CRASH)


@dataclass(frozen=True)
class Row:
    """One operator and its outcomes by key, VARIANT/CASE/TYPE/MODE."""

    operator: Operator
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Of what a porter writes who changes the prefix only."""
        first = self.outcomes[f"port/{FIRST}"].what
        if first in FAILED:
            return FAILED[first]
        if first in (DIFFERENT, SHAPE):
            return OTHER_DEFAULT if self.operator.default else OTHER_RESULT
        own = [outcome.what for key, outcome in self.outcomes.items() if key.startswith("port/")]
        if not set(own) <= {*AGREE, "not compared"}:
            return WITH_CARE
        return WITHIN_ROUNDING if ROUNDING in own else SAME_AS

    @property
    def status(self) -> str:
        """same, care or missing."""
        return STATUS[self.verdict]

    def of(self, variant: str) -> dict[str, Outcome]:
        """Outcomes of one variant by CASE/TYPE/MODE."""
        start = f"{variant}/"
        return {key.removeprefix(start): outcome for key, outcome in self.outcomes.items() if key.startswith(start)}

    def aspect(self, name: str, variant: str = "port") -> Outcome | None:
        """The worst of what a column sums up; None where there is nothing."""
        held = self.of(variant)
        return worst([held[key] for key in ASPECTS[name] if key in held])

    def edges(self, variant: str = "port") -> dict[str, Outcome]:
        """The worst outcome of each edge."""
        held: dict[str, list[Outcome]] = {}
        for key, outcome in self.of(variant).items():
            if (case := key.partition("/")[0]) != BASE:
                held.setdefault(case, []).append(outcome)
        return {case: worst(outcomes) for case, outcomes in held.items()}

    def instead(self) -> str:
        """What to write instead, where it is known and agrees."""
        first = self.outcomes.get(f"instead/{FIRST}")
        return self.operator.calls["instead"] if first is not None and first.what in (*AGREE, TYPE) else ""

    def cares(self, variant: str = "port") -> Iterator[str]:
        """In words, what does not agree: nothing that follows from the forward pass at once."""
        failed = self.of(variant)[FIRST].what not in AGREE
        if failed:
            yield f"forward: {said(self.of(variant)[FIRST])}"
        for name in list(ASPECTS)[1:]:
            outcome = self.aspect(name, variant)
            if outcome and not outcome.agrees and not failed:
                yield f"{name}: {said(outcome)}"
        for case, outcome in self.edges(variant).items():
            if not outcome.agrees and not (failed and self.of(variant)[FIRST].what in FAILED):
                yield f"{case}: {said(outcome)}"


def worst(outcomes: list[Outcome]) -> Outcome | None:
    return max(outcomes, key=lambda outcome: ORDER.index(outcome.what), default=None)


def said(outcome: Outcome) -> str:
    """An outcome in a few words."""
    words = {
        TYPE: "",
        DIFFERENT: "differs ",
        SHAPE: "",
        RAISES: "raises ",
        KERNEL: "no kernel, ",
        CRASH: "",
        ABSENT: "",
    }
    return f"{words.get(outcome.what, '')}{outcome.detail or outcome.what}"


def changed(before: Row, after: Row) -> dict[str, tuple[str, str]]:
    """Keys whose outcome is another; bits and rounding count as one, since they depend on the processor."""

    def kind(outcome: Outcome | None) -> str:
        return "-" if outcome is None else "agrees" if outcome.agrees else outcome.what

    keys = [key for key in {**before.outcomes, **after.outcomes} if key in before.outcomes and key in after.outcomes]
    pairs = {key: (kind(before.outcomes[key]), kind(after.outcomes[key])) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}

"""What to say of each use: same, same with care, missing, or not measured."""

import ast
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from port.ops.judge import AGREE, TYPE
from port.ops.rows import FAILED, FIRST, OTHER_RESULT, Row, said
from port.ops.scan import METHOD, Use, read, scan
from port.ops.table import PREFIXES, Operator

FRAME = Path(__file__).with_name("frame.toml")
METHODS = Path(__file__).with_name("tensor_methods.txt")
SAME, CARE, MISSING, UNKNOWN, FRAMEWORK = "same", "care", "missing", "not measured", "no operator"
MEANING = {
    SAME: "agrees in all that was measured",
    CARE: "agrees, but not everywhere or not with these defaults",
    MISSING: "does not run here as it stands",
    UNKNOWN: "not in the table",
    FRAMEWORK: "no operator: a part of PyTorch around them",
}
WORST_FIRST = (MISSING, CARE, UNKNOWN, FRAMEWORK, SAME)


@dataclass(frozen=True)
class Advice:
    """One use and what is known of it. `care` in sentences; `write`: what to write instead, or where nothing is to change."""

    use: Use
    status: str
    operator: str
    verdict: str = ""
    care: tuple[str, ...] = ()
    write: str = ""

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return {
            "line": self.use.line, "operator": self.operator, "name": self.use.name, "source": self.use.text,
            "certain": self.use.certain, "status": self.status, "verdict": self.verdict, "care": list(self.care),
            "write": self.write,
        }  # fmt: skip


class Adviser:
    """The rows by every name they go by."""

    def __init__(self, rows: Sequence[Row]):
        self.rows = {name: row for row in rows for name in row.operator.spellings}
        frame = tomllib.loads(FRAME.read_text(encoding="utf-8"))
        self.frame = {spelt(name): instead for name, instead in frame["instead"].items()}
        self.frame |= {f"torch.{name}": f"mindspore.{name}" for name in frame["types"]["names"]}
        lines = METHODS.read_text(encoding="utf-8").splitlines()
        self.methods = {name for line in lines if not line.startswith("#") for name in line.split()}

    def file(self, path: Path) -> list[Advice]:
        """Everything that one source uses. Raises PortError where it cannot be read."""
        return [self.of(use) for use in scan(read(path), set(self.rows), self.methods, str(path))]

    def of(self, use: Use) -> Advice:
        """What is known of one use."""
        found = self._row(use.name)
        if found:
            return judged(use, *found)
        if instead := self._frame(use.name):
            return Advice(use, FRAMEWORK, short(use.name), write=instead)
        return Advice(use, UNKNOWN, short(use.name), care=("not in the table; compare it before it is trusted",))

    def _row(self, name: str) -> tuple[Row, str] | None:
        """A row and the variant that this spelling is; x.abs() is the method of the row of torch.abs."""
        if name in self.rows:
            return self.rows[name], "port"
        row = self.rows.get(f"torch.{name.removeprefix(METHOD)}") if name.startswith(METHOD) else None
        return (row, "method") if row and "method" in row.operator.calls else None

    def _frame(self, name: str) -> str | None:
        if name in self.frame:
            return self.frame[name]
        starts = [start for start in self.frame if start.endswith(".") and name.startswith(start)]
        return self.frame[max(starts, key=len)] if starts else None


def spelt(name: str) -> str:
    prefix, _, rest = name.partition(".")
    return f"{PREFIXES[prefix]}.{rest}"


def short(name: str) -> str:
    """F.gelu of torch.nn.functional.gelu."""
    for prefix in ("F", "nn", "Tensor"):
        if name.startswith(PREFIXES[prefix] + "."):
            return f"{prefix}.{name.removeprefix(PREFIXES[prefix] + '.')}"
    return name


def judged(use: Use, row: Row, variant: str) -> Advice:
    """The row's verdict, with what concerns the arguments of this call first."""
    status, verdict, care = as_method(row) if variant == "method" else (row.status, row.verdict, [])
    operator = row.operator
    if (given := explicit(use, operator)) and row.instead():
        left = list(row.cares("instead"))
        care = (f"{given} is given: pass it on", *left, *([operator.note] if left and operator.note else []))
        return Advice(use, CARE if left else SAME, short(use.name), verdict, care, row.instead())
    forms, unmeasured = forms_of(use, operator)
    if forms:  # another form of the call than the base: its own cases count
        status = form_status(row, forms)
        verdict = f"{verdict}; other arguments"
    care += [f"default: {operator.default}"] if operator.default and status != SAME else []
    care += [f"{case}: {said(row.edges()[case])}" for case in forms if not row.edges()[case].agrees]
    care += [f"argument {name} was not measured with this value" for name in unmeasured]
    status = CARE if unmeasured and status == SAME else status
    instead = instead_of(row, forms) if status != SAME else ""
    if status != SAME:
        care += [operator.note] if operator.note else []
        care += left_over(row, bool(instead), variant, bool(forms))
    return Advice(use, status, short(use.name), verdict, tuple(dict.fromkeys(care)), instead)


def left_over(row: Row, with_instead: bool, variant: str, other_form: bool) -> list[str]:
    """What does not agree with every call: of what is written instead where there is that, else of the row itself."""
    if variant == "method" and row.of("method")[FIRST].what in FAILED:
        return []
    aside = form_cases(row.operator)
    first = row.of("port")[FIRST]
    care = (
        [f"as it stands: {said(first)}"]
        if with_instead and not first.agrees and not row.operator.default and not other_form
        else []
    )
    which = "instead" if with_instead and row.instead() else "port"
    prefix = "written so, " if which == "instead" else ""
    return care + [prefix + text for text in row.cares(which) if text.partition(":")[0] not in aside]


def form_status(row: Row, forms: Sequence[str]) -> str:
    """Of the cases with the arguments of the call."""
    outcomes = [row.edges()[case] for case in forms]
    if any(outcome.what in FAILED for outcome in outcomes):
        return MISSING
    return SAME if all(outcome.agrees for outcome in outcomes) and row.status == SAME else CARE


def as_method(row: Row) -> tuple[str, str, list[str]]:
    """Status, verdict and care where the call as a method may fare otherwise than the function."""
    first = row.of("method")[FIRST]
    if first.what in FAILED:
        works = f"; the function {row.operator.calls['port']} works" if row.of("port")[FIRST].agrees else ""
        return MISSING, FAILED[first.what], [f"as a method: {said(first)}{works}"]
    if first.what not in (*AGREE, TYPE) and row.status == SAME:
        return CARE, OTHER_RESULT, [f"as a method: {said(first)}"]
    return row.status, row.verdict, []


def explicit(use: Use, operator: Operator) -> str:
    """The argument whose default differs, where the call gives it."""
    for name, place in operator.given.items():
        if name in use.keywords or use.arguments > place:
            return name
    return ""


def keywords_of(call: str) -> dict[str, object]:
    """Those of the outermost call that has any, or of the layer's constructor."""
    calls = [node for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Call) and node.keywords]
    return {
        key.arg: key.value.value if isinstance(key.value, ast.Constant) else ...
        for node in calls
        for key in node.keywords
    }


def forms_of(use: Use, operator: Operator) -> tuple[list[str], list[str]]:
    """Cases that are called with the keywords of this use, where the base is not; and keywords that no fitting case has.

    Of the cases whose keywords are all given here, those count that have most of them.
    """
    calls = {case.name: keywords_of(case.calls["torch"]) for case in operator.cases}
    fitting = {
        name: keywords
        for name, keywords in calls.items()
        if all(key in use.keywords and alike(use.keywords[key], value) for key, value in keywords.items())
    }
    best = [name for name, own in fitting.items() if not any(own.keys() < other.keys() for other in fitting.values())]
    covered = {key for name in best for key in fitting[name]}
    unmeasured = [key for key, value in use.keywords.items() if key not in covered and not neutral(key, value)]
    forms = [] if not best or "base" in best else [name for name in best if calls[name] != calls["base"]]
    return forms, unmeasured


@cache
def arguments() -> Mapping[str, object]:
    """Those that need no measurement, from frame.toml."""
    return tomllib.loads(FRAME.read_text(encoding="utf-8"))["arguments"]


def neutral(name: str, value: object) -> bool:
    """Whether an argument says what PyTorch does anyway, or nothing that the framework matters for."""
    defaults = arguments()["defaults"]
    return value is None or name in arguments()["no_matter"] or (name in defaults and defaults[name] == value)


def alike(own: object, measured: object) -> bool:
    """Words and truth values must be the same; whole numbers stand for each other, and so does what is computed."""
    if own is ... or measured is ...:
        return True
    if isinstance(own, str | bool) or isinstance(measured, str | bool):
        return own == measured
    if isinstance(own, int | float) and isinstance(measured, int | float):
        return float(own).is_integer() == float(measured).is_integer()
    return own == measured


def form_cases(operator: Operator) -> set[str]:
    """Cases that are another form of the call: said only of calls in that form."""
    base = keywords_of(operator.calls["torch"])
    return {case.name for case in operator.cases[1:] if keywords_of(case.calls["torch"]) != base}


def instead_of(row: Row, cases: Sequence[str]) -> str:
    """What to write, for the case in question where the table knows it."""
    for case in row.operator.cases[1:]:
        outcome = row.outcomes.get(f"instead/{case.name}/float32/forward")
        if case.name in cases and outcome is not None and outcome.agrees:
            return case.calls["instead"]
    return row.instead()


def counted(found: Sequence[Advice]) -> Mapping[str, int]:
    """Uses by status, the worst first."""
    return {status: sum(advice.status == status for advice in found) for status in WORST_FIRST}


def sources(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Files to read, and whether each was named itself; of folders every .py file that is not hidden."""
    for path in paths:
        if path.is_dir():
            inside = (
                file
                for file in sorted(path.rglob("*.py"))
                if not any(p.startswith(".") for p in file.relative_to(path).parts)
            )
            yield from ((file, False) for file in inside)
        else:
            yield path, True

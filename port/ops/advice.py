"""What to say of each use: same, same with care, missing, or not measured."""

import ast
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from port.ops.judge import AGREE, TYPE
from port.ops.rows import FAILED, FIRST, OTHER_DEFAULT, Row, said
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
    first = row.of(variant)[FIRST]
    status, verdict = row.status, row.verdict
    care: list[str] = []
    if variant == "method":
        status, verdict, care = as_method(row, status, verdict)
    given = explicit(use, row.operator)
    if given and row.instead():
        care.append(f"{given} is given: pass it on")
        left = list(row.cares("instead"))
        return Advice(use, CARE if left else SAME, short(use.name), verdict, (*care, *left), row.instead())
    if row.operator.default and verdict == OTHER_DEFAULT:
        care.append(f"default: {row.operator.default}")
    cases, unmeasured = by_keywords(use, row.operator)
    edges = row.edges("port")
    concerned = [(name, edges[name]) for name in cases if name in edges and not edges[name].agrees]
    care += [f"{name}: {said(outcome)}" for name, outcome in concerned]
    care += [f"argument {name} was not measured" for name in unmeasured]
    if any(outcome.what in FAILED for _, outcome in concerned):
        status = MISSING
    elif (concerned or unmeasured) and status == SAME:
        status = CARE
    shown = {name for name, _ in concerned} | special_edges(row.operator)
    if status != SAME or row.operator.note:
        care += [row.operator.note] if row.operator.note else []
        if variant == "port" or first.agrees:
            care += [text for text in row.cares() if text.partition(":")[0] not in shown]
    write = instead_of(row, [name for name, _ in concerned]) if status != SAME else ""
    return Advice(use, status, short(use.name), verdict, tuple(care), write)


def as_method(row: Row, status: str, verdict: str) -> tuple[str, str, list[str]]:
    """Where the call as a method fares otherwise than the function."""
    first = row.of("method")[FIRST]
    if first.what in FAILED:
        function = row.operator.calls["port"]
        care = [f"as a method: {said(first)}" + (f"; the function {function} works" if row.of("port")[FIRST].agrees else "")]
        return MISSING, FAILED[first.what], care
    if first.what not in (*AGREE, TYPE) and status == SAME:
        return CARE, "different result", [f"as a method: {said(first)}"]
    return status, verdict, []


def explicit(use: Use, operator: Operator) -> str:
    """The argument whose default differs, where the call gives it."""
    for name, place in operator.given.items():
        if name in use.keywords or use.arguments > place:
            return name
    return ""


def keywords_of(call: str) -> dict[str, object]:
    """Those of the outermost call that has any, or of the layer's constructor."""
    calls = [node for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Call) and node.keywords]
    return {key.arg: key.value.value if isinstance(key.value, ast.Constant) else ... for node in calls for key in node.keywords}


def by_keywords(use: Use, operator: Operator) -> tuple[list[str], list[str]]:
    """Cases of the table that have the keywords of a call, and keywords that no case has with that value."""
    base = keywords_of(operator.calls["torch"])
    fitting, covered = [], {name for name, value in base.items() if alike(use.keywords.get(name), value)}
    for case in operator.cases[1:]:
        extra = {name: value for name, value in keywords_of(case.calls["torch"]).items() if name not in base or base[name] != value}
        if extra and all(name in use.keywords and alike(use.keywords[name], value) for name, value in extra.items()):
            fitting.append(case.name)
            covered |= set(extra)
    neutral = {"dim", "dtype", "device", "requires_grad", "inplace", "input", "out", "bias", "kernel_size", "in_channels",
               "out_channels", "size", "num_features", "in_features", "out_features", "tensors", "p"}  # fmt: skip
    return fitting, [name for name in use.keywords if name not in covered | neutral]


def alike(own: object, measured: object) -> bool:
    """Words and truth values must be the same; numbers and what is computed stand for each other."""
    if isinstance(own, str | bool) and isinstance(measured, str | bool):
        return own == measured
    return own is not None


def special_edges(operator: Operator) -> set[str]:
    """Cases that belong to keywords: said only of calls that have them."""
    return {case.name for case in operator.cases[1:] if keywords_of(case.calls["torch"]) != keywords_of(operator.calls["torch"])}


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
            inside = (file for file in sorted(path.rglob("*.py")) if not any(p.startswith(".") for p in file.relative_to(path).parts))
            yield from ((file, False) for file in inside)
        else:
            yield path, True

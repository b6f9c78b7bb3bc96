"""What is to be run: one job per call, case, element type and way of running; and the module of functions that are called."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from port.ops import inputs
from port.ops.table import BASE, Case, Operator

FORWARD, BACKWARD = "forward", "backward"
COMPILED, COMPILED_BACKWARD = "compiled", "compiled backward"
MODES = (FORWARD, BACKWARD, COMPILED, COMPILED_BACKWARD)
TRUTH, TRUTH_OF_HALF = "float64", "float64 of float16"
FULL = ("port", "instead")  # variants that are run in every way; the others forward only


@dataclass(frozen=True)
class Job:
    """One call.

    operator   its place in the table
    variant    torch, port, instead, method or mint
    arguments  names of the inputs in the order of the call; `places`: of those that have a gradient
    weights    inputs that fill the layer, and what it calls them
    layer      whether the function is called with a layer that is made first
    """

    operator: int
    variant: str
    case: str
    dtype: str
    mode: str
    function: str
    arguments: tuple[str, ...]
    places: tuple[int, ...]
    weights: Mapping[str, str]
    layer: bool

    @property
    def key(self) -> str:
        """Unique among the jobs of an operator."""
        return "/".join((self.variant, self.case, self.dtype, self.mode))


def of_reference(table: Sequence[Operator]) -> list[Job]:
    """Every case in float32 and in float64, the truth; the base in float16 as well."""
    found = []
    for place, operator in enumerate(table):
        for number, case in enumerate(operator.cases):
            for dtype in dtypes(operator, case, TRUTH):
                for mode in modes(operator, case, compiled=False):
                    found.append(job(place, operator, number, "torch", dtype, mode))
    return found


def of_port(table: Sequence[Operator]) -> list[Job]:
    """Every way of writing it; the base compiled and in float16 as well."""
    found = []
    for place, operator in enumerate(table):
        for number, case in enumerate(operator.cases):
            for variant in (name for name in case.calls if name != "torch"):
                if variant not in FULL:
                    found.append(job(place, operator, number, variant, "float32", FORWARD))
                    continue
                for dtype in dtypes(operator, case):
                    for mode in modes(operator, case, compiled=case.name == BASE and dtype == "float32"):
                        found.append(job(place, operator, number, variant, dtype, mode))
    return found


def dtypes(operator: Operator, case: Case, *more: str) -> tuple[str, ...]:
    """float16 where the base has an input of a floating type, with the truth of the same rounded values."""
    floats = any(inputs.is_float(value) for value in inputs.arrays(operator, case).values())
    half = ("float16", TRUTH_OF_HALF)[: 2 if more else 1]
    return ("float32", *more, *(half if floats and case.name == BASE else ()))


def modes(operator: Operator, case: Case, compiled: bool) -> tuple[str, ...]:
    """Gradients need an argument that has one, and an edge at which they mean something."""
    chosen = (FORWARD, COMPILED) if compiled else (FORWARD,)
    if case.edge in inputs.NO_GRADIENT or not differentiated(operator, case):
        return chosen
    return MODES if compiled else (FORWARD, BACKWARD)


def differentiated(operator: Operator, case: Case) -> list[str]:
    """Arguments whose gradients are compared."""
    if not operator.backward:
        return []
    given = inputs.arrays(operator, case)
    wanted = operator.gradients or given
    return [name for name in case_arguments(case) if name in wanted and inputs.is_float(given[name])]


def case_arguments(case: Case) -> list[str]:
    """The inputs that PyTorch's call takes; the others belong to the layer."""
    return [name for name in case.inputs if name in used(case.calls["torch"])]


def job(place: int, operator: Operator, number: int, variant: str, dtype: str, mode: str) -> Job:
    """The job of one case, by its place in the operator."""
    case = operator.cases[number]
    arguments = [name for name in case.inputs if name in used(case.calls[variant])]
    weights = [name for name in case.inputs if name not in case_arguments(case)]
    layer = split(case.calls[variant])[0] is not None
    renamed = {name: operator.rename.get(name, name) if variant in FULL else name for name in weights}
    name = function_name(place, number, variant)
    places = tuple(arguments.index(key) for key in differentiated(operator, case) if key in arguments)
    return Job(place, variant, case.name, dtype, mode, name, tuple(arguments), places, renamed if layer else {}, layer)


def function_name(place: int, number: int, variant: str) -> str:
    return f"call_{place}_{number}_{variant}"


def used(call: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Name)}


def split(call: str) -> tuple[str | None, list[str]]:
    """`nn.ReLU()(x)` -> how the layer is made, and the statements with `layer` in its place; None for a plain function."""
    *before, last = (ast.unparse(statement) for statement in ast.parse(call).body)
    tree = ast.parse(last, mode="eval").body
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Call):
        made = ast.unparse(tree.func)
        return made, [*before, "layer" + last[len(made) :]]
    return None, [*before, last]


def module_source(table: Sequence[Operator], preamble: str, variants: tuple[str, ...]) -> str:
    """Source of the functions: MindSpore compiles only what stands in a file."""
    return preamble + "\n".join(functions(table, variants))


def functions(table: Sequence[Operator], variants: tuple[str, ...]) -> Iterator[str]:
    """`call_N_M_VARIANT(inputs)` for each; before a layer's, `make_call_N_M_VARIANT()` and a place for what it makes."""
    for place, operator in enumerate(table):
        for number, case in enumerate(operator.cases):
            for variant in (name for name in variants if name in case.calls):
                name = function_name(place, number, variant)
                layer, (*before, last) = split(case.calls[variant])
                arguments = [key for key in case.inputs if key in used(case.calls[variant])]
                if layer:
                    last = f"layer_{name}" + last.removeprefix("layer")
                    yield f"\nlayer_{name} = None\n\ndef make_{name}():\n    return {layer}\n"
                yield f"\ndef {name}({', '.join(arguments)}):"
                yield from (f"    {line}" for line in (*before, f"return {last}"))


def as_data(jobs: Sequence[Job]) -> list[dict[str, object]]:
    return [asdict(job) for job in jobs]


def from_data(rows: Sequence[Mapping[str, object]]) -> list[Job]:
    return [Job(**{**row, "arguments": tuple(row["arguments"]), "places": tuple(row["places"])}) for row in rows]


def typed(value: np.ndarray, dtype: str) -> np.ndarray:
    """A floating input in the type of the job."""
    if not inputs.is_float(value):
        return value
    return value.astype("float16").astype("float64") if dtype == TRUTH_OF_HALF else value.astype(dtype)

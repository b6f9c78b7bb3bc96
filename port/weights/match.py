"""Which parameter of the port is which of the reference's, for networks without a table of their own."""

from collections.abc import Mapping, Sequence

from port.errors import PortError
from port.weights.rules import RuleTable, nearest, quote

# What MindSpore's layers call their parameters -> how PyTorch calls the same.
LAYER_NAMES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "embedding_table": "weight",
    "a": "weight",  # PReLU, by itself
    "w": "weight",  # and inside another cell
}
# State that only one side keeps, and why nothing is lost with it.
REFERENCE_ONLY = {"num_batches_tracked": "a counter that MindSpore's BatchNorm does without"}


def match_names(reference: Sequence[str], port: Sequence[str], table: Mapping[str, str]) -> dict[str, str]:
    """-> port name -> reference name, each used once.

    table  torch template -> MindSpore template with `{}` for indices, for names that differ; looked at first. Then equal
           names, then the names that MindSpore's layers use for the same thing.
    Raises PortError naming what is left over on either side and the nearest name on the other.
    """
    rules = RuleTable(table)
    known = set(reference)
    matched: dict[str, str] = {}
    for name in port:
        candidate = reference_name(name, rules, known)
        if candidate in known:
            matched[name] = candidate
            known.remove(candidate)
    check_complete(reference, port, matched)
    return matched


def reference_name(name: str, rules: RuleTable, known: set[str]) -> str:
    """The reference's name that a port name stands for, by table, equality or layer convention."""
    if rules.matches_inverse(name):
        return rules.inverse(name)
    owner, _, last = name.rpartition(".")
    other = LAYER_NAMES.get(last, last)
    return name if name in known else f"{owner}.{other}" if owner else other


def check_complete(reference: Sequence[str], port: Sequence[str], matched: Mapping[str, str]) -> None:
    """Raises PortError unless every name has its partner (counters of REFERENCE_ONLY apart)."""
    used = set(matched.values())
    alone = [n for n in reference if n not in used and n.rpartition(".")[2] not in REFERENCE_ONLY]
    extra = [name for name in port if name not in matched]
    if not alone and not extra:
        return
    parts = []
    if alone:
        hint = f" (nearest in the port: {quote(nearest(alone[0], port))})" if port else ""
        parts.append(f"{len(alone)} of the reference without a partner, the first {quote(alone[0])}{hint}")
    if extra:
        parts.append(f"{len(extra)} of the port without a partner, the first {quote(extra[0])}")
    raise PortError(f"parameters do not match: {'; '.join(parts)}. Name the pairs in WEIGHTS of the pair's file.")


def fitted(name: str, array, shape: tuple[int, ...]):
    """The array in the shape of the port's parameter. Only the axis of one that MindSpore's Conv1d adds is made.

    Raises PortError for any other shape: a reshape could hide a wrong order of axes.
    """
    if array.shape == shape:
        return array
    if len(shape) == 4 and array.ndim == 3 and shape == (*array.shape[:2], 1, array.shape[2]):
        return array.reshape(shape)
    raise PortError(f"parameter {quote(name)}: shape {array.shape} in the reference, {shape} in the port.")

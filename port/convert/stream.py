"""The bytes of a plan's tensors, a few megabytes at a time: no more of a tensor is in memory, unless it is transposed."""

from collections.abc import Iterator

import numpy as np

from port.convert.plan import Output, Plan
from port.convert.source import Source, numpy_type
from port.errors import PortError
from port.weights.halves import cast, overflowed
from port.weights.rules import quote

CHUNK = (
    1 << 20
)  # bytes; a multiple of every element's size. What is read, hashed and written stays in the cache of the core


def chunks(output: Output, source: Source) -> Iterator[memoryview]:
    """The bytes of one tensor of the target, in order. A chunk is good until the next one is asked for."""
    if not output.pieces:
        yield memoryview(bytes(output.nbytes))
        return
    given = numpy_type(source.tensors[output.pieces[0][0]].dtype)
    for part in _transposed(output, source) if output.transposed else _straight(output, source):
        if output.cast is None:
            yield part
            continue
        before = np.frombuffer(part, given)
        after = cast(before, output.cast)
        if lost := overflowed(before, after):
            raise PortError(
                f"{quote(output.name)}: {lost} values are too large for {output.cast} and would become infinite. "
                "Keep the element type, or take another."
            )
        yield memoryview(after.view(np.uint8).reshape(-1))


def _straight(output: Output, source: Source) -> Iterator[memoryview]:
    largest = max(stop - start for _, start, stop in output.pieces)
    buffer = memoryview(bytearray(min(CHUNK, largest)))
    for name, start, stop in output.pieces:
        for at in range(start, stop, CHUNK):
            part = buffer[: min(CHUNK, stop - at)]
            source.read_into(name, at, part)
            yield part


def _transposed(output: Output, source: Source) -> Iterator[memoryview]:
    """A matrix is read whole; what is written is turned row by row."""
    name, _, nbytes = output.pieces[0]
    whole = bytearray(nbytes)
    source.read_into(name, 0, memoryview(whole))
    item = nbytes // max(1, output.shape[0] * output.shape[1])
    matrix = np.frombuffer(whole, f"u{item}" if item in (1, 2, 4, 8) else f"V{item}").reshape(output.shape[::-1])
    rows = max(1, CHUNK // max(1, matrix.itemsize * matrix.shape[0]))
    for at in range(0, output.shape[0], rows):
        yield memoryview(np.ascontiguousarray(matrix[:, at : at + rows].T)).cast("B")


def array_of(output: Output, source: Source) -> np.ndarray:
    """One tensor of the target whole, for formats that are written at once."""
    content = b"".join(bytes(part) for part in chunks(output, source))
    return np.frombuffer(bytearray(content), numpy_type(output.dtype)).reshape(output.shape)


def check_tied(plan: Plan, source: Source) -> None:
    """Tensors that are one in the network must be equal in the file. Raises PortError."""
    for first, other in plan.tied:
        a, b = source.tensors[first], source.tensors[other]
        equal = (a.dtype, a.shape) == (b.dtype, b.shape)
        for at in range(0, a.nbytes, CHUNK) if equal else ():
            parts = [memoryview(bytearray(min(CHUNK, a.nbytes - at))) for _ in range(2)]
            source.read_into(first, at, parts[0])
            source.read_into(other, at, parts[1])
            equal = equal and parts[0] == parts[1]
        if not equal:
            raise PortError(
                f"{quote(first)} and {quote(other)} are one tensor in the reference (tied) and differ in the file. "
                "Which of them is meant? Untie them in the network, or mend the file."
            )

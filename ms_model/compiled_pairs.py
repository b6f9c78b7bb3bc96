"""The port of a pair as MindSpore compiles it: the network and its way back, parts of it, or every module by itself."""

import inspect
import sys
from contextlib import contextmanager

import mindspore
from mindspore import Tensor

from ms_model.pairs import floats
from port.parity.call import arguments_of, build, first_call
from port.parity.nested import walk
from port.parity.pair_capture import in_words


def run_compiled(side, recorder):
    """Network and way back compiled, the loss not: output, loss and the parameters' gradients, shown to the recorder.

    -> modules compiled, and how often a `construct` of theirs ran in Python before and after: {"modules", "eager", "compiled"}
    """
    chosen = [cell for name, cell in [("", side.net), *side.modules()] if name in side.pair.compiled]
    with constructs_run(chosen) as before:
        side.net(*side.inputs)
    with constructs_run(chosen) as after:
        made = compiled_whole(side) if "" in side.pair.compiled else compiled_parts(side, chosen)
    output, loss, gradients = made
    recorder.step("end")
    recorder.result("output", output)
    recorder("loss", loss)
    for name, gradient in side.by_reference(dict(zip(side.trained(), gradients, strict=True))):
        recorder.parameter_gradient(name, gradient)
    return {"modules": list(side.pair.compiled), "eager": len(before), "compiled": len(after)}


@contextmanager
def constructs_run(cells):
    """-> list that gets an entry each time a `construct` of these cells, or of cells inside them, runs in Python."""
    inside = [cell for outer in cells for _, cell in outer.cells_and_names()]
    codes = {inspect.unwrap(type(cell).construct).__code__ for cell in inside}
    runs, ids, before = [], {id(cell) for cell in inside}, sys.getprofile()

    def seen(frame, event, argument):
        if event == "call" and frame.f_code in codes and id(frame.f_locals.get("self")) in ids:
            runs.append(frame.f_code.co_name)

    sys.setprofile(seen)
    try:
        yield runs
    finally:
        sys.setprofile(before)


def compiled_whole(side):
    """-> output, loss, gradients of the trained parameters. Compiled: the network, and its gradient along the loss's."""
    net, count, weights = side.net, len(side.inputs), list(side.trained().values())

    @mindspore.jit
    def forward(*inputs):
        return net(*inputs)

    def along(*values):
        total = 0
        for leaf, direction in zip(floats(net(*values[:count])), values[count:]):  # noqa: B905, jit knows no `strict`
            total = total + (leaf * direction).sum()
        return total

    output = forward(*side.inputs)
    leaves = floats(output)

    def score(*given):
        left = list(given)
        return side.loss(walk(output, "", lambda _, leaf: left.pop(0) if floats(leaf) else leaf), side.inputs)

    loss, directions = mindspore.value_and_grad(score, tuple(range(len(leaves))))(*leaves)
    if not weights:
        return output, loss, ()
    graded = mindspore.grad(along, None, weights)

    @mindspore.jit
    def backward(*values):
        return graded(*values)

    return output, loss, backward(*side.inputs, *(directions if isinstance(directions, tuple) else (directions,)))


def compiled_parts(side, cells):
    """-> output, loss, gradients, with only these cells compiled; what lies between them runs operation by operation."""
    for cell in cells:
        cell.construct = mindspore.jit(cell.construct)

    def score(*inputs):
        output = side.net(*inputs)
        return side.loss(output, inputs), output

    weights = list(side.trained().values())
    if not weights:
        loss, output = score(*side.inputs)
        return output, loss, ()
    (loss, output), gradients = mindspore.value_and_grad(score, None, weights, has_aux=True)(*side.inputs)
    return output, loss, gradients


def run_compiled_alone(side, recorder):
    """Every module compiled by itself, its first call made with the arguments that the reference's module was given.

    -> {"failed": module -> why it cannot be compiled, "left_out": module -> why it was not tried}
    """
    failed, left_out = {}, {}
    for name, cell in side.modules():
        if (site := first_call(name, recorder.reference)) is None:
            continue
        found = arguments_of(site, recorder.reference)
        if found is None or found[0]["keywords"]:
            left_out[name] = "its arguments were not stored whole" if found is None else "it is called with keywords"
            continue
        recorder.step(site.partition("/")[0])
        try:
            recorder.output(name, compiled_call(cell, arguments(side, *found)))
        except Exception as failure:  # a compiler refuses in many ways
            failed[name] = in_words(failure)
    return {"failed": failed, "left_out": left_out}


def arguments(side, call, arrays):
    """The arguments of a call as tensors, floating-point ones in the type that the network computes in."""
    own = next((t.dtype for t in side.inputs if t.is_floating_point()), mindspore.float32)
    tensors = {key.partition("/")[2]: Tensor(array) for key, array in arrays.items()}
    tensors = {key: t.astype(own) if t.is_floating_point() else t for key, t in tensors.items()}
    return [build(node, tensors) for node in call["arguments"]]


def compiled_call(cell, given):
    """What a cell returns when it is compiled by itself."""

    @mindspore.jit
    def call(*values):
        return cell(*values)

    return call(*given)

"""The two columns read line against line: same files, same classes and functions and methods, in the same order."""

import ast
from itertools import zip_longest
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
COLUMNS = ("torch_ref", "ms_model")

# (file, name) -> why one column has it and the other does not. An entry that is not needed fails, too.
ONLY_PORT = {
    ("spynet.py", "ConvModule"): "comes from mmcv in the reference",
    ("spynet.py", "ConvModule.__init__"): "as above",
    ("spynet.py", "ConvModule.forward"): "as above",
    ("spynet.py", "_constant"): "mean and std: a .ckpt leaves buffers out, so they are parameters that are not trained",
    (
        "ltam.py",
        "_unit",
    ): "F.normalize in the reference; MindSpore's has another epsilon, its norm a NaN gradient at zero",
    ("warp.py", "_nearest_pixel"): "MindSpore's nearest sampling rounds halves up, so the sampling is written out",
    ("vsr.py", "_extremes"): "MindSpore's min and max pass over NaN",
    ("checkpoint.py", "_quiet"): "MindSpore logs to stderr what it also raises",
    ("checkpoint.py", "_umask"): "MindSpore leaves files read-only",
    ("gate.py", "of_its_own"): "an autograd.Function passes on what it was given without copying it",
    ("pairs.py", "without_recomputing"): "PyTorch has no mark of modules whose values are computed again on the way back",
    ("pairs.py", "floats"): "plain loops that MindSpore's compiler reads",
    ("training.py", "Trainer._held"): "gradients are given to the optimiser in its own order",
    ("train.py", "Engine._score"): "what is differentiated is a function there; PyTorch goes back from the loss",
    ("train.py", "select"): "the queues are switched off as well, see device.py",
    ("vsr.py", "Method"): "mindspore.recompute takes cells, torch.utils.checkpoint any function",
    ("vsr.py", "Method.__init__"): "as above",
    ("vsr.py", "Method.forward"): "as above",
    ("pairs.py", "Side.own_modules"): "the port's own names, from which those of its sites are made",
    ("pairs.py", "Side.by_reference"): "the port's gradients in the reference's names and layouts",
    ("pairs.py", "parameters_of"): "the port's tensors for the map of weights; the reference's need their tied names",
    ("pairs.py", "assign"): "a buffer and a parameter are written in different ways",
    ("training.py", "Trainer._of_reference"): "learning rates by the reference's names",
    (
        "training.py",
        "Trainer._moving",
    ): "gradients are asked for by parameter; PyTorch leaves out what is frozen by itself",
    (
        "device.py",
        "one_after_the_other",
    ): "MindSpore's queues between Python and the kernels; PyTorch has none on a CPU",
    ("zoo/metric.py", "LocalResponseNorm.forward"): "inherited in the reference",
    ("zoo/metric.py", "Accumulating.forward"): "an optimiser of MindSpore is a cell called with its gradients",
    ("zoo/metric.py", "distance"): "nn.TripletMarginLoss has no kernel on a CPU",
    (
        "operators.py",
        "directions",
    ): "a gradient is given the whole structure of a result; PyTorch's the tensors that have one",
    ("operators.py", "is_tensor"): "torch.is_tensor in the reference",
    ("bench.py", "padding_of"): "the padding of a layer of MindSpore has a mode",
    ("recipe.py", "Recipe.__call__"): "an optimiser of MindSpore is called with its gradients",
}
ONLY_REFERENCE = {
    ("speed.py", "_bfloat16"): "MindSpore has no bfloat16 convolution on a CPU; on a GPU it does not run",
    ("speed.py", "_tf32"): "a GPU's",
    ("speed.py", "_compile"): "MindSpore compiles without a compiler of C++",
    ("speed.py", "_cuda_graphs"): "a GPU's",
    ("speed.py", "_recorded"): "a GPU's",
    ("recipe.py", "Recipe.step"): "the same of PyTorch, which finds the gradients at the parameters",
    ("zoo/metric.py", "Accumulating.step"): "the same of PyTorch, which finds the gradients at the parameters",
    ("gate.py", "copying_gate"): "PyTorch's modules may write into what they are given",
    ("gate.py", "refuses_in_place"): "as above",
    ("bench.py", "plain"): "the baseline is the official framework's",
    ("device.py", "laid_out_as"): "MindSpore's tensors have one layout in memory",
    ("bench.py", "of_layout"): "MindSpore's tensors have one layout in memory",
    ("run_exported.py", "describe"): "the parts run there without PyTorch, on onnxruntime",
    ("export.py", "_quiet"): "PyTorch's exporter logs what concerns its own makers",
    ("winograd.py", "suits"): "MindSpore checks what an operator is given",
    ("pairs.py", "tied_names"): "MindSpore lists a shared parameter once",
    ("map_pair.py", "exercised_by"): "asked of the reference alone",
    ("pairs.py", "run_gated"): "a network that writes in place is run a second time, with copies",
}
# Files that one column has alone
FILES_ONLY_REFERENCE = {
    "plain.py": "the baseline that both columns are measured against is written in the framework of the official code",
}
FILES_ONLY_PORT = {
    "compiled_pairs.py": "only the port is compiled",
}
# (file, class or function) -> argument lists that differ on purpose
ARGUMENTS = {
    ("gate.py", "Gate.forward"): "PyTorch's modules may write into what they are given: `apart`",
    ("tokens.py", "_averages"): "a constant of MindSpore's compiled parts is made from numbers alone",
    ("tokens.py", "_made"): "as above",
    ("checkpoint.py", "_to_tensor"): "the name of the tensor goes into MindSpore's messages",
}


def outline(source):
    """Names in order of appearance, methods as Class.method, MindSpore's `construct` as `forward`; -> their arguments."""
    found = {}

    def visit(nodes, prefix):
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                found[prefix + node.name] = None
                visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = "forward" if prefix and node.name == "construct" else node.name
                found[prefix + name] = ast.unparse(node.args)

    visit(ast.parse(source).body, "")
    return found


def files(column, repo=REPO):
    return sorted(path.relative_to(repo / column).as_posix() for path in (repo / column).rglob("*.py"))


def differences(name, reference, port, only_reference=ONLY_REFERENCE, only_port=ONLY_PORT):
    """Pairs of names that stand at the same place and differ, exceptions of that file left out."""
    reference = [entry for entry in outline(reference) if (name, entry) not in only_reference]
    port = [entry for entry in outline(port) if (name, entry) not in only_port]
    return [pair for pair in zip_longest(reference, port) if pair[0] != pair[1]]


def read(column, name):
    return (REPO / column / name).read_text(encoding="utf-8")


SHARED = [name for name in files("torch_ref") if name not in FILES_ONLY_REFERENCE]


def test_same_files():
    assert [name for name in files("ms_model") if name not in FILES_ONLY_PORT] == SHARED
    assert FILES_ONLY_REFERENCE.keys() <= set(files("torch_ref"))  # every exception is needed
    assert FILES_ONLY_PORT.keys() <= set(files("ms_model"))
    assert len(files("torch_ref")) >= 12  # and they were found at all


@pytest.mark.parametrize("name", SHARED)
def test_same_names_in_the_same_order(name):
    assert differences(name, read("torch_ref", name), read("ms_model", name)) == []


@pytest.mark.parametrize("name", SHARED)
def test_same_arguments(name):
    """Functions and constructors are called alike in both columns, defaults included; annotations may differ."""
    reference, port = (outline(strip_annotations(read(column, name))) for column in COLUMNS)
    differing = {entry for entry in reference.keys() & port.keys() if reference[entry] != port[entry]}
    assert differing == {entry for file, entry in ARGUMENTS if file == name}


def strip_annotations(source):
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(tree)


# The others describe one framework's files, commands or package.
NETWORK_FILES = (
    "basicvsr.py",
    "blocks.py",
    "device.py",
    "loss.py",
    "ltam.py",
    "networks.py",
    "spynet.py",
    "tokens.py",
    "ttvsr.py",
    "vsr.py",
    "warp.py",
)


@pytest.mark.parametrize("name", NETWORK_FILES)
def test_same_docstrings_of_files_and_classes(name):
    """What is said of the reference holds for the port."""
    trees = [ast.parse(read(column, name)) for column in COLUMNS]
    assert ast.get_docstring(trees[0]) == ast.get_docstring(trees[1])
    reference, port = (
        {node.name: ast.get_docstring(node) for node in tree.body if isinstance(node, ast.ClassDef)} for tree in trees
    )
    assert reference.items() <= port.items()


@pytest.mark.parametrize("column, table", [("torch_ref", ONLY_REFERENCE), ("ms_model", ONLY_PORT)])
def test_every_exception_is_needed(column, table):
    other = COLUMNS[1 - COLUMNS.index(column)]
    for (name, entry), reason in table.items():
        assert entry in outline(read(column, name)), f"{entry} is not in {column}/{name}"
        assert entry not in outline(read(other, name)), f"{entry} is in {other}/{name}, too"
        assert len(reason) > 5


BODY = "class A:\n    def __init__(self): ...\n    def forward(self, x): ...\ndef b(x): ...\ndef c(x): ...\n"


@pytest.mark.parametrize(
    "changed",
    [
        BODY.replace("def c(x)", "def d(x)"),
        BODY.replace("def b(x): ...\n", ""),
        BODY.replace("def b(x): ...\ndef c(x): ...\n", "def c(x): ...\ndef b(x): ...\n"),
        BODY.replace("forward", "call"),
        BODY + "class B: ...\n",
    ],
    ids=["renamed", "missing", "order", "method", "added class"],
)
def test_the_check_sees_differences(changed):
    assert differences("x.py", BODY, BODY.replace("forward", "construct")) == []
    assert differences("x.py", BODY, changed) != []
    assert differences("x.py", changed, BODY) != []

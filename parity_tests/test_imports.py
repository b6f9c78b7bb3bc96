"""Who may import whom. Read from the source, so that imports inside functions and under conditions count as well."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]

# Where code is -> the top-level names it must not import. mmcv brings torch along.
FORBIDDEN = {
    "port": {"torch", "torchvision", "mindspore", "mmcv", "torch_ref", "ms_model"},
    "torch_ref": {"mindspore", "ms_model"},
    "ms_model": {"torch", "torchvision", "mmcv", "torch_ref"},
    "convert_weights.py": {"torch", "mindspore", "mmcv", "torch_ref", "ms_model"},
}

# Rooms of port, from the bottom: each imports only from those that stand lower. Rooms of one line do not know each other.
FLOORS = (
    ("errors", "console"),
    ("allocator", "files", "processes", "processor", "workers"),
    ("models", "metrics", "video", "weights", "diagnose", "native"),
    ("data", "degrade"),
    ("parity",),
    ("stream",),
    ("ops",),
    ("report", "infer", "demo", "selftest", "shrink", "export", "train"),
    ("evaluate", "convert", "bench"),
    (
        "bench_cli",
        "convert_cli",
        "data_cli",
        "degrade_cli",
        "gaps_cli",
        "ops_cli",
        "overhead_cli",
        "pair_cli",
        "results_cli",
        "scan_cli",
        "selftest_cli",
        "train_cli",
    ),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# The columns are started by the command line and the report is made of their traces: they know nothing of either.
VERBS = {f"port.{room}" for rooms in FLOORS for room in rooms if room == "__main__" or room.endswith("cli")}
NOT_FOR_COLUMNS = VERBS | {"port.report", "port.demo", "port.shrink"}


def python_files(root, where):
    """Paths of the .py files of a folder, or of a single file."""
    path = root / where
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def imports(path, root):
    """(line, dotted name) of everything a file imports, relative imports and literal import_module calls included.

    `from a.b import c` counts as a.b and as a.b.c: c may be a module.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    package = path.relative_to(root).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield node.lineno, base
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            yield from ((node.lineno, arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant))


def forbidden_imports(root, forbidden=FORBIDDEN):
    """ "file:line imports name" of everything that crosses a border between packages."""
    return [
        f"{path.relative_to(root)}:{line} imports {name}"
        for where, names in forbidden.items()
        for path in python_files(root, where)
        for line, name in imports(path, root)
        if name.split(".")[0] in names
    ]


def room_of(name):
    """The room of a dotted name inside port, None for `port` itself and names outside."""
    parts = name.split(".")
    return parts[1] if parts[0] == "port" and len(parts) > 1 else None


def upward_imports(root):
    """ "file:line imports name" where a room of port imports one that stands at its own height or above."""
    found = []
    for path in python_files(root, "port"):
        own = path.relative_to(root / "port").parts[0].removesuffix(".py")
        for line, name in imports(path, root):
            room = room_of(name)
            if own != "__init__" and room in FLOOR_OF and room != own and FLOOR_OF[room] >= FLOOR_OF[own]:
                found.append(f"{path.relative_to(root)}:{line} imports {name}")
    return found


def test_no_framework_where_it_does_not_belong():
    assert forbidden_imports(REPO) == []


def test_rooms_import_downwards_only():
    assert upward_imports(REPO) == []


def test_every_room_has_its_floor():
    rooms = {path.stem if path.is_file() else path.name for path in (REPO / "port").iterdir()}
    rooms = {room for room in rooms if (REPO / "port" / room).is_dir() or (REPO / "port" / f"{room}.py").is_file()}
    assert rooms - {"__init__", "__pycache__"} == FLOOR_OF.keys(), "give a new room its place in FLOORS"


def test_the_columns_know_nothing_of_command_line_and_report():
    wrong = [
        f"{path.relative_to(REPO)}:{line} imports {name}"
        for column in ("torch_ref", "ms_model")
        for path in python_files(REPO, column)
        for line, name in imports(path, REPO)
        if any(name == room or name.startswith(f"{room}.") for room in NOT_FOR_COLUMNS)
    ]
    assert wrong == []


def test_enough_was_read():
    """An empty folder has no wrong imports: the borders are guarded where imports were found at all."""
    seen = {
        where: {name.split(".")[0] for path in python_files(REPO, where) for _, name in imports(path, REPO)}
        for where in FORBIDDEN
    }
    assert {"torch", "mmcv", "port"} <= seen["torch_ref"]
    assert {"mindspore", "port"} <= seen["ms_model"]
    assert {"numpy", "port"} <= seen["port"]


# --------------------------------------------------------------------------------------------------- can they go red?

PLANTED = {
    "at the top": ("port/metrics/psnr.py", "import torch\n"),
    "a part of it": ("port/metrics/psnr.py", "from torch.nn import functional\n"),
    "inside a function": ("port/cli.py", "def run():\n    import mindspore as ms\n    return ms\n"),
    "inside a method, renamed": (
        "port/parity/verify.py",
        "class A:\n    def b(self):\n        from torch_ref import ttvsr as t\n",
    ),
    "under a condition": (
        "port/files.py",
        "if False:\n    try:\n        import ms_model.ttvsr\n    except ImportError: pass\n",
    ),
    "by name": ("port/infer.py", 'import importlib\nnet = importlib.import_module("torch_ref.networks")\n'),
    "other column": ("ms_model/warp.py", "def f():\n    from torch_ref.warp import flow_warp\n"),
    "mmcv in the port": ("ms_model/spynet.py", "from mmcv.cnn import ConvModule\n"),
    "port in the reference": ("torch_ref/ltam.py", "import numpy, mindspore.ops\n"),
}


def plant(root, file, source):
    """A tree with one clean file per package, and one more with the given source."""
    for where in FORBIDDEN:
        path = root / where if where.endswith(".py") else root / where / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import numpy\n")
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(source)


@pytest.mark.parametrize("how", PLANTED)
def test_a_planted_import_is_found(how, tmp_path):
    file, source = PLANTED[how]
    plant(tmp_path, file, source)
    found = forbidden_imports(tmp_path)
    assert found and all(line.startswith(f"{file}:") for line in found)


UPWARD = {
    "sideways": ("port/metrics/psnr.py", "from port.video import read\n"),
    "up": ("port/weights/convert.py", "def f():\n    from port.parity.trace import Trace\n"),
    "relative": ("port/parity/trace.py", "from ..report.write import headline\n"),
    "to the command line": ("port/report/write.py", "from port import cli\n"),
    "from the bottom": ("port/errors.py", "import port.files\n"),
}


@pytest.mark.parametrize("how", UPWARD)
def test_a_planted_upward_import_is_found(how, tmp_path):
    file, source = UPWARD[how]
    plant(tmp_path, file, source)
    assert upward_imports(tmp_path)


@pytest.mark.parametrize("source", ["import numpy.torch\n", "torch = 1\n", "import pytorch_like\n", "'import torch'\n"])
def test_clean_files_are_left_alone(source, tmp_path):
    plant(tmp_path, "port/clean.py", source)
    assert forbidden_imports(tmp_path) == [] and upward_imports(tmp_path) == []


# ------------------------------------------------------------------------------------------------------- and when run


def loaded_after(statements):
    """Top-level names in sys.modules of a fresh process after the statements."""
    program = (
        f"import json, sys\n{statements}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    )
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def modules_of_port():
    names = [".".join(path.relative_to(REPO).with_suffix("").parts) for path in python_files(REPO, "port")]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def test_the_toolkit_runs_without_either_framework():
    names = modules_of_port()
    assert {"port.cli", "port.parity.verify", "port.report.write", "port.weights.convert"} <= set(names)
    loaded = loaded_after("\n".join(f"import {name}" for name in [*names, "convert_weights"]))
    assert "numpy" in loaded
    assert not loaded & FORBIDDEN["port"]


def test_the_port_runs_without_torch():
    loaded = loaded_after("import ms_model.ttvsr, ms_model.capture, ms_model.evaluate, ms_model.infer, ms_model.loss")
    assert "mindspore" in loaded
    assert not loaded & FORBIDDEN["ms_model"]


def test_the_reference_runs_without_mindspore():
    loaded = loaded_after(
        "import torch_ref.ttvsr, torch_ref.capture, torch_ref.evaluate, torch_ref.infer, torch_ref.loss"
    )
    assert "torch" in loaded
    assert not loaded & FORBIDDEN["torch_ref"]

"""Every name that is imported from this repository is there. Imports inside functions would else fail only when called."""

import ast
from functools import lru_cache
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
PLACES = ("port", "torch_ref", "ms_model", "parity_tests", "convert_weights.py")


def python_files(root):
    """Paths of the .py files of the repository."""
    for place in PLACES:
        path = root / place
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path] * path.is_file()


def source_of(module, root):
    """The file of a dotted module name, None where it is not of this repository."""
    path = root.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


@lru_cache
def defined(file):
    """Names that a module has at its top level, under conditions included; `__getattr__` gives any."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def missing_names(root):
    """ "file:line: module has no name" of every import from this repository that would fail."""
    found = []
    for path in python_files(root):
        package = path.relative_to(root).parent.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
            if not isinstance(node, ast.ImportFrom):
                continue
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            if module.split(".")[0] not in {place.removesuffix(".py") for place in PLACES}:
                continue
            found += [
                f"{path.relative_to(root)}:{node.lineno}: {module} {what}" for what in _lacking(module, node, root)
            ]
    return found


def _lacking(module, node, root):
    """What a `from module import names` asks for in vain."""
    file = source_of(module, root)
    if file is None and not root.joinpath(*module.split(".")).is_dir():
        return ["is not there"]
    names = defined(file) if file else set()
    wanted = [alias.name for alias in node.names if alias.name not in names | {"*"}]
    return [f"has no {name}" for name in wanted if not _is_module(f"{module}.{name}", root)]


def _is_module(name, root):
    return source_of(name, root) is not None or root.joinpath(*name.split(".")).is_dir()


def test_every_imported_name_is_there():
    assert missing_names(REPO) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from port.clip import gone", "port.clip has no gone"),
        ("def f():\n    from port.clip import gone", "port.clip has no gone"),
        ("from port.moved import there", "port.moved is not there"),
        ("from .clip import gone", "port.clip has no gone"),
        ("from port import moved", "port has no moved"),
    ],
)
def test_a_stale_import_is_found(line, message, tmp_path):
    (tmp_path / "port").mkdir()
    (tmp_path / "convert_weights.py").write_text("")
    (tmp_path / "port" / "clip.py").write_text("there = 1\n")
    (tmp_path / "port" / "user.py").write_text(f"from port.clip import there\nfrom port import clip\n{line}\n")
    assert [text.split(": ", 1)[1] for text in missing_names(tmp_path)] == [message]

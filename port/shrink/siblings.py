"""A pair's file with what it takes from beside it, so that a copy of it still runs."""

import ast
import shutil
from pathlib import Path

from port.errors import PortError
from port.files import explain_os_error, write_text


def copy_with_siblings(original: Path, folder: Path) -> dict[str, list[str]]:
    """Copy the pair as pair.py and every .py file beside it that it imports or names, and those that these name.

    -> {"copied": file names, "referenced": packages beside the pair, which stay where they are}
    """
    copied, referenced, waiting = [], [], [original]
    while waiting:
        file = waiting.pop()
        target = folder / ("pair.py" if file == original else file.name)
        try:
            shutil.copyfile(file, target)
        except OSError as error:
            raise PortError(explain_os_error(error, target)) from error
        for name in named(file.read_text(encoding="utf-8")):
            beside, package = original.with_name(f"{name}.py"), original.with_name(name)
            if beside.is_file() and beside != original and beside.name not in copied:
                copied.append(beside.name)
                waiting.append(beside)
            elif package.is_dir() and not beside.is_file() and name not in referenced:
                referenced.append(name)
    return {"copied": copied, "referenced": referenced}


def copy_map(original: Path | None, folder: Path) -> None:
    """The pair's map of weights, as map.toml beside the pair's copy, which is told so if it called it otherwise."""
    if original is None:
        return
    target = folder / "map.toml"
    try:
        shutil.copyfile(original, target)
    except OSError as error:
        raise PortError(explain_os_error(error, original)) from error
    pair = folder / "pair.py"
    write_text(pair, f'{pair.read_text(encoding="utf-8")}\n\nMAP = "{target.name}"  # copied from {original.name}\n')


def named(text: str) -> list[str]:
    """Top-level modules that a file imports, inside functions, too, and files of Python that it names in a string."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module.partition(".")[0])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "/" not in node.value:
            found += [node.value.removesuffix(".py")] * node.value.endswith(".py")
    return [name for name in found if name.isidentifier()]

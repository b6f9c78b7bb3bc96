"""map.toml: a map of weights as a file that people read and mend, one line a tensor."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from port.errors import PortError
from port.files import write_text
from port.weights.layouts import SAME, Shape, parse_layout
from port.weights.mapping import HAND, Entry, WeightMap
from port.weights.rules import quote

SCHEMA = 1
HEAD = """# Which tensors of the port are which of the reference's. One line each; mend what is wrong and give
# the file to --map again.
# Where a layout moves numbers: ones, transpose, gates 0 2 1 3, split 3, join 3 (docs/convert.md). Without one: same.
"""
MOST_BYTES = 64 << 20


def write_map(path: Path, found: WeightMap) -> None:
    """Write the file, whole or not at all."""
    lines = [HEAD, f"schema = {SCHEMA}", f"undetermined = {json.dumps(found.undetermined, ensure_ascii=False)}"]
    lines += ["", "parameters = ["]
    lines += [f"  {_line(entry)}," for entry in found.entries]
    lines += ["]", "", "# names of the reference that the port does without", "left_out = ["]
    for name, reason in found.left_out.items():
        shape = list(found.left_out_shapes.get(name, ()))
        lines.append(f"  {{ torch = {_text(name)}, shape = {shape}, reason = {_text(reason)} }},")
    write_text(path, "\n".join([*lines, "]", ""]))


def _line(entry: Entry) -> str:
    one = lambda values: values[0] if len(values) == 1 else list(values)  # noqa: E731
    fields = {"torch": one(entry.torch), "ms": one(entry.port), "shape": one([list(s) for s in entry.torch_shapes])}
    if entry.port_shapes != entry.torch_shapes:
        fields["ms_shape"] = one([list(s) for s in entry.port_shapes])
    if entry.layout != SAME:
        fields["layout"] = str(entry.layout)
    fields |= {"also": list(entry.also)} if entry.also else {}
    fields |= {"strategy": entry.strategy, "proof": entry.proof}
    return "{ " + ", ".join(f"{key} = {_text(value)}" for key, value in fields.items()) + " }"


def _text(value: object) -> str:
    """As TOML has it: JSON's strings, lists and numbers are the same, but for the character 127."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_map(path: Path) -> WeightMap:
    """Read and check the file. Raises PortError naming the line and what to do."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PortError(f"{path} is larger than {MOST_BYTES >> 20} MB: no map of weights.")
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise PortError(
            f"cannot read the map {path}: {(error.strerror or str(error)).lower()}. Check the path."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PortError(f"{path} is no TOML: {error}. Mend that line, or have the map written anew.") from error
    return _Reader(path, text).read(data)


class _Reader:
    """The entries of one file, each checked; `text` tells on which line one stands."""

    def __init__(self, path: Path, text: str):
        self.path, self.lines = path, text.splitlines()
        self.seen: dict[str, dict[str, str]] = {"torch": {}, "ms": {}}

    def read(self, data: Mapping) -> WeightMap:
        if data.get("schema") != SCHEMA:
            raise PortError(
                f"{self.path}: expected schema = {SCHEMA}, found {data.get('schema')!r}. Have it written anew."
            )
        if unknown := data.keys() - {"schema", "parameters", "left_out", "undetermined"}:
            raise PortError(f"{self.path}: unknown key {min(unknown)!r}. Known: parameters, left_out, undetermined.")
        parameters, left_out = data.get("parameters"), data.get("left_out", [])
        for name, value in (("parameters", parameters), ("left_out", left_out)):
            if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
                raise PortError(f"{self.path}: expected `{name}` as a list of {{ ... }}, one on a line.")
        found = WeightMap([self.entry(entry) for entry in parameters])
        for entry in left_out:
            name = self.names(entry, "torch")[0]
            self.once(entry, "torch", (name,))
            found.left_out[name] = str(entry.get("reason", ""))
            found.left_out_shapes[name] = self.shapes(entry, "shape", 1)[0] if "shape" in entry else ()
            if not found.left_out[name].strip():
                raise self.wrong(entry, f"{quote(name)} is left out without a reason. Write one.")
        found.undetermined = data.get("undetermined", [])
        if not isinstance(found.undetermined, list) or not all(isinstance(title, str) for title in found.undetermined):
            raise PortError(f"{self.path}: expected `undetermined` as a list of texts; [] where nothing is in doubt.")
        return found

    def entry(self, entry: Mapping) -> Entry:
        known = {"torch", "ms", "shape", "ms_shape", "layout", "also", "strategy", "proof"}
        if unknown := entry.keys() - known:
            raise self.wrong(entry, f"unknown field {min(unknown)!r}. Known: {', '.join(sorted(known))}.")
        torch, port = self.names(entry, "torch"), self.names(entry, "ms")
        also = self.names(entry, "also") if entry.get("also") else ()
        self.once(entry, "torch", torch + also)
        self.once(entry, "ms", port)
        try:
            layout = parse_layout(entry.get("layout", "same"))
        except PortError as error:
            raise self.wrong(entry, f"{error}.") from error
        if layout.counts != (len(torch), len(port)):
            a, b = layout.counts
            raise self.wrong(
                entry, f"layout '{layout}' is for {a} torch and {b} ms names; there are {len(torch)}, {len(port)}."
            )
        torch_shapes = self.shapes(entry, "shape", len(torch))
        port_shapes = self.shapes(entry, "ms_shape", len(port)) if "ms_shape" in entry else torch_shapes
        made = Entry(torch, port, torch_shapes, port_shapes, layout, str(entry.get("strategy", HAND)),
                     str(entry.get("proof", "")), also)  # fmt: skip
        if not made.fits():
            shapes = f"{_shown(torch_shapes)} and {_shown(port_shapes)}"
            raise self.wrong(
                entry, f"layout '{layout}' does not lead from one to the other: {shapes}. Name another pair."
            )
        return made

    def names(self, entry: Mapping, key: str) -> tuple[str, ...]:
        value = entry.get(key)
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) and name for name in names):
            raise self.wrong(entry, f"expected {key} = a name, or a list of names; found {value!r}.")
        return tuple(names)

    def shapes(self, entry: Mapping, key: str, count: int) -> tuple[Shape, ...]:
        value = entry.get(key)
        shapes = [value] if count == 1 else value
        if not isinstance(shapes, list) or len(shapes) != count or not all(map(_is_shape, shapes)):
            raise self.wrong(
                entry, f"expected {key} = a list of whole numbers for each of {count} names; found {value!r}."
            )
        return tuple(tuple(shape) for shape in shapes)

    def once(self, entry: Mapping, key: str, names: tuple[str, ...]) -> None:
        """A name stands in one place."""
        for name in names:
            if name in self.seen[key]:
                raise self.wrong(
                    entry, f"{quote(name)} ({key}) stands twice, before in {self.seen[key][name]}. Remove one."
                )
            self.seen[key][name] = self.line(entry)

    def wrong(self, entry: Mapping, what: str) -> PortError:
        return PortError(f"{self.path}, {self.line(entry)}: {what}")

    def line(self, entry: Mapping) -> str:
        """TOML keeps `{ ... }` on one line: the last one that has all the names of the entry."""
        wanted = [json.dumps(n, ensure_ascii=False) for key in ("torch", "ms") for n in _listed(entry.get(key))]
        found = [i for i, line in enumerate(self.lines, 1) if wanted and all(word in line for word in wanted)]
        later = [i for i in found if f"line {i}" not in self.seen["torch"].values()]
        return f"line {(later or found)[0]}" if found else f"the entry {str(dict(entry))[:80]}"


def _listed(value: object) -> list[str]:
    return [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]


def _is_shape(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 48 for n in value) and len(value) <= 32


def _shown(shapes: tuple[Shape, ...]) -> str:
    return " ".join(str(list(shape)) for shape in shapes)


def check_map(path: Path, found: WeightMap, torch: Mapping[str, Shape], port: Mapping[str, Shape]) -> None:
    """Whether a map is about these two networks. Raises PortError naming the first tensor that is not as it says."""
    sides = (("reference", torch, found.torch_shapes(), found.left_out), ("port", port, found.port_shapes(), {}))
    for title, has, says, left_out in sides:
        if wrong := [name for name in says if name not in has]:
            raise PortError(
                f"{path} names {quote(wrong[0])}, which the {title} lacks. Mend it, or have it written anew."
            )
        if missing := [name for name in has if name not in says and name not in left_out]:
            raise PortError(
                f"{path} lacks {quote(missing[0])} of the {title}. Add its pair, or put it under left_out with a reason."
            )
        if other := [name for name in says if says[name] != has[name]]:
            name = other[0]
            raise PortError(
                f"{path}: {quote(name)} has the shape {says[name]} there, {has[name]} in the {title}. Mend it."
            )

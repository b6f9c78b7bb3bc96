"""Broken and hostile files made from whole ones, the same for the same seed."""

import io
import json
import random
import warnings
import zipfile
from collections.abc import Callable

OPCODES = b"()]}tdelsuaRbocQ0q\x00h\x00r\x00\x00\x00\x00K\x01U\x01a\x81\x85\x86\x87\x88\x89\x8a\x01\x01\x93\x94\x95NI1\nX\x01\x00\x00\x00a."
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    255,
    1 << 16,
    1 << 31,
    (1 << 31) - 1,
    1 << 32,
    1 << 40,
    1 << 62,
    1 << 63,
    (1 << 64) - 1,
    10**30,
    0.5,
)
TRICKS = (
    "../evil.safetensors",
    "/etc/passwd",
    "a/b.safetensors",
    "..",
    "",
    "\x00.safetensors",
    "evil\n.safetensors",
    "C:\\x",
    "é" * 300,
)


def code(canary: str) -> list[bytes]:
    """Pickles that would make the folder `canary`, by several roads."""
    path = canary.encode()
    short = b"\x8c" + bytes([len(path)]) + path if len(path) < 256 else b"X" + len(path).to_bytes(4, "little") + path
    return [
        b"cposix\nmkdir\n(V" + path + b"\ntR",
        b"\x80\x04\x8c\x05posix\x8c\x05mkdir\x93" + short + b"\x85R",
        b"cos\nsystem\n(Vmkdir " + path + b"\ntR",
        b"c__builtin__\neval\n(V__import__('os').mkdir('" + path + b"')\ntR",
        b"(V" + path + b"\niposix\nmkdir\n",
        b"ctorch._utils\n_rebuild_tensor_v2\n(cposix\nmkdir\n(V" + path + b"\ntRtR",
    ]


class Mutator:
    """Changes to the bytes of whole files. specimens: whole files of one kind"""

    def __init__(self, specimens: list[bytes], kind: str, seed: int, canary: str):
        self.specimens, self.kind, self.random = specimens, kind, random.Random(seed)
        self.code = code(canary)

    def __call__(self) -> bytes:
        """The next file."""
        whole = self.random.choice(self.specimens)
        inside = {
            "pth": self.pickled,
            "safetensors": self.declared,
            "index": self.json,
            "map": self.text,
            "ckpt": self.varints,
        }
        changes: list[Callable[[bytes], bytes]] = [self.flipped, self.cut, self.moved, self.spliced, self.noise]
        changes += [inside[self.kind]] * 5
        made = self.random.choice(changes)(whole)
        return self.flipped(made) if self.random.random() < 0.1 else made

    def flipped(self, whole: bytes) -> bytes:
        changed = bytearray(whole)
        for _ in range(self.random.randint(1, 4)):
            if changed:
                changed[self.random.randrange(len(changed))] ^= self.random.randint(1, 255)
        return bytes(changed)

    def cut(self, whole: bytes) -> bytes:
        return whole[: self.random.randrange(len(whole))]

    def moved(self, whole: bytes) -> bytes:
        """A piece taken out, doubled or put elsewhere."""
        a, b = sorted(self.random.randrange(len(whole)) for _ in range(2))
        at = self.random.randrange(len(whole))
        rest = whole[:a] + whole[b:] if self.random.random() < 0.5 else whole
        return rest[:at] + whole[a:b] + rest[at:]

    def spliced(self, whole: bytes) -> bytes:
        other = self.random.choice(self.specimens)
        return whole[: self.random.randrange(len(whole))] + other[self.random.randrange(len(other)) :]

    def noise(self, whole: bytes) -> bytes:
        return whole[: self.random.choice((0, 2, 4, 8))] + self.random.randbytes(self.random.randint(0, 200))

    def pickled(self, whole: bytes) -> bytes:
        """The pickle changed inside a whole archive, checksums right; or in an old file, which is pickles in a row."""
        if not whole.startswith(b"PK"):
            at = max(0, whole.find(b"ctorch._utils"))
            return whole[:at] + self.opcodes() + whole[at:]
        made = io.BytesIO()
        packing = zipfile.ZIP_DEFLATED if self.random.random() < 0.1 else zipfile.ZIP_STORED
        with (
            zipfile.ZipFile(io.BytesIO(whole)) as source,
            zipfile.ZipFile(made, "w", packing) as target,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            for name in source.namelist():
                content = source.read(name)
                if name.endswith("data.pkl"):
                    content = self.changed_pickle(content)
                elif self.random.random() < 0.1:
                    content = self.random.choice((b"", content[:4], content * 3, bytes(100_000)))
                for _ in range(1 + (self.random.random() < 0.05)):
                    target.writestr(self.random.choice((name,) * 20 + ("../../evil", "/tmp/evil")), content)
        return made.getvalue()

    def changed_pickle(self, content: bytes) -> bytes:
        if self.random.random() < 0.3:
            return self.flipped(content)
        at = self.random.randrange(2, max(3, len(content)))
        return content[:at] + self.opcodes() + content[at:]

    def opcodes(self) -> bytes:
        if self.random.random() < 0.3:
            return self.random.choice(self.code)
        return bytes(self.random.choice(OPCODES) for _ in range(self.random.randint(1, 30)))

    def declared(self, whole: bytes) -> bytes:
        """The header of a .safetensors file changed as JSON, its length right or wrong."""
        length = int.from_bytes(whole[:8], "little")
        head = self.json(whole[8 : 8 + length])
        says = len(head) if self.random.random() < 0.9 else self.random.choice(NUMBERS[:13]) % (1 << 64)
        return says.to_bytes(8, "little") + head + whole[8 + length :]

    def json(self, text: bytes) -> bytes:
        """A table with a value changed, an entry doubled or more nesting than anybody needs."""
        data = json.loads(text)
        road = self.random.random()
        if road < 0.1:
            return b'{"a":' * self.random.choice((10, 5000)) + b"1" + b"}" * 10
        if road < 0.2:
            pairs = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in data.items()]
            return ("{" + ",".join([*pairs, self.random.choice(pairs)]) + "}").encode()
        places = list(_places(data))
        for _ in range(self.random.randint(1, 3)):
            holder, key = self.random.choice(places)
            tricks = (
                self.random.choice(NUMBERS),
                self.random.choice(TRICKS),
                None,
                [],
                {},
                [1] * 40,
                "F32",
                "BF16",
                True,
            )
            holder[key] = self.random.choice((*tricks, self.random.choice(NUMBERS)))
        return json.dumps(data).encode()

    def text(self, text: bytes) -> bytes:
        """Lines of a map doubled, lost, or with a word changed for another."""
        lines = text.split(b"\n")
        for _ in range(self.random.randint(1, 4)):
            i = self.random.randrange(len(lines))
            words = lines[i].split(b" ")
            words[self.random.randrange(len(words))] = self.random.choice(
                (
                    b"",
                    b'"a"',
                    b"[1, -1]",
                    b"1e400",
                    b'"split 9999"',
                    b'"gates 0 0"',
                    b"{",
                    b"[" * 3000,
                    b"99999999999999999999",
                    b'"\\ud800"',
                )
            )
            lines[i : i + 1] = [b" ".join(words)] * self.random.randint(0, 2)
        return b"\n".join(lines)

    def varints(self, whole: bytes) -> bytes:
        """Lengths and dims of a .ckpt replaced by others, in the notation of protobuf."""
        changed = bytearray(whole)
        at = self.random.randrange(min(len(changed), 120))
        changed[at : at + self.random.randint(0, 2)] = _varint(
            self.random.choice([n for n in NUMBERS if type(n) is int])
        )
        return bytes(changed)


def _places(data):
    """(holder, key) of every value inside a nested table."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in list(items):
        yield data, key
        if isinstance(value, dict | list) and value:
            yield from _places(value)


def _varint(number: int) -> bytes:
    number %= 1 << 64
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])

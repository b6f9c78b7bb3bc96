"""A checkpoint of any size for measurements: the tensors of a transformer, sharded, and a map that moves some of them."""

from pathlib import Path

import numpy as np

from port.convert.header import BYTES, INDEX, header_bytes
from port.files import write_json
from port.weights.halves import narrow
from port.weights.layouts import SAME, TRANSPOSE, Layout, parse_layout, size
from port.weights.map_file import write_map
from port.weights.mapping import Entry, WeightMap

SHARD = 2_000_000_000  # bytes
BLOCK = 16 << 20
VOCABULARY = 16  # rows of the embedding, in widths


def make_checkpoint(folder: Path, nbytes: int) -> tuple[Path, Path, int]:
    """Write model.safetensors.index.json with its shards, and map.toml. -> index, map, bytes of the largest tensor

    As wide as puts about an eighth of all into the embedding, the largest tensor; every second layer is bfloat16.
    """
    width = max(8, int((nbytes / 8 / (4 * VOCABULARY)) ** 0.5) // 8 * 8)
    tensors, entries = {"embed.weight": ("F32", (VOCABULARY * width, width))}, []
    entries.append(Entry(("embed.weight",), ("embed.embedding_table",), *((tensors["embed.weight"][1],),) * 2, SAME))
    left, layer = nbytes - 4 * VOCABULARY * width * width, 0
    while left > 0:
        made = _layer(f"layers.{layer}.", "BF16" if layer % 2 else "F32", width)
        tensors |= {name: kind for name, kind, _ in made}
        entries += [entry for _, _, entry in made]
        left -= sum(BYTES[kind] * size(shape) for _, (kind, shape), _ in made)
        layer += 1
    write_map(folder / "map.toml", WeightMap(entries))
    return _write(folder, tensors), folder / "map.toml", max(BYTES[k] * size(s) for k, s in tensors.values())


def _layer(at: str, kind: str, width: int) -> list[tuple[str, tuple, Entry]]:
    """Fused projections, which the port has apart; a matrix, which it has transposed; two of a network, and a norm."""
    w, square = width, ((width, width),)

    def one(torch: str, ms: tuple[str, ...], shape: tuple[int, ...], shapes: tuple, layout: Layout = SAME) -> tuple:
        return at + torch, (kind, shape), Entry((at + torch,), tuple(at + n for n in ms), (shape,), shapes, layout)

    return [
        one("attn.qkv.weight", ("q.weight", "k.weight", "v.weight"), (3 * w, w), square * 3, parse_layout("split 3")),
        one("attn.out.weight", ("out.weight",), (w, w), square, TRANSPOSE),
        one("up.weight", ("up.weight",), (4 * w, w), ((4 * w, w),)),
        one("down.weight", ("down.weight",), (w, 4 * w), ((w, 4 * w),)),
        one("norm.weight", ("norm.gamma",), (w,), ((w,),)),
    ]


def _write(folder: Path, tensors: dict[str, tuple[str, tuple[int, ...]]]) -> Path:
    shards: list[dict] = [{}]
    for name, (kind, shape) in tensors.items():
        held = sum(BYTES[k] * size(s) for k, s in shards[-1].values())
        if shards[-1] and held + BYTES[kind] * size(shape) > SHARD:
            shards.append({})
        shards[-1][name] = (kind, shape)
    numbers = np.random.default_rng(0).standard_normal(BLOCK // 4).astype(np.float32)
    blocks = {"F32": memoryview(numbers).cast("B"), "BF16": memoryview(narrow(numbers).view(np.uint8))}
    where = {}
    for i, shard in enumerate(shards):
        file = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        with open(folder / file, "wb") as out:
            out.write(header_bytes(shard))
            for name, (kind, shape) in shard.items():
                where[name] = file
                left = BYTES[kind] * size(shape)
                while left:
                    left -= out.write(blocks[kind][: min(left, BLOCK)])
    write_json(folder / f"model{INDEX}", {"metadata": {}, "weight_map": where})
    return folder / f"model{INDEX}"

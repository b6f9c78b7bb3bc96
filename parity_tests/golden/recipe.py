"""Regenerates the weights of the golden cases, bit for bit (numpy only).

    weights = make_weights(seed, num_blocks, spynet)      # dict: key -> float32 array
    print(weights_sha256(weights))

`spynet` is the dict of the `spynet.*` arrays (trained SPyNet; file spynet.safetensors next to
this script).  All other arrays are drawn from numpy's PCG64 as uniform doubles (integer
arithmetic only, no libm), scaled in float64, then rounded once to float32.

    python recipe.py SEED NUM_BLOCKS                      # prints the sha256
"""

import hashlib

import numpy as np

C = 64


def layer_list(num_blocks):
    """(name, out_channels, in_channels, kernel) of every seeded convolution, in draw order."""
    out = [("feat_extractor.main.0", C, 3, 3)]
    for i in range(5):
        out += [(f"feat_extractor.main.2.{i}.conv{j}", C, C, 3) for j in (1, 2)]
    out += [("LTAM.fusion", C, 3 * C, 3), ("resblocks.main.0", C, 2 * C, 3)]
    for i in range(num_blocks):
        out += [(f"resblocks.main.2.{i}.conv{j}", C, C, 3) for j in (1, 2)]
    out += [
        ("fusion", C, 3 * C, 1),
        ("upsample1.upsample_conv", 4 * C, C, 3),
        ("upsample2.upsample_conv", 4 * C, C, 3),
        ("conv_hr", C, C, 3),
        ("conv_last", 3, C, 3),
    ]
    return out


def make_weights(seed, num_blocks, spynet):
    rng = np.random.Generator(np.random.PCG64(seed))  # == numpy.random.default_rng(seed)
    w = {k: np.ascontiguousarray(v, dtype=np.float32) for k, v in spynet.items()}

    def uniform(shape, std):  # uniform, zero mean, given std
        return (2.0 * rng.random(shape) - 1.0) * (std * 1.7320508075688772)

    for name, co, ci, k in layer_list(num_blocks):
        fan = ci * k * k
        gain, bias = 1.0, 0.02
        if name == "feat_extractor.main.0":
            gain, bias = 8.0, 0.05
        elif name.startswith("feat_extractor"):
            gain = 1.2 if name.endswith("conv1") else 0.45
        elif name == "LTAM.fusion":
            gain = 0.42
        elif name == "resblocks.main.0":
            gain = 0.5
        elif name.startswith("resblocks"):
            gain = 1.2 if name.endswith("conv1") else 0.45 * (2.0 / num_blocks) ** 0.5
        elif name.startswith("upsample") or name in ("fusion", "conv_hr"):
            gain = 1.1
        elif name == "conv_last":
            gain = 0.11
        a = uniform((co, ci, k, k), gain / fan**0.5)
        b = uniform((co,), bias)
        if name == "feat_extractor.main.0":  # mostly blind to the local mean ...
            m = a.reshape(co, ci * k * k)
            s = m[:, 0].copy()
            for j in range(1, ci * k * k):  # (explicit order: exact everywhere)
                s = s + m[:, j]
            a = a - 0.97 * (s / (ci * k * k)).reshape(co, 1, 1, 1)
        elif name == "LTAM.fusion":  # same-channel path from each token scale
            for c in range(C):
                for j, g in enumerate((0.20, 0.12, 0.08)):
                    a[c, j * C + c, 1, 1] += g
        elif name == "resblocks.main.0":  # half current frame, half propagated
            for c in range(C):
                a[c, c, 1, 1] += 0.5
                a[c, C + c, 1, 1] += 0.42
        w[name + ".weight"] = a.astype(np.float32)
        w[name + ".bias"] = b.astype(np.float32)
    return w


def weights_sha256(weights):
    """sha256 over the little-endian float32 C-order bytes of all arrays, keys sorted."""
    h = hashlib.sha256()
    for k in sorted(weights):
        h.update(np.ascontiguousarray(weights[k], dtype="<f4").tobytes())
    return h.hexdigest()


if __name__ == "__main__":
    import os
    import sys

    from safetensors.numpy import load_file

    here = os.path.dirname(os.path.abspath(__file__))
    sp = load_file(os.path.join(here, "spynet.safetensors"))
    print(weights_sha256(make_weights(int(sys.argv[1]), int(sys.argv[2]), sp)))


def make_frames(seed, t, h, w, step=(1.7, -2.3)):
    """A synthetic clip for cases that hold no one's pictures: a smooth random texture moving under a fixed one.

    -> (t, 3, h, w) uint8. Integer arithmetic and float64 sums only: the same bytes everywhere.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    size = 2 * max(h, w) + 16 * t
    big = rng.integers(0, 256, size=(3, size // 8 + 2, size // 8 + 2)).astype(np.float64)
    still = rng.integers(0, 64, size=(3, h // 4 + 2, w // 4 + 2)).astype(np.float64)

    def sample(grid, y, x, cell):
        y, x = y / cell, x / cell
        y0, x0 = int(np.floor(y)), int(np.floor(x))
        fy, fx = y - y0, x - x0
        a, b = grid[:, y0, x0], grid[:, y0, x0 + 1]
        c, d = grid[:, y0 + 1, x0], grid[:, y0 + 1, x0 + 1]
        return (a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy

    frames = np.empty((t, 3, h, w), np.uint8)
    for k in range(t):
        for i in range(h):
            for j in range(w):
                v = 0.75 * sample(big, i + 8 * t + k * step[0], j + 8 * t + k * step[1], 8) + sample(still, i, j, 4)
                frames[k, :, i, j] = np.floor(v + 0.5).astype(np.int64).clip(0, 255)
    return frames

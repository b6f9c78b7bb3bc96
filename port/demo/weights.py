"""Weights for the demonstration: TTVSR's own cannot be had freely, so real parts and seeded ones are put together.

Optical flow and upsampler are BasicVSR's official ones (they do here what they were trained for: SPyNet is fine-tuned for
video super-resolution in both networks, and the upsamplers have the same layers). Everything between is drawn from a seeded
generator, scaled so that the recurrence is stable over the clip, the attention changes the output visibly and several
keyframes win tokens. The network is therefore exercised as in earnest, but its pictures are not those of a trained TTVSR.
"""

import re
from collections.abc import Mapping

import numpy as np

from port.errors import PortError
from port.models.ttvsr import NUM_BLOCKS, OFFICIAL_CHANNELS

SEED = 20220408
BLOCKS = {"feat_extractor": 5}
UPSAMPLER = {
    "upconv1": "upsample1.upsample_conv",
    "upconv2": "upsample2.upsample_conv",
    "conv_hr": "conv_hr",
    "conv_last": "conv_last",
}

# Standard deviation of each seeded kernel, times sqrt(fan-in): about 1.4 keeps the scale through a ReLU. Residual branches
# are damped so that the sum over all blocks adds about as much as comes in, for any number of blocks.
GAIN_IN, GAIN_CONV1, GAIN_CONV2 = 6.0, 1.2, 0.45
GAIN_FUSION = 0.12  # the upsampler is trained on features of this scale; more would drown the picture
GAIN_ATTENTION, GAIN_MERGE = 0.4, 0.5
SCALE_PATHS = (0.20, 0.12, 0.08)  # how much of s1, s2, s3 reaches its own channel directly
MERGE_NEW, MERGE_OLD = 0.5, 0.42  # current features and propagated ones, summing below one: the recurrence forgets


def demo_weights(
    basicvsr: Mapping[str, np.ndarray], num_blocks: int = NUM_BLOCKS, seed: int = SEED
) -> dict[str, np.ndarray]:
    """TTVSR weights by official name, float32, buffers included.

    basicvsr  the official BasicVSR weights by BasicSR's names, with or without the leading `params.`
    """
    weights = real_parts({name.removeprefix("params."): array for name, array in basicvsr.items()})
    draw = np.random.default_rng(seed)
    c = OFFICIAL_CHANNELS
    extractor = {"feat_extractor.main.0": _detail_kernel(draw, c)}
    layers = {**extractor, **_blocks(draw, "feat_extractor", BLOCKS["feat_extractor"])}
    layers["LTAM.fusion"] = _attention_kernel(draw, c)
    layers["resblocks.main.0"] = _merge_kernel(draw, c)
    layers |= _blocks(draw, "resblocks", num_blocks)
    layers["fusion"] = _kernel(draw, c, 3 * c, 1, GAIN_FUSION)
    for name, kernel in layers.items():
        weights[f"{name}.weight"] = kernel.astype(np.float32)
        weights[f"{name}.bias"] = draw.uniform(-0.02, 0.02, kernel.shape[0]).astype(np.float32)
    return weights


def real_parts(basicvsr: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """SPyNet and upsampler under TTVSR's names. Raises PortError where a tensor is not there."""
    weights = {}
    for name, array in basicvsr.items():
        layer, _, kind = name.rpartition(".")
        if layer in UPSAMPLER:
            weights[f"{UPSAMPLER[layer]}.{kind}"] = array
        elif name in ("spynet.mean", "spynet.std"):
            weights[name] = array
        elif match := re.fullmatch(r"(spynet\.basic_module\.\d\.basic_module)\.(\d)", layer):
            # BasicSR counts convolutions and activations, mmcv's ConvModule holds both
            weights[f"{match[1]}.{int(match[2]) // 2}.conv.{kind}"] = array
    if len(weights) != 6 * 5 * 2 + 2 + 4 * 2:
        raise PortError(f"expected 70 tensors of BasicVSR's flow network and upsampler, found {len(weights)}.")
    return weights


def _kernel(draw: np.random.Generator, leaving: int, entering: int, side: int, gain: float) -> np.ndarray:
    """Uniform, zero mean, standard deviation gain / sqrt(fan-in)."""
    fan_in = entering * side * side
    bound = gain * np.sqrt(3 / fan_in)
    return draw.uniform(-bound, bound, (leaving, entering, side, side))


def _detail_kernel(draw: np.random.Generator, c: int) -> np.ndarray:
    """The first layer sees detail and little of the local brightness, which would make all tokens look alike."""
    kernel = _kernel(draw, c, 3, 3, GAIN_IN)
    return kernel - 0.95 * kernel.mean(axis=(1, 2, 3), keepdims=True)


def _attention_kernel(draw: np.random.Generator, c: int) -> np.ndarray:
    kernel = _kernel(draw, c, 3 * c, 3, GAIN_ATTENTION)
    for scale, share in enumerate(SCALE_PATHS):
        kernel[np.arange(c), scale * c + np.arange(c), 1, 1] += share
    return kernel


def _merge_kernel(draw: np.random.Generator, c: int) -> np.ndarray:
    kernel = _kernel(draw, c, 2 * c, 3, GAIN_MERGE)
    kernel[np.arange(c), np.arange(c), 1, 1] += MERGE_NEW
    kernel[np.arange(c), c + np.arange(c), 1, 1] += MERGE_OLD
    return kernel


def _blocks(draw: np.random.Generator, trunk: str, count: int) -> dict[str, np.ndarray]:
    c, kernels = OFFICIAL_CHANNELS, {}
    damping = GAIN_CONV2 * np.sqrt(2 / count) if count > 2 else GAIN_CONV2
    for i in range(count):
        kernels[f"{trunk}.main.2.{i}.conv1"] = _kernel(draw, c, c, 3, GAIN_CONV1)
        kernels[f"{trunk}.main.2.{i}.conv2"] = _kernel(draw, c, c, 3, damping)
    return kernels

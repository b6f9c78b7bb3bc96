"""What the network is given and what becomes of its output."""

import numpy as np
import pytest

from port.errors import PortError
from port.stream.network import crop_output, finish, prepare
from port.video.clip import Clip


def clip(t, h, w, seed=0):
    frames = np.random.default_rng(seed).integers(0, 256, (t, h, w, 3), dtype=np.uint8)
    return Clip(frames, None, [str(i) for i in range(t)])


def mirrored(index, size):
    """Where pixel `index` of a reflected side comes from: 0 1 2 3 2 1 0 1 ..., the edge not repeated."""
    if size == 1:
        return 0
    index %= 2 * size - 2
    return min(index, 2 * size - 2 - index)


@pytest.mark.parametrize(("h", "w"), [(64, 64), (65, 67), (68, 160), (70, 101)])
def test_sizes_from_64_on_run_as_they_are(h, w):
    given = clip(2, h, w)
    frames = prepare(given)
    assert frames.shape == (1, 2, 3, h, w)
    assert frames.dtype == np.float32
    expected = given.frames.astype(np.float32) / np.float32(255)
    assert np.array_equal(frames[0], expected.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(("h", "w"), [(40, 50), (63, 64), (64, 33), (32, 20), (5, 64), (2, 3), (1, 70), (1, 1)])
def test_small_sides_are_reflected_up_to_64(h, w):
    given = clip(2, h, w)
    frames = prepare(given)
    tall, wide = max(h, 64), max(w, 64)
    assert frames.shape == (1, 2, 3, tall, wide)
    rows, columns = [mirrored(y, h) for y in range(tall)], [mirrored(x, w) for x in range(wide)]
    expected = given.frames[:, rows][:, :, columns].astype(np.float32) / np.float32(255)
    assert np.array_equal(frames[0], expected.transpose(0, 3, 1, 2))


def test_larger_tokens_need_larger_frames():
    assert prepare(clip(1, 64, 200), token_stride=40).shape == (1, 1, 3, 80, 200)


def test_floating_frames_stay_as_they_are():
    values = np.random.default_rng(0).random((2, 64, 66, 3), dtype=np.float32)
    assert np.array_equal(prepare(Clip(values, None, ["a", "b"]))[0], values.transpose(0, 3, 1, 2))


def test_output_is_cropped_to_four_times_the_clip():
    output = np.random.default_rng(0).random((1, 2, 3, 256, 256))
    cropped = crop_output(output, 2, (40, 50))
    assert cropped.shape == (1, 2, 3, 160, 200)
    assert np.array_equal(cropped, output[..., :160, :200])
    with pytest.raises(PortError, match="does not enlarge by 4"):
        crop_output(output, 3, (40, 50))
    with pytest.raises(PortError, match="does not enlarge by 4"):
        crop_output(output, 2, (40, 65))


def test_finish_clamps_and_rounds():
    output = np.zeros((1, 1, 3, 1, 2), np.float32)
    output[0, 0, :, 0, 1] = [-0.5, 0.5, 2.0]
    assert finish(output).tolist() == [[[[0, 0, 0], [0, 128, 255]]]]

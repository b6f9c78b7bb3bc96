"""Training batches: the same for a seed in every framework, with any number of workers and however many devices share them."""

from collections.abc import Sequence

import numpy as np

from port.data.augment import Recipe, draw, frame_order, mirrored, patch
from port.data.clips import ClipPair
from port.errors import PortError, UsageError
from port.video.pictures import picture_size, read_picture

EPOCH, SAMPLE = 0, 1  # the two kinds of random streams of a seed


class Batches:
    """Batch i of an endless sequence, for any i: resuming needs the iteration and nothing else.

    Samples are numbered 0, 1, 2, ... over the whole training. Clips come in epochs: in each, every clip once, shuffled. Which
    clip, window and patch sample k is depends on (seed, k) alone, so that one process with a batch of 8 and four with 2 see the
    same: rank r of R takes its slice of each batch of R * batch_size.
    """

    def __init__(
        self,
        pairs: Sequence[ClipPair],
        recipe: Recipe,
        seed: int = 0,
        batch_size: int = 2,
        ranks: int = 1,
        rank: int = 0,
    ):
        if batch_size < 1 or ranks < 1 or not 0 <= rank < ranks or seed < 0:
            raise UsageError(
                f"batches need a positive size, a seed from 0 and a rank below the number of ranks; found size {batch_size}, "
                f"seed {seed}, rank {rank} of {ranks}."
            )
        check_clips(pairs, recipe)
        self.pairs, self.recipe, self.seed = tuple(pairs), recipe, seed
        self.batch_size, self.ranks, self.rank = batch_size, ranks, rank

    def batch(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch i, from 0: lq (n, t, 3, h, w) and gt (n, t, 3, scale * h, scale * w), float32 RGB in [0, 1].

        Raises PortError naming the file where a picture cannot be read or has a wrong size.
        """
        return tuple(map(as_network_input, self.stored_batch(i)))

    def stored_batch(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """As `batch`, uint8: a quarter of the bytes, which is what worker processes send."""
        lq, gt = zip(*(self.sample(index) for index in self.indices(i)), strict=True)
        return np.stack(lq), np.stack(gt)

    def indices(self, i: int) -> range:
        """Numbers of the samples in batch i of this rank."""
        first = (i * self.ranks + self.rank) * self.batch_size
        return range(first, first + self.batch_size)

    def clip_of(self, index: int) -> ClipPair:
        """The clip that a sample is cut from."""
        epoch, place = divmod(index, len(self.pairs))
        return self.pairs[np.random.default_rng((self.seed, EPOCH, epoch)).permutation(len(self.pairs))[place]]

    def sample(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Sample `index`: lq (t, 3, h, w) and gt (t, 3, scale * h, scale * w), uint8 RGB. Only the frames it needs are read."""
        recipe, clip = self.recipe, self.clip_of(index)
        size = picture_size(clip.lq[0])
        if min(size) < recipe.crop:
            raise PortError(
                f"{clip.lq[0]} is {size[1]}x{size[0]}: no patch of {recipe.crop}x{recipe.crop} fits into it."
            )
        cut = draw(np.random.default_rng((self.seed, SAMPLE, index)), recipe, len(clip.lq), size)
        sides = []
        for paths, scale in ((clip.lq, 1), (clip.gt, recipe.scale)):
            frames = [read_sized(paths[k], (size[0] * scale, size[1] * scale)) for k in frame_order(cut, recipe)]
            patches = mirrored([patch(frame, cut, recipe, scale) for frame in frames], recipe.mirror)
            sides.append(np.ascontiguousarray(np.stack(patches).transpose(0, 3, 1, 2)))
        return tuple(sides)


def check_clips(pairs: Sequence[ClipPair], recipe: Recipe) -> None:
    """Refuse, before hours of training, clips without truth or shorter than a sample."""
    if not pairs:
        raise PortError("there is no clip to train on.")
    for clip in pairs:
        if len(clip.lq) < recipe.frames:
            raise PortError(
                f"clip {clip.name} has {len(clip.lq)} frames, a sample takes {recipe.frames}. Leave it out, or take fewer."
            )
        if len(clip.gt) != len(clip.lq):
            raise PortError(
                f"clip {clip.name} has {len(clip.gt)} frames of truth and {len(clip.lq)} of low resolution."
            )


def read_sized(path, size: tuple[int, int]) -> np.ndarray:
    """A frame (h, w, 3) uint8 that must have `size`. Raises PortError with both sizes."""
    frame = read_picture(path)
    if frame.shape[:2] != size:
        raise PortError(f"{path} is {frame.shape[1]}x{frame.shape[0]}, expected {size[1]}x{size[0]} as its clip says.")
    return frame


def as_network_input(stored: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1], divided in float32 as everywhere in the toolkit."""
    return stored.astype(np.float32) / np.float32(255)

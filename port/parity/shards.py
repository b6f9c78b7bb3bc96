"""Whole tensors on their way to disk: files of a bounded size, written beside the run that fills them."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from port.files import whole_file

SHARD_BYTES = 64 << 20  # a file is closed once it holds this much; two of them are in memory at most
ALIGNED = 64  # bytes at whose multiples a tensor starts


class Shards:
    """Stores tensors under keys in whole-000.safetensors, whole-001.safetensors, ...

    While one file is written by a thread of its own, the next one fills; a third waits until the first is done. So a run
    does not wait for the disk unless the disk is slower than the run, and memory does not grow with the trace.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.filling: dict[str, np.ndarray] = {}
        # Two pieces of memory take turns. Fresh memory for every tensor would cost several times the copying.
        self.memory, self.spare = (np.empty(SHARD_BYTES, np.uint8) for _ in range(2))
        self.filled = self.handed_over = self.count = 0  # bytes, bytes, files
        self.writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="shards")
        self.writing: Future | None = None

    @property
    def in_memory(self) -> int:
        """Bytes that are not on disk yet."""
        return self.filled + self.handed_over

    def add(self, key: str, array: np.ndarray) -> str:
        """Copy a tensor, so that what happens to it afterwards changes nothing. -> where it will lie: file/key

        Raises PortError where the file before could not be written.
        """
        place = f"{self._name()}/{key}"
        self.filling[key] = self._copy(array)
        self.filled += array.nbytes
        if self.filled >= SHARD_BYTES:
            self._hand_over()
        return place

    def close(self) -> None:
        """Write what is left and wait for it. Raises PortError where a file could not be written."""
        try:
            if self.filling:
                self._hand_over()
            self._wait()
        finally:
            self.writer.shutdown()

    def _copy(self, array: np.ndarray) -> np.ndarray:
        """In the memory of the file that fills; what does not fit there, the last tensor of a file, gets its own."""
        start = -(-self.filled // ALIGNED) * ALIGNED
        if start + array.nbytes > self.memory.nbytes:
            return np.array(array, order="C", copy=True)
        place = self.memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
        place[...] = array
        self.filled = start
        return place

    def _name(self) -> str:
        return f"whole-{self.count:03d}.safetensors"

    def _hand_over(self) -> None:
        self._wait()
        self.writing = self.writer.submit(write, self.folder / self._name(), self.filling)
        self.handed_over = self.filled
        self.memory, self.spare = self.spare, self.memory
        self.filling, self.filled, self.count = {}, 0, self.count + 1

    def _wait(self) -> None:
        if self.writing is not None:
            done, self.writing = self.writing, None
            done.result()
            self.handed_over = 0


def write(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """One file, whole or not at all; the run can be made again, so it is not held up until the disk confirms."""
    with whole_file(path, lasting=False) as draft:
        save_file(tensors, str(draft))

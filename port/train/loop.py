"""The training loop, the same for both columns. A column brings an engine: the network with its optimiser."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from port import console
from port.data.batches import Batches
from port.data.clips import ClipPair
from port.data.loader import Loader
from port.errors import PortError
from port.files import make_folder, whole_file
from port.train.guard import Guard
from port.train.keep import Keeper
from port.train.log import Board, Display, Log, display
from port.train.settings import Settings
from port.train.validate import as_pictures, beside, validate
from port.weights import tensors_file

NET, FIRST, SECOND = "net/", "first/", "second/"  # what names of arrays in a checkpoint begin with


class Engine(Protocol):
    """A network with its optimiser. Arrays are float32; names are the reference's."""

    def add_gradients(self, lq: np.ndarray, gt: np.ndarray, last: bool) -> float: ...  # of one pass; -> its loss
    def norm(self) -> float: ...  # of the gradient, all passes and processes taken together
    def step(self) -> None: ...
    def skip(self) -> None: ...  # leave the step out
    def rate(self) -> float: ...
    def upscale(self, lq: np.ndarray) -> np.ndarray: ...
    def tensors(self) -> dict[str, np.ndarray]: ...
    def counts(self) -> dict[str, object]: ...  # of the optimiser
    def restore(self, tensors: dict[str, np.ndarray], counts: dict[str, object]) -> None: ...


@dataclass
class Run:
    """One process of a run.

    mean    of an array over all processes; each gets the same
    wait    until all processes have come here
    out     the run's folder, written by rank 0 alone
    """

    settings: Settings
    out: Path
    engine: Engine
    batches: Batches
    valid: list[ClipPair]
    channel: str
    mean: Callable[[np.ndarray], np.ndarray]
    wait: Callable[[], None]
    rank: int = 0
    ranks: int = 1
    quiet: bool = False


def train(run: Run) -> dict[str, object]:
    """Go on from the last checkpoint to the last iteration. -> what to tell. Raises PortError"""
    keeper = Keeper(run.out, run.settings.keep)
    start, recent = resume(run, keeper)
    run.wait()  # nobody removes what another still reads
    guard = Guard(run.settings, recent)
    first = run.rank == 0
    log, board = (Log(run.out / "log.jsonl", start), Board(run.out / "tensorboard", start)) if first else (None, None)
    loss = None
    passes = [k * run.settings.accumulate for k in (start, run.settings.iterations)]
    with (
        Loader(run.batches, passes[0], run.settings.workers, last=passes[1]) as loader,
        display(run.settings.iterations, start, run.settings.log_every, run.quiet or not first) as shown,
    ):
        trainer = _Trainer(run, iter(loader), keeper, guard, log, board, shown)
        try:
            for k in range(start, run.settings.iterations):
                loss = trainer.iteration(k)
                trainer.keep(k + 1)
        finally:
            if board:
                board.close()
    return {"iterations": run.settings.iterations, "started_at": start, "loss": loss, "out": str(run.out)}


def resume(run: Run, keeper: Keeper) -> tuple[int, list[float]]:
    """Put the newest checkpoint into the engine. -> iteration to go on with, last losses"""
    found = keeper.newest()
    if found is None:
        return 0, []
    tensors, facts = found
    run.engine.restore(tensors, facts["counts"])
    if run.rank == 0 and not run.quiet:
        console.note(f"going on from iteration {facts['iteration']}")
    return facts["iteration"], facts["recent"]


@dataclass
class _Trainer:
    """What the steps of the loop share."""

    run: Run
    batches: Iterator[tuple[np.ndarray, np.ndarray]]
    keeper: Keeper
    guard: Guard
    log: Log | None
    board: Board | None
    shown: Display

    def iteration(self, k: int) -> float:
        """One step of the optimiser. -> its loss, over all processes"""
        run, begun, own, reading = self.run, time.perf_counter(), [], 0.0
        passes = range(k * run.settings.accumulate, (k + 1) * run.settings.accumulate)
        for index in passes:
            asked = time.perf_counter()
            lq, gt = next(self.batches)
            reading += time.perf_counter() - asked
            own.append(run.engine.add_gradients(lq, gt, last=index == passes[-1]))
        loss = float(run.mean(np.array([np.mean(own)]))[0])
        norm, rate = run.engine.norm(), run.engine.rate()
        verdict = self.guard.judge(k + 1, loss, norm, self._describe(passes, own))
        run.engine.skip() if verdict == "skip" else run.engine.step()
        self._tell(k + 1, loss, norm, rate, verdict, time.perf_counter() - begun, reading)
        if self.board and due(k + 1, run.settings.sample_every, run.settings.iterations):
            self._picture(k + 1, "training", beside(*self._sample(lq, gt)))
        return loss

    def _describe(self, passes: range, own: list[float]) -> str:
        """The clips of an iteration and the loss of each pass, as far as this process has seen them."""
        batches, parts = self.run.batches, []
        for index, loss in zip(passes, own, strict=True):
            clips = ", ".join(batches.clip_of(sample).name for sample in batches.indices(index))
            parts.append(f"clips {clips} (loss {loss:.4g})")
        return "; ".join(parts) + (f"; on process {self.run.rank}" if self.run.ranks > 1 else "")

    def _tell(self, iteration, loss, norm, rate, verdict, seconds, reading) -> None:
        self.shown.show(iteration, loss, rate, seconds)
        if self.log is None or not self.board:
            return
        record = {"iteration": iteration, "loss": loss, "rate": rate, "gradient_norm": norm, "seconds": round(seconds, 4),
                  "seconds_reading": round(reading, 4)}  # fmt: skip
        self.log.add(record if verdict == "step" else record | {"verdict": verdict})
        if due(iteration, self.run.settings.log_every, self.run.settings.iterations):
            self.board.scalars(
                iteration, train__loss=loss, train__rate=rate, train__gradient_norm=norm, train__seconds=seconds
            )

    def _sample(self, lq: np.ndarray, gt: np.ndarray) -> tuple[np.ndarray, ...]:
        """The middle frame of the first clip of a batch: input, output, truth."""
        middle = lq.shape[1] // 2
        output = self.run.engine.upscale(lq[:1])
        return tuple(as_pictures(array[0, middle : middle + 1])[0] for array in (lq, output, gt))

    def _picture(self, iteration: int, name: str, picture: np.ndarray) -> None:
        if not self.board:
            return
        self.board.picture(iteration, f"samples/{name}", picture)
        with whole_file(make_folder(self.run.out / "samples") / f"{name}_{iteration:010d}.png", lasting=False) as draft:
            Image.fromarray(picture).save(draft)

    def keep(self, iteration: int) -> None:
        """Validation and checkpoint, where they are due."""
        run, settings = self.run, self.run.settings
        if run.valid and due(iteration, settings.validate_every, settings.iterations):
            self._validate(iteration)
        if due(iteration, settings.save_every, settings.iterations) and run.rank == 0:
            self._save(iteration)

    def _validate(self, iteration: int) -> None:
        run = self.run
        figures, picture = validate(
            run.engine.upscale, run.valid, run.settings.valid_frames, self.run.channel, run.rank, run.ranks, run.mean
        )
        if self.log and self.board:
            self.log.add({"iteration": iteration, "valid": figures})
            self.board.scalars(iteration, valid__psnr=figures["psnr"], valid__ssim=figures["ssim"])
            self._picture(iteration, "validation", picture)
        if not run.quiet and run.rank == 0:
            console.note(f"iteration {iteration}: PSNR {figures['psnr']:.3f} dB, SSIM {figures['ssim']:.4f} "
                         f"({figures['channel']}, crop 0, {figures['frames']} frames)")  # fmt: skip

    def _save(self, iteration: int) -> None:
        run = self.run
        facts = {"counts": run.engine.counts(), "recent": list(self.guard.recent), "ranks": run.ranks,
                 "sampler": {"seed": run.settings.seed, "next_batch": iteration * run.settings.accumulate},
                 "settings": asdict(run.settings)}  # fmt: skip
        try:
            tensors = run.engine.tensors()
            self.keeper.save(iteration, tensors, facts)
            network = {name.removeprefix(NET): array for name, array in tensors.items() if name.startswith(NET)}
            tensors_file.save(run.out / "weights.safetensors", network)
        except PortError as error:
            kept = self.keeper.all()
            last = f"iteration {int(kept[-1].stem)}" if kept else "none so far"
            raise PortError(
                f"the checkpoint of iteration {iteration} could not be kept: {error} The last whole one is of {last}; "
                "the same command goes on from it."
            ) from error
        if self.board:
            self.board.flush()


def due(iteration: int, every: int, last: int) -> bool:
    """Every so many iterations and at the end; never with 0."""
    return bool(every) and (iteration % every == 0 or iteration == last)

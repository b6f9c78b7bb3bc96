"""What is watched while the loss goes down: values that are no numbers, and losses that leap up."""

import math
from collections import deque
from collections.abc import Sequence
from statistics import median

from port.console import warn
from port.errors import PortError
from port.train.settings import Settings

REMEMBERED = 100  # losses
ENOUGH = 20  # before a leap can be told


class Guard:
    """Judges every iteration before its step is taken.

    recent  the last losses that were no spikes, which a checkpoint keeps
    """

    def __init__(self, settings: Settings, recent: Sequence[float] = ()):
        self.spike, self.skips = settings.spike, settings.on_spike == "skip"
        self.recent = deque(recent, REMEMBERED)

    def judge(self, iteration: int, loss: float, norm: float, batch: str) -> str:
        """-> "step", "spike" (a step all the same) or "skip". Raises PortError for NaN and infinity.

        norm   length of the gradient over all parameters
        batch  the clips of the iteration, to be named
        """
        for name, value in (("loss", loss), ("gradient", norm)):
            if not math.isfinite(value):
                raise PortError(
                    f"iteration {iteration}: the {name} is {value}. Its batch: {batch}. The step was not taken. "
                    "Look at these clips, or lower the rate; the same command goes on from the last checkpoint."
                )
        usual = median(self.recent) if len(self.recent) >= ENOUGH else math.inf
        if not self.spike or loss <= self.spike * usual:
            self.recent.append(loss)
            return "step"
        deed = (
            "The step is left out." if self.skips else "The step is taken all the same (on_spike=skip leaves it out)."
        )
        warn(
            f"iteration {iteration}: loss {loss:.4g} is {loss / usual:.0f} times the usual {usual:.4g}. Batch: {batch}. {deed}"
        )
        return "skip" if self.skips else "spike"

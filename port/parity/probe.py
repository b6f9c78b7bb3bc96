"""The point where a network shows the values it computes, and where others can be put in their place."""

from typing import Any


class Probe:
    """Does nothing: every value passes through. Networks hold one and call it at the steps worth naming.

    A recorder or a substitute overrides the methods; both columns call them at the same places with the same names.
    """

    def step(self, label: str) -> None:
        """The network enters a step: `flows`, `features`, `bwd.05` (pass and frame), `fwd.00`, `up.03`."""

    def __call__(self, name: str, value: Any) -> Any:
        """A value that no module returns, computed between modules. What comes back is used in its place."""
        return value

    def decide(self, name: str, value: Any) -> Any:
        """A discrete choice (nearest rounding, arg-max). What comes back is used in its place."""
        return value


PASSIVE = Probe()

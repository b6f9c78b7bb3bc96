"""Mistakes and harmless changes in the port of TTVSR itself."""

from functools import partial

from port.selftest.fault import control, fault

_fault, _control = partial(fault, "ttvsr"), partial(control, "ttvsr")

FAULTS = []
CONTROLS = [_control("as it is", "import optim", "import optim", "the port itself")]

"""Equal bytes of another type are another value."""

import numpy as np

from port.parity.trace import Trace, TraceWriter


def test_zeros_of_two_types_are_kept_apart(tmp_path):
    writer = TraceWriter(tmp_path, 1 << 30)
    short = writer.add("a", "value", np.zeros(16, np.float32), whole=True)
    writer.add("b", "value", np.zeros(8, np.float64), whole=True, known=short.hash)
    writer.finish(None)
    trace = Trace(tmp_path)
    assert trace.whole("a").shape == (16,) and trace.whole("a").dtype == np.float32
    assert trace.whole("b").shape == (8,) and trace.whole("b").dtype == np.float64

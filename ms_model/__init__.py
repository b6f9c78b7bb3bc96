"""The ported networks in MindSpore. Everything that imports mindspore is here; nothing here imports torch."""

import os

# MindSpore 2.9 and 2.10 ship oneDNN 3.10, whose float32 convolution falls to a reference kernel on CPUs with AVX-512:
# about 420 ms instead of 4.5 ms for 64 channels at 64x64. Capping the instruction set selects a fast kernel. It is read
# once, when mindspore is imported, so it must be set before; every module of this package comes after these lines.
# setdefault: a user may choose otherwise. `parity_tests/ops/test_speed_trap.py` measures it.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

"""Several processes that train one network, each on its own device. `msrun` starts them; `--devices N` does it for you."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from mindspore import Tensor, communication, ops

JOINED = []  # the reduction, once there are others


def started():
    """Whether this process is one of several, started by msrun."""
    return "MS_ROLE" in os.environ  # a worker's or the scheduler's, which runs the same program and ends in init()


def command(count, port, logs, module, arguments):
    """How msrun is called for `count` processes on this machine."""
    # Without --join it returns at once and reports success. It takes `python` from PATH.
    engine = [str(Path(sys.executable).parent / "msrun"), f"--worker_num={count}", f"--local_worker_num={count}"]
    return [*engine, f"--master_port={port}", "--join=True", f"--log_dir={logs}", "python", "-m", module, *arguments]


@contextmanager
def joined(device):
    """Find the others; `device` has been selected. -> (rank, ranks)"""
    if not started():
        yield 0, 1
        return
    communication.init({"cpu": "mccl", "ascend": "hccl"}[device])
    JOINED.append(ops.AllReduce())
    yield communication.get_rank(), communication.get_group_size()


def mean(array):
    """The mean over all processes of an array of theirs, in float32."""
    if not JOINED:
        return array
    total = JOINED[0](Tensor(np.asarray(array, np.float32)))
    return (total.asnumpy() / np.float32(communication.get_group_size())).astype(np.float64)


def wait():
    """Until every process has come here."""
    if JOINED:
        mean(np.zeros(1))

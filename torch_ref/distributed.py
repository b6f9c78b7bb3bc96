"""Several processes that train one network, each on its own device. `torchrun` starts them; `--devices N` does it for you."""

import os
import sys
from contextlib import contextmanager

import numpy as np
import torch
from torch import distributed


def started():
    """Whether this process is one of several, started by torchrun."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def command(count, port, logs, module, arguments):
    """How torchrun is called for `count` processes on this machine."""
    engine = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={count}", "--redirects=3"]
    return [*engine, f"--log-dir={logs}", "--master-addr=127.0.0.1", f"--master-port={port}", "-m", module, *arguments]


@contextmanager
def joined(device):
    """Find the others; `device` has been selected. -> (rank, ranks)"""
    if not started():
        yield 0, 1
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    yield distributed.get_rank(), distributed.get_world_size()
    distributed.destroy_process_group()  # after an error there is nobody to part from, and waiting would hide the reason


def mean(array):
    """The mean over all processes of an array of theirs, in float32."""
    if not distributed.is_initialized():
        return array
    total = torch.as_tensor(array, dtype=torch.float32, device=torch.get_default_device())
    distributed.all_reduce(total)
    return (total / distributed.get_world_size()).cpu().numpy().astype(np.float64)


def wait():
    """Until every process has come here."""
    if distributed.is_initialized():
        mean(np.zeros(1))

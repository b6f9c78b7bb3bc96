"""Super-resolve a clip with exported parts alone: `python -m ms_model.run_exported DIR --input IN --output OUT`."""

import sys

import mindspore as ms
from mindspore import nn

from ms_model import device
from port.errors import PortError, run_command
from port.export.driver import Driver
from port.export.run import run_arguments, run_parts

KIND = "mindir"


def open_parts(export):
    """The parts of an export, ready to run. Raises PortError for a file that cannot be loaded."""
    device.select(device.DEVICES[0])
    device.one_after_the_other()
    loaded = {name: _open(path) for name, path in export.files.items()}

    def run(name, *inputs):
        outputs = loaded[name](*[x if isinstance(x, ms.Tensor) else ms.Tensor(x) for x in inputs])
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(output.asnumpy().copy() for output in outputs)  # asnumpy shows the tensor's own memory

    return Driver(export.sizes, run, hold=ms.Tensor)


def _open(path):
    try:
        return nn.GraphCell(ms.load(str(path)))
    except (RuntimeError, ValueError) as error:
        raise PortError(f"MindSpore cannot load {path}: {str(error).strip().splitlines()[0]}") from error


def main(argv=None):
    args = run_arguments("python -m ms_model.run_exported", argv)
    return run_command(lambda: run_parts(args, KIND, open_parts, device.describe), args.debug)


if __name__ == "__main__":
    sys.exit(main())

"""Super-resolve a clip with exported parts alone: `python -m torch_ref.run_exported DIR --input IN --output OUT`."""

import sys

import numpy as np
import onnxruntime

from port.errors import PortError, run_command
from port.export.driver import Driver
from port.export.run import run_arguments, run_parts

KIND = "onnx"


def open_parts(export):
    """The parts of an export, ready to run. Raises PortError for a file that cannot be loaded."""
    loaded = {name: _open(path) for name, path in export.files.items()}

    def run(name, *inputs):
        names = [entry.name for entry in loaded[name].get_inputs()]
        return tuple(loaded[name].run(None, dict(zip(names, inputs, strict=True))))

    return Driver(export.sizes, run, hold=np.asarray)


def _open(path):
    try:
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes have no other common base
        raise PortError(f"onnxruntime cannot load {path}: {str(error).strip().splitlines()[0]}") from error


def describe():
    """Versions that belong into every report."""
    return {"framework": "onnxruntime", "version": onnxruntime.__version__, "device": "CPU"}


def main(argv=None):
    args = run_arguments("python -m torch_ref.run_exported", argv)
    return run_command(lambda: run_parts(args, KIND, open_parts, describe), args.debug)


if __name__ == "__main__":
    sys.exit(main())

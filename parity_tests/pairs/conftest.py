"""The reference of small_pair.py is captured once; ports with mistakes in them are captured and compared one by one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from port import cli
from port.parity.pair_start import PORT_PASSES, capture_alone, capture_side, surroundings
from port.parity.pair_verify import compare_folders, make_report

SMALL_PAIR = Path(__file__).with_name("small_pair.py")


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """Folder of the reference's traces."""
    folder = tmp_path_factory.mktemp("reference")
    capture_side("torch", SMALL_PAIR, folder, folder, quiet=True)
    return folder


@pytest.fixture
def verified(reference, tmp_path):
    """verified((old, new), ...) -> report of the pair with these replacements in its text; each must occur once.

    extra  lines put at the end of the file; unless told otherwise the port is not compiled, which takes its time
    """

    def run(*replacements, extra='COMPILE = False\nCOMPILE_REASON = "tested elsewhere"\n'):
        text = f"{SMALL_PAIR.read_text(encoding='utf-8')}\n\n{extra}"
        for old, new in replacements:
            assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
            text = text.replace(old, new)
        pair = tmp_path / "pair.py"
        pair.write_text(text, encoding="utf-8")
        capture_side("ms", pair, tmp_path / "port", reference, quiet=True)
        compared = compare_folders(reference, tmp_path / "port")
        if compared.ask_alone:
            capture_alone(pair, tmp_path / "port", reference, quiet=True)
            compared = compare_folders(reference, tmp_path / "port")
        return make_report("small", compared, reference, tmp_path / "port", {})

    return run


FAULTY = (  # one mistake forward, one backward, one between modules, one in the optimiser: (text of the port, text instead)
    ("nn.LeakyReLU(0.1)\n            self.pool = nn.AvgPool2d(2, stride=2)",
     "nn.LeakyReLU()\n            self.pool = nn.AvgPool2d(2, stride=2)"),
    ("nn.GELU(approximate=False)", "Twice()"),
    ("    class Net(nn.Cell):\n",
     "    class Twice(nn.Cell):\n"
     "        def construct(self, x):\n"
     "            y = nn.GELU(approximate=False)(x)\n"
     "            return 2 * y - __import__('mindspore').ops.stop_gradient(y)\n\n"
     "    class Net(nn.Cell):\n"),
    ("self.first(x.flatten(start_dim=1))", "self.first((x * 1.5).flatten(start_dim=1))"),
    ("learning_rate=0.05", "learning_rate=0.06"),
)  # fmt: skip


def changed_pair(path, *replacements):
    """Write small_pair.py with replacements, each of which must fit once. -> path"""
    text = SMALL_PAIR.read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def capture_ports(pairs, folder, reference):
    """The ports of several pairs, in one process. -> {name of the file: folder of its traces}"""
    made = {pair.stem: folder / pair.stem for pair in pairs}
    words = ["ms_model.capture_pair", *map(str, pairs), "--out", *map(str, made.values()), "--keep-going", "--quiet"]
    words += ["--passes", ",".join(PORT_PASSES), "--reference", str(reference)]
    words += ["--weights", str(reference / "reference" / "weights.safetensors")]
    subprocess.run([sys.executable, "-m", *words], env=surroundings(), check=True)
    return made


@pytest.fixture(scope="session")
def ports(reference, tmp_path_factory):
    """{"healthy": traces of the port as it is, "faulty": of one with the mistakes of FAULTY}"""
    folder = tmp_path_factory.mktemp("ports")
    pairs = [changed_pair(folder / "healthy.py"), changed_pair(folder / "faulty.py", *FAULTY)]
    return capture_ports(pairs, folder, reference)


@pytest.fixture
def compare(reference, ports, tmp_path, capsys):
    """compare("faulty", *flags) -> exit code, report.json, what was printed"""

    def run(name, *flags):
        capsys.readouterr()
        words = ["compare", reference, ports[name], "--report", tmp_path / "report", *flags]
        code = cli.main([str(word) for word in words])
        report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
        return code, report, " ".join(capsys.readouterr().out.split())

    return run

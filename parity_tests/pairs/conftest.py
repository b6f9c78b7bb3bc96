"""The reference of small_pair.py is captured once; ports with mistakes in them are captured and compared one by one."""

from pathlib import Path

import pytest

from port.parity.pair_verify import capture_side, compare_folders, make_report

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
        return make_report("small", compared, reference, tmp_path / "port", {})

    return run

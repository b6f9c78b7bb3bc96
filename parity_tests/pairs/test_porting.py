"""docs/porting.md is true: its code is the pair's, and every mistake it makes is named as it says, by the commands it gives.

A documented `verify --pair FILE ...` is run as `compare ...` with the same flags, on traces captured once: verifying is
capturing both sides and comparing, and both are the same code for both verbs.
"""

import json
import re
import shlex
from pathlib import Path

import pytest

from parity_tests.pairs.conftest import capture_ports
from port import cli
from port.parity.pair_start import capture_side

pytestmark = pytest.mark.slow

DENOISER = Path(__file__).with_name("denoiser_pair.py")
FINISHED = "The finished port"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "porting.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
FOUND = {  # what the sections are about: (module, stage, diagnosis)
    "Mistake 1": ("down", "forward", "shift"),
    "Mistake 2": ("gate.gelu", "forward", "gelu"),
    "Mistake 3": ("norm", "training", "momentum"),
}


def sections():
    """title -> [(kind, text) of its blocks]"""
    parts = re.split(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return {title: BLOCK.findall(body) for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def section(start):
    (blocks,) = [blocks for title, blocks in sections().items() if title.startswith(start)]
    return blocks


def of_kind(blocks, kind):
    return [text for found, text in blocks if found == kind]


def flags(blocks):
    """The words behind the pair's file of the section's `verify` command."""
    (words,) = [words for text in of_kind(blocks, "sh") if (words := shlex.split(text))[3] == "verify"]
    assert words[:6] == ["python", "-m", "port", "verify", "--pair", "my_denoiser.py"]
    return words[6:]


def changed(blocks):
    """The pair with the lines of the section's diff put in."""
    (diff,) = of_kind(blocks, "diff")
    old, new = ("".join(line[1:] for line in diff.splitlines(True) if line[0] == sign) for sign in "-+")
    text = DENOISER.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    return text.replace(old, new)


def words_of(text):
    """Text with its line breaks taken out: the terminal breaks lines elsewhere."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the traces of the reference, and of a port for every section, in a folder of its name."""
    folder = tmp_path_factory.mktemp("porting")
    capture_side("torch", DENOISER, folder / "reference", folder / "reference", quiet=True)
    texts = {start: changed(section(start)) for start in FOUND} | {FINISHED: DENOISER.read_text(encoding="utf-8")}
    pairs = [folder / f"{start}.py" for start in texts]
    for pair in pairs:
        pair.write_text(texts[pair.stem], encoding="utf-8")
    capture_ports(pairs, folder, folder / "reference")
    return folder


@pytest.fixture
def follow(work, monkeypatch, capsys):
    """follow(start of a section's title) -> exit code of its command, what was printed"""
    monkeypatch.chdir(work)

    def run(start):
        capsys.readouterr()
        code = cli.main(["compare", "reference", start, *flags(section(start))])
        return code, words_of(capsys.readouterr().out)

    return run


def expected(start):
    return [words_of(line) for line in of_kind(section(start), "text")[0].splitlines()]


def test_code_of_the_page_is_that_of_the_pair():
    text = DENOISER.read_text(encoding="utf-8")
    quoted = [code for blocks in sections().values() for code in of_kind(blocks, "python")]
    assert len(quoted) == 3
    assert [code for code in quoted if code not in text] == []


def test_every_mistake_of_the_page_is_followed():
    titles = [title for title, blocks in sections().items() if of_kind(blocks, "diff")]
    assert [title.partition(":")[0] for title in titles] == list(FOUND)


@pytest.mark.parametrize("start", FOUND)
def test_mistake_is_named_as_the_page_says(start, follow, work, capsys):
    code, shown = follow(start)
    assert code == 1
    assert [line for line in expected(start) if line not in shown] == []
    if (where := dict(zip(flags(section(start)), flags(section(start))[1:], strict=False)).get("--report")) is None:
        return
    report = json.loads((work / where / "report.json").read_text(encoding="utf-8"))
    causes = [(cause["module"], cause["stage"], cause["diagnosis"]) for cause in report["root_causes"]]
    assert causes == [FOUND[start]]
    for line in (line for text in of_kind(section(start), "sh") for line in text.splitlines() if " shrink " in line):
        assert cli.main([*shlex.split(line)[3:], "--quiet"]) == 0
        readme = (work / "gelu-alone" / "README.md").read_text(encoding="utf-8")
        assert "gate.gelu: gelu" in readme and "pair.py:" in readme


def test_finished_port_passes_and_the_last_mistake_is_gone(follow, work):
    """Follows the sections in order: the report with the last mistake is there by then, or is made here."""
    if not (work / "reports" / "momentum").is_dir():
        follow("Mistake 3")
    code, shown = follow(FINISHED)
    assert code == 0
    assert [line for line in expected(FINISHED) if line not in shown] == []
    report = json.loads((work / "reports" / "mine" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "pass" and report["diff"]["regressions"] == []
    assert report["coverage"]["sites_compared"] > 300

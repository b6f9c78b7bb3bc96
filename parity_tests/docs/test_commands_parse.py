"""Every command of the documents can be given as it stands: the very parser of the program that it names takes it."""

import re

import pytest

from parity_tests.docs.pages import DOCS, commands
from parity_tests.docs.programs import BadDocument, check


def all_commands():
    return [
        pytest.param(words, id=f"{path.parent.name}/{path.stem}: {' '.join(words)[:60]}")
        for path in DOCS
        for words in commands(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("words", all_commands())
def test_command_is_as_written(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(words)


def test_there_are_commands():
    assert len(all_commands()) >= 20


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("pip install torch", "no handler for 'pip'"),
        ("python -m port.nothing", "no handler for 'port.nothing'"),
        ("python train.py", "no handler for 'train.py'"),
        ("python convert_weights.py a.pth --bogus", "knows no flag --bogus"),
        ("python convert_weights.py a.pth -o b.onnx", "unknown extension"),
        ("python -m port verify ttvsr --weight w --input i --report r", "knows no flag --weight"),
        ("python -m port verify ttvsr --weights w --input i", "required: --report"),
        ("python -m port verify edvr --weights w --input i --report r", "invalid choice: 'edvr'"),
        ("python -m torch_ref.infer --weights w --input i --output o --device ascend", "invalid choice: 'ascend'"),
        ("python -m ms_model.capture ttvsr --weights w --input i --out o --passes fored", "unknown pass 'fored'"),
        ("python -m ms_model.capture ttvsr --weights w --input i --out o --passes forced", "--reference"),
        ("python -m torch_ref.evaluate --weights w --dataset reds5 --root r", "invalid choice: 'reds5'"),
        ("python -m ms_model.evaluate --weights w --dataset vid4 --root r --max-frames 0", "at least 1, found 0"),
        ("python -m torch_ref.train tiny --root r --out o --set bach=2", "no setting 'bach' (nearest: batch)"),
        ("python -m torch_ref.train tinny --root r --out o", "no preset 'tinny' (nearest: tiny)"),
        ("make prove", "No rule to make target"),
        ("make clean", "no handler for the target 'clean'"),
        ("make REPORTS=x verify", "no variable REPORTS"),
        ("source venv/bin/activate", "make sets up no environment"),
        ("python -m pytest parity_tests/absent", "there is no parity_tests/absent"),
    ],
)
def test_bad_command_is_found(line, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(f"Text.\n\n```sh\n# a comment\n{line}   # another\n```\n", encoding="utf-8")
    (found,) = commands(page.read_text(encoding="utf-8"))
    with pytest.raises(BadDocument, match=re.escape(says)):
        check(found)

"""What the documents say is so: commands run or at least parse, links and paths lead somewhere, names exist.

Every line of a ```sh block needs a handler here; a command without one fails. Cheap ones run on stand-ins: a network with one
block, two frames of 64x64. The others are parsed by the very parser of the program they name.
"""

import contextlib
import importlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import convert_weights
from parity_tests.stream import memory_table, seams, standin
from port import cli
from port.cli import parse
from port.errors import PortError, run_command
from port.evaluate.arguments import evaluate_arguments
from port.evaluate.both import compare
from port.evaluate.conditions import conditions_of
from port.export.command import export_arguments
from port.export.run import run_arguments
from port.infer import infer_arguments
from port.models import ttvsr
from port.models.ttvsr import VALUE_SOURCES
from port.parity import tolerance
from port.parity.capture import capture_arguments, chosen_passes
from port.train.command import train_arguments
from port.train.settings import load_preset
from port.video.read import read_clip

REPO = Path(__file__).resolve().parents[2]
DOCS = [REPO / "README.md", REPO / "reports" / "README.md", *sorted((REPO / "docs").glob("*.md"))]
COLUMNS = ("torch_ref", "ms_model")
COMMITTED = ("reports/ttvsr-demo", "reports/basicvsr-vid4.md", "reports/golden.md")
OURS = ("port", *COLUMNS, "parity_tests", "docs", *COMMITTED, "convert_weights.py")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


class BadDocument(AssertionError):
    """A document says what is not so."""


# ---------------------------------------------------------------------------------------------- reading the documents


def blocks(text, language):
    return [body for kind, body in BLOCK.findall(text) if kind == language]


def commands(text):
    """Every command of the ```sh blocks as a list of words; comments are left out."""
    lines = "\n".join(blocks(text, "sh")).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def prose(text):
    return BLOCK.sub("", text)


def code_spans(text):
    return re.findall(r"`([^`\n]+)`", prose(text))


def all_commands():
    return [
        pytest.param(words, id=f"{path.parent.name}/{path.stem}: {' '.join(words)[:60]}")
        for path in DOCS
        for words in commands(path.read_text(encoding="utf-8"))
    ]


# ---------------------------------------------------------------------------------------------- commands that parse


def devices(column):
    return importlib.import_module(f"{column}.device").DEVICES


def parse_infer(column):
    return lambda words: infer_arguments(f"python -m {column}.infer", devices(column), words)


def parse_capture(column):
    def parse(words):
        args = capture_arguments(f"python -m {column}.capture", devices(column)).parse_args(words)
        chosen_passes(args)
        return args

    return parse


def parse_evaluate(column):
    def parse(words):
        args = evaluate_arguments(f"python -m {column}.evaluate", devices(column), words)
        conditions_of(args)
        return args

    return parse


def parse_train(column):
    def parse(words):
        args = train_arguments(f"python -m {column}.train", devices(column), words)
        load_preset(args.preset).changed(args.set)
        return args

    return parse


def parse_conversion(words):
    args = convert_weights.parse(words)
    if args.pair or args.map:
        return convert_weights.check_extensions(args.source, args.output, (*convert_weights.FORMATS, convert_weights.INDEX))
    return convert_weights.choose_target(args.source, args.output)
    return args


def parse_pytest(words):
    for word in words:
        if word.startswith("-"):
            raise BadDocument(f"pytest flag {word} is not known to this test")
        if not (REPO / word).exists():
            raise BadDocument(f"there is no {word} to test")


def parse_export(column):
    return lambda words: export_arguments(f"python -m {column}.export", words)


def parse_run_exported(column):
    return lambda words: run_arguments(f"python -m {column}.run_exported", words)


def parse_nothing(words):
    if words:
        raise BadDocument(f"takes no arguments, given {words}")


PROGRAMS = {
    "convert_weights.py": parse_conversion,
    "port": parse,
    "torch_ref.infer": parse_infer("torch_ref"),
    "ms_model.infer": parse_infer("ms_model"),
    "torch_ref.evaluate": parse_evaluate("torch_ref"),
    "ms_model.evaluate": parse_evaluate("ms_model"),
    "torch_ref.train": parse_train("torch_ref"),
    "ms_model.train": parse_train("ms_model"),
    "torch_ref.capture": parse_capture("torch_ref"),
    "ms_model.capture": parse_capture("ms_model"),
    "torch_ref.export": parse_export("torch_ref"),
    "ms_model.export": parse_export("ms_model"),
    "torch_ref.run_exported": parse_run_exported("torch_ref"),
    "ms_model.run_exported": parse_run_exported("ms_model"),
    "pytest": parse_pytest,
    "parity_tests.golden.agreement": parse_nothing,
    "parity_tests.stream.seams": seams.parse,
    "parity_tests.stream.memory_table": memory_table.parse,
    "parity_tests.stream.standin": standin.words,
}
# no --help of ours to compare flags with
OWN_FLAGS = {"pytest", "parity_tests.golden.agreement", "parity_tests.stream.standin"}
MAKE_LEADS_TO = {
    "verify": [
        "-m port demo .cache/demo",
        "-m port verify ttvsr --weights .cache/demo/ttvsr_demo.pth --input .cache/demo/lr",
        "-m port verify basicvsr --weights .cache/demo/BasicVSR_Vimeo90K_BIx4.pth --input .cache/demo/lr",
    ],
    "test": ["-m port demo .cache/demo", "-m pytest -n 2 --dist loadfile --no-loadscope-reorder parity_tests/"],
    "setup": [],
}


def check(words):
    """Raise BadDocument unless the command can be given as it stands."""
    if words[0] == "make":
        return check_make(words[1:])
    if words[0] == "source":
        return check_activation(words[1:])
    if words[0] != "python":
        raise BadDocument(f"no handler for {words[0]!r}")
    if words[1] == "-c":
        compile(words[2], "-c", "exec")
        return None
    program, arguments = (words[2], words[3:]) if words[1] == "-m" else (words[1], words[2:])
    if program not in PROGRAMS:
        raise BadDocument(f"no handler for {program!r}")
    if words[1] != "-m" and not (REPO / program).is_file():
        raise BadDocument(f"there is no {program}")
    if words[1] == "-m" and importlib.util.find_spec(program) is None:
        raise BadDocument(f"there is no module {program}")
    if program not in OWN_FLAGS:
        check_flags(program, arguments)
    return parsed(program, arguments)


def parsed(program, arguments):
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return PROGRAMS[program](arguments)
    except (SystemExit, PortError) as error:
        raise BadDocument(f"{program} refuses {arguments}: {errors.getvalue().strip() or error}") from error


def check_flags(program, arguments):
    """argparse takes beginnings of flags, a document must not: every flag stands in --help as it is written."""
    depth = 2 if arguments[:1] == ["data"] else 1  # `data` has tasks of its own
    verb = arguments[:depth] if program == "port" else []
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", help_of(program, verb)))
    for word in arguments:
        if word.startswith("-") and word.partition("=")[0] not in known:
            raise BadDocument(f"{program} knows no flag {word}")


def help_of(program, verb):
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown), contextlib.suppress(SystemExit):
        PROGRAMS[program]([*verb, "--help"])
    return shown.getvalue()


def check_make(words):
    """A dry run: the targets exist, variables are the Makefile's, and they lead to the commands they should."""
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    for name in (word.partition("=")[0] for word in words if "=" in word):
        if not re.search(rf"^{name} \?=", makefile, re.M):
            raise BadDocument(f"the Makefile has no variable {name}")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-n", *words], cwd=REPO, capture_output=True, text=True, env=clean)
    if done.returncode:
        raise BadDocument(f"make {' '.join(words)}: {done.stderr.strip()}")
    for target in (word for word in words if "=" not in word):
        if target not in MAKE_LEADS_TO:
            raise BadDocument(f"no handler for the target {target!r}")
        for part in MAKE_LEADS_TO[target]:
            if part not in done.stdout:
                raise BadDocument(f"make {target} does not lead to {part!r}")


def check_activation(words):
    folder = words[0].removesuffix("/bin/activate")
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    if len(words) != 1 or f"RUN := {folder}/bin/python" not in makefile:
        raise BadDocument(f"make sets up no environment for: source {' '.join(words)}")


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


# ---------------------------------------------------------------------------------------------- commands that run


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A folder with what the documents assume: ttvsr_torch.pth (one block), my_clip (two frames of 64x64), my_truth."""
    from parity_tests.ops.both import make_weights
    from port.video.write import write_clip
    from port.weights.ttvsr import TTVSRConfig
    from torch_ref.checkpoint import save

    folder = tmp_path_factory.mktemp("docs")
    weights = make_weights(TTVSRConfig(mid_channels=16, num_blocks=1))
    save(folder / "ttvsr_torch.pth", {f"generator.{name}": array for name, array in weights.items()})
    picture = np.random.default_rng(0).integers(0, 256, (66, 66, 3)).astype(np.uint8)
    clip = np.stack([picture[i : i + 64, i : i + 64] for i in range(2)])
    write_clip(folder / "my_clip", clip)
    write_clip(folder / "my_truth", clip.repeat(4, axis=1).repeat(4, axis=2))
    return folder


def run(words):
    """Run one documented command in this process, in the current folder. -> its exit code"""
    if words[1] == "-m":
        return importlib.import_module(words[2]).main(words[3:])
    options = convert_weights.parse(words[2:])
    return run_command(lambda: convert_weights.main(options), options.debug)


def documented(name, program):
    """The commands of a document that call `program`, in order."""
    text = (REPO / name).read_text(encoding="utf-8")
    return [words for words in commands(text) if program in words[1:3]]


@pytest.mark.parametrize("name", ["README.md", "docs/weights.md"])
def test_conversions_run(name, sandbox, monkeypatch):
    """All of a document, in its order: each finds what the ones before it wrote."""
    monkeypatch.chdir(sandbox)
    conversions = documented(name, "convert_weights.py")
    assert len(conversions) >= 2
    assert [run(words) for words in conversions] == [0] * len(conversions)
    assert (sandbox / "ttvsr_torch.ckpt").is_file() and (sandbox / "back.pth").is_file()


def test_json_fields_of_a_conversion(sandbox, monkeypatch):
    monkeypatch.chdir(sandbox)
    (words,) = [words for words in documented("docs/weights.md", "convert_weights.py") if "--json" in words]
    run(["python", "convert_weights.py", "ttvsr_torch.pth", "-o", "ttvsr.safetensors"])
    assert run(words) == 0
    summary = json.loads((sandbox / "summary.json").read_text(encoding="utf-8"))
    assert not_in_code(summary, "docs/weights.md") == set()


def test_data_page(tmp_path, monkeypatch, capsys):
    """docs/data.md from its first command to its last, on three clips of three small frames."""
    from parity_tests.data.made_sets import make_benchmark, write_pair

    monkeypatch.chdir(tmp_path)
    names = ["00000000", "00000001", "00000002"]
    for kind, clips in (("train", ("000", "001", "011", "015", "020")), ("val", ("000",))):
        gt, lq = Path(f"zips/{kind}/{kind}_sharp"), Path(f"zips/{kind}/{kind}_sharp_bicubic/X4")
        for clip in clips:
            write_pair(gt / clip, lq / clip, int(clip), names, (64, 96))
    make_benchmark("Vid4", size=(32, 48))
    shutil.rmtree("Vid4/BD")
    smaller = {"check": "--subset", "bench": "--frames=3 --crop=8 --batches=1 --repeats=1"}
    for words in documented("docs/data.md", "port"):
        extra = smaller.get(words[4], "").split()
        assert cli.main([*words[3:], *extra]) == 0, (words, capsys.readouterr())
    (snippet,) = blocks((REPO / "docs" / "data.md").read_text(encoding="utf-8"), "python")
    capsys.readouterr()
    exec(compile(snippet, "docs/data.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["(2, 3, 3, 16, 16) (2, 3, 3, 64, 64)"] * 2


@pytest.mark.slow
def test_inference_runs(sandbox, monkeypatch):
    """The first command of each column in the README; both leave the same pictures."""
    monkeypatch.chdir(sandbox)
    assert run(documented("README.md", "convert_weights.py")[0]) == 0
    for column, out in (("torch_ref", "out-torch"), ("ms_model", "out-ms")):
        assert run(documented("README.md", f"{column}.infer")[0]) == 0
        assert len(list((sandbox / out).glob("*.png"))) == 2
    reference, port = (read_clip(sandbox / out).frames.astype(int) for out in ("out-torch", "out-ms"))
    assert reference.shape == (2, 256, 256, 3) and np.abs(reference - port).max() <= 1


FILMS = {"holiday.mp4": 3, "film.mkv": 3, "long.mp4": 5}  # what docs/video.md enlarges, and how many frames it has here


@pytest.fixture
def films(sandbox, monkeypatch):
    """The films of docs/video.md with 16x16 pixels, and a clip; networks that take so small ones."""
    from port.video.write import write_clip

    monkeypatch.chdir(sandbox)
    monkeypatch.setattr(ttvsr, "MIN_SIZE", 16)
    frames = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3)).astype(np.uint8)
    for name, count in FILMS.items():
        write_clip(sandbox / name, frames[:count], Fraction(25))


def test_video_page(films, monkeypatch, capsys):
    """docs/video.md from its first command to its last, each writing what it says; but for the one that needs an Ascend."""
    run(["python", "convert_weights.py", "ttvsr_torch.pth", "-o", "ttvsr_torch.ckpt"])
    monkeypatch.setattr(memory_table, "RUNS", ((2, 64),))  # each takes a process
    text = (REPO / "docs" / "video.md").read_text(encoding="utf-8")
    left_out = [words for words in commands(text) if "ascend" in words]
    assert len(left_out) == 1
    for words in commands(text):
        if words in left_out:
            continue
        targets = [Path(after) for flag, after in pairwise(words) if flag in ("--output", "--compare")]
        targets += [Path(words[5])] if "parity_tests.stream.standin" in words else []
        for path in targets:  # several commands write the same film
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        extra = ["--compare-frame", "1"] if "--compare-frame" in words else []
        assert run([*words, *extra]) == 0, (words, capsys.readouterr())
        for path in targets:
            (film,) = [word for word in words if word in FILMS]
            frames = 1 if path.suffix == ".png" else FILMS[film]
            assert read_clip(path).frames.shape[:2] == (frames, 64), words
        shown = capsys.readouterr().out
        if "parity_tests.stream.seams" in words:
            asked = [word for word in words if re.fullmatch(r"\d+(,\d+)+", word)]
            assert len(re.findall(r"^\| (window|tile) ", shown, re.M)) == len(asked)


def test_evaluation_runs(sandbox, monkeypatch, capsys):
    """The command on a folder of one's own, and what it and `results` put into JSON."""
    monkeypatch.chdir(sandbox)
    (words,) = [words for words in documented("docs/evaluate.md", "torch_ref.evaluate") if "folder" in words]
    assert run([*words, "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["mean"]["clips"], found["mean"]["frames"]) == (1, 2)
    assert sorted(path.name for path in (sandbox / "out/my_clip").iterdir()) == ["00000000.png", "00000001.png"]
    both = {**compare(found, found, 0.0), "weights": "", "command": "", "created": "", "wall_seconds": 0}
    for result in (found, both["reference"], both["port"]):
        result.pop("environment")  # its names are the machine's
    assert not_in_code(both, "docs/evaluate.md") == set()


@pytest.mark.slow
def test_two_machines(sandbox, monkeypatch, capsys):
    """The recipe of docs/parity.md from its first command to its last line of Python, and the fields of report.json."""
    monkeypatch.chdir(sandbox)
    text = (REPO / "docs" / "parity.md").read_text(encoding="utf-8")
    (array,) = [words for words in commands(text) if words[1] == "-c"]
    monkeypatch.setattr("sys.argv", ["-c", *array[3:]])
    exec(compile(array[2], "-c", "exec"), {})
    steps = [words for words in commands(text) if words[1] != "-c" and "port" not in words]
    assert [words[2] if words[1] == "-m" else words[1] for words in steps] == [
        "convert_weights.py", "torch_ref.capture", "ms_model.capture"
    ]  # fmt: skip
    assert [run([*words, "--quiet"] if words[1] == "-m" else words) for words in steps] == [0, 0, 0]
    (snippet,) = blocks(text, "python")
    exec(compile(snippet, "docs/parity.md", "exec"), {})
    assert "PASS" in capsys.readouterr().out
    report = json.loads((sandbox / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "pass"
    assert not_in_code(report, "docs/parity.md") == set()
    header = (sandbox / "report" / "sites.csv").read_text(encoding="utf-8").splitlines()[0]
    assert not_in_code(dict.fromkeys(header.split(",")), "docs/parity.md") == set()
    for path in (sandbox / "work").rglob("*.safetensors"):
        path.unlink()


@pytest.mark.slow
def test_training_runs(sandbox, monkeypatch):
    """The first command of docs/train.md, two steps of it."""
    from parity_tests.data.made_sets import write_pair

    monkeypatch.chdir(sandbox)
    write_pair("clips/gt/a", "clips/lq/a", 0, ["0", "1", "2"], size=(272, 256))
    words = documented("docs/train.md", "torch_ref.train")[0]
    assert run([*words, "--set", "iterations=2", "--set", "frames=2", "--quiet"]) == 0
    text = (REPO / "docs/train.md").read_text(encoding="utf-8")
    files = {path.name for path in Path("runs/tiny").iterdir() if not path.name.startswith(".")}
    assert files - {"initial.safetensors", "result.json"} == set(re.findall(r"^\| `([\w.]+)` \|", text, re.M)) & files
    record = json.loads(Path("runs/tiny/log.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert not_in_code(record, "docs/train.md") == set()


def not_in_code(data, document):
    """Keys of nested data, lists included, that a document never puts into backticks."""
    named = {
        word for span in code_spans((REPO / document).read_text(encoding="utf-8")) for word in re.split(r"[.\s]", span)
    }
    return keys(data) - named


def keys(data):
    if isinstance(data, dict):
        return set(data).union(*(keys(value) for value in data.values()))
    return set().union(*(keys(value) for value in data)) if isinstance(data, list) else set()


def test_undocumented_field_is_found():
    assert not_in_code({"schema": 1, "stages": [{"no_such_field": 0}]}, "docs/parity.md") == {"no_such_field"}


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(REPO)))
def test_toml_examples_are_toml(page):
    for text in blocks(page.read_text(encoding="utf-8"), "toml"):
        assert tomllib.loads(text)


def test_the_example_of_a_map_is_one(tmp_path):
    from port.weights.map_file import read_map

    (text,) = blocks((REPO / "docs" / "convert.md").read_text(encoding="utf-8"), "toml")
    (tmp_path / "map.toml").write_text(text, encoding="utf-8")
    found = read_map(tmp_path / "map.toml")
    assert [str(entry.layout) for entry in found.entries] == ["ones", "split 3", "same"] and found.left_out


# ---------------------------------------------------------------------------------------------- links, paths and names


def dead_links(page):
    """Relative links of a page that lead nowhere."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8")))
    local = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    return [target for target in local if target and not (page.parent / target).exists()]


def missing_paths(page, repo=REPO):
    """Paths in backticks that look like ours and are not there; `file.py::name` must define the name.

    A path starts with a folder of the repository. A bare `file.py` is one of the columns' twins: it must be in both.
    Under reports/ only what is committed counts: other reports are the reader's own.
    """
    return [
        span
        for span in code_spans(page.read_text(encoding="utf-8"))
        if " " not in span and not all(is_there(path, span.partition("::")[2], repo) for path in places(span))
    ]


def places(span):
    path = span.partition("::")[0]
    if path.startswith(tuple(f"{top}/" for top in OURS)) or path in OURS:
        return [path]
    if re.fullmatch(r"\w+\.py", path):
        return [f"{column}/{path}" for column in COLUMNS] if "::" in span else [path]
    return []


def is_there(path, name, repo):
    file = repo / path
    if not name:
        return file.exists() or any(any((repo / top).rglob(path)) for top in ("port", *COLUMNS, "parity_tests"))
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return re.search(rf"^\s*(def|class) {name}\b", text, re.M) is not None


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(REPO)))
def test_links_lead_somewhere(page):
    assert dead_links(page) == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(REPO)))
def test_paths_exist(page):
    assert missing_paths(page) == []


def test_dead_link_and_missing_path_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "[a](gone.md) [b](page.md#here) [c](https://example.org/x)\n\n`port/gone.py` and `port/cli.py`, `gone.py`, "
        "`warp.py::flow_warp`, `warp.py::gone`, `ms_model/warp.py::_nearest_pixel`, `warp.py::_nearest_pixel`\n",
        encoding="utf-8",
    )
    assert dead_links(page) == ["gone.md"]
    assert missing_paths(page) == ["port/gone.py", "gone.py", "warp.py::gone", "warp.py::_nearest_pixel"]


def unknown_sites(text):
    """Named values such as `bwd.05/ltam_out` that no network shows."""
    found = [re.fullmatch(r"(?:flows|features|(?:bwd|fwd|up)\.\d+)/(\w+)", span) for span in code_spans(text)]
    return [match[0] for match in found if match and match[1] not in VALUE_SOURCES]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(REPO)))
def test_named_values_exist(page):
    assert unknown_sites(page.read_text(encoding="utf-8")) == []


def test_every_named_value_is_explained():
    text = (REPO / "docs" / "networks.md").read_text(encoding="utf-8")
    assert [name for name in VALUE_SOURCES if f"/{name}`" not in text] == []


def test_unknown_site_is_found():
    assert unknown_sites("`bwd.05/ltam_out` `bwd.05/gone` `up.00/conv_hr:in0`") == ["bwd.05/gone"]


def wrong_limits(text):
    """Limits of tolerances.toml that a text does not give as `section.name` = value."""
    table = tomllib.loads(tolerance.FILE.read_text(encoding="utf-8"))
    given = {name: float(value) for name, value in re.findall(r"`(\w+\.\w+)` = ([\d.e-]+\d)", text)}
    limits = {f"{section}.{name}": value for section, entries in table.items() for name, value in entries.items()}
    return [name for name, value in limits.items() if given.get(name) != value]


def pages_with_limits():
    names = ("parity.md", "pairs.md", "train.md", "basicvsr.md")
    return "".join((REPO / "docs" / name).read_text(encoding="utf-8") for name in names)


def test_limits_are_those_of_the_file():
    assert wrong_limits(pages_with_limits()) == []


def test_wrong_limit_is_found():
    text = pages_with_limits()
    assert wrong_limits(text.replace("psnr_between_db` = 90.0", "psnr_between_db` = 80.0")) == [
        "end_to_end.psnr_between_db"
    ]

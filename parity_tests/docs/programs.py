"""What may stand in a ```sh block: every program has the parser that it is checked with; a command without one is refused."""

import contextlib
import importlib
import io
import os
import re
import subprocess

import convert_weights
from parity_tests.bench import operators, parts, tf32_score, threads
from parity_tests.docs.pages import REPO
from parity_tests.stream import memory_table, seams, standin
from port.cli import parse
from port.errors import PortError
from port.evaluate.arguments import evaluate_arguments
from port.evaluate.conditions import conditions_of
from port.export.command import export_arguments
from port.export.run import run_arguments
from port.infer import infer_arguments
from port.parity.capture import capture_arguments, chosen_passes
from port.train.command import train_arguments
from port.train.settings import load_preset


class BadDocument(AssertionError):
    """A document says what is not so."""


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
    "parity_tests.bench.operators": operators.parse,
    "parity_tests.bench.parts": parts.parse,
    "parity_tests.bench.threads": threads.parse,
    "parity_tests.bench.tf32_score": tf32_score.parse,
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

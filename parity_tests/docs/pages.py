"""The documents, read: their commands, code blocks, prose and names."""

import re
import shlex
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
DOCS = [REPO / "README.md", REPO / "reports" / "README.md", *sorted((REPO / "docs").glob("*.md"))]
COLUMNS = ("torch_ref", "ms_model")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


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


def documented(name, program):
    """The commands of a document that call `program`, in order."""
    text = (REPO / name).read_text(encoding="utf-8")
    return [words for words in commands(text) if program in words[1:3]]


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

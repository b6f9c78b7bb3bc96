"""Pages from templates: everything from outside is escaped, nothing is loaded from elsewhere."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from port.report import words

HERE = Path(__file__).parent


def render(name: str, **view: object) -> str:
    """The page of a template in this folder, with what it is to show."""
    return _environment().get_template(name).render(**view)


def script(name: str) -> tuple[Markup, str]:
    """A script of this folder as part of a page, and the hash by which the page allows it and no other."""
    text = (HERE / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"sha256-{digest}"


def data_uri(data: bytes, kind: str) -> Markup:
    """A picture as part of the page. kind: jpeg or png"""
    return Markup(f"data:image/{kind};base64,") + Markup(base64.b64encode(data).decode())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    helpers = (words.figure, words.count, words.place, words.share, words.one_line, data_uri)
    environment.filters.update({helper.__name__: helper for helper in helpers})
    return environment


def _shown(value: object) -> object:
    """Every value on its way into the page: a dash for None, nothing that a browser obeys in text from outside."""
    if value is None:
        return words.NOTHING
    return words.printable(value) if type(value) is str else value

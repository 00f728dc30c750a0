"""Templates: loaded once; values are escaped when they are filled in."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import costmodel
from costmodel.errors import CostModelError
from costmodel.reports.formulas.mathml import mathml, mathml_sum
from costmodel.reports.formulas.numbers import digits_of, human, milliseconds
from costmodel.reports.optional import library
from costmodel.reports.pages.claims import number
from costmodel.reports.sitemap import Frame


TEMPLATES = Path(__file__).parent.parent / "templates"

NAMES = {"macs": "MACs", "layers": "depth", "top1": "top-1", "top5": "top-5"}
"""Quantities whose name on pages is not that in tables of published figures."""

_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def filled(template: str, frame: Frame, **values: Any) -> str:
    """Return a template filled in, with what every page carries."""
    found = _environment().get_template(template)
    told = {"here": template, "site_pages": frame.pages, "provenance": provenance()}
    return str(found.render(**told, **values))


def shared(name: str) -> str:
    """Return a file that pages share as it is: the style sheet, or a script."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def markup(text: str) -> Any:
    """Mark our own HTML or SVG, whose texts are escaped already, as safe."""
    return library("markupsafe").Markup(text)


@cache
def _environment() -> Any:
    jinja2 = library("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "human": human,
        "digits": digits_of,
        "ms": milliseconds,
        "mathml": lambda formula: markup(mathml(formula)),
        "mathml_sum": lambda formula: markup(mathml_sum(formula)),
        "drawn": markup,
        "linked": linked,
        "quantity": lambda name: NAMES.get(name, name),
        "evidence": lambda value: markup(number(value)),
        "signed": signed,
    }
    return environment


def linked(text: str) -> Any:
    """Return a source with its arXiv numbers as links, the rest escaped."""
    escaped = str(library("markupsafe").escape(text))
    link = r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>'
    return markup(_ARXIV.sub(link, escaped))


def signed(amount: int) -> str:
    """Return a number of operations with its sign: what is added or taken away."""
    return f"{'−' if amount < 0 else '+'}{digits_of(abs(amount))}"


def counted(count: int, noun: str) -> str:
    """Return a number of things: 1 network, 2 networks."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def provenance() -> str:
    """Return what wrote the pages; a date only where SOURCE_DATE_EPOCH gives one."""
    parts = [
        f"costmodel {costmodel.__version__}",
        f"sympy {version('sympy')}",
        f"networkx {version('networkx')}",
    ]
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        parts.append(_date(epoch))
    return ", ".join(parts)


def _date(epoch: str) -> str:
    try:
        if epoch.isdecimal():
            return f"{datetime.fromtimestamp(int(epoch), UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        pass
    raise CostModelError(
        f"SOURCE_DATE_EPOCH = {epoch[:40]!r} is no whole number of seconds"
    )

"""From DOT to an SVG that stands inside a page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from costmodel.errors import MissingDependencyError
from reports.libraries import library


_PROLOG = re.compile(r".*?(?=<svg\b)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_ID = re.compile(r'\bid="([^"]*)"')
_SIZE = re.compile(r'<svg width="([\d.]+)pt" height="([\d.]+)pt"')
_TIME_LIMIT_S = 60


def svg(dot: str, prefix: str, label: str) -> str | None:
    """Return a DOT text as inline SVG, or None where no layout engine is installed.

    Ids get the prefix, so that several drawings share one page; ``label`` is what
    assistive technology reads, already escaped.
    """
    text = _with_pygraphviz(dot) or _with_program(dot)
    return None if text is None else _inline(text, prefix, label)


def _with_pygraphviz(dot: str) -> str | None:
    try:
        pygraphviz = library("pygraphviz")
    except (MissingDependencyError, ImportError):
        return None
    with _quiet():
        drawn: bytes = pygraphviz.AGraph(string=dot).draw(format="svg", prog="dot")
    return drawn.decode()


def _with_program(dot: str) -> str | None:
    program = shutil.which("dot")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the program found on PATH, text on stdin
            [program, "-Tsvg"],
            input=dot.encode(),
            capture_output=True,
            check=True,
            timeout=_TIME_LIMIT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode()


def _inline(text: str, prefix: str, label: str) -> str:
    """Take off what HTML has no place for, and give ids and a name."""
    text = _COMMENT.sub("", _PROLOG.sub("", text, count=1))
    text = _ID.sub(rf'id="{prefix}-\1"', text)
    text = _SIZE.sub(
        rf'<svg role="group" aria-label="{label}" width="\1pt" height="\2pt"',
        text,
        count=1,
    )
    return text.replace("\r\n", "\n").strip()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what C libraries print about fonts off the terminal."""
    sys.stderr.flush()
    saved = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)

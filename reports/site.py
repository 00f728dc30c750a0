"""The whole site: pages, style sheet and data, written at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import networkx as nx

from costmodel.analysis.claims import Ruling
from costmodel.errors import CostModelError
from reports.folder import check, whole
from reports.libraries import require_all
from reports.pages import Pages, provenance
from reports.sitemap import Content
from reports.subject import Subject
from reports.twin import (
    architecture_twin,
    claims_twin,
    conventions_twin,
    index_twin,
    lineage_twin,
)


SHARED = ("style.css", "tables.js")
"""Files that pages share."""

SITE_TWINS = ("index", "claims", "lineage", "conventions")
"""Data files that are no network's: a network's own may not have their names."""

_FILE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


def write(
    subjects: Sequence[Subject],
    folder: Path,
    *,
    rulings: Sequence[Ruling] = (),
    lineage: nx.DiGraph | None = None,
    advance: Callable[[str], None] = lambda name: None,  # noqa: ARG005
) -> Path:
    """Write the site into a folder, whole or not at all; return its index page.

    Judged claims and the graph of ideas have a page each where they are given.
    ``advance`` is called with a network's name once its page is written. The same
    content gives the same bytes.
    """
    _check_names(subjects)
    check_folder(folder)
    content = Content(tuple(subjects), tuple(rulings), lineage)
    with whole(folder) as staging:
        for place in ("architectures", "data"):
            (staging / place).mkdir()
        for name, text in _texts(content, advance):
            (staging / name).write_text(text, encoding="utf-8", newline="\n")
    return folder / "index.html"


def _texts(
    content: Content, advance: Callable[[str], None]
) -> Iterator[tuple[str, str]]:
    """Give every file of the site, one after the other: its name and its text."""
    pages = Pages(content)
    for name in SHARED:
        yield name, pages.shared(name)
    for subject in content.subjects:
        name = subject.page
        yield f"architectures/{name}.html", pages.architecture(subject)
        yield f"data/{name}.json", architecture_twin(subject)
        advance(subject.architecture.name)
    yield "index.html", pages.index()
    yield "data/index.json", index_twin(content.subjects)
    if content.rulings:
        yield "claims.html", pages.claims()
        yield "data/claims.json", claims_twin(content.rulings)
    if content.lineage is not None:
        yield "lineage.html", pages.lineage(content.lineage)
        yield "data/lineage.json", lineage_twin(content.lineage)
    yield "conventions.html", pages.conventions()
    yield "data/conventions.json", conventions_twin(content.subjects)
    yield "method.html", pages.method()


def check_folder(folder: Path) -> None:
    """Refuse early what :func:`write` would refuse: a folder, a library, or a date."""
    require_all()
    provenance()
    check(folder)


def _check_names(subjects: Sequence[Subject]) -> None:
    """Refuse an empty report, and names that are no file names of their own."""
    if not subjects:
        raise CostModelError("report: no network is given; name at least one")
    seen = set(SITE_TWINS)
    for subject in subjects:
        name = subject.page
        if not _FILE_NAME.fullmatch(name):
            raise CostModelError(f"report: {name!r} is no name for a file")
        if name.lower() in seen:
            raise CostModelError(f'report: the name "{name}" is given twice')
        seen.add(name.lower())

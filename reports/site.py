"""The whole site: pages, style sheet and data, written at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from costmodel.errors import CostModelError
from reports.folder import check, whole
from reports.libraries import require_all
from reports.pages import Pages, provenance
from reports.subject import Subject
from reports.twin import architecture_twin, index_twin


_FILE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


def write(
    subjects: Sequence[Subject],
    folder: Path,
    *,
    advance: Callable[[str], None] = lambda name: None,  # noqa: ARG005
) -> Path:
    """Write the site into a folder, whole or not at all; return its index page.

    ``advance`` is called with a network's name once its page is written. The same
    subjects give the same bytes.
    """
    _check_names(subjects)
    check_folder(folder)
    pages = Pages()
    with whole(folder) as staging:
        for place in ("architectures", "data"):
            (staging / place).mkdir()
        _put(staging / "style.css", pages.style())
        for subject in subjects:
            name = subject.page
            page = pages.architecture(subject)
            _put(staging / "architectures" / f"{name}.html", page)
            _put(staging / "data" / f"{name}.json", architecture_twin(subject))
            advance(subject.architecture.name)
        _put(staging / "index.html", pages.index(subjects))
        _put(staging / "data" / "index.json", index_twin(subjects))
    return folder / "index.html"


def check_folder(folder: Path) -> None:
    """Refuse early what :func:`write` would refuse: a folder, a library, or a date."""
    require_all()
    provenance()
    check(folder)


def _check_names(subjects: Sequence[Subject]) -> None:
    """Refuse an empty report, and names that are no file names of their own."""
    if not subjects:
        raise CostModelError("report: no network is given; name at least one")
    seen = {"index"}
    for subject in subjects:
        name = subject.page
        if not _FILE_NAME.fullmatch(name):
            raise CostModelError(f"report: {name!r} is no name for a file")
        if name.lower() in seen:
            raise CostModelError(f'report: the name "{name}" is given twice')
        seen.add(name.lower())


def _put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")

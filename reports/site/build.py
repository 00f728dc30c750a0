"""The whole site: every network's files and the pages about all of them, at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import networkx as nx

from costmodel.analysis.evidence.claims import Ruling
from costmodel.errors import CostModelError
from costmodel.reports.data.network_record import Record
from costmodel.reports.data.subject import Subject
from costmodel.reports.data.worked_search import WorkedSearch
from costmodel.reports.digest import digest, program
from costmodel.reports.job import Part
from costmodel.reports.optional import require_all
from costmodel.reports.pages.site_pages import Files, site_files
from costmodel.reports.pages.templating import provenance
from costmodel.reports.site.atomic_folder import Staging, check, unchanged, whole
from costmodel.reports.site.manifest import Made
from costmodel.reports.site.network_files import FOLDERS, write_network
from costmodel.reports.site.workers import shared_out
from costmodel.reports.sitemap import SITE_PAGES, Frame


SITE = "the site"
"""The part of a report that is no single network's; no network can be called so."""

_FILE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)

Given = Callable[[], Sequence[Ruling]]
Searched = Callable[[], Sequence[WorkedSearch]]


@dataclass(frozen=True, slots=True)
class Written:
    """A report: its index page, what turned out false, and how much is new."""

    index: Path
    wrong: tuple[str, ...]
    anew: int


def write(
    networks: Sequence[Part | Subject], folder: Path, *,
    claims: Given | None = None, lineage: nx.DiGraph | None = None,
    searches: Searched | None = None, jobs: int | str = 1,
    advance: Callable[[str], None] = lambda name: None,  # noqa: ARG005
) -> Written:  # fmt: skip
    """Write the site into a folder, whole or not at all.

    Files that would not change are taken over from the earlier report: a network's
    files depend on its part's key, on the program and on the other networks' names.
    Judged claims, the graph of ideas and worked searches have one page each, where they
    are given; claims are judged and searches done only if these pages are written anew.
    ``jobs`` networks are written at a time, or by the workers of a dask scheduler,
    whose address it is; ``advance`` is called with the name of each. The same content
    gives the same bytes.
    """
    parts = [Part.of(net) if isinstance(net, Subject) else net for net in networks]
    _check_names(parts)
    check_folder(folder)
    given = {"claims": claims, "lineage": lineage, "search": searches}
    frame = Frame.of(parts, [page for page, what in given.items() if what is not None])
    keys = {part.file: _key(part, frame) for part in parts}
    keys[SITE] = "" if "" in keys.values() else digest(SITE, *sorted(keys.items()))
    if unchanged(folder, keys):
        for part in parts:
            advance(part.name)
        return _written(folder, _records(folder, parts), 0)
    with whole(folder) as staging:
        anew = list(_networks(parts, frame, keys, staging, jobs, advance))
        records = _records(staging.path, parts)
        rulings = claims() if claims is not None else ()
        works = searches() if searches is not None else ()
        texts = site_files(frame, records, rulings, lineage, works)
        staging.parts[SITE] = Made(keys[SITE], _kept(texts, staging.path))
    return _written(folder, records, len(anew))


def _kept(texts: Files, folder: Path) -> tuple[str, ...]:
    """Write files into a folder; return their names."""
    names = []
    for name, text in texts:
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        names.append(name)
    return tuple(names)


def check_folder(folder: Path) -> None:
    """Refuse early what :func:`write` would refuse: a folder, a library, or a date."""
    require_all()
    provenance()
    check(folder)


def _networks(
    parts: Sequence[Part], frame: Frame, keys: dict[str, str], staging: Staging,
    jobs: int | str, advance: Callable[[str], None],
) -> Iterator[str]:  # fmt: skip
    """Write the networks' files, or take them over; give the names of those written."""
    for place in FOLDERS:
        (staging.path / place).mkdir()
    waiting = []
    for part in parts:
        if staging.reuse(part.file, keys[part.file]):
            advance(part.name)
        else:
            waiting.append(part)
    make = partial(_write_part, frame=frame, folder=staging.path)
    elsewhere = [part for part in waiting if part.is_shared_out]
    here = [part for part in waiting if not part.is_shared_out]
    for work in (shared_out(make, elsewhere, jobs), shared_out(make, here, 1)):
        for part, files in work:
            staging.parts[part.file] = Made(keys[part.file], files)
            advance(part.name)
            yield part.name


def _write_part(part: Part, frame: Frame, folder: Path) -> tuple[str, ...]:
    """Analyse a network, and write its files."""
    return write_network(part.make(), frame, folder)


def _key(part: Part, frame: Frame) -> str:
    """Return what a network's files depend on; empty where nobody knows."""
    kin = frame.kin_of(part.name, part.family)
    return part.key and digest(program(), part.key, part.file, frame.pages, kin)


def _records(folder: Path, parts: Sequence[Part]) -> list[Record]:
    return [Record.read(folder / "data" / f"{part.file}.json") for part in parts]


def _written(folder: Path, records: Sequence[Record], anew: int) -> Written:
    """Return what is in a folder, and what the data there says is false."""
    wrong = [f"{record.name}: {told}" for record in records for told in record.wrong]
    judged = folder / "data" / "claims.json"
    if judged.is_file():
        claims = Record.read(judged).claims
        wrong += [f"{c['name']}: {c['verdict']}" for c in claims if c["wrong"]]
    return Written(folder / "index.html", tuple(wrong), anew)


def _check_names(parts: Sequence[Part]) -> None:
    """Refuse an empty report, and names that are no file names of their own."""
    if not parts:
        raise CostModelError("report: no network is given; name at least one")
    seen = {*SITE_PAGES, "networks"}
    for part in parts:
        name = part.file
        if not _FILE_NAME.fullmatch(name):
            raise CostModelError(f"report: {name!r} is no name for a file")
        if name.lower() in seen:
            raise CostModelError(f'report: the name "{name}" is given twice')
        seen.add(name.lower())

"""The pages about many networks, made of what each network's data file says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import networkx as nx

from costmodel.analysis.conventions import CONVENTIONS
from costmodel.analysis.evidence.claims import Ruling
from costmodel.reports.charts.accuracy_cost import charts
from costmodel.reports.charts.runtime import roofline, scatter
from costmodel.reports.charts.width_steps import staircase
from costmodel.reports.data.devices import Device, devices
from costmodel.reports.data.machine_readable import (
    claims_twin,
    conventions_twin,
    index_twin,
    lineage_twin,
    runtime_twin,
)
from costmodel.reports.data.network_record import Record
from costmodel.reports.data.worked_search import WorkedSearch, search_twin
from costmodel.reports.formulas.numbers import human
from costmodel.reports.pages.claims import MEANING, claims_finding
from costmodel.reports.pages.comparison import compare_data, comparisons, quantities
from costmodel.reports.pages.lineage import families, lineage_drawing, lineage_finding
from costmodel.reports.pages.search import MEANING_OF_LEVEL, search_finding, sections
from costmodel.reports.pages.templating import counted, filled, shared
from costmodel.reports.sitemap import Frame


SHARED = ("style.css", "theme.js", "tables.js", "compare.js", "explorer.js")
"""Files that pages share."""

Files = Iterator[tuple[str, str]]


def site_files(
    frame: Frame, records: Sequence[Record], rulings: Sequence[Ruling],
    lineage: nx.DiGraph | None, works: Sequence[WorkedSearch] = (),
) -> Files:  # fmt: skip
    """Give every file that is no single network's: its name and its text."""
    for name in SHARED:
        yield name, shared(name)
    known = devices()
    yield from _index(frame, records, known)
    yield from _explorer(frame, records)
    yield from _compare(frame, records)
    if rulings:
        yield from _claims(frame, rulings)
    if lineage is not None:
        yield from _lineage(frame, lineage)
    if works:
        yield from _search(frame, works)
    yield from _runtime(frame, records, known)
    yield from _conventions(frame, records)
    yield "method.html", filled("method.html", frame)


def _index(frame: Frame, records: Sequence[Record], known: Sequence[Device]) -> Files:
    yield "index.html", filled(
        "index.html", frame, records=records, networks=frame.networks,
        finding=index_finding(records), charts=charts(records),
        devices=known,
    )  # fmt: skip
    yield "data/index.json", index_twin(records)


def _explorer(frame: Frame, records: Sequence[Record]) -> Files:
    yield "explorer.html", filled(
        "explorer.html", frame, records=records, stairs=staircase(),
    )  # fmt: skip


def _compare(frame: Frame, records: Sequence[Record]) -> Files:
    yield "compare.html", filled(
        "compare.html", frame, records=records, networks=frame.networks,
        comparisons=comparisons(records), labels=quantities().values(),
    )  # fmt: skip
    yield "data/networks.js", compare_data(records, frame)


def _claims(frame: Frame, rulings: Sequence[Ruling]) -> Files:
    about: Callable[[Any], Any] = lambda claim: frame.about(claim.about)  # noqa: E731
    yield "claims.html", filled(
        "claims.html", frame, rulings=rulings, finding=claims_finding(rulings),
        meanings=MEANING, pages_about=about,
    )  # fmt: skip
    yield "data/claims.json", claims_twin(rulings)


def _lineage(frame: Frame, graph: nx.DiGraph) -> Files:
    found = families(graph, frame.networks)
    yield "lineage.html", filled(
        "lineage.html", frame, families=found, finding=lineage_finding(found),
        drawing=lineage_drawing(graph),
    )  # fmt: skip
    yield "data/lineage.json", lineage_twin(graph)


def _search(frame: Frame, works: Sequence[WorkedSearch]) -> Files:
    yield "search.html", filled(
        "search.html", frame, sections=sections(works), finding=search_finding(works),
        meanings=MEANING_OF_LEVEL,
    )  # fmt: skip
    yield "data/search.json", search_twin(works)


def _runtime(frame: Frame, records: Sequence[Record], known: Sequence[Device]) -> Files:
    yield "runtime.html", filled(
        "runtime.html", frame, devices=known,
        scatters={d.profile.name: scatter(d.sets) for d in known},
        rooflines={d.profile.name: roofline(d.profile, records) for d in known},
    )  # fmt: skip
    yield "data/runtime.json", runtime_twin(known)


def _conventions(frame: Frame, records: Sequence[Record]) -> Files:
    yield "conventions.html", filled(
        "conventions.html", frame, conventions=CONVENTIONS.values(),
        records=records, networks=frame.networks,
    )  # fmt: skip
    yield "data/conventions.json", conventions_twin(records)


def index_finding(records: Sequence[Record]) -> str:
    """Return the index in one sentence: how many networks, and how far they spread."""
    least = min(records, key=lambda record: record.macs)
    most = max(records, key=lambda record: record.macs)
    years = sorted({record.year for record in records if record.year is not None})
    span = f" of {years[0]}–{years[-1]}" if len(years) > 1 else ""
    if len(years) == 1:
        span = f" of {years[0]}"
    outcomes = [row["outcome"] for record in records for row in record.published]
    agree, depart = outcomes.count("agrees"), outcomes.count("departure")
    wrong = sum(len(record.wrong) for record in records)
    return (
        f"{counted(len(records), 'network')}{span}: one input costs from "
        f"{human(least.macs)} MACs ({least.name}) to "
        f"{human(most.macs)} ({most.name}); of "
        f"{counted(agree + depart + wrong, 'published figure')} {agree} agree, "
        f"{depart} depart for a stated cause, and {wrong} are unexplained."
    )

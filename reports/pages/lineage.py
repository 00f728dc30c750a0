"""The lineage page: families and ideas by year, and what each took from others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import networkx as nx

from costmodel.reports.drawings.dot import HIDDEN, Arrow, Box, Diagram, drawn
from costmodel.reports.sitemap import Link


FACTS = ("title", "year", "paper", "idea")
"""What the graph of ideas says of a family or an idea."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a family took from an earlier one."""

    name: str
    title: str
    takes: str


@dataclass(frozen=True, slots=True)
class Family:
    """A family of networks, or an idea: what it adds, and what it took."""

    name: str
    title: str
    year: int
    paper: str
    idea: str
    taken: tuple[Taken, ...]
    members: tuple[Link, ...]


def families(graph: nx.DiGraph, pages: Mapping[str, Link]) -> tuple[Family, ...]:
    """Return the families and ideas of a lineage by year; ``pages`` are of networks."""
    found = []
    for name, facts in sorted(graph.nodes.items(), key=lambda item: item[1]["year"]):
        taken = tuple(
            Taken(source, graph.nodes[source]["title"], how["takes"])
            for source, how in graph.pred[name].items()
        )
        members = tuple(pages[m] for m in facts["members"] if m in pages)
        title, year, paper, idea = itemgetter(*FACTS)(facts)
        found.append(Family(name, title, year, paper, idea, taken, members))
    return tuple(found)


def lineage_finding(found: tuple[Family, ...]) -> str:
    """Return the page in one sentence: the one that most others built on."""
    counts: dict[str, int] = defaultdict(int)
    for family in found:
        for taken in family.taken:
            counts[taken.title] += 1
    most = max(counts, key=lambda title: counts[title])
    return (
        f"{len(found)} families and ideas of {found[0].year}–{found[-1].year}. The one "
        f"that most others build on is {most}: {counts[most]} of them do."
    )


def lineage_drawing(graph: nx.DiGraph) -> str:
    """Return the lineage as SVG, one row per year; empty without a layout engine."""
    rows: dict[int, list[str]] = defaultdict(list)
    boxes, arrows = [], []
    for name, facts in graph.nodes.items():
        rows[facts["year"]].append(name)
        kind = "family" if facts["members"] else "idea"
        link, tip = f"#family-{name}", facts["idea"]
        boxes.append(Box(name, (facts["title"],), kind, link, tip))
    years = sorted(rows)
    for year in years:
        boxes.append(Box(_of_year(year), (str(year),), "year"))
        # An arrow along a row puts its end on the right: years come first.
        arrows += [Arrow(_of_year(year), name, HIDDEN) for name in rows[year]]
    for year, following in pairwise(years):
        arrows.append(Arrow(_of_year(year), _of_year(following), HIDDEN, 20))
    for source, target, how in graph.edges.data("takes"):
        arrows.append(Arrow(source, target, tip=how))
    together = tuple((_of_year(year), *rows[year]) for year in years)
    diagram = Diagram(tuple(boxes), tuple(arrows), together, (0.1, 0.45), "0.06,0.04")
    return drawn(diagram, "lineage", "Families and ideas by year").svg


def _of_year(year: int) -> str:
    return f"year {year}"

"""The page of ideas: families and ideas by year, and who took what from whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from operator import itemgetter
from typing import Any

import networkx as nx

from reports.layout import svg
from reports.libraries import library
from reports.sitemap import Link


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
        f"{len(found)} families and ideas of {found[0].year}–{found[-1].year}; none "
        f"was taken up by more of the others than {most}: by {counts[most]}."
    )


def lineage_drawing(graph: nx.DiGraph) -> str:
    """Return the lineage as SVG, a row a year; empty without a layout engine."""
    dot = library("graphviz").Digraph("lineage")
    dot.attr("graph", bgcolor="transparent", nodesep="0.12", ranksep="0.45")
    dot.attr("node", shape="box", fontname="Helvetica", fontsize="11", height="0.3")
    dot.attr("node", margin="0.08,0.04")
    dot.attr("edge", arrowsize="0.6")
    rows: dict[int, list[str]] = defaultdict(list)
    for name, facts in graph.nodes.items():
        rows[facts["year"]].append(name)
        kind = "family" if facts["members"] else "outside"
        _box(dot, name, facts, kind)
    years = sorted(rows)
    for year in years:
        dot.node(
            f"year {year}", label=str(year), shape="plaintext", **{"class": "year"}
        )
        with dot.subgraph() as row:
            row.attr(rank="same")
            row.node(f"year {year}")
            for name in rows[year]:
                # An edge along a row puts its end on the right: years stand in front.
                row.edge(f"year {year}", name, style="invis")
    for year, following in pairwise(years):
        dot.edge(f"year {year}", f"year {following}", style="invis", weight="20")
    for source, target, how in graph.edges.data("takes"):
        dot.edge(source, target, edgetooltip=library("graphviz").escape(how),
                 **{"class": "branch"})  # fmt: skip
    return svg(str(dot.source), "lineage", escape("Families and ideas by year")) or ""


def _box(dot: Any, name: str, facts: Mapping[str, Any], kind: str) -> None:
    """Add a family or an idea, which leads to what is said of it."""
    style = "rounded" if kind == "family" else "rounded,dashed"
    text = library("graphviz").escape
    dot.node(
        name, label=text(facts["title"]), tooltip=text(facts["idea"]), style=style,
        URL=f"#family-{name}", **{"class": kind},
    )  # fmt: skip

"""The ancestry of architectures: a graph of families and the ideas they build on."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx

from costmodel.errors import CostModelError
from costmodel.network.registry import architectures


@dataclass(frozen=True, slots=True)
class Idea:
    """An idea that families build on, without a network of its own."""

    title: str
    year: int
    paper: str
    idea: str


def lineage() -> nx.DiGraph:
    """Return families and ideas, with edges from each to those that build on it.

    A node is a family's name or an idea's; it has ``title``, ``year``, ``paper``,
    ``idea`` (what it adds) and ``members`` (names of networks, none for an idea). An
    edge has ``takes``: what the later one takes from the earlier.

    **Errors**: an ancestor that is neither, or that is younger.

    >>> lineage().edges["resnet", "resnext"]["takes"]
    'shortcuts around bottlenecks, stages that halve and double'
    """
    known = architectures()  # imports what registers ideas
    graph = nx.DiGraph()
    for name, idea in _IDEAS.items():
        graph.add_node(
            name, title=idea.title, year=idea.year, paper=idea.paper, idea=idea.idea,
            members=(),
        )  # fmt: skip
    ancestors = {}
    for name, a in known.items():
        if a.family not in graph:
            graph.add_node(a.family, title=a.title, year=a.year, paper=a.paper,
                           idea=a.idea, members=())  # fmt: skip
            ancestors[a.family] = a.ancestors
        graph.nodes[a.family]["members"] += (name,)
    for family, taken in ancestors.items():
        for ancestor, takes in taken.items():
            _connect(graph, ancestor, family, takes)
    return graph


def add_idea(name: str, *, title: str, year: int, paper: str, idea: str) -> None:
    """Register an idea, so that families can name it as an ancestor."""
    if name in _IDEAS:
        raise CostModelError(f'idea "{name}" is registered twice')
    _IDEAS[name] = Idea(title, year, paper, idea)


_IDEAS: dict[str, Idea] = {}


def _connect(graph: nx.DiGraph, ancestor: str, family: str, takes: str) -> None:
    if ancestor not in graph:
        raise CostModelError(
            f'{family}: its ancestor "{ancestor}" is neither a family nor an idea'
        )
    if graph.nodes[ancestor]["year"] > graph.nodes[family]["year"]:
        raise CostModelError(f'{family}: its ancestor "{ancestor}" is younger')
    graph.add_edge(ancestor, family, takes=takes)

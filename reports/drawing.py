"""The drawing of a network: repeated blocks folded, and each block in detail."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from costmodel.analysis.cost import Cost
from costmodel.network.node import Node
from costmodel.network.operators.base import Input
from costmodel.network.operators.pointwise import Activation, BatchNorm2d
from costmodel.network.outline import Block, outline, summary
from reports.layout import svg
from reports.libraries import library
from reports.numerals import human
from reports.subject import Subject


NO_ENGINE = (
    "There is no drawing: neither pygraphviz nor the program dot was found when this "
    "page was written. The outline as text says the same."
)
TOO_LARGE = (
    "There is no drawing: the network has {count} blocks that do not fold, too many "
    "to read. The outline as text says the same."
)
MOST_BLOCKS = 150
"""More nodes than this are no longer a drawing that one can read."""

_MOST_LINES = 5
_FONT = "Helvetica"


@dataclass(frozen=True, slots=True)
class Detail:
    """One block of several operators, drawn operator by operator."""

    anchor: str
    title: str
    operators: int
    svg: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The folded network, its blocks in detail, or why there is neither."""

    svg: str
    details: tuple[Detail, ...]
    reason: str = ""


def draw(subject: Subject) -> Drawing:
    """Return the drawing of a subject's network at its own resolution."""
    blocks = outline(subject.bound)
    if len(blocks) > MOST_BLOCKS:
        return Drawing("", (), TOO_LARGE.format(count=len(blocks)))
    label = escape(f"{subject.architecture.name}, repeated blocks folded")
    folded = svg(_folded(subject, blocks), "outline", label)
    if folded is None:
        return Drawing("", (), NO_ENGINE)
    details = (
        _detail(block, _anchor(place))
        for place, block in enumerate(blocks)
        if _has_detail(block)
    )
    return Drawing(folded, tuple(details))


def _folded(subject: Subject, blocks: tuple[Block, ...]) -> str:
    """Return the DOT of the folded network: a node a block, an edge where one reads."""
    graph, names = _graph(), _names(blocks)
    for place, block in enumerate(blocks):
        lines = [block.title, *_operators(block), f"→ {block.output}"]
        lines += _costs(subject.cost, block)
        link = _anchor(place) if _has_detail(block) else ""
        _node(graph, names[place], lines, "block", link)
    for source, target in _edges(blocks):
        trunk = target == source + 1
        _edge(graph, names[source], names[target], trunk=trunk)
    return str(graph.source)


def _names(blocks: tuple[Block, ...]) -> list[str]:
    """Return a name a block: code may come back to a scope, as to a shared module."""
    names: list[str] = []
    for place, block in enumerate(blocks):
        names.append(f"{block.name} {place}" if block.name in names else block.name)
    return names


def _detail(block: Block, anchor: str) -> Detail:
    """Return the drawing of a block's first repetition, operator by operator."""
    graph = _graph()
    inside = {node.name for node in block.nodes}
    for outside in dict.fromkeys(s for n in block.nodes for s in n.inputs):
        if outside not in inside:
            _node(graph, outside, [f"from {outside}"], "outside")
    for node in block.nodes:
        short = node.name.rpartition(".")[2]
        lines = [short, str(node.operator), f"→ {node.output}"]
        _node(graph, node.name, lines, "operator")
    before: Node | None = None
    for node in block.nodes:
        for source in node.inputs:
            trunk = before is not None and source == before.name
            _edge(graph, source, node.name, trunk=trunk)
        before = node
    label = escape(f"{block.title}, operator by operator")
    drawn = svg(str(graph.source), anchor, label) or ""
    return Detail(anchor, block.title, len(block.nodes), drawn)


def _edges(blocks: tuple[Block, ...]) -> list[tuple[int, int]]:
    """Return pairs of blocks where a node of the second reads one of the first."""
    owner = {
        node.name: place
        for place, block in enumerate(blocks)
        for nodes in block.repeats
        for node in nodes
    }
    pairs = {
        (owner[source], place)
        for place, block in enumerate(blocks)
        for nodes in block.repeats
        for node in nodes
        for source in node.inputs
    }
    return sorted(pair for pair in pairs if pair[0] != pair[1])


def _operators(block: Block) -> list[str]:
    """Return a block's operators, normalizations and activations left out."""
    if isinstance(block.nodes[0].operator, Input):
        return []
    told = tuple(
        node
        for node in block.nodes
        if not isinstance(node.operator, (BatchNorm2d, Activation))
    )
    lines = summary(told or block.nodes)
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[: _MOST_LINES - 1], f"… and {len(lines) - _MOST_LINES + 1} more"]


def _costs(cost: Cost, block: Block) -> list[str]:
    """Return a block's MACs and parameters in words, over all its repetitions."""
    sums = cost.of_nodes(node.name for nodes in block.repeats for node in nodes)
    counts = ((sums.macs, "MACs"), (sums.parameters, "parameters"))
    told = [f"{human(int(count))} {unit}" for count, unit in counts if count != 0]
    return [", ".join(told)] if told else []


def _graph() -> Any:
    """Return an empty graph from top to bottom."""
    graph = library("graphviz").Digraph("network")
    graph.attr("graph", bgcolor="transparent", nodesep="0.3", ranksep="0.3")
    graph.attr("node", shape="box", style="rounded", fontname=_FONT, fontsize="11")
    graph.attr("node", margin="0.2,0.08", height="0.3")
    graph.attr("edge", arrowsize="0.6")
    return graph


def _node(graph: Any, name: str, lines: list[str], kind: str, link: str = "") -> None:
    """Add a node: its title and the lines under it; a link leads to its details."""
    text = library("graphviz").escape("\n".join(lines))
    attributes = {"class": kind} | ({"URL": f"#{link}"} if link else {})
    graph.node(name, label=text, tooltip=text, **attributes)


def _edge(graph: Any, source: str, target: str, *, trunk: bool) -> None:
    """Add an edge; the trunk is drawn straight."""
    kind = "trunk" if trunk else "branch"
    graph.edge(source, target, weight="10" if trunk else "1", **{"class": kind})


def _has_detail(block: Block) -> bool:
    return len(block.nodes) > 1


def _anchor(place: int) -> str:
    return f"block-{place}"

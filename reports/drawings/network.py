"""The drawings of a network: blocks folded, each kind of block in detail, and all."""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.analysis.cost import Cost
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators.pointwise import BatchNorm, Pointwise
from costmodel.network.operators.sources import Input
from costmodel.network.table import Block, outline, summary
from costmodel.reports.data.subject import Subject
from costmodel.reports.drawings.dot import Arrow, Box, Diagram, dot, drawn
from costmodel.reports.formulas.numbers import human


NO_DRAWING = "There is no drawing: {reason}. The text below says the same."
TOO_LARGE = "the network has {count} blocks that cannot be merged, too many to read"
NO_FILE = "There is no drawing of every operator as SVG: {reason}. The DOT file has it."
TOO_MANY = "there are {count} operators, too many to read"

MOST_BLOCKS = 150
"""With more blocks than this nobody can read the drawing."""

MOST_OPERATORS = 600
"""More operators than this are not laid out: their DOT file is for other tools."""

FULL_LIMIT_S = 5.0
"""Seconds that the layout of all operators may take."""

_MOST_LINES = 5
_FOLLOWING = (BatchNorm, Pointwise)
"""Operators drawn in the box of what they follow, where nothing else reads that."""

_SIZES = frozenset({"channels", "groups", "width"})
"""Attributes that tell sizes: blocks that differ in these alone are drawn alike."""


@dataclass(frozen=True, slots=True)
class Detail:
    """A kind of block, drawn operator by operator, and the blocks that are built so."""

    anchor: str
    title: str
    operators: int
    others: tuple[str, ...]
    svg: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The folded network, its kinds of blocks in detail, or why there is neither."""

    svg: str
    details: tuple[Detail, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Full:
    """Every operator, as DOT and as SVG, or why there is no SVG."""

    dot: str
    svg: str = ""
    reason: str = ""


def draw(subject: Subject) -> Drawing:
    """Return the drawing of a subject's network at its own resolution."""
    blocks = outline(subject.bound)
    if len(blocks) > MOST_BLOCKS:
        reason = TOO_LARGE.format(count=len(blocks))
        return Drawing("", (), NO_DRAWING.format(reason=reason))
    kinds = _kinds(blocks)
    label = f"{subject.architecture.name}, repeated blocks folded"
    found = drawn(_folded(subject.cost, blocks, kinds), "outline", label)
    if found.reason:
        return Drawing("", (), NO_DRAWING.format(reason=found.reason))
    details = []
    for anchor in dict.fromkeys(kinds.values()):
        alike = [blocks[place] for place, kind in kinds.items() if kind == anchor]
        details.append(_detail(alike, anchor))
    return Drawing(found.svg, tuple(details))


def full(network: Network) -> Full:
    """Return the drawing of every operator of a network, for files of their own."""
    diagram = _operators_of(network.nodes, short=True)
    text = dot(diagram, straight=False)
    if len(network.nodes) > MOST_OPERATORS:
        reason = TOO_MANY.format(count=len(network.nodes))
        return Full(text, reason=NO_FILE.format(reason=reason))
    label = f"{network.name}, operator by operator"
    found = drawn(diagram, "all", label, alone=True, limit=FULL_LIMIT_S)
    reason = NO_FILE.format(reason=found.reason) if found.reason else ""
    return Full(text, found.svg, reason)


def _folded(cost: Cost, blocks: tuple[Block, ...], kinds: dict[int, str]) -> Diagram:
    """Return the folded network: one box per block, arrows where one reads another."""
    names, boxes = _names(blocks), []
    for place, block in enumerate(blocks):
        lines = (block.title, *_operators(block), f"→ {block.output}")
        link = f"#{kinds[place]}" if place in kinds else ""
        costs = _costs(cost, block)
        boxes.append(Box(names[place], (*lines, *costs), "block", link))
    arrows = [
        _arrow(names[source], names[target], is_trunk=target == source + 1)
        for source, target in _edges(blocks)
    ]
    return Diagram(tuple(boxes), tuple(arrows))


def _names(blocks: tuple[Block, ...]) -> list[str]:
    """Return one name per block: code may return to a scope, as to a shared module."""
    names: list[str] = []
    for place, block in enumerate(blocks):
        names.append(f"{block.name} {place}" if block.name in names else block.name)
    return names


def _kinds(blocks: tuple[Block, ...]) -> dict[int, str]:
    """Return the anchor of the drawing of each block that has several operators."""
    anchors: dict[object, str] = {}
    found = {}
    for place, block in enumerate(blocks):
        if len(block.nodes) > 1:
            built = _built(block.nodes)
            found[place] = anchors.setdefault(built, f"block-{place}")
    return found


def _built(nodes: tuple[Node, ...]) -> tuple[object, ...]:
    """Return what makes two blocks of one kind: operators and wiring, and no sizes."""
    places = {node.name: place for place, node in enumerate(nodes)}
    return tuple(
        (
            type(node.operator),
            tuple(
                (key, str(value))
                for key, value in node.operator.attributes.items()
                if key not in _SIZES
            ),
            tuple(places.get(source, -1) for source in node.inputs),
        )
        for node in nodes
    )


def _detail(alike: list[Block], anchor: str) -> Detail:
    """Return the drawing of the first of some blocks, operator by operator."""
    first = alike[0]
    label = f"{first.title}, operator by operator"
    svg = drawn(_operators_of(first.nodes), anchor, label).svg
    others = tuple(block.title for block in alike[1:])
    return Detail(anchor, first.title, len(first.nodes), others, svg)


def _operators_of(nodes: tuple[Node, ...], *, short: bool = False) -> Diagram:
    """Return operators as boxes, and where they read what stands outside of them."""
    chains = _chains(nodes)
    owner = {node.name: chain[0].name for chain in chains for node in chain}
    read = dict.fromkeys(source for node in nodes for source in node.inputs)
    boxes = [Box(s, (f"from {s}",), "outside") for s in read if s not in owner]
    arrows, before = [], ""
    for chain in chains:
        node = chain[0]
        name, what = node.name.rpartition(".")[2], str(node.operator)
        lines = [f"{name}: {what}"] if short else [name, what]
        lines += [", ".join(str(other.operator) for other in chain[1:])][
            : len(chain) - 1
        ]
        boxes.append(Box(node.name, (*lines, f"→ {chain[-1].output}")))
        arrows += [
            _arrow(owner.get(s, s), node.name, is_trunk=s == before)
            for s in dict.fromkeys(node.inputs)
        ]
        before = chain[-1].name
    return Diagram(tuple(boxes), tuple(arrows))


def _chains(nodes: tuple[Node, ...]) -> list[list[Node]]:
    """Group operators with the normalization and activation that follow them alone."""
    readers: dict[str, int] = {}
    for node in nodes:
        for source in node.inputs:
            readers[source] = readers.get(source, 0) + 1
    chains: list[list[Node]] = []
    for node in nodes:
        last = chains[-1][-1].name if chains else ""
        is_alone = node.inputs == (last,) and readers[last] == 1
        if is_alone and isinstance(node.operator, _FOLLOWING):
            chains[-1].append(node)
        else:
            chains.append([node])
    return chains


def _arrow(source: str, target: str, *, is_trunk: bool) -> Arrow:
    """Return an arrow; the trunk is drawn straight."""
    kind, weight = ("trunk", 10) if is_trunk else ("branch", 1)
    return Arrow(source, target, kind, weight)


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
        node for node in block.nodes if not isinstance(node.operator, _FOLLOWING)
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

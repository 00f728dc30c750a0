"""The outline of a network: nodes folded into blocks, equal neighbours merged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from costmodel.algebra.extent import resolve
from costmodel.algebra.symbols import Dim
from costmodel.algebra.tally import total
from costmodel.network.node import Node
from costmodel.network.shape import Shape


if TYPE_CHECKING:
    from costmodel.network.graph import Network


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive nodes of one scope, and the number of consecutive repetitions."""

    name: str
    repeats: tuple[tuple[Node, ...], ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of the first repetition."""
        return self.repeats[0]

    @property
    def count(self) -> int:
        """The number of repetitions."""
        return len(self.repeats)

    @property
    def output(self) -> Shape:
        """The output shape of the last repetition."""
        return self.repeats[-1][-1].output

    @property
    def title(self) -> str:
        """The name, and its repetitions: ``stage2.block2 ×3``."""
        return f"{self.name} ×{self.count}" if self.count > 1 else self.name


def outline(network: Network, depth: int = 2) -> tuple[Block, ...]:
    """Fold a network: nodes that share ``depth`` levels of scope become one block.

    Equal neighbouring blocks (operators, shapes and wiring) merge into a repeated one.
    """
    merged: list[Block] = []
    last: object = None
    for name, nodes in _runs(network, depth):
        signature = _signature(nodes)
        if merged and signature == last:
            merged[-1] = Block(merged[-1].name, (*merged[-1].repeats, nodes))
        else:
            merged.append(Block(name, (nodes,)))
        last = signature
    return tuple(merged)


def table(network: Network, depth: int = 2) -> str:
    """Return the outline as text: block, layers, output, parameters."""
    rows = [("layer", "operators", "output", "parameters")]
    for block in outline(network, depth):
        parameters = resolve(total(_parameters(network, block)))
        text = "; ".join(summary(block.nodes))
        rows.append((block.title, text, str(block.output), str(parameters)))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths)), row[3]]).rstrip()
        for row in rows
    ]
    return "\n".join([network.name, *lines])


def summary(nodes: tuple[Node, ...]) -> list[str]:
    """Return a block's operators in table notation, neighbours of one kind counted."""
    alike = groupby(str(node.operator) for node in nodes)
    counts = [(label, len(list(same))) for label, same in alike]
    return [f"{label} ×{count}" if count > 1 else label for label, count in counts]


def _parameters(network: Network, block: Block) -> Iterator[Dim]:
    for nodes in block.repeats:
        for node in nodes:
            for weight in network.weights_of(node).values():
                if weight.learnable:
                    yield weight.numel


def _runs(network: Network, depth: int) -> Iterator[tuple[str, tuple[Node, ...]]]:
    """Group consecutive nodes by their scope; a node without one stands alone."""

    def key(node: Node) -> tuple[str, bool]:
        within = node.scope[:depth]
        return (".".join(within), True) if within else (node.name, False)

    for (name, _), nodes in groupby(network.nodes, key):
        yield name, tuple(nodes)


def _signature(nodes: tuple[Node, ...]) -> object:
    """Return a key that equal blocks share: operators, shapes and wiring, not names."""
    places = {node.name: index for index, node in enumerate(nodes)}
    outside: dict[str, int] = {}
    rows = []
    for node in nodes:
        wires = tuple(
            places[source]
            if source in places
            else -1 - outside.setdefault(source, len(outside))
            for source in node.inputs
        )
        rows.append((node.operator, node.output, wires))
    return rows

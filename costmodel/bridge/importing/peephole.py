"""Peephole rewriting of several nodes to one operator, such as a channel shuffle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from costmodel.network import operators as op
from costmodel.network.node import Inference, Node, make_node


def tidied(nodes: Mapping[str, Node], outputs: Iterable[str]) -> dict[str, Node]:
    """Return the nodes with every view, transposition and view back as one shuffle.

    C channels are split to g × C/g, transposed and merged again: channel i·C/g + j
    becomes channel j·g + i (Zhang et al. 2017, arXiv:1707.01083, section 3.1).
    """
    readers = Counter(source for node in nodes.values() for source in node.inputs)
    readers.update(outputs)
    gone = _unread(nodes, readers)
    shuffles: dict[str, tuple[op.ChannelShuffle, str]] = {}
    for node in nodes.values():
        found = _shuffle(nodes, readers, node)
        if found is not None:
            exchanged = nodes[node.inputs[0]]
            gone |= {exchanged.name, exchanged.inputs[0]}
            shuffles[node.name] = found
    if not (shuffles or gone):
        return dict(nodes)
    made: dict[str, Node] = {}
    inference = Inference()
    for name, node in nodes.items():
        if name in shuffles:
            operator, source = shuffles[name]
            made[name] = make_node(
                name, operator, (source,), made, inference, node.form
            )
        elif name not in gone:
            made[name] = node
    return made


def _unread(nodes: Mapping[str, Node], readers: Mapping[str, int]) -> set[str]:
    """Return the further results of unknown operators that no node reads."""
    first: dict[tuple[object, ...], str] = {}
    gone = set()
    for name, node in nodes.items():
        if isinstance(node.operator, op.Opaque):
            call = (node.operator.name, node.inputs, node.scope)
            if call in first and not readers[name]:
                gone.add(name)
            first.setdefault(call, name)
    return gone


def _shuffle(
    nodes: Mapping[str, Node], readers: Mapping[str, int], last: Node
) -> tuple[op.ChannelShuffle, str] | None:
    """Return the shuffle that ends in this view, and its operand."""
    if not isinstance(last.operator, (op.Reshape, op.Flatten)):
        return None
    exchanged = nodes[last.inputs[0]]
    if not isinstance(exchanged.operator, op.Permute) or readers[exchanged.name] > 1:
        return None
    opened = nodes[exchanged.inputs[0]]
    if not isinstance(opened.operator, op.Reshape) or readers[opened.name] > 1:
        return None
    source = nodes[opened.inputs[0]]
    rank = len(opened.output.spatial) + 1
    order = (2, 1, *range(3, rank + 1))
    groups = opened.output.channels
    if (
        exchanged.operator.order != order
        or rank != len(source.output.spatial) + 2
        or not last.output.same_as(source.output)
        or opened.output.spatial[1:] != source.output.spatial
    ):
        return None
    return op.ChannelShuffle(groups), source.name

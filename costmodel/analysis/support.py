"""Exactly which elements of the input a position depends on: gaps, borders, channels.

A receptive field's window is what a position sees far from every border. Near one,
layers see padding and rows that no window reaches are lost; dilation and stride leave
gaps; the union of two paths need not be a rectangle. Here the elements themselves are
followed back, from one position of one node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from costmodel.algebra.symbols import as_int
from costmodel.analysis.links import Flags, channel_blocks, positions
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node


def support(
    network: Network, layer: str, position: tuple[int, int] | None = None
) -> Flags:
    """Return which elements ``channels × height × width`` of the input are looked at.

    ``position`` is (row, column) of the map of ``layer``, all its channels; without one
    it is the whole map, or the vector. The network has to be bound. A product with
    what is always zero is zero, and looks at nothing.

    >>> from costmodel.network.build import conv, image, network
    >>> net = network(conv(image(1, 4, 4), 1, 3, stride=2), batch=1)
    >>> support(net, "conv1", (0, 1)).astype(int)[0]
    array([[0, 1, 1, 1],
           [0, 1, 1, 1],
           [0, 0, 0, 0],
           [0, 0, 0, 0]])
    """
    node = _found(network, layer, position)
    alive: dict[str, Flags] = {}
    for each in network.nodes:
        alive[each.name] = _alive(network, each, [alive[s] for s in each.inputs])
    wanted = {name: np.zeros_like(flags) for name, flags in alive.items()}
    wanted[node.name][(..., *position) if position else ...] = True
    for each in reversed(network.nodes):
        asked = wanted[each.name] & alive[each.name]
        if each.inputs and asked.any():
            for source, flags in _asked_of(network, each, asked, alive):
                wanted[source] |= flags
    return wanted[network.inputs[0].name]


def _found(network: Network, layer: str, position: tuple[int, int] | None) -> Node:
    """Return the node, or say what there is no answer to."""
    if len(network.inputs) != 1 or network.free_symbols - {network.batch}:
        raise CostModelError(
            f'support: "{network.name}" needs one input, and every size but the batch '
            "bound"
        )
    node = network[layer]
    inside = position is None or (
        len(node.output.spatial) == 2
        and all(0 <= at < n for at, n in zip(position, _sizes(node)[1:], strict=True))
    )
    if not inside:
        raise CostModelError(
            f'support: no position {position} in {node.output} of "{layer}"'
        )
    return node


def _sizes(node: Node) -> tuple[int, ...]:
    return tuple(map(as_int, node.output.sizes))


def _alive(network: Network, node: Node, operands: list[Flags]) -> Flags:
    """Return which elements depend on the input at all; the others are always zero."""
    if isinstance(node.operator, op.Input):
        return np.ones(_sizes(node), dtype=bool)
    if type(node.operator) in _WHOLE:
        return _WHOLE[type(node.operator)](operands)
    if len(operands) > 1 and isinstance(node.operator, op.Arithmetic):
        return _combined(node.operator, operands)
    found = operands[0]
    for axis, seen in _along(network, node):
        found = _any(found, seen, axis)
    blocks = channel_blocks(node.operator, len(found))
    if blocks is None:
        return found
    rows = [np.any(found[list(read)], axis=0, keepdims=True) for read, _ in blocks]
    return np.repeat(np.concatenate(rows), [count for _, count in blocks], axis=0)


_WHOLE: dict[type[op.Operator], Callable[[list[Flags]], Flags]] = {
    op.Concat: np.concatenate,
    op.Flatten: lambda operands: operands[0].reshape(-1),
}
"""Operators that are no product of channels, rows and columns."""


def _combined(operator: op.Arithmetic, operands: list[Flags]) -> Flags:
    """Return where a sum, or a product, is not always zero; sizes of 1 are repeated."""
    rules = {"add": np.logical_or, "multiply": np.logical_and}
    if operator.operation not in rules or len({x.ndim for x in operands}) > 1:
        raise CostModelError(
            f"{operator.kind}: support.py has no rule for the elements that it looks at"
        )
    found: Flags = reduce(rules[operator.operation], operands)
    return found


def _asked_of(
    network: Network, node: Node, asked: Flags, alive: Mapping[str, Flags]
) -> list[tuple[str, Flags]]:
    """Return which elements of each operand the asked elements of a node look at."""
    operator, sources = node.operator, node.inputs
    if isinstance(operator, op.Concat):
        ends = np.cumsum([len(alive[source]) for source in sources])
        return list(zip(sources, np.split(asked, ends[:-1]), strict=True))
    if len(sources) > 1 and isinstance(operator, op.Arithmetic):
        return [(source, _shrunk(asked, alive[source].shape)) for source in sources]
    if isinstance(operator, op.Flatten):
        return [(sources[0], asked.reshape(alive[sources[0]].shape))]
    blocks = channel_blocks(operator, len(alive[sources[0]]))
    if blocks is not None:
        found = np.zeros((len(alive[sources[0]]), *asked.shape[1:]), dtype=bool)
        start = 0
        for read, count in blocks:
            found[list(read)] |= asked[start : start + count].any(axis=0)
            start += count
        asked = found
    for axis, seen in _along(network, node):
        asked = _any(asked, seen.T, axis)
    return [(sources[0], asked)]


def _along(network: Network, node: Node) -> list[tuple[int, Flags]]:
    """Return which positions a node looks at, along each axis of a map."""
    before, after = _sizes(network[node.inputs[0]])[1:], _sizes(node)[1:]
    pairs = enumerate(zip(before, after, strict=True))
    return [(a + 1, positions(node.operator, a, n, m)) for a, (n, m) in pairs]


def _any(flags: Flags, seen: Flags, axis: int) -> Flags:
    """Return where, along an axis, some seen element is set: a product of truths."""
    counts = np.tensordot(seen.astype(np.float32), flags.astype(np.float32), (1, axis))
    return np.moveaxis(counts > 0, 0, axis)


def _shrunk(asked: Flags, shape: tuple[int, ...]) -> Flags:
    """Return flags of a product as those of an operand that was repeated to fit."""
    axes = tuple(a for a, n in enumerate(shape) if n == 1)
    found: Flags = np.any(asked, axis=axes, keepdims=True) if axes else asked
    return found

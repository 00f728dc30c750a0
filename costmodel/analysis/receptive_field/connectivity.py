"""Dependencies along one axis: the operand positions that each output position reads.

An element of an output depends on a product of sets of positions, one set along each
axis. They are computed here from the operator's axis flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from costmodel.algebra.symbols import Dim, as_int
from costmodel.algebra.window import Window
from costmodel.analysis.receptive_field.borders import bordered, samples
from costmodel.errors import CostModelError, at
from costmodel.network.axis_groups import shuffle_of
from costmodel.network.flow import (
    AxisFlow,
    Fixed,
    Flow,
    From,
    Listed,
    Merged,
    Mixed,
    Padded,
    Part,
    Repeated,
    Same,
    Sampled,
    Scattered,
    Slid,
    Split,
    Tiled,
    Together,
    parts_of,
)
from costmodel.network.graph import Network
from costmodel.network.node import Node


Blocks: TypeAlias = list[tuple[Sequence[int], int]]
"""Input positions, with the number of consecutive output positions that read them."""

Flags: TypeAlias = npt.NDArray[np.bool_]


def flow_of(network: Network, node: Node) -> Flow:
    """Return a node's flow, or raise if there is no rule for it."""
    flow = network.flows[node.name]
    if not flow.is_known:
        problem = "no rule says where its axes come from"
        raise at(node.operator.kind, node.name, problem)
    return flow


def of_operand(axis: AxisFlow, operand: int) -> AxisFlow:
    """Return the flow of an axis from one operand, of several together."""
    if isinstance(axis, Together):
        mine = (one for one in axis.sources if one.operand == operand)
        return next(mine, Fixed())
    return axis if not isinstance(axis, From) or axis.operand == operand else Fixed()


def blocks(  # noqa: C901, PLR0911 - one case per kind of flow
    source: From | Split, inputs: int, outputs: int
) -> Blocks | None:
    """Return the input positions that each output position reads.

    None if each reads its own.

    >>> blocks(Mixed(1, groups=2), 4, 6)
    [(range(0, 2), 3), (range(2, 4), 3)]
    >>> blocks(Slid(2, Window(5, 1), gap=2), 5, 1)
    [([0, 2, 4], 1)]
    """
    match source:
        case Same():
            return None
        case Slid() | Padded() | Part():
            return _under(source, inputs, outputs)
        case Mixed(running=True):
            return [(range(place + 1), 1) for place in range(outputs)]
        case Mixed(groups=groups):
            count = as_int(groups)
            each, made = inputs // count, outputs // count
            return [(range(g * each, (g + 1) * each), made) for g in range(count)]
        case Listed(table=table):
            return [(row, 1) for row in table]
        case Repeated():
            return [([0], outputs)]
        case Tiled():
            return [([place % inputs], 1) for place in range(outputs)]
        case Sampled(mode=mode):
            return [(read, 1) for read in samples(mode, inputs, outputs)]
        case Scattered():
            return _written(source, inputs, outputs)
        case Split():
            return _digit(source, inputs)
        case _:
            raise CostModelError("which positions it looks at is not kept")


def _under(source: Slid | Padded | Part, inputs: int, outputs: int) -> Blocks:
    """Return the positions under a window; those in padding repeat others."""
    window = source.window or Window()
    stride, before = as_int(window.stride), as_int(window.before)
    border = "zeros" if isinstance(source, Part) else source.border
    if window.size == 1 and border == "zeros":
        places = range(-before, outputs * stride - before, stride)
        return [([n] if 0 <= n < inputs else [], 1) for n in places]
    starts = np.arange(outputs)[:, None] * stride - before
    read = bordered(border, starts + _taps(source, window), inputs)
    return [(row[(row >= 0) & (row < inputs)].tolist(), 1) for row in read]


def _taps(source: From, window: Window) -> npt.NDArray[Any]:
    """Return the positions under a window, counted from its start: d·u for u < k."""
    gap = source.gap if isinstance(source, Slid | Scattered) else 1
    return np.arange(0, as_int(window.size), as_int(gap))


def _written(source: Scattered, inputs: int, outputs: int) -> Blocks:
    """Return what a transposed convolution reads: position i·s + d·u − p reads i."""
    window = source.along
    stride, before = as_int(window.stride), as_int(window.before)
    found: list[list[int]] = [[] for _ in range(outputs)]
    for start in range(inputs):
        for place in start * stride - before + _taps(source, window):
            if 0 <= place < outputs:
                found[place].append(start)
    return [(read, 1) for read in found]


def _digit(source: Split, inputs: int) -> Blocks:
    """Return the positions with each index along one part of a split axis."""
    if len(source.axes) > 1:
        raise CostModelError("axes that are made others together are not followed")
    sizes = tuple(map(as_int, source.sizes))
    count, step = sizes[source.number], prod(sizes[source.number + 1 :])
    whole = np.arange(inputs) // step % count
    return [(np.flatnonzero(whole == digit).tolist(), 1) for digit in range(count)]


def looked_at(source: From | Split, inputs: int, outputs: int) -> Flags | None:
    """Return which input positions (columns) each output position (row) reads.

    >>> looked_at(Part(2, start=1, step=2), 5, 2).astype(int)
    array([[0, 1, 0, 0, 0],
           [0, 0, 0, 1, 0]])
    """
    found = blocks(source, inputs, outputs)
    if found is None:
        return None
    seen, start = np.zeros((outputs, inputs), dtype=bool), 0
    for read, count in found:
        seen[start : start + count, list(read)] = True
        start += count
    return seen


def along(
    axis: AxisFlow, number: int, inputs: Sequence[Dim], outputs: int
) -> Blocks | None:
    """Return the positions of one axis of an operand that an output axis reads.

    ``inputs`` are the sizes of all of the operand's axes. None if each position
    reads its own; an axis that comes from others reads all positions.

    >>> group, member = (Split(Same(1), (2, 3), n) for n in range(2))
    >>> [read for read, _ in along(Merged((member, group)), 1, (6,), 6)]
    [[0], [3], [1], [4], [2], [5]]
    """
    count = as_int(inputs[number - 1])
    every = range(count)
    if isinstance(axis, From | Split):
        if not _is_of(axis, number):
            return [(every, outputs)]
        return blocks(axis, count, outputs)
    if shuffle := shuffle_of(axis):
        places = np.arange(count).reshape(list(map(as_int, shuffle.sizes)))
        return [
            ([place], 1) for place in places.transpose(shuffle.order).ravel().tolist()
        ]
    rows: list[set[int]] = [set(every)]
    for part in parts_of(axis):
        merged = isinstance(axis, Merged)
        made = as_int(size_of(part, inputs)) if merged else outputs
        mine = [set(every)] * made
        if isinstance(part, From | Split) and _is_of(part, number):
            read = blocks(part, count, made)
            mine = [{one} for one in every] if read is None else _each(read)
        rows = [one & other for one, other in product(rows, mine)]
    return [(sorted(row), 1) for row in rows]


def _is_of(source: From | Split, number: int) -> bool:
    """Say whether a flow comes from an axis."""
    return number in (source.axes if isinstance(source, Split) else (source.axis,))


def _each(found: Blocks) -> list[set[int]]:
    return [set(read) for read, count in found for _ in range(count)]


def size_of(part: AxisFlow, inputs: Sequence[Dim]) -> Dim:
    """Return the size of a part of a merged axis.

    >>> size_of(Slid(2, Window(size=3, stride=2)), (8, 7))
    3
    """
    match part:
        case Split(sizes=sizes, number=number):
            return sizes[number]
        case Fixed(size=size):
            return size
        case From(axis=axis, window=Window() as window, is_one_window=True):
            gain = window.before + window.after - window.size
            return (inputs[axis - 1] + gain) // window.stride + 1
        case _:
            raise CostModelError("how many positions it has is not known")

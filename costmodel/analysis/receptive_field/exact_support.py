"""The support of a position: the exact set of input elements that it depends on.

A receptive field's window is the support far from every border, without gaps. Near a
border, layers read padding, and rows that no window reaches are lost; dilation and
stride leave gaps; the union of two paths need not be a rectangle. Here the elements
themselves are followed back, from one position of one node.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from costmodel.algebra.symbols import as_int
from costmodel.analysis.receptive_field.connectivity import (
    Flags,
    flow_of,
    looked_at,
    of_operand,
    size_of,
)
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.flow import Flow, From, Joined, Split, parts_of
from costmodel.network.graph import Network
from costmodel.network.node import Node


def support(
    network: Network, layer: str, position: tuple[int, ...] | None = None
) -> Flags:
    """Return the support of a position: input elements ``channels × height × width``.

    ``position`` is (row, column) in the feature map of ``layer``, all its channels, or
    as many numbers as it has spatial axes; by default it is the whole output. The
    network has to be bound. A product with a constant zero is zero, and depends on
    nothing.

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
    views: dict[str, Sequence[_Dependence | _Columns]] = {}
    for each in network.nodes:
        views[each.name] = _dependences(network, each)
        operands = [alive[source] for source in each.inputs]
        alive[each.name] = _alive(each, views[each.name], operands)
    wanted = {name: np.zeros_like(flags) for name, flags in alive.items()}
    chosen: Any = (..., *(position or ()))
    wanted[node.name][chosen] = True
    for each in reversed(network.nodes):
        asked = wanted[each.name] & alive[each.name]
        if asked.any():
            for source, flags in zip(each.inputs, _asked_of(views[each.name], asked)):
                wanted[source] |= flags
    return wanted[network.inputs[0].name]


def _found(network: Network, layer: str, position: tuple[int, ...] | None) -> Node:
    """Return the node, or raise if the network or position does not qualify."""
    if len(network.inputs) != 1 or network.free_symbols - {network.batch}:
        raise CostModelError(
            f'support: "{network.name}" needs one input, and every size but the batch '
            "bound"
        )
    node = network[layer]
    inside = position is None or (
        len(node.output.spatial) == len(position)
        and all(0 <= at < n for at, n in zip(position, _sizes(node)[1:], strict=True))
    )
    if not inside:
        raise CostModelError(
            f'support: no position {position} in {node.output} of "{layer}"'
        )
    return node


def _sizes(node: Node) -> tuple[int, ...]:
    return tuple(map(as_int, node.output.sizes))


def _dependences(network: Network, node: Node) -> list[_Dependence] | list[_Columns]:
    """Return the dependencies of a node on each operand."""
    if isinstance(node.operator, op.Source):
        return []
    flow = flow_of(network, node)
    if isinstance(node.operator, op.Unfold):
        return [_Columns(node.operator, _sizes(network[node.inputs[0]]), _sizes(node))]
    shapes = enumerate(network[source] for source in node.inputs)
    try:
        return [_dependence(flow, n, _sizes(x), _sizes(node)) for n, x in shapes]
    except CostModelError as error:
        raise at(node.operator.kind, node.name, str(error)) from None


def _alive(
    node: Node, views: Sequence[_Dependence | _Columns], operands: list[Flags]
) -> Flags:
    """Return which elements depend on the input, or are not constant zeros."""
    if isinstance(node.operator, op.Source):
        return np.full(_sizes(node), not isinstance(node.operator, op.Zeros))
    seen = [view.forth(flags) for view, flags in zip(views, operands, strict=True)]
    if views[0].joined is not None:
        return np.concatenate(seen, axis=views[0].joined)
    is_product = node.operator == op.Arithmetic("multiply")
    if is_product or isinstance(node.operator, op.Product):
        return functools.reduce(np.logical_and, seen)
    return functools.reduce(np.logical_or, seen)


def _asked_of(views: Sequence[_Dependence | _Columns], asked: Flags) -> Iterator[Flags]:
    """Yield the elements of each operand on which the given elements depend."""
    start = 0
    for view in views:
        mine = asked
        if view.joined is not None:
            count = view.before[view.joined]
            mine = np.take(asked, range(start, start + count), axis=view.joined)
            start += count
        yield view.back(mine)


Key: TypeAlias = tuple[int, int] | None
"""An axis of an operand and a part of it; None comes from no operand."""


@dataclass(frozen=True)
class _Dependence:
    """The dependence of a node on one operand: a product of relations, one per axis.

    Merged axes of the output and split ones of the operand are split into parts first,
    so that each part of the one depends on one part of the other.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    read: tuple[tuple[Key, int], ...]
    """The operand's parts in order, and their sizes."""
    made: tuple[tuple[Key, int], ...]
    """The output's parts."""
    seen: Mapping[Key, Flags | None]
    """By part: the input positions (columns) that output positions (rows) read."""
    joined: int | None = None
    """The axis, from 0, along which operands are concatenated."""

    def back(self, asked: Flags) -> Flags:
        """Return the elements of the operand on which those of the output depend."""
        return self._carried(asked, is_back=True)

    def forth(self, alive: Flags) -> Flags:
        """Return the elements of the output that depend on those of the operand."""
        return self._carried(alive, is_back=False)

    def _carried(self, flags: Flags, *, is_back: bool) -> Flags:
        ours, theirs = (self.made, self.read) if is_back else (self.read, self.made)
        flags = flags.reshape([size for _, size in ours])
        keys = [key for key, _ in ours]
        there = {key for key, _ in theirs if key is not None}
        lost = tuple(n for n, key in enumerate(keys) if key not in there)
        flags = np.any(flags, axis=lost, keepdims=True)
        order = [n for key, _ in theirs if key in keys for n in [keys.index(key)]]
        kept = [n for n in order if keys[n] is not None]
        flags = flags.transpose([*kept, *lost]).reshape([ours[n][1] for n in kept])
        for axis, n in enumerate(kept):
            relation = self.seen[keys[n]]
            if relation is not None:
                flags = _any(flags, relation.T if is_back else relation, axis)
        known = [key if key in keys else None for key, _ in theirs]
        sizes = iter(flags.shape)
        flags = flags.reshape([1 if key is None else next(sizes) for key in known])
        whole = np.broadcast_to(flags, [size for _, size in theirs])
        return whole.reshape(self.before if is_back else self.after)


@dataclass(frozen=True)
class _Columns:
    """The dependence of columns on a map: each element on the pixel that it copies.

    Which pixel that is depends on the window and on the place in it together.
    """

    operator: op.Unfold
    before: tuple[int, ...]
    after: tuple[int, ...]
    joined: int | None = None

    def back(self, asked: Flags) -> Flags:
        """Return the elements of the map that the columns copy."""
        made, columns = np.zeros(self.before, bool), asked.reshape(self._opened)
        for tap, inside, pixels in self._pairs():
            made[:, *pixels] |= columns[:, *tap, *inside]
        return made

    def forth(self, alive: Flags) -> Flags:
        """Return the elements of the columns that copy elements of the map."""
        made = np.zeros(self._opened, bool)
        for tap, inside, pixels in self._pairs():
            made[:, *tap, *inside] = alive[:, *pixels]
        return made.reshape(self.after)

    @property
    def _opened(self) -> tuple[int, ...]:
        """Channels, places in a window, and windows along each axis."""
        kernel = map(as_int, self.operator.kernel)
        return (self.before[0], *kernel, *(len(starts) for starts, _ in self._starts))

    @functools.cached_property
    def _starts(self) -> list[tuple[npt.NDArray[Any], int]]:
        """Where windows start along each axis, and how far apart their places are."""
        found = []
        for axis, along in enumerate(self.operator.window or ()):
            padded = self.before[axis + 1] + as_int(along.before + along.after)
            stride, end = as_int(along.stride), padded - as_int(along.size) + 1
            starts = np.arange(0, end, stride) - as_int(along.before)
            found.append((starts, as_int(self.operator.dilation[axis])))
        return found

    def _pairs(self) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
        """Yield places in a window, the windows in which they are pixels, and those."""
        for tap in np.ndindex(*map(as_int, self.operator.kernel)):
            inside, pixels = [], []
            for axis, (starts, gap) in enumerate(self._starts):
                places = starts + gap * tap[axis]
                there = (places >= 0) & (places < self.before[axis + 1])
                inside.append(np.flatnonzero(there))
                pixels.append(places[there])
            yield tap, np.ix_(*inside), np.ix_(*pixels)


def _dependence(
    flow: Flow, operand: int, before: tuple[int, ...], after: tuple[int, ...]
) -> _Dependence:
    """Return the dependence of a flow on one operand."""
    joined = next((n for n, a in enumerate(flow.axes) if isinstance(a, Joined)), None)
    if joined is not None:
        after = (*after[:joined], before[joined], *after[joined + 1 :])
    made: list[tuple[Key, int]] = []
    sources: dict[Key, From | Split] = {}
    for axis, size in zip(flow.axes, after, strict=True):
        mine = axis.parts[operand] if isinstance(axis, Joined) else axis
        parts = parts_of(of_operand(mine, operand))
        for part in parts:
            key: Key = None
            if isinstance(part, From):
                key = part.axis, 0
            elif isinstance(part, Split):
                key = part.axes[0], part.number
            if isinstance(part, From | Split):
                sources[key] = part
            made.append(
                (key, size if len(parts) == 1 else as_int(size_of(part, before)))
            )
    read = list(_read(sources.values(), before))
    known = dict(read)
    seen: dict[Key, Flags | None] = {
        key: None
        if isinstance(sources[key], Split)
        else looked_at(sources[key], known[key], size)
        for key, size in made
        if key is not None
    }
    return _Dependence(before, after, tuple(read), tuple(made), seen, joined)


def _read(
    sources: Iterable[From | Split], before: tuple[int, ...]
) -> Iterator[tuple[Key, int]]:
    """Yield an operand's axes, split ones as their parts."""
    split = {s.axes[0]: s for s in sources if isinstance(s, Split)}
    taken = {axis for source in split.values() for axis in source.axes}
    for axis, size in enumerate(before, start=1):
        if axis in split:
            sizes = map(as_int, split[axis].sizes)
            yield from (((axis, number), part) for number, part in enumerate(sizes))
        elif axis not in taken:
            yield (axis, 0), size


def _any(flags: Flags, seen: Flags, axis: int) -> Flags:
    """Return the Boolean matrix product along an axis."""
    counts = np.tensordot(seen.astype(np.float32), flags.astype(np.float32), (1, axis))
    return np.moveaxis(counts > 0, 0, axis)

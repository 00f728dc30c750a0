"""How what is seen of the input spreads through a graph, node by node.

One fold serves every kind of :class:`costmodel.analysis.paths.Seen`. Where a network
drops channels (a split, a table of maps), channels are followed apart, since what the
dropped ones saw is lost; everywhere else one answer for all channels is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, as_int
from costmodel.algebra.window import Window
from costmodel.analysis.links import ARRANGING, PRODUCTS, channel_blocks, drops_channels
from costmodel.analysis.paths import Seen, Windows
from costmodel.analysis.places import (
    HOME,
    Places,
    places,
    repeated_along,
    require_apart,
    windows_along,
)
from costmodel.analysis.same_padding import as_tensorflow
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators.pooling import AdaptivePool
from costmodel.network.shape import Shape


S = TypeVar("S", bound=Seen)
Lanes: TypeAlias = tuple[int, ...]
"""What each channel sees, or once for all channels, as numbers of a table's values."""

POINT = (Window(), Window())
_ONE = Extent(1)
_NOTHING = 0


class _Table(Generic[S]):
    """The distinct answers so far, by number: there are few, whatever the channels."""

    def __init__(self, nothing: S) -> None:
        """Give nothing the number 0."""
        self.values = [nothing]
        self._numbers = {nothing: _NOTHING}
        self._unions: dict[frozenset[int], int] = {}

    def number(self, value: S) -> int:
        """Return the number of a value."""
        if value not in self._numbers:
            self._numbers[value] = len(self.values)
            self.values.append(value)
        return self._numbers[value]

    def through(self, lanes: Lanes, windows: Windows, name: str) -> Lanes:
        """Return lanes continued by the operator of that name."""
        after = {
            lane: self.number(self.values[lane].through(windows, name))
            for lane in set(lanes)
        }
        return tuple(after[lane] for lane in lanes)

    def union(self, lanes: Iterable[int]) -> int:
        """Return what some lanes see together."""
        key = frozenset(lanes)
        if key not in self._unions:
            first, *others = (self.values[lane] for lane in sorted(key) or [_NOTHING])
            self._unions[key] = self.number(first.joined(others))
        return self._unions[key]


def spread(
    network: Network,
    pixel: S,
    nothing: S,
    *,
    ignore_gates: bool = False,
    same: bool = False,
    towards: str | None = None,
) -> dict[str, S]:
    """Return what each node sees, from what a pixel of the input sees of itself.

    ``towards`` leaves out the nodes that do not lead to that one.
    """
    where = places(network)
    reading = _Reading(drops_channels(network), ignore_gates, same, where)
    wanted = _leading_to(network, towards)
    table, lanes = _Table(nothing), dict[str, Lanes]()
    for node in network.nodes:
        if isinstance(node.operator, op.Input):
            lanes[node.name] = (table.number(pixel),)
        elif node.name in wanted:
            sources = _followed(network, node)
            operands = [lanes[source] for source in sources]
            shapes = [network.by_name[source].output for source in sources]
            found = (
                _read(table, node, operands, shapes, reading)
                if operands
                else (_NOTHING,)
            )
            lanes[node.name] = found if len(set(found)) > 1 else found[:1]
    return {name: table.values[table.union(found)] for name, found in lanes.items()}


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a graph is read."""

    apart: bool
    """Follow channels apart."""
    ignore_gates: bool
    same: bool
    places: Mapping[str, Places]
    """Results whose height and width are elsewhere than a map's."""

    def before(self, node: Node) -> Places:
        """Return where they are in what a node of one operand reads."""
        moved = (self.places[s] for s in node.inputs if s in self.places)
        return next(moved, HOME)

    def after(self, node: Node) -> Places:
        """Return where they are in a node's result."""
        return self.places.get(node.name, HOME)


def _followed(network: Network, node: Node) -> tuple[str, ...]:
    """Return the operands that may see something; stored ones see nothing.

    A stored factor is no zero. In a concatenation it takes its place all the same.
    """
    stored = network.unbatched
    if isinstance(node.operator, op.Concat) and node.name not in stored:
        return node.inputs
    return tuple(source for source in node.inputs if source not in stored)


def _read(
    table: _Table[S],
    node: Node,
    operands: Sequence[Lanes],
    shapes: Sequence[Shape],
    reading: _Reading,
) -> Lanes:
    """Return what a node's channels see, from what those of its operands see."""
    if isinstance(node.operator, op.Concat):
        require_apart(node, reading.after(node))
        return _concat(table, operands, shapes, apart=reading.apart)
    if op.is_gated(node.operator, shapes):
        return _product(table, node, operands, shapes, reading)
    if isinstance(node.operator, op.Arithmetic) and node.operator.value is None:
        return _united(table, node, operands, shapes, reading.after(node))
    if type(node.operator) in PRODUCTS:
        together = (table.union(lane for lanes in operands for lane in lanes),)
        return table.through(together, (None, None), node.name)
    along = windows_along(node, shapes[0], reading.before(node))
    windows = along or _windows(node, shapes[0], same=reading.same)
    through = table.through(operands[0], windows, node.name)
    return _mixed(table, node, through, shapes[0], apart=reading.apart)


def _united(
    table: _Table[S],
    node: Node,
    operands: Sequence[Lanes],
    shapes: Sequence[Shape],
    where: Places,
) -> Lanes:
    """Unite what both operands see, sizes of 1 repeated."""
    repeated = [
        table.through(lanes, repeated_along(node, x, where), node.name)
        for lanes, x in zip(operands, shapes, strict=True)
    ]
    return tuple(map(table.union, _beside(repeated)))


def _leading_to(network: Network, name: str | None) -> set[str]:
    """Return the names of a node and of all that it is made of; by default, of all."""
    if name is None:
        return set(network.by_name)
    found, waiting = {name}, [name]
    while waiting:
        new = set(network[waiting.pop()].inputs) - found
        found |= new
        waiting.extend(new)
    return found


def _windows(node: Node, x: Shape, *, same: bool) -> Windows:
    """Return an operator's windows; None where it sees the whole of a map."""
    operator = node.operator
    if isinstance(operator, op.RadialBasis):
        return POINT  # of a vector, whose elements are as channels
    if isinstance(operator, op.Flatten):
        height, width = x.spatial or (_ONE, _ONE)
        return _copied(height, 1), _copied(width, 1)
    if isinstance(operator, AdaptivePool):
        height, width = x.require_map()
        return _copied(height, operator.size[0]), _copied(width, operator.size[1])
    try:
        window = operator.window
        if window is not None and same and x.spatial and isinstance(operator, _PADDED):
            height, width = x.require_map()
            return as_tensorflow(window[0], height), as_tensorflow(window[1], width)
    except CostModelError as error:
        raise at(operator.kind, node.name, str(error)) from None
    if window is None:
        raise at(operator.kind, node.name, "spread.py has no rule for what it sees")
    return window


def _copied(extent: Extent, positions: Dim) -> Window | None:
    """Return what leaves so many positions as they are; else all of them are seen."""
    return Window() if extent.value == positions else None


_PADDED = (op.Conv2d, op.MaxPool2d, op.AvgPool2d)


def _beside(operands: Sequence[Lanes]) -> Iterable[Lanes]:
    """Give lanes side by side; one for all channels stands beside each."""
    most = max(map(len, operands))
    return zip(*(x * most if len(x) == 1 else x for x in operands), strict=True)


def _each(lanes: Lanes, shape: Shape) -> Lanes:
    """Return a lane a channel."""
    return lanes * as_int(shape.channels) if len(lanes) == 1 else lanes


def _concat(
    table: _Table[S],
    operands: Sequence[Lanes],
    shapes: Sequence[Shape],
    *,
    apart: bool,
) -> Lanes:
    if not apart:
        return (table.union(lane for lanes in operands for lane in lanes),)
    pairs = zip(operands, shapes, strict=True)
    return tuple(lane for lanes, shape in pairs for lane in _each(lanes, shape))


def _product(
    table: _Table[S],
    node: Node,
    operands: Sequence[Lanes],
    shapes: Sequence[Shape],
    reading: _Reading,
) -> Lanes:
    """Unite both operands' paths; a product with zeros is zero, and sees nothing."""
    where = reading.after(node)
    repeated = [
        table.through(lanes, repeated_along(node, x, where), node.name)
        for lanes, x in zip(operands, shapes, strict=True)
    ]
    found = []
    for pair in _beside(repeated):
        left, right = (table.values[lane] for lane in pair)
        if _NOTHING in pair:
            found.append(_NOTHING)
        elif reading.ignore_gates and left.sees_everything != right.sees_everything:
            found.append(pair[left.sees_everything])
        else:
            found.append(table.union(pair))
    return tuple(found)


def _mixed(
    table: _Table[S], node: Node, lanes: Lanes, x: Shape, *, apart: bool
) -> Lanes:
    """Return what output channels see, from what an operator's input channels see."""
    operator = node.operator
    if isinstance(operator, op.Zeros):
        return (_NOTHING,)
    if not apart:
        return lanes
    if isinstance(operator, op.Flatten):
        each = as_int(node.output.channels) // as_int(x.channels)
        alike = len(lanes) == 1
        return lanes if alike else tuple(lane for lane in lanes for _ in range(each))
    # A linear layer of several axes leaves what stands at the first one.
    of_the_last = isinstance(operator, op.Linear) and x.spatial
    if of_the_last or type(operator) in ARRANGING:
        if len(lanes) > 1:
            raise at(operator.kind, node.name, "channels that see different things "
                     "are not followed through it")  # fmt: skip
        return lanes
    blocks = channel_blocks(operator, as_int(x.channels))
    if blocks is None or (len(lanes) == 1 and all(read for read, _ in blocks)):
        return lanes
    every, found = _each(lanes, x), list[int]()
    for read, count in blocks:
        found += [table.union({every[c] for c in read})] * count
    return tuple(found)

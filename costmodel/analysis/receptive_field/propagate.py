"""How what is seen of the input spreads through a graph, node by node.

One fold serves every kind of :class:`~costmodel.analysis.receptive_field.windows.Seen`.
Where a network drops channels (a split, a table of maps), channels are followed apart:
what the dropped ones saw is lost. Everywhere else one answer for all is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar

from costmodel.algebra.symbols import as_int
from costmodel.algebra.window import Window
from costmodel.analysis.receptive_field.connectivity import along, of_operand
from costmodel.analysis.receptive_field.spatial_axes import UNKNOWN, Places, Routes
from costmodel.analysis.receptive_field.windows import Seen, Windows
from costmodel.errors import at
from costmodel.network import operators as op
from costmodel.network.flow import (
    Flow,
    From,
    Joined,
    Listed,
    Padded,
    Part,
    Same,
    sources,
)
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.shape import Shape


S = TypeVar("S", bound=Seen)
Lanes: TypeAlias = tuple[int, ...]
"""What each channel sees, or once for all channels, as numbers of a table's values."""

_STANDING = Window(stride=0)
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
    routes = Routes(network, same=same)
    reading = _Reading(network, routes, ignore_gates=ignore_gates)
    wanted = _leading_to(network, towards)
    table, lanes = _Table(nothing), dict[str, Lanes]()
    for node in network.nodes:
        if node.operator.is_input:
            lanes[node.name] = (table.number(pixel),)
        elif node.name in wanted:
            found = _read(table, node, [lanes[s] for s in node.inputs], reading)
            lanes[node.name] = found if len(set(found)) > 1 else found[:1]
    return {name: table.values[table.union(found)] for name, found in lanes.items()}


class _Reading:
    """How a graph is read, and where the image's axes are in each result."""

    def __init__(self, network: Network, routes: Routes, *, ignore_gates: bool) -> None:
        """Say whether channels have to be followed apart."""
        self.network, self.routes, self.ignore_gates = network, routes, ignore_gates
        self.apart = _drops_channels(network, routes.flows)


def _followed(node: Node, flow: Flow, stored: frozenset[str]) -> list[int]:
    """Return the operands that may see something.

    In a concatenation a stored one takes its place all the same.
    """
    inputs = enumerate(node.inputs)
    if _is_joined(flow) and node.name not in stored:
        return [number for number, _ in inputs]
    return [number for number, source in inputs if source not in stored]


def _is_joined(flow: Flow) -> bool:
    return any(isinstance(axis, Joined) for axis in flow.axes)


def _read(
    table: _Table[S], node: Node, operands: Sequence[Lanes], reading: _Reading
) -> Lanes:
    """Return what a node's channels see, from what those of its operands see."""
    operator, flow = node.operator, reading.routes.flows[node.name]
    followed = _followed(node, flow, reading.routes.stored)
    if not followed or isinstance(operator, op.Source):
        return (_NOTHING,)
    seen = []
    for number in followed:
        windows = reading.routes.windows(node, number)
        lanes = table.through(operands[number], windows, node.name)
        seen.append(_mixed(table, node, lanes, number, reading))
    if len(seen) == 1:
        return seen[0]
    require_apart(node, flow, reading.routes.after(node))
    if isinstance(flow.axes[0], Joined):
        return _concat(table, seen, reading.network.shapes_into(node), reading)
    if op.is_gated(operator, reading.network.shapes_into(node)):
        return _product(table, seen, reading)
    return tuple(map(table.union, _beside(seen)))


def _drops_channels(network: Network, flows: Mapping[str, Flow]) -> bool:
    """Say whether some channels are lost on the way, all their counts being known.

    They are not read, or they are multiplied by zeros.
    """
    first = [flow.axes[0] for flow in flows.values()]
    kinds = {type(node.operator) for node in network.nodes}
    has_zeros = op.Zeros in kinds or any(isinstance(axis, Padded) for axis in first)
    some = any(isinstance(axis, Part | Listed) for axis in first) or (
        has_zeros
        and any(op.is_gated(n.operator, network.shapes_into(n)) for n in network.nodes)
    )
    return some and all(type(n.output.channels) is int for n in network.nodes)


def require_apart(node: Node, flow: Flow, where: Places) -> None:
    """Refuse to stack maps along height or width: not all positions see alike."""
    joined = (n for n, axis in enumerate(flow.axes, 1) if isinstance(axis, Joined))
    for axis in joined:
        if any(place.axis == axis for place in where) or (
            UNKNOWN in where and axis > 1
        ):
            raise at(
                node.operator.kind,
                node.name,
                "maps behind each other see different things at different positions",
            )


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
    reading: _Reading,
) -> Lanes:
    if not reading.apart:
        return (table.union(lane for lanes in operands for lane in lanes),)
    pairs = zip(operands, shapes, strict=True)
    return tuple(lane for lanes, shape in pairs for lane in _each(lanes, shape))


def _product(table: _Table[S], operands: Sequence[Lanes], reading: _Reading) -> Lanes:
    """Unite both operands' paths; a product with zeros is zero, and sees nothing."""
    found = []
    for pair in _beside(operands):
        left, right = (table.values[lane] for lane in pair)
        if _NOTHING in pair:
            found.append(_NOTHING)
        elif reading.ignore_gates and left.sees_everything != right.sees_everything:
            found.append(pair[left.sees_everything])
        else:
            found.append(table.union(pair))
    return tuple(found)


def _mixed(
    table: _Table[S], node: Node, lanes: Lanes, operand: int, reading: _Reading
) -> Lanes:
    """Return what output channels see of one operand's channels.

    **Errors**: channels that see different things and become positions.
    """
    if not reading.apart:
        return lanes
    flow = reading.routes.flows[node.name]
    first = of_operand(flow.axes[0], operand)
    is_alike = len(lanes) == 1 and not isinstance(first, Padded)
    if is_alike or isinstance(first, Joined) or first == Same(1, operand):
        return lanes
    if isinstance(node.operator, op.Product):
        return (table.union(lanes),)
    elsewhere = (
        (source.operand, source.axis) == (operand, 1)
        if isinstance(source, From) else 1 in source.axes
        for axis in flow.axes[1:] for source in sources(axis)
    )  # fmt: skip
    if len(lanes) > 1 and any(elsewhere):
        raise at(node.operator.kind, node.name, "channels that see different things "
                 "are not followed through it")  # fmt: skip
    x = reading.network.by_name[node.inputs[operand]].output
    found = along(first, 1, x.sizes, as_int(node.output.channels))
    if found is None:
        return lanes
    every, after = _each(lanes, x), list[int]()
    for read, count in found:
        after += [table.union({every[c] for c in read})] * count
    return tuple(after)

"""Receptive fields of all nodes, propagated through the graph in network order.

One fold serves every kind of ``Seen`` in ``windows.py``. Where a network drops channels
(a split, a table of connections), each channel has a receptive field of its own, since
those of dropped ones are lost; elsewhere one for all channels is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Generic, TypeAlias, TypeVar

import networkx as nx

from costmodel.algebra.symbols import as_int
from costmodel.analysis.receptive_field.axis_parts import Places
from costmodel.analysis.receptive_field.connectivity import along, of_operand
from costmodel.analysis.receptive_field.spatial_axes import SpatialAxes
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
    Slid,
    sources,
)
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.shape import Shape


S = TypeVar("S", bound=Seen)
Fields: TypeAlias = tuple[int, ...]
"""One receptive field per channel, or one for all, as numbers of a table's values."""

_NOTHING = 0


class _Table(Generic[S]):
    """The distinct receptive fields so far, by number: few, however many channels."""

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

    def through(self, fields: Fields, windows: Windows, name: str) -> Fields:
        """Return the fields after the windows of the node of that name."""
        after = {
            field: self.number(self.values[field].through(windows, name))
            for field in set(fields)
        }
        return tuple(after[field] for field in fields)

    def union(self, fields: Iterable[int]) -> int:
        """Return the union of some fields."""
        key = frozenset(fields)
        if key not in self._unions:
            first, *others = (self.values[field] for field in sorted(key) or [_NOTHING])
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
) -> dict[str, tuple[S, str | None, str | None]]:
    """Return the receptive field of each node; ``pixel`` is that of an input pixel.

    With it come why it is no field of a position, if it is none, and the first node up
    to it whose padding repeats pixels. ``towards`` leaves out the nodes that do not
    lead to that one.
    """
    fold = _Fold(network, nothing, ignore_gates=ignore_gates, same=same)
    wanted = set(network.by_name)
    if towards is not None:
        wanted = {towards, *nx.ancestors(network.graph, towards)}
    table, fields = fold.table, dict[str, Fields]()
    for node in network.nodes:
        if node.operator.is_input:
            fields[node.name] = (table.number(pixel),)
        elif node.name in wanted:
            seen = fold.read(node, [fields[source] for source in node.inputs])
            fields[node.name] = seen if len(set(seen)) > 1 else seen[:1]
    result = dict[str, tuple[S, str | None, str | None]]()
    for name, each in fields.items():
        paths = table.values[table.union(each)]
        windows, problem = fold.spatial.seen(network[name])
        paths = paths.through(windows, name) if windows else paths
        before = (result[source][2] for source in network[name].inputs)
        repeats = next(filter(None, before), None)
        if repeats is None and _repeats(network[name], fold.spatial):
            repeats = name
        result[name] = paths, problem, repeats
    return result


class _Fold(Generic[S]):
    """A network with its spatial axes, the options, and the fields found so far."""

    def __init__(
        self, network: Network, nothing: S, *, ignore_gates: bool, same: bool
    ) -> None:
        """Find out whether each channel needs a receptive field of its own."""
        self.network, self.ignore_gates = network, ignore_gates
        self.spatial = SpatialAxes(network, same=same)
        self.apart = _drops_channels(network, self.spatial)
        self.table = _Table(nothing)

    def read(self, node: Node, operands: Sequence[Fields]) -> Fields:
        """Return the receptive fields of a node's channels from its operands'."""
        operator, flow = node.operator, self.spatial.flows[node.name]
        followed = _followed(node, flow, self.spatial.stored)
        if not followed or isinstance(operator, op.Source):
            return (_NOTHING,)
        seen = []
        for number in followed:
            windows = self.spatial.windows(node, number)
            fields = self.table.through(operands[number], windows, node.name)
            seen.append(self._mixed(node, fields, number))
        if len(seen) == 1:
            return seen[0]
        _require_apart(node, flow, self.spatial.after(node))
        shapes = self.network.shapes_into(node)
        if isinstance(flow.axes[0], Joined):
            return self._concat(seen, shapes)
        if op.is_gated(operator, shapes):
            return self._product(seen)
        return tuple(map(self.table.union, _beside(seen)))

    def _concat(self, operands: Sequence[Fields], shapes: Sequence[Shape]) -> Fields:
        if not self.apart:
            return (self.table.union(chain.from_iterable(operands)),)
        return tuple(chain.from_iterable(map(_each, operands, shapes)))

    def _product(self, operands: Sequence[Fields]) -> Fields:
        """Unite both operands' fields; a product with zeros is zero, sees nothing."""
        found = []
        for pair in _beside(operands):
            left, right = (self.table.values[field] for field in pair)
            if _NOTHING in pair:
                found.append(_NOTHING)
            elif self.ignore_gates and left.sees_everything != right.sees_everything:
                found.append(pair[left.sees_everything])
            else:
                found.append(self.table.union(pair))
        return tuple(found)

    def _mixed(self, node: Node, fields: Fields, operand: int) -> Fields:
        """Return the receptive fields of output channels through one operand.

        **Errors**: channels that see different things and become positions.
        """
        if not self.apart:
            return fields
        if any(one.is_blurred for one in self.spatial.steps(node, operand)):
            raise at(node.operator.kind, node.name, "pixels have become channels, of "
                     "which not all are read later")  # fmt: skip
        flow = self.spatial.flows[node.name]
        first = of_operand(flow.axes[0], operand)
        is_alike = len(fields) == 1 and not isinstance(first, Padded)
        if is_alike or isinstance(first, Joined) or first == Same(1, operand):
            return fields
        if isinstance(node.operator, op.Product):
            return (self.table.union(fields),)
        elsewhere = (
            (source.operand, source.axis) == (operand, 1)
            if isinstance(source, From) else 1 in source.axes
            for axis in flow.axes[1:] for source in sources(axis)
        )  # fmt: skip
        if len(fields) > 1 and any(elsewhere):
            raise at(node.operator.kind, node.name, "channels that see different "
                     "things are not followed through it")  # fmt: skip
        x = self.network.by_name[node.inputs[operand]].output
        found = along(first, 1, x.sizes, as_int(node.output.channels))
        if found is None:
            return fields
        every, after = _each(fields, x), list[int]()
        for read, count in found:
            after += [self.table.union({every[c] for c in read})] * count
        return tuple(after)


def _followed(node: Node, flow: Flow, stored: frozenset[str]) -> list[int]:
    """Return the operands that may depend on the input.

    In a concatenation, stored operands count too: they have channels of their own.
    """
    inputs = enumerate(node.inputs)
    is_joined = any(isinstance(axis, Joined) for axis in flow.axes)
    if is_joined and node.name not in stored:
        return [number for number, _ in inputs]
    return [number for number, source in inputs if source not in stored]


def _drops_channels(network: Network, spatial: SpatialAxes) -> bool:
    """Say whether some channels are dropped, all numbers of channels being known.

    They are not read, or they are multiplied by zeros.
    """
    first = [flow.axes[0] for flow in spatial.flows.values()]
    first += [
        axis
        for node in network.nodes
        for axis in spatial.flows[node.name].axes[1:]
        if isinstance(axis, Part)
        and not any(axis.axis in p.axes for p in spatial.before(node, axis.operand))
    ]  # channels that are elsewhere
    kinds = {type(node.operator) for node in network.nodes}
    has_zeros = op.Zeros in kinds or any(isinstance(axis, Padded) for axis in first)
    some = any(isinstance(axis, Part | Listed) for axis in first) or (
        has_zeros
        and any(op.is_gated(n.operator, network.shapes_into(n)) for n in network.nodes)
    )
    return some and all(type(n.output.channels) is int for n in network.nodes)


def _repeats(node: Node, spatial: SpatialAxes) -> bool:
    """Say whether a node pads a spatial axis, and with pixels instead of zeros."""
    return node.name not in spatial.stored and any(
        isinstance(axis, Padded | Slid)
        and axis.border != "zeros"
        and (window := axis.window) is not None
        and (window.before, window.after) != (0, 0)
        and any(axis.axis in p.axes for p in spatial.before(node, axis.operand))
        for axis in spatial.flows[node.name].axes
    )


def _require_apart(node: Node, flow: Flow, where: Places) -> None:
    """Refuse concatenation along height or width: positions would differ in fields."""
    joined = (n for n, axis in enumerate(flow.axes, 1) if isinstance(axis, Joined))
    for axis in joined:
        if any((p.problem and axis > 1) or axis in p.axes for p in where):
            raise at(node.operator.kind, node.name, "maps behind each other see "
                     "different things at different positions")  # fmt: skip


def _beside(operands: Sequence[Fields]) -> Iterable[Fields]:
    """Give the operands' fields channel by channel, repeating one for all channels."""
    most = max(map(len, operands))
    return zip(*(x * most if len(x) == 1 else x for x in operands), strict=True)


def _each(fields: Fields, shape: Shape) -> Fields:
    """Return one field per channel."""
    return fields * as_int(shape.channels) if len(fields) == 1 else fields

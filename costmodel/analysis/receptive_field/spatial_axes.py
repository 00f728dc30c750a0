"""Which axes of each tensor are the image's spatial axes, and the windows along them.

A feature map has height and width at axes 2 and 3, a volume its depth in front of them.
A permutation moves them; a reshape merges them with other axes, or splits them into
parts that need not stay together: i = 4·block + pixel has one part of each block, and
one of each pixel in it. A part that is read as a whole, by a mean, as channels or by
attention, makes blocks of what is seen. All of this is read off the operators' axis
flows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from costmodel.algebra.window import Window
from costmodel.analysis.receptive_field.axis_parts import (
    CONSUMED,
    Place,
    Places,
    Tensor,
    standard_axes,
)
from costmodel.analysis.receptive_field.axis_steps import Operand, Step
from costmodel.errors import at
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.shape import AXES


def axes_of(network: Network) -> int:
    """Return how many spatial axes the first input has; these are followed."""
    return len(network.inputs[0].output.spatial) if network.inputs else 0


class SpatialAxes:
    """The image's axes in every tensor of a network, and all windows along them.

    Equal layers are one operator on one shape, and are computed once.
    """

    def __init__(self, network: Network, *, same: bool = False) -> None:
        """Follow the axes; ``same`` pads as TensorFlow does."""
        self.network, self.same = network, same
        self.standard = standard_axes(axes_of(network))
        self.stored = _stored(network)
        """Nodes computed from stored tensors alone: they have none of these axes."""
        self.flows = network.flows
        self.places: dict[str, Places] = {}
        """The axes of height and width, of results in which they are not standard."""
        self._steps: dict[_Key, tuple[Step, ...]] = {}
        for node in network.nodes:
            operands = [
                self.steps(node, number)
                for number, source in enumerate(node.inputs)
                if source not in self.stored
            ]
            after = tuple(map(_common, zip(*operands, strict=True)))
            if after not in (self.standard, ()):
                self.places[node.name] = after

    def steps(self, node: Node, operand: int) -> tuple[Step, ...]:
        """Return what becomes of each spatial axis of one operand."""
        where = self.before(node, operand)
        x = self.network.by_name[node.inputs[operand]].output
        key = id(node.operator), id(x), id(node.output), operand, where
        found = self._steps.get(key)
        if found is None:
            flow = self.flows[node.name]
            reader = Operand(x, where, node, flow, operand, self.same)
            found = tuple(map(reader.step, range(len(where))))
            self._steps[key] = found
        return found

    def before(self, node: Node, operand: int) -> Places:
        """Return the axes of height and width in one operand of a node."""
        return self.places.get(node.inputs[operand], self.standard)

    def after(self, node: Node) -> Places:
        """Return the axes of height and width in a node's result."""
        return self.places.get(node.name, self.standard)

    def windows(self, node: Node, operand: int) -> tuple[Window | None, ...]:
        """Return a node's windows on one operand along height and width.

        An operand without an axis is seen alike from every position along that axis.

        **Errors**: an operator that works along an axis that is not followed.
        """
        steps = self.steps(node, operand)
        for problem in (one.problem for one in steps if one.problem):
            raise at(node.operator.kind, node.name, problem)
        places = zip(steps, self.before(node, operand), self.after(node), strict=True)
        return tuple(
            _FIXED if len(node.inputs) > 1 and a == CONSUMED != b else one.window
            for one, a, b in places
        )

    def seen(self, node: Node) -> tuple[tuple[Window | None, ...], str | None]:
        """Return the windows of a node's positions on its elements, or what is wrong.

        A position has all channels, and all pixels that have become channels.
        """
        if node.name not in self.places:
            return (), None
        where, names = self.places[node.name], AXES[len(self.standard)]
        tensor, found = Tensor(node.output, where), list[Window | None]()
        for name, place in zip(names, where, strict=True):
            window, problem = tensor.position(place)
            if problem:
                return (), f"no one window says what a position sees: {name} {problem}"
            found.append(window)
        return tuple(found), None


_Key: TypeAlias = tuple[int, int, int, int, Places]
"""What determines steps: operator, shapes, operand number and places."""

_FIXED = Window(stride=0)


def _stored(network: Network) -> frozenset[str]:
    """Return the nodes computed from stored tensors alone; they depend on no pixel.

    ``derived`` is one, though a sample may determine how many elements there are.
    """
    found: set[str] = set()
    for node in network.nodes:
        is_stored = type(node.operator) in (op.Parameter, op.Derived)
        if is_stored or (node.inputs and found.issuperset(node.inputs)):
            found.add(node.name)
    return frozenset(found)


def _common(operands: Sequence[Step]) -> Place:
    """Return where an axis is in a result, from where its operands put it."""
    places = [taken.place for taken in operands]
    if len(places) == 1:
        return places[0]
    if any(taken.window is None for taken in operands):
        return CONSUMED  # each result sees all of it
    ways = dict.fromkeys(way for place in places for way in place.ways)
    taps = dict.fromkeys(tap for place in places for tap in place.taps)
    problems = [place.problem for place in places if place.problem is not None]
    return Place((), problems[0]) if problems else Place(tuple(ways), None, tuple(taps))

"""Which axes of each tensor are the image's spatial axes, and the windows along them.

A feature map has height and width at axes 2 and 3, a volume its depth in front of them.
A permutation moves them; a reshape may merge them with other axes, or leave them where
no rule can follow. A mean or attention consumes them, since every element then depends
on all positions. All of this is read off the operators' axis flows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple, TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, is_equal
from costmodel.algebra.window import Window
from costmodel.analysis.receptive_field.same_padding import as_tensorflow
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.axes import extents as extents_of
from costmodel.network.flow import (
    AxisFlow,
    Flow,
    From,
    Sampled,
    Slid,
    Split,
    Tiled,
    Turned,
    axes_read,
    parts_of,
    sources,
)
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.shape import AXES, Shape


class Place(NamedTuple):
    """The number of an axis; ``is_alone`` unless other axes are merged into it."""

    axis: int
    is_alone: bool = True


Places: TypeAlias = tuple[Place, ...]
"""The axes of height and width, or of whatever spatial axes the input has."""

CONSUMED, UNKNOWN = Place(0), Place(-1)

POINTS = (Window(), Window(stride=0))
"""Windows of one position, which are the same in any order of positions."""


def standard_axes(axes: int) -> Places:
    """Return the axes of so many spatial axes in a feature map.

    >>> [place.axis for place in standard_axes(2)]
    [2, 3]
    """
    return tuple(Place(2 + axis) for axis in range(axes))


def axes_of(network: Network) -> int:
    """Return how many spatial axes the first input has; these are followed."""
    return len(network.inputs[0].output.spatial) if network.inputs else 0


class Step(NamedTuple):
    """The output axis that one axis of an operand becomes.

    ``source`` is the part of the flow that says so; without one the axis is consumed.
    """

    place: Place
    source: From | Split | None = None


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
        self._keys: dict[tuple[str, int], _Key] = {}
        self._windows: dict[_Key, tuple[Window | None, ...]] = {}
        for node in network.nodes:
            operands = [
                self._steps_of(node, number)
                for number, source in enumerate(node.inputs)
                if source not in self.stored
            ]
            after = tuple(map(_common, zip(*operands, strict=True)))
            if after not in (self.standard, ()):
                self.places[node.name] = after

    def _steps_of(self, node: Node, operand: int) -> tuple[Step, ...]:
        where = self.before(node, operand)
        x = self.network.by_name[node.inputs[operand]].output
        key = id(node.operator), id(x), id(node.output), operand, where
        self._keys[node.name, operand] = key
        found = self._steps.get(key)
        if found is None:
            flow = self.flows[node.name]
            found = tuple([step(node, flow, x, place, operand) for place in where])
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
        if (node.name, operand) not in self._keys:
            self._steps_of(node, operand)  # of a stored one that takes its place
        key = self._keys[node.name, operand]
        found, where = self._windows.get(key), key[-1]
        if found is None:
            x = self.network.by_name[node.inputs[operand]].output
            seen = _OperandWindows(node, self.flows[node.name], x, operand, self.same)
            found = seen.windows(list(zip(where, self._steps[key], strict=True)))
            self._windows[key] = found
        if len(node.inputs) == 1 or CONSUMED not in where:
            return found
        places = zip(found, where, self.after(node), strict=True)
        return tuple(_FIXED if a == CONSUMED != b else seen for seen, a, b in places)


_Key: TypeAlias = tuple[int, int, int, int, Places]
"""What determines steps and windows: operator, shapes, operand number and places."""

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
    """Return the place of an axis that all operands agree on, if they have it."""
    if len(operands) == 1:
        return operands[0].place
    different = {taken.place for taken in operands} - {CONSUMED}
    if not different:
        return CONSUMED
    return different.pop() if len(different) == 1 else UNKNOWN


def step(node: Node, flow: Flow, x: Shape, place: Place, operand: int = 0) -> Step:
    """Return the output axis that an operand's axis becomes, and by which flow."""
    if flow.summed and isinstance(node.operator, op.Product):
        return Step(CONSUMED)
    if place in (CONSUMED, UNKNOWN):
        return Step(place)
    own = flow.axes[place.axis - 1] if place.axis <= len(flow.axes) else None
    if isinstance(own, From) and (own.operand, own.axis) == (operand, place.axis):
        named: _Named = place.axis, own, True  # most stay where they are
    else:
        named = _named(flow, operand, place.axis)
    number, source, is_alone = named
    if source is None:
        return Step(CONSUMED)
    if not node.output.spatial and _is_flattened(node, x):
        return Step(CONSUMED, source)
    if isinstance(source, Split):
        return Step(_inside(source, x, place, flow), source)
    return Step(Place(number, place.is_alone and is_alone), source)


_Named: TypeAlias = tuple[int, From | Split | None, bool]


def _named(flow: Flow, operand: int, axis: int) -> _Named:
    """Return the output axis that comes from an axis, and whether it does so alone."""
    for number, made in enumerate(flow.axes, start=1):
        for source in sources(made):
            if isinstance(source, Split):
                is_it = operand == 0 and axis in source.axes
            else:
                is_it = (operand, axis) == (source.operand, source.axis)
            if is_it:
                return number, source, len(parts_of(made)) == 1
    return 0, None, False


def _is_flattened(node: Node, x: Shape) -> bool:
    """Say whether a feature map becomes a vector, whose elements have no positions."""
    is_moved = isinstance(node.operator, op.Rearrangement)
    return is_moved and not node.output.spatial and bool(x.spatial)


def _inside(source: Split, x: Shape, place: Place, flow: Flow) -> Place:
    """Return which axis of a split holds the given axis."""
    taken = extents_of(x)
    before = [taken[axis - 1].value for axis in source.axes]
    index = source.axes.index(place.axis)
    first, last = (prod(before[: index + n]) for n in (0, 1))
    numbers = (
        number
        for number, axis in enumerate(flow.axes, start=1)
        if isinstance(axis, Split) and axis.whole == source.whole
    )
    for part, number in enumerate(numbers):
        start, end = (prod(source.sizes[: part + n]) for n in (0, 1))
        if is_equal(start, first) and is_equal(end, last):
            return Place(number, place.is_alone)
        if _divides(start, first) and _divides(last, end):
            return Place(number, is_alone=False)
    return UNKNOWN


def _divides(divisor: Dim, number: Dim) -> bool:
    """Say whether the quotient of two products of sizes is whole."""
    ratio = sympy.cancel(sympy.sympify(number) / divisor)
    return bool(ratio.as_numer_denom()[1] == 1)


def _is_one_window(axis: AxisFlow) -> bool:
    return isinstance(axis, From) and axis.is_one_window


class _MovedError(CostModelError):
    """A spatial axis is not where an operator's window slides."""


@dataclass(frozen=True, slots=True)
class _OperandWindows:
    """The windows of a node on one of its operands."""

    node: Node
    flow: Flow
    x: Shape
    operand: int
    same: bool

    def windows(self, steps: Sequence[tuple[Place, Step]]) -> tuple[Window | None, ...]:
        """Return the window along each axis of the image; None: all positions."""
        operator, name = self.node.operator, self.node.name
        try:
            if not all(map(_is_one_window, self.flow.axes)):
                operator.window  # noqa: B018 - refuses, and says why
                self._require_known()
            if self.flow.summed and isinstance(operator, op.Product):
                return (None,) * len(steps)
            return tuple([self._seen(*one) for one in steps])
        except _MovedError:
            problem = _lost([place for place, _ in steps])
            raise at(operator.kind, name, problem) from None
        except CostModelError as error:
            raise at(operator.kind, name, str(error)) from None

    def _require_known(self) -> None:
        if not self.flow.is_known:
            raise CostModelError("no rule says where its axes come from")

    def _seen(self, place: Place, taken: Step) -> Window | None:
        if place == CONSUMED:
            return Window()
        if place == UNKNOWN:
            if self.flow.summed or not all(map(self._is_kept, self.flow.axes)):
                raise _MovedError
            return Window()
        if place.axis == 1 and isinstance(self.node.operator, op.Windowed):
            raise _MovedError
        if taken.source is None:
            is_summed = (self.operand, place.axis) in axes_read(self.flow)
            return None if is_summed else Window()
        if taken.place == CONSUMED:
            return None  # of a vector
        window = self._window(taken.source, taken.place)
        if not (place.is_alone or window is None or window in POINTS):
            raise _MovedError
        return window

    def _window(self, source: From | Split, after: Place) -> Window | None:
        match source:
            case Split():
                return Window()
            case Tiled():
                problem = (
                    f"{self.node.operator}: which positions repeat is not followed"
                )
                raise CostModelError(problem)
            case Turned():
                what = str(self.node.operator)
                raise CostModelError(f"along which axes is not kept of a {what}")
            case Sampled(axis=axis):
                before = extents_of(self.x)[axis - 1]
                is_copy = before == extents_of(self.node.output)[after.axis - 1]
                return Window() if is_copy else None
            case Slid(axis=axis, along=along) if self.same and isinstance(
                self.node.operator, op.Windowed
            ):
                return as_tensorflow(along, extents_of(self.x)[axis - 1])
            case _:
                return source.window

    def _is_kept(self, axis: AxisFlow) -> bool:
        """Say whether every position stays in its place, whichever axes are spatial."""
        windows = [
            source.window if source.is_one_window else None
            for source in sources(axis)
            if isinstance(source, From) and source.operand == self.operand
        ]
        return all(
            window and (window.size, window.stride, window.before) == (1, 1, 0)
            for window in windows
        )


def _lost(where: Sequence[Place]) -> str:
    axes = zip(AXES[len(where)], where, standard_axes(len(where)), strict=True)
    names = [name for name, place, own in axes if place != own]
    return (
        f"which positions it looks at is not followed: {' and '.join(names)} "
        "went elsewhere in a permute or reshape before it"
    )

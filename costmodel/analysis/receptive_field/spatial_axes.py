"""Which axes of a tensor are the image's, and what operators see along them.

A map has height and width at axes 2 and 3, a volume its depth in front of them. Behind
a permutation they stand elsewhere, behind a reshape together with other axes, or nobody
knows where; behind a mean or attention there is nothing left to look at, since every
element sees all of it. The operators' flows say which.
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
    """An axis; ``is_alone`` unless it is one together with others."""

    axis: int
    is_alone: bool = True


Places: TypeAlias = tuple[Place, ...]
"""Where height and width are, or whatever spatial axes the input has."""

GONE, UNKNOWN = Place(0), Place(-1)

POINTS = (Window(), Window(stride=0))
"""Windows of one position that ask for no order of positions."""


def home(axes: int) -> Places:
    """Return where so many spatial axes are in a map.

    >>> [place.axis for place in home(2)]
    [2, 3]
    """
    return tuple(Place(2 + axis) for axis in range(axes))


def axes_of(network: Network) -> int:
    """Return how many spatial axes the first input has: those that are followed."""
    return len(network.inputs[0].output.spatial) if network.inputs else 0


class Step(NamedTuple):
    """Where a node leaves an axis of one operand, and what it sees along it.

    ``source`` is the part of the flow that says so; without one the axis is gone.
    """

    place: Place
    source: From | Split | None = None


class Routes:
    """Where each node of a network leaves the image's axes, and what it sees of them.

    Equal layers of a network are one operator on one shape, and are asked once.
    """

    def __init__(self, network: Network, *, same: bool = False) -> None:
        """Follow the axes; ``same`` pads as TensorFlow does."""
        self.network, self.same = network, same
        self.home = home(axes_of(network))
        self.stored = _stored(network)
        """What is made of stored tensors alone, which has none of the image's axes."""
        self.flows = network.flows
        self.places: dict[str, Places] = {}
        """Where height and width are in every result that has them elsewhere."""
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
            if after not in (self.home, ()):
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
        """Return where height and width are in what a node reads."""
        return self.places.get(node.inputs[operand], self.home)

    def after(self, node: Node) -> Places:
        """Return where height and width are in a node's result."""
        return self.places.get(node.name, self.home)

    def windows(self, node: Node, operand: int) -> tuple[Window | None, ...]:
        """Return what a node sees of one operand along height and width.

        An operand that has lost an axis shows the same to every position of another's.

        **Errors**: an operator that works along an axis that is not followed.
        """
        if (node.name, operand) not in self._keys:
            self._steps_of(node, operand)  # of a stored one that takes its place
        key = self._keys[node.name, operand]
        found, where = self._windows.get(key), key[-1]
        if found is None:
            x = self.network.by_name[node.inputs[operand]].output
            seen = _Looking(node, self.flows[node.name], x, operand, self.same)
            found = seen.windows(list(zip(where, self._steps[key], strict=True)))
            self._windows[key] = found
        if len(node.inputs) == 1 or GONE not in where:
            return found
        places = zip(found, where, self.after(node), strict=True)
        return tuple(_STANDING if a == GONE != b else window for window, a, b in places)


_Key: TypeAlias = tuple[int, int, int, int, Places]
"""What nodes that do the same with the image's axes have in common."""

_STANDING = Window(stride=0)


def _stored(network: Network) -> frozenset[str]:
    """Return what is made of stored tensors alone: it sees nothing, and is no zero.

    What is derived from them is, though a sample may say how many of them there are.
    """
    found: set[str] = set()
    for node in network.nodes:
        is_stored = type(node.operator) in (op.Parameter, op.Derived)
        if is_stored or (node.inputs and found.issuperset(node.inputs)):
            found.add(node.name)
    return frozenset(found)


def _common(operands: Sequence[Step]) -> Place:
    """Return where an axis is in several operands; where it is gone, others say."""
    if len(operands) == 1:
        return operands[0].place
    different = {taken.place for taken in operands} - {GONE}
    if not different:
        return GONE
    return different.pop() if len(different) == 1 else UNKNOWN


def step(node: Node, flow: Flow, x: Shape, place: Place, operand: int = 0) -> Step:
    """Return where a node leaves an axis of one operand, and by which flow."""
    if flow.summed and isinstance(node.operator, op.Product):
        return Step(GONE)
    if place in (GONE, UNKNOWN):
        return Step(place)
    own = flow.axes[place.axis - 1] if place.axis <= len(flow.axes) else None
    if isinstance(own, From) and (own.operand, own.axis) == (operand, place.axis):
        named: _Named = place.axis, own, True  # most stay where they are
    else:
        named = _named(flow, operand, place.axis)
    number, source, is_alone = named
    if source is None:
        return Step(GONE)
    if not node.output.spatial and _is_flattened(node, x):
        return Step(GONE, source)
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
    """Say whether a map becomes a vector, whose elements have no positions."""
    is_moved = isinstance(node.operator, op.Rearrangement)
    return is_moved and not node.output.spatial and bool(x.spatial)


def _inside(source: Split, x: Shape, place: Place, flow: Flow) -> Place:
    """Return where an axis is among those that it is taken apart into, with others."""
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
    """Say whether a product of first axes ends within, or with, another one."""
    ratio = sympy.cancel(sympy.sympify(number) / divisor)
    return bool(ratio.as_numer_denom()[1] == 1)


def _is_one_window(axis: AxisFlow) -> bool:
    return isinstance(axis, From) and axis.is_one_window


class _LostError(CostModelError):
    """An axis is somewhere else than an operator looks."""


@dataclass(frozen=True, slots=True)
class _Looking:
    """A node that looks at one of its operands."""

    node: Node
    flow: Flow
    x: Shape
    operand: int
    same: bool

    def windows(self, steps: Sequence[tuple[Place, Step]]) -> tuple[Window | None, ...]:
        """Return what it sees along each axis of the image; None: all of it."""
        operator, name = self.node.operator, self.node.name
        try:
            if not all(map(_is_one_window, self.flow.axes)):
                operator.window  # noqa: B018 - refuses, and says why
                self._require_known()
            if self.flow.summed and isinstance(operator, op.Product):
                return (None,) * len(steps)
            return tuple([self._seen(*one) for one in steps])
        except _LostError:
            problem = _lost([place for place, _ in steps])
            raise at(operator.kind, name, problem) from None
        except CostModelError as error:
            raise at(operator.kind, name, str(error)) from None

    def _require_known(self) -> None:
        if not self.flow.is_known:
            raise CostModelError("no rule says where its axes come from")

    def _seen(self, place: Place, taken: Step) -> Window | None:
        if place == GONE:
            return Window()
        if place == UNKNOWN:
            if self.flow.summed or not all(map(self._is_kept, self.flow.axes)):
                raise _LostError
            return Window()
        if place.axis == 1 and isinstance(self.node.operator, op.Windowed):
            raise _LostError
        if taken.source is None:
            is_summed = (self.operand, place.axis) in axes_read(self.flow)
            return None if is_summed else Window()
        if taken.place == GONE:
            return None  # of a vector
        window = self._window(taken.source, taken.place)
        if not (place.is_alone or window is None or window in POINTS):
            raise _LostError
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
        """Say whether positions stay what they are, wherever the image is."""
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
    axes = zip(AXES[len(where)], where, home(len(where)), strict=True)
    names = [name for name, place, own in axes if place != own]
    return (
        f"which positions it looks at is not followed: {' and '.join(names)} "
        "went elsewhere in a permute or reshape before it"
    )

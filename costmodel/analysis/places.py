"""Which axes of a tensor are the image's, and what operators see along them.

A map has height and width at axes 2 and 3, a volume its depth in front of them. Behind
a permutation they stand elsewhere, behind a reshape together with other axes, or nobody
knows where; behind a mean or attention there is nothing left to look at, since every
element sees all of it. The operators' flows say which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple, TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, is_equal
from costmodel.algebra.window import Window
from costmodel.analysis.same_padding import as_tensorflow
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.axes import axes as extents_of
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


def places(
    network: Network, flows: Mapping[str, Flow], stored: frozenset[str]
) -> dict[str, Places]:
    """Return where height and width are in every result that has them elsewhere.

    What is ``stored`` has no height and width of the image.
    """
    found: dict[str, Places] = {}
    at_home = home(axes_of(network))
    for node in network.nodes:
        operands = [
            _moved(node, flows[node.name], network.by_name[source].output, number,
                   found.get(source, at_home))
            for number, source in enumerate(node.inputs) if source not in stored
        ]  # fmt: skip
        if not operands:
            continue
        moved = tuple(map(_common, zip(*operands, strict=True)))
        if moved != at_home:
            found[node.name] = moved
    return found


def _moved(
    node: Node, flow: Flow, x: Shape, operand: int, where: Places
) -> list[Place]:
    return [step(node, flow, x, place, operand).place for place in where]


def _common(operands: Sequence[Place]) -> Place:
    """Return where an axis is in several operands; where it is gone, others say."""
    different = set(operands) - {GONE}
    if not different:
        return GONE
    return different.pop() if len(different) == 1 else UNKNOWN


def step(node: Node, flow: Flow, x: Shape, place: Place, operand: int = 0) -> Step:
    """Return where a node leaves an axis of one operand, and by which flow."""
    if isinstance(node.operator, op.Product):
        return Step(GONE)
    if place in (GONE, UNKNOWN):
        return Step(place)
    for number, source, is_alone in _named(flow, operand, place.axis):
        if _is_flattened(node, x):
            return Step(GONE, source)
        if isinstance(source, Split):
            return Step(_inside(source, x, place, flow), source)
        return Step(Place(number, place.is_alone and is_alone), source)
    return Step(GONE)


def _named(
    flow: Flow, operand: int, axis: int
) -> Iterator[tuple[int, From | Split, bool]]:
    """Yield the output axes that come from an axis, and whether they do so alone."""
    for number, made in enumerate(flow.axes, start=1):
        for source in sources(made):
            if isinstance(source, Split):
                is_it = operand == 0 and axis in source.axes
            else:
                is_it = (operand, axis) == (source.operand, source.axis)
            if is_it:
                yield number, source, len(parts_of(made)) == 1


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


def windows_along(
    node: Node,
    flow: Flow,
    x: Shape,
    where: Places,
    operand: int = 0,
    *,
    same: bool = False,
) -> tuple[Window | None, ...]:
    """Return what an operator sees of one operand along height and width.

    ``same`` pads as TensorFlow does.

    **Errors**: an operator that works along an axis that is not followed.
    """
    seen = []
    try:
        for place in where:
            seen.append(_seen(node, flow, x, place, operand, same=same))
    except _LostError:
        raise at(node.operator.kind, node.name, _lost(where)) from None
    except CostModelError as error:
        raise at(node.operator.kind, node.name, str(error)) from None
    return tuple(seen)


class _LostError(CostModelError):
    """An axis is somewhere else than an operator looks."""


def _seen(
    node: Node, flow: Flow, x: Shape, place: Place, operand: int, *, same: bool
) -> Window | None:
    """Return what an operator sees along one axis of the image; None: all of it."""
    if isinstance(node.operator, op.Product):
        return None
    if place == GONE:
        return Window()
    if place == UNKNOWN:
        if flow.summed or not all(_is_kept(axis, operand) for axis in flow.axes):
            raise _LostError
        return Window()
    if isinstance(node.operator, op.Windowed) and place.axis == 1:
        raise _LostError
    after, source = step(node, flow, x, place, operand)
    if source is None:
        return None if (operand, place.axis) in axes_read(flow) else Window()
    if after == GONE:
        return None  # of a vector
    window = _window(node, source, x, after, same=same)
    if window not in (None, *POINTS) and not place.is_alone:
        raise _LostError
    return window


def _window(
    node: Node, source: From | Split, x: Shape, after: Place, *, same: bool
) -> Window | None:
    """Return what a position sees along an axis; None: all of it."""
    match source:
        case Split():
            return Window()
        case Tiled():
            problem = f"{node.operator}: which positions repeat is not followed"
            raise CostModelError(problem)
        case Turned():
            problem = f"along which axes is not kept of a {node.operator}"
            raise CostModelError(problem)
        case Sampled(axis=axis):
            sides = extents_of(x)[axis - 1], extents_of(node.output)[after.axis - 1]
            return Window() if sides[0] == sides[1] else None
        case Slid(axis=axis, along=window) if same:
            is_padded = isinstance(node.operator, op.Windowed)
            return (
                as_tensorflow(window, extents_of(x)[axis - 1]) if is_padded else window
            )
    return source.window


def _is_kept(axis: AxisFlow, operand: int) -> bool:
    """Say whether positions stay what they are, wherever the image is among them."""
    return all(
        isinstance(source, Split)
        or source.operand != operand
        or (
            source.is_one_window
            and source.window is not None
            and (source.window.size, source.window.stride, source.window.before)
            == (1, 1, 0)
        )
        for source in sources(axis)
    )


def _lost(where: Places) -> str:
    axes = zip(AXES[len(where)], where, home(len(where)), strict=True)
    names = [name for name, place, own in axes if place != own]
    return (
        f"which positions it looks at is not followed: {' and '.join(names)} "
        "went elsewhere in a permute or reshape before it"
    )

"""Which axes of a tensor are the image's height and width, and who works along them.

A map has them at axes 2 and 3. Behind a permutation they stand elsewhere, behind a
reshape together with other axes, or nobody knows where; behind a mean or attention
there is nothing left to look at, since every element sees all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple, TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, is_equal
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape


class Place(NamedTuple):
    """An axis; ``is_alone`` unless it is one together with others."""

    axis: int
    is_alone: bool = True


Places: TypeAlias = tuple[Place, Place]
"""Where height and width are."""

HOME: Places = (Place(2), Place(3))
GONE, UNKNOWN = Place(0), Place(-1)
AXES = ("height", "width")


def places(network: Network) -> dict[str, Places]:
    """Return where height and width are in every result that has them elsewhere."""
    found: dict[str, Places] = {}
    for node in network.nodes:
        followed = [s for s in node.inputs if s not in network.unbatched]
        if not followed:
            continue
        x = network.by_name[followed[0]].output
        operands = zip(*(found.get(source, HOME) for source in followed), strict=True)
        height, width = (_moved(node, x, _common(axis)) for axis in operands)
        if (height, width) != HOME:
            found[node.name] = height, width
    return found


def windows_along(
    node: Node, x: Shape, where: Places
) -> tuple[Window | None, Window | None] | None:
    """Return what an operator sees along height and width; None: its own windows.

    **Errors**: an operator that works along an axis that is not followed.
    """
    operator = node.operator
    if type(operator) not in ALONG:
        pairs = zip(where, HOME, strict=True)
        is_followed = all(place in (home, GONE) for place, home in pairs)
        if not is_followed and not isinstance(operator, _ANYWHERE):
            raise at(operator.kind, node.name, _lost(where))
        return None
    try:
        along = ALONG[type(operator)](operator, x, node.output)
        height, width = (_seen(along, place, where) for place in where)
    except CostModelError as error:
        raise at(operator.kind, node.name, str(error)) from None
    return height, width


def require_apart(node: Node, where: Places) -> None:
    """Refuse to stack maps along height or width: not all positions see alike."""
    axis = node.operator.attributes["axis"]
    if Place(axis) in where or (UNKNOWN in where and axis != 1):
        raise at(
            node.operator.kind,
            node.name,
            "maps behind each other see different things at different positions",
        )


def _seen(along: dict[int, Window | None], place: Place, where: Places) -> Any:
    if place == GONE or not along:
        return Window()
    if place == UNKNOWN:
        raise CostModelError(_lost(where))
    window = along.get(place.axis, Window())
    if window not in (None, Window(), Window(stride=0)) and not place.is_alone:
        raise CostModelError(_lost(where))
    return window


def _lost(where: Places) -> str:
    names = [name for name, place, home in zip(AXES, where, HOME, strict=True)
             if place != home]  # fmt: skip
    return (
        f"which positions it looks at is not followed: {' and '.join(names)} "
        "went elsewhere in a permute or reshape before it"
    )


def _common(operands: Sequence[Place]) -> Place:
    """Return where an axis is in several operands; where it is gone, others say."""
    different = set(operands) - {GONE}
    if not different:
        return GONE
    return different.pop() if len(different) == 1 else UNKNOWN


def repeated_along(
    node: Node, shape: Shape, where: Places
) -> tuple[Window | None, Window | None]:
    """Return how sizes of 1 are repeated: each position sees what position 0 sees."""
    sizes, whole = shape.sizes, node.output.sizes
    repeated: dict[int, Window | None] = {
        axis: Window(stride=0)
        for axis, (own, all_of_it) in enumerate(zip(sizes, whole), start=1)
        if own == 1 != all_of_it and len(sizes) == len(whole)
    }
    try:
        height, width = (_seen(repeated, place, where) for place in where)
    except CostModelError as error:
        raise at(node.operator.kind, node.name, str(error)) from None
    return height, width


def _moved(node: Node, x: Shape, place: Place) -> Place:
    """Return where an axis is behind a node."""
    operator = node.operator
    if isinstance(operator, (op.MatMul, op.Attention, op.Einsum, op.Flatten)):
        return GONE
    if place in (GONE, UNKNOWN) or place.axis > len(x.sizes):
        return place
    if type(operator) in _MOVING:
        return _MOVING[type(operator)](operator, x, node.output, place)
    return place


def _permuted(operator: op.Permute, _x: Shape, _y: Shape, place: Place) -> Place:
    return Place(operator.order.index(place.axis) + 1, place.is_alone)


def _reduced(operator: op.Reduce, _x: Shape, _y: Shape, place: Place) -> Place:
    if place.axis in operator.axes:
        return GONE
    before = sum(axis < place.axis for axis in operator.axes)
    return place if operator.keep else Place(place.axis - before, place.is_alone)


def _expanded(_operator: Any, x: Shape, y: Shape, place: Place) -> Place:
    """Missing axes are added in front."""
    return Place(place.axis + len(y.sizes) - len(x.sizes), place.is_alone)


_MOVING: dict[type[Operator], Callable[[Any, Shape, Shape, Place], Place]] = {
    op.Permute: _permuted,
    op.Reshape: lambda _, x, y, place: _reshaped(x.sizes, y.sizes, place),
    op.Unfold2d: lambda *_: Place(2, is_alone=False),
    op.Reduce: _reduced,
    op.Expand: _expanded,
    op.Repeat: _expanded,
}
"""Operators behind which axes are others."""


def _reshaped(before: Sequence[Dim], after: Sequence[Dim], place: Place) -> Place:
    """Return where an axis is once neighbours were made one, or an axis several."""
    first, last = (_product(before[: place.axis - 1 + n]) for n in (0, 1))
    for number in range(1, len(after) + 1):
        start, end = _product(after[: number - 1]), _product(after[:number])
        if is_equal(start, first) and is_equal(end, last):
            return Place(number, place.is_alone)
        if _divides(start, first) and _divides(last, end) and start != end:
            return Place(number, is_alone=False)
    return UNKNOWN


def _product(sizes: Sequence[Dim]) -> Dim:
    return prod(sizes)


def _divides(divisor: Dim, number: Dim) -> bool:
    """Say whether a product of first axes ends within, or with, another one."""
    ratio = sympy.cancel(sympy.sympify(number) / divisor)
    return bool(ratio.as_numer_denom()[1] == 1)


def _none(_operator: Any, _x: Shape, _y: Shape) -> dict[int, Window | None]:
    return {}


def _axis(operator: Any, _x: Shape, _y: Shape) -> dict[int, Window | None]:
    return {operator.axis: None}


def _last(operator: Any, x: Shape, _y: Shape) -> dict[int, Window | None]:
    most = len(x.sizes)
    return dict.fromkeys(range(most - operator.axes + 1, most + 1))


def _part(operator: Any, _x: Shape, _y: Shape) -> dict[int, Window | None]:
    return {operator.axis: Window(stride=operator.step, before=-operator.start)}


def _expand(operator: Any, x: Shape, y: Shape) -> dict[int, Window | None]:
    """Every position sees what the single one sees; elsewhere nothing changes."""
    added = len(y.sizes) - len(x.sizes)
    pairs = enumerate(zip(x.sizes, y.sizes[added:], strict=True), start=1)
    changed = [axis for axis, (before, after) in pairs if before != after]
    if any(x.sizes[axis - 1] != 1 for axis in changed):
        raise CostModelError(f"{operator}: which positions repeat is not followed")
    return dict.fromkeys(changed, Window(stride=0))


def _turned(operator: Any, _x: Shape, _y: Shape) -> dict[int, Window | None]:
    raise CostModelError(f"along which axes is not kept of a {operator.kind}")


ALONG: dict[
    type[Operator], Callable[[Any, Shape, Shape], dict[int, Window | None]]
] = {
    **dict.fromkeys((
        op.Pointwise, op.Arithmetic, op.PReLU, op.Copy, op.Crop, op.PadTo,
        op.Permute, op.Reshape,
    ), _none),
    op.LayerNorm: _last,
    op.RMSNorm: _last,
    op.Linear: lambda _, x, __: {len(x.sizes): None} if x.spatial else {},
    op.GroupNorm: lambda _, x, __: dict.fromkeys(range(1, len(x.sizes) + 1)),
    op.InstanceNorm2d: lambda *_: {2: None, 3: None},
    op.Softmax: _axis,
    op.Cumulate: _axis,
    op.Reduce: lambda operator, *_: dict.fromkeys(operator.axes),
    op.Select: _part,
    op.Slice: _part,
    op.PadAxis: lambda operator, *_: {operator.axis: Window(before=operator.before)},
    op.Expand: _expand,
    op.Repeat: _expand,
    op.Roll: _turned,
    op.Flip: _turned,
}  # fmt: skip
"""What operators see along the axes that they work along; None sees all of it."""

_ANYWHERE = (op.Identity, op.Dropout, op.Concat,
             op.MatMul, op.Attention, op.Einsum, op.Flatten, op.Parameter,
             op.Derived)  # fmt: skip
"""Operators that need no map."""

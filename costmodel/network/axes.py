"""Axes of a shape, numbered as in PyTorch: the batch is axis 0, channels are axis 1.

A shape calls its axis 1 channels also if the tensor is no feature map.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy

from costmodel.algebra.extent import Extent, extent_of, normal, resolve
from costmodel.algebra.symbols import Dim, as_dim, exact_div, expand
from costmodel.errors import CostModelError
from costmodel.network.shape import Shape


def rank(shape: Shape) -> int:
    """Return the number of axes, without the batch.

    >>> rank(Shape(3, (Extent(4), Extent(5))))
    3
    """
    return 1 + len(shape.spatial)


def require_axis(shape: Shape, axis: Dim) -> int:
    """Return the axis's number, or raise if the shape has no such axis."""
    if type(axis) is not int or not 1 <= axis <= rank(shape):
        raise CostModelError(
            f"axis {axis} is none of the axes 1 to {rank(shape)} of {shape}"
        )
    return axis


def along(shape: Shape, axis: Dim) -> Extent:
    """Return the extent of an axis; along axis 1, the number of channels.

    >>> along(Shape(3, (Extent(4), Extent(5))), 1)
    Extent(base=3, offset=0, stride=1)
    """
    number = require_axis(shape, axis)
    if number > 1:
        return shape.spatial[number - 2]
    known = None if isinstance(shape.channels, int) else extent_of(shape.channels)
    return known or normal(resolve(shape.channels), 0, 1)


def extents(shape: Shape) -> tuple[Extent, ...]:
    """Return the extents of all axes behind the batch, channels first.

    >>> [str(extent) for extent in extents(Shape(8, (Extent(16), Extent(64))))]
    ['8', '16', '64']
    """
    return (along(shape, 1), *shape.spatial)


def shaped(sides: Iterable[Extent]) -> Shape:
    """Return the shape of these axes; a floor in front is an opaque count there."""
    first, *others = sides
    return Shape(first.value if first.stride == 1 else first.atom, tuple(others))


def replaced(shape: Shape, axis: Dim, extent: Extent) -> Shape:
    """Return the shape with another extent along an axis."""
    number = require_axis(shape, axis)
    if number == 1:
        return Shape(shaped([extent]).channels, shape.spatial)
    sides = list(shape.spatial)
    sides[number - 2] = extent
    return Shape(shape.channels, tuple(sides))


def others(shape: Shape, axes: Iterable[Dim]) -> Dim:
    """Return the number of elements for each index along these axes.

    It is counted as the shape's own sizes are: in opaque extents or polynomials.
    """
    taken = {require_axis(shape, axis) for axis in axes}
    channels = 1 if 1 in taken else shape.channels
    sides = (s for axis, s in enumerate(shape.spatial, start=2) if axis not in taken)
    return type(shape)(channels, tuple(sides)).numel


def elements(like: Shape, extents: Iterable[Extent]) -> Dim:
    """Return the product of some axes, counted as the sizes of ``like`` are."""
    return type(like)(1, tuple(extents)).numel


def total(sides: Iterable[Extent]) -> Extent:
    """Return the sum of several extents, as of a concatenation.

    >>> total([Extent(3), Extent(4)])
    Extent(base=7, offset=0, stride=1)
    """
    return normal(as_dim(sum(side.value for side in sides)), 0, 1)


def enlarged(extent: Extent, factor: Dim, more: Dim = 0) -> Extent:
    """Return factor·extent + more.

    >>> from costmodel.algebra.symbols import H
    >>> str(enlarged(Extent(H), 2, -1)), str(enlarged(Extent(7), 2, 3))
    ('(2*H-1)', '17')
    """
    if factor == 1:
        return normal(extent.base, extent.offset + extent.stride * more, extent.stride)
    whole = expand(factor * sympy.sympify(extent.value) + more)
    return normal(as_dim(whole), 0, 1)


def divided(extent: Extent, factor: Dim, what: str) -> Extent:
    """Return extent/factor, or raise if a known extent leaves a remainder."""
    if type(extent.base) is int and type(factor) is int:
        try:
            return Extent(exact_div(extent.base, factor))
        except CostModelError:
            raise CostModelError(
                f"{what} {extent} is not divisible by {factor}"
            ) from None
    return normal(extent.base, extent.offset, as_dim(extent.stride * factor))

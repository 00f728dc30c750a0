"""Axes of tensors that are no maps: every axis as an extent, channels among them.

The batch is axis 0 and stays outside; axis 1 is what a shape calls its channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sympy

from costmodel.algebra.extent import Extent, normal, resolve
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.network.shape import Shape


def axes(shape: Shape) -> tuple[Extent, ...]:
    """Return the extents of all axes behind the batch.

    >>> [str(extent) for extent in axes(Shape(8, (Extent(16), Extent(64))))]
    ['8', '16', '64']
    """
    return extent_from(shape.channels), *shape.spatial


def extent_from(size: Dim) -> Extent:
    """Return a size as an extent in its normal form; opaque extents are resolved."""
    return normal(resolve(size), 0, 1)


def shape_of(extents: Sequence[Extent]) -> Shape:
    """Return the shape of a tensor with these axes behind the batch."""
    return Shape(extents[0].value, tuple(extents[1:]))


def elements(like: Shape, extents: Iterable[Extent]) -> Dim:
    """Return the product of some axes, counted as the sizes of ``like`` are."""
    return type(like)(1, tuple(extents)).numel


def enlarged(extent: Extent, factor: Dim, more: Dim = 0) -> Extent:
    """Return factor·extent + more.

    >>> from costmodel.algebra.symbols import H
    >>> str(enlarged(Extent(H), 2, -1)), str(enlarged(Extent(7), 2, 3))
    ('(2*H-1)', '17')
    """
    if factor == 1:
        return normal(extent.base, extent.offset + extent.stride * more, extent.stride)
    whole = sympy.expand(factor * sympy.sympify(extent.value) + more)
    return normal(as_dim(whole), 0, 1)

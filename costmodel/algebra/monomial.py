"""Monomials: products of extents, interned so that equal ones are one object."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import final

import sympy

from costmodel.algebra.extent import Extent


@final
class Monomial(tuple[Extent, ...]):
    """A product of extents; a symbol is an extent as well.

    Equal products are one object, so that terms are found without comparing extents.

    >>> from costmodel.algebra.symbols import H, W
    >>> Monomial([Extent(W), Extent(H)]) is Monomial([Extent(H), Extent(W)])
    True
    """

    __slots__ = ()

    def __new__(cls, extents: Iterable[Extent] = ()) -> Monomial:
        """Return the product; extents stand in the order of their first use."""
        given = sorted(extents, key=lambda e: _PLACES.setdefault(e, len(_PLACES)))
        product = super().__new__(cls, given)
        return _MONOMIALS.setdefault(tuple(given), product)

    def at(self, values: Mapping[sympy.Symbol, int]) -> int:
        """Return the value of the product for values of its symbols."""
        return math.prod(number(extent, values) for extent in self)

    __eq__ = object.__eq__
    __hash__ = object.__hash__


_PLACES: dict[Extent, int] = {}
_MONOMIALS: dict[tuple[Extent, ...], Monomial] = {}
ONE = Monomial()
"""The empty product, the monomial of a constant term."""


@lru_cache(maxsize=65536)
def joined(one: Monomial, other: Monomial) -> Monomial:
    """Return the product of two products."""
    return Monomial(one + other)


def number(extent: Extent, values: Mapping[sympy.Symbol, int]) -> int:
    """Return the value of an extent for values of its symbols."""
    base = extent.base
    if isinstance(base, sympy.Symbol):
        base = values[base]
    elif not isinstance(base, int):
        base = int(base.subs(values, simultaneous=True))
    offset, stride = extent.offset, extent.stride
    if not isinstance(offset, int):
        offset = int(offset.subs(values))
    if not isinstance(stride, int):
        stride = int(stride.subs(values))
    return (base + offset) // stride

"""Sizes that are computed with: whole-number polynomials of extents, in normal form.

What a network's own code does to the sizes of its tensors (halve them, multiply them,
add a padding) is done here to their formulas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import sympy

from costmodel.algebra.extent import Extent, normal, resolve
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.errors import CostModelError


Monomial: TypeAlias = tuple[Extent, ...]
"""A product of extents, each ⌊(base + c)/s⌋ with 0 ≤ c < s, in a fixed order."""


@dataclass(frozen=True, eq=True)
class Size:
    """Σ coefficient · Π extents, equal exactly where the polynomials are.

    Every extent is brought to 0 ≤ offset < stride, what is beyond being whole numbers,
    so that ⌊(H+1)/2⌋ and ⌊(H−1)/2⌋ + 1 are one size.

    >>> from costmodel.algebra.symbols import H
    >>> half = size(Extent(H, 1, 2))
    >>> half - 1 == size(Extent(H, -1, 2)), str((2 * half + 1).value)
    (True, '2*floor(H/2 + 1/2) + 1')
    """

    terms: frozenset[tuple[Monomial, int]]

    @cached_property
    def by_monomial(self) -> dict[Monomial, int]:
        """Coefficients by monomial; none of them is 0."""
        return dict(self.terms)

    @property
    def constant(self) -> int | None:
        """The number, if there is nothing but a number."""
        if not self.terms:
            return 0
        return self.by_monomial.get(()) if len(self.terms) == 1 else None

    def __add__(self, other: Size | int) -> Size:
        """Return the sum."""
        terms = dict(self.terms)
        for monomial, coefficient in _size(other).terms:
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return _made(terms)

    __radd__ = __add__

    def __mul__(self, other: Size | int) -> Size:
        """Return the product."""
        terms: dict[Monomial, int] = {}
        for one, first in self.terms:
            for another, second in _size(other).terms:
                monomial = tuple(sorted(one + another, key=_place))
                terms[monomial] = terms.get(monomial, 0) + first * second
        return _made(terms)

    __rmul__ = __mul__

    def __neg__(self) -> Size:
        """Return the size with every sign changed."""
        return _made({m: -coefficient for m, coefficient in self.terms})

    def __sub__(self, other: Size | int) -> Size:
        """Return the difference."""
        return self + -_size(other)

    def __rsub__(self, other: int) -> Size:
        """Return the difference from a number."""
        return -self + other

    def __floordiv__(self, divisor: int) -> Size:
        """Return ⌊size/divisor⌋ for a number of at least 1.

        Terms that it divides come out of the floor; ⌊(⌊n/s⌋ + d)/t⌋ = ⌊(n + s·d)/(s·t)⌋
        joins what is left where that is one extent, and −⌊n⌋ = ⌈−n⌉ is turned round.
        """
        if divisor == 1:
            return self
        whole = {m: c // divisor for m, c in self.terms if c % divisor == 0}
        rest = {m: c for m, c in self.terms if c % divisor}
        constant = rest.pop((), 0)
        if not rest:
            return _made(whole) + constant // divisor
        if all(c < 0 for c in rest.values()):
            turned = _made({m: -c for m, c in rest.items()})
            ceiling = (turned - constant + (divisor - 1)) // divisor
            return _made(whole) - ceiling
        # ⌊(g·r + c)/(g·s)⌋ = ⌊(r + ⌊c/g⌋)/s⌋
        shared = math.gcd(divisor, *rest.values())
        rest = {m: c // shared for m, c in rest.items()}
        return _made(whole) + _floor(rest, constant // shared, divisor // shared)

    def __mod__(self, divisor: int) -> Size:
        """Return what is left over."""
        return self - (self // divisor) * divisor

    def divided(self, other: Size) -> Size | None:
        """Return the exact quotient of two sizes, if it is a size."""
        if other.constant is not None:
            number = other.constant
            even = number and all(c % number == 0 for _, c in self.terms)
            return _made({m: c // number for m, c in self.terms}) if even else None
        if len(other.terms) == 1:
            ((divisor, number),) = other.terms
            return self._without(divisor, number)
        for monomial, coefficient in self.terms:
            # A quotient of one term is told by any of its products.
            for under, number in other.terms:
                part = _made({monomial: coefficient}).divided(_made({under: number}))
                if part is not None and part * other == self:
                    return part
        return None

    def _without(self, divisor: Monomial, number: int) -> Size | None:
        terms = {}
        for monomial, coefficient in self.terms:
            left = list(monomial)
            for extent in divisor:
                if extent not in left:
                    return None
                left.remove(extent)
            if coefficient % number:
                return None
            terms[tuple(left)] = coefficient // number
        return _made(terms)

    @cached_property
    def extent(self) -> Extent:
        """The size as one extent: of a side where it is one, else of an expression."""
        rest = dict(self.terms)
        constant = rest.pop((), 0)
        if not rest:
            return Extent(constant)
        ((monomial, coefficient), *more) = rest.items()
        if not more and coefficient == 1 and len(monomial) == 1:
            (x,) = monomial
            return normal(x.base, x.offset + constant * x.stride, x.stride)
        return Extent(as_dim(_made(rest)._sum), constant)  # noqa: SLF001 - its own

    @cached_property
    def value(self) -> Dim:
        """The size as a number, or as a plain sympy expression."""
        if self.constant is not None:
            return self.constant
        rest = {m for m in self.by_monomial if m}
        only = rest.pop() if len(rest) == 1 else ()
        if len(only) == 1 and self.by_monomial[only] == 1:
            return self.extent.value
        return as_dim(self._sum)

    @property
    def _sum(self) -> sympy.Expr:
        return sympy.Add(*(sympy.Mul(c, *(e.value for e in m)) for m, c in self.terms))

    def at(self, values: Mapping[sympy.Symbol, int]) -> int:
        """Return the number that it is for some values of its symbols."""
        total = 0
        for monomial, coefficient in self.terms:
            total += coefficient * math.prod(number(e, values) for e in monomial)
        return total


@lru_cache(maxsize=65536)
def size(value: Extent | Dim) -> Size:
    """Return an extent, a number or an expression of floors as a size.

    >>> from costmodel.algebra.symbols import H, W
    >>> size((H * W + 4) // 2) == (size(H) * size(W)) // 2 + 2
    True
    """
    if isinstance(value, int):
        return _made({(): value})
    if isinstance(value, Extent):
        return _extent_size(value)
    return _read(sympy.expand(resolve(value)))


def number(extent: Extent, values: Mapping[sympy.Symbol, int]) -> int:
    """Return what an extent is for some values of its symbols."""
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


def _extent_size(extent: Extent) -> Size:
    base, offset, stride = extent.base, extent.offset, extent.stride
    if not (isinstance(offset, int) and isinstance(stride, int)):
        return _read(sympy.expand(extent.value))
    if isinstance(base, int):
        return _made({(): (base + offset) // stride})
    if isinstance(base, sympy.Symbol):
        beyond, rest = divmod(offset, stride)
        return _made({(Extent(base, rest, stride),): 1, (): beyond})
    inside = _read(sympy.expand(base)) + offset
    return inside if stride == 1 else inside // stride


def _read(expression: sympy.Expr) -> Size:
    """Return an expanded expression of symbols, numbers and floors as a size."""
    if expression.is_Integer:
        return _made({(): int(expression)})
    if expression.is_Add:
        return sum(map(_read, expression.args), start=_made({}))
    if expression.is_Mul:
        return math.prod(map(_read, expression.args), start=_made({(): 1}))
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        base = _read(expression.base)
        return math.prod([base] * int(expression.exp), start=_made({(): 1}))
    return _read_rounded(expression)


def _read_rounded(expression: sympy.Expr) -> Size:
    """Return a symbol, a floor, a ceiling or another whole number as a size."""
    if isinstance(expression, sympy.ceiling):
        return -_read(sympy.floor(-expression.args[0]))
    if isinstance(expression, sympy.floor):
        numerator, denominator = sympy.together(expression.args[0]).as_numer_denom()
        if denominator.is_Integer:
            return _read(sympy.expand(numerator)) // int(denominator)
    if expression.is_integer:
        # A symbol; Max, Min and what else is whole: a base of its own.
        return _made({(Extent(expression),): 1})
    raise CostModelError(f"{expression} is no size: not a whole number of positions")


def _floor(rest: dict[Monomial, int], constant: int, divisor: int) -> Size:
    """Return ⌊(rest + constant)/divisor⌋, of terms with nothing in common with it."""
    ((monomial, coefficient), *more) = rest.items()
    if not more and coefficient == 1 and len(monomial) == 1:
        (x,) = monomial
        base, offset = x.base, x.offset + constant * x.stride
        stride = x.stride * divisor
    else:
        base, offset, stride = as_dim(_made(rest)._sum), constant, divisor  # noqa: SLF001
    if not isinstance(base, sympy.Symbol):
        found = normal(base, offset, stride)
        if found != Extent(base, offset, stride):
            return _extent_size(found)
    beyond, left = divmod(offset, stride)
    return _made({(Extent(base, left, stride),): 1, (): beyond})


def _size(value: Size | int) -> Size:
    return value if isinstance(value, Size) else _made({(): value})


def _made(terms: Mapping[Monomial, int]) -> Size:
    return Size(frozenset((m, c) for m, c in terms.items() if c))


def _place(extent: Extent) -> int:
    """Return where an extent stands in a product: in the order of first use."""
    return _PLACES.setdefault(extent, len(_PLACES))


_PLACES: dict[Extent, int] = {}

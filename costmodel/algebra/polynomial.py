"""Polynomials in extents, in which sizes, counts and memory formulas are computed.

The arithmetic of a network's own code on tensor sizes (halving, multiplying, adding a
padding) is done here on their formulas; counts are added in ``algebra/count.py``, and
compared in ``algebra/questions/upper_envelope.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import sympy

from costmodel.algebra.extent import Extent, normal, resolve
from costmodel.algebra.monomial import ONE, Monomial, joined
from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.errors import CostModelError


@dataclass(frozen=True, eq=False)
class Polynomial:
    """Σ coefficient · Π extents; no coefficient is 0, and no product occurs twice.

    Polynomials add, subtract and multiply with numbers and expressions. Two are equal
    if their terms are; sizes, which :func:`size` brings into normal form, are equal
    exactly if they are so for every input.

    >>> from costmodel.algebra.symbols import H
    >>> half = size(Extent(H, 1, 2))
    >>> half - 1 == size(Extent(H, -1, 2)), str((2 * half + 1).value)
    (True, '2*floor(H/2 + 1/2) + 1')
    """

    terms: Mapping[Monomial, Dim]

    def __eq__(self, other: object) -> bool:
        """Say whether two polynomials have the same terms."""
        return isinstance(other, Polynomial) and self.terms == other.terms

    def __hash__(self) -> int:
        """Return a hash of the terms."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(frozenset(self.terms.items()))

    @property
    def constant(self) -> Dim | None:
        """The number, if the polynomial is constant."""
        if not self.terms:
            return 0
        return self.terms.get(ONE) if len(self.terms) == 1 else None

    def __add__(self, other: Polynomial | Dim) -> Polynomial:
        """Return the sum."""
        if type(other) is int and other == 0:
            return self
        terms = dict(self.terms)
        for monomial, coefficient in terms_of(other).items():
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return _made(terms)

    __radd__ = __add__

    def __mul__(self, other: Polynomial | Dim) -> Polynomial:
        """Return the product."""
        if not isinstance(other, Polynomial):
            if not other:
                return Polynomial({})
            return Polynomial({m: other * c for m, c in self.terms.items()})
        terms: dict[Monomial, Dim] = {}
        for one, first in self.terms.items():
            for another, second in other.terms.items():
                monomial = joined(one, another)
                terms[monomial] = terms.get(monomial, 0) + first * second
        return _made(terms)

    __rmul__ = __mul__

    def __neg__(self) -> Polynomial:
        """Return the polynomial with every sign changed."""
        return Polynomial({m: -coefficient for m, coefficient in self.terms.items()})

    def __sub__(self, other: Polynomial | Dim) -> Polynomial:
        """Return the difference."""
        return self + -other

    def __rsub__(self, other: Dim) -> Polynomial:
        """Return the difference from a number or an expression."""
        return -self + other

    def __floordiv__(self, divisor: int) -> Polynomial:
        """Return ⌊size/divisor⌋ for a number of at least 1.

        Terms that it divides leave the floor; ⌊(⌊n/s⌋ + d)/t⌋ = ⌊(n + s·d)/(s·t)⌋
        merges the rest if that is one extent, also for −⌊n⌋ = ⌈−n⌉.
        **Errors**: a coefficient that is no ``int``.
        """
        if not all(type(c) is int for c in self.terms.values()):
            raise CostModelError(f"{self.value} is not a size: a factor is not whole")
        if divisor == 1:
            return self
        whole = {m: c // divisor for m, c in self.terms.items() if c % divisor == 0}
        rest = {m: c for m, c in self.terms.items() if c % divisor}
        constant = rest.pop(ONE, 0)
        if not rest:
            return Polynomial(whole) + constant // divisor
        if all(c < 0 for c in rest.values()):
            ceiling = (-Polynomial(rest) - constant + (divisor - 1)) // divisor
            return Polynomial(whole) - ceiling
        # ⌊(g·r + c)/(g·s)⌋ = ⌊(r + ⌊c/g⌋)/s⌋
        shared = math.gcd(divisor, *rest.values())
        rest = {m: c // shared for m, c in rest.items()}
        return Polynomial(whole) + _floor(rest, constant // shared, divisor // shared)

    def __mod__(self, divisor: int) -> Polynomial:
        """Return the remainder of a size."""
        return self - (self // divisor) * divisor

    def divided(self, other: Polynomial) -> Polynomial | None:
        """Return the exact quotient of two sizes, if it is a size."""
        if other.constant is not None:
            number = other.constant
            even = number and all(c % number == 0 for c in self.terms.values())
            if not even:
                return None
            return Polynomial({m: c // number for m, c in self.terms.items()})
        if len(other.terms) == 1:
            ((divisor, number),) = other.terms.items()
            return self._without(divisor, number)
        for monomial, coefficient in self.terms.items():
            # Any product determines a quotient of one term.
            for under, number in other.terms.items():
                one = Polynomial({monomial: coefficient})
                part = one.divided(Polynomial({under: number}))
                if part is not None and part * other == self:
                    return part
        return None

    def _without(self, divisor: Monomial, number: Dim) -> Polynomial | None:
        terms = {}
        for monomial, coefficient in self.terms.items():
            left = list(monomial)
            for extent in divisor:
                if extent not in left:
                    return None
                left.remove(extent)
            if coefficient % number:
                return None
            terms[Monomial(left)] = coefficient // number
        return Polynomial(terms)

    @cached_property
    def extent(self) -> Extent:
        """A size as one extent: of a side if possible, else of an expression."""
        rest = dict(self.terms)
        constant = rest.pop(ONE, 0)
        if not rest:
            return Extent(constant)
        ((monomial, coefficient), *more) = rest.items()
        if not more and coefficient == 1 and len(monomial) == 1:
            (x,) = monomial
            return normal(x.base, x.offset + constant * x.stride, x.stride)
        return Extent(as_dim(_sum(rest)), constant)

    @cached_property
    def value(self) -> Dim:
        """The polynomial as a number, or as a plain sympy expression."""
        if self.constant is not None:
            return self.constant
        rest = [m for m in self.terms if m]
        if len(rest) == 1 and len(rest[0]) == 1 and self.terms[rest[0]] == 1:
            return self.extent.value
        return as_dim(_sum(self.terms))

    def at(self, values: Mapping[sympy.Symbol, int]) -> int:
        """Return the value of a size for values of its symbols."""
        return sum(
            count * monomial.at(values) for monomial, count in self.terms.items()
        )


Size: TypeAlias = Polynomial
"""A size of a tensor, as :func:`size` makes it: in whole numbers and normal form."""


@lru_cache(maxsize=65536)
def size(value: Extent | Dim) -> Size:
    """Return an extent, a number or an expression of floors as a size.

    Every extent is brought to 0 ≤ offset < stride, whole numbers being taken out of it,
    so that ⌊(H+1)/2⌋ and ⌊(H−1)/2⌋ + 1 are one size.

    >>> from costmodel.algebra.symbols import H, W
    >>> size((H * W + 4) // 2) == (size(H) * size(W)) // 2 + 2
    True
    """
    if isinstance(value, int):
        return _made({ONE: value})
    if isinstance(value, Extent):
        return _extent_size(value)
    return _read(expand(resolve(value)))


def terms_of(count: Polynomial | Dim) -> Mapping[Monomial, Dim]:
    """Return the terms of a polynomial, a number or an expression."""
    return count.terms if isinstance(count, Polynomial) else {ONE: count}


def _extent_size(extent: Extent) -> Size:
    base, offset, stride = extent.base, extent.offset, extent.stride
    if not (isinstance(offset, int) and isinstance(stride, int)):
        return _read(expand(extent.value))
    if isinstance(base, int):
        return _made({ONE: (base + offset) // stride})
    if isinstance(base, sympy.Symbol):
        beyond, rest = divmod(offset, stride)
        return _made({Monomial([Extent(base, rest, stride)]): 1, ONE: beyond})
    inside = _read(expand(base)) + offset
    return inside if stride == 1 else inside // stride


def _read(expression: sympy.Expr) -> Size:
    """Return an expanded expression of symbols, numbers and floors as a size."""
    if expression.is_Integer:
        return _made({ONE: int(expression)})
    if expression.is_Add:
        return sum(map(_read, expression.args), start=_made({}))
    if expression.is_Mul:
        return math.prod(map(_read, expression.args), start=_made({ONE: 1}))
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        base = _read(expression.base)
        return math.prod([base] * int(expression.exp), start=_made({ONE: 1}))
    return _read_rounded(expression)


def _read_rounded(expression: sympy.Expr) -> Size:
    """Return a symbol, a floor, a ceiling or another whole number as a size."""
    if isinstance(expression, sympy.ceiling):
        return -_read(sympy.floor(-expression.args[0]))
    if isinstance(expression, sympy.floor):
        numerator, denominator = sympy.together(expression.args[0]).as_numer_denom()
        if denominator.is_Integer:
            return _read(expand(numerator)) // int(denominator)
    if expression.is_integer:
        # A symbol; Max, Min and what else is whole: a base of its own.
        return _made({Monomial([Extent(expression)]): 1})
    raise CostModelError(f"{expression} is not a size: not a whole number of positions")


def _floor(rest: dict[Monomial, int], constant: int, divisor: int) -> Size:
    """Return ⌊(rest + constant)/divisor⌋, of terms that have no divisor in common."""
    ((monomial, coefficient), *more) = rest.items()
    if not more and coefficient == 1 and len(monomial) == 1:
        (x,) = monomial
        base, offset = x.base, x.offset + constant * x.stride
        stride = x.stride * divisor
    else:
        base, offset, stride = as_dim(_sum(rest)), constant, divisor
    if not isinstance(base, sympy.Symbol):
        found = normal(base, offset, stride)
        if found != Extent(base, offset, stride):
            return _extent_size(found)
    beyond, left = divmod(offset, stride)
    return _made({Monomial([Extent(base, left, stride)]): 1, ONE: beyond})


def _made(terms: Mapping[Monomial, Dim]) -> Polynomial:
    """Return a polynomial without the terms whose coefficient is 0."""
    if all(terms.values()):
        return Polynomial(terms)
    return Polynomial({m: c for m, c in terms.items() if c})


def _sum(terms: Mapping[Monomial, Dim]) -> sympy.Expr:
    """Return the sum of terms as sympy writes it, without expanding anything."""
    products = (sympy.Mul(c, *(e.value for e in m)) for m, c in terms.items())
    return sympy.Add(*products)

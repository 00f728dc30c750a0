"""Sums of many counts, added as integers and turned into one expression at the end.

A count of a network is a sum of coefficients times products of extents, and a network
has few distinct extents: adding thousands of terms is adding integers in a dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cmp_to_key, lru_cache
from typing import TypeAlias

import sympy

from costmodel.algebra.extent import Extent, extent_of, resolve
from costmodel.algebra.symbols import Dim, as_dim


Monomial: TypeAlias = tuple[Extent, ...]
"""A product of unknown extents, in the order of their first use."""


@dataclass(frozen=True, slots=True, eq=False)
class Amount:
    """Σ coefficient · Π extents: what a layer's algebra gives while counts are added.

    It adds, subtracts and multiplies with numbers and expressions, as they do.
    """

    terms: dict[Monomial, Dim]

    def __add__(self, other: Count) -> Count:
        """Return the sum."""
        if type(other) is int and other == 0:
            return self
        terms = dict(self.terms)
        for monomial, coefficient in _terms(other).items():
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return Amount(terms)

    __radd__ = __add__

    def __neg__(self) -> Count:
        """Return the amount with every sign changed."""
        return Amount({m: -coefficient for m, coefficient in self.terms.items()})

    def __sub__(self, other: Count) -> Count:
        """Return the difference."""
        return self + -other

    def __rsub__(self, other: Count) -> Count:
        """Return the difference from a number or an expression."""
        return -self + other

    def __mul__(self, other: Count) -> Count:
        """Return the product; nothing times anything is plainly 0."""
        if isinstance(other, Amount):
            return Amount(_multiplied(self.terms, other.terms))
        if type(other) is int and other == 0:
            return 0
        return Amount({m: other * coefficient for m, coefficient in self.terms.items()})

    __rmul__ = __mul__


Count: TypeAlias = Dim | Amount
"""A number, an expression, or an amount that still has to become one."""


def product(factor: Dim, extents: Iterable[Extent]) -> Count:
    """Return a number or expression times extents; known ones are multiplied in."""
    unknown = []
    for extent in extents:
        if type(extent.base) is int:
            factor = factor * extent.base
        else:
            unknown.append(extent)
    return Amount({tuple(unknown): factor}) if unknown else factor


def amount(value: Dim) -> Count:
    """Return an expression over opaque extents as an amount: what a flattened map has.

    >>> from costmodel.algebra.symbols import H
    >>> amount(256 * Extent(H, 1, 2).atom).terms
    {(Extent(base=H, offset=1, stride=2),): 256}
    """
    if isinstance(value, int) or all(extent_of(s) is None for s in value.free_symbols):
        return value
    terms: dict[Monomial, Dim] = {}
    for term in sympy.Add.make_args(value):
        extents: list[Extent] = []
        coefficient: Dim = 1
        for factor in sympy.Mul.make_args(term):
            base, power = factor.as_base_exp()
            extent = extent_of(base)
            if extent is not None and power.is_Integer and power > 0:
                extents += [extent] * int(power)
            else:
                coefficient = as_dim(coefficient * factor)
        monomial = tuple(extents)
        terms[monomial] = terms.get(monomial, 0) + coefficient
    return Amount(terms)


def added(counts: Iterable[tuple[int, Count]], times: Dim = 1) -> Dim:
    """Return the sum of counts, each so many times, as one expanded expression.

    Every term is multiplied by ``times``, the batch.

    >>> from costmodel.algebra.symbols import H, W
    >>> area = product(9, (Extent(H, 1, 2), Extent(W)))
    >>> added([(2, area), (1, area * 4), (3, 5)])
    54*W*floor(H/2 + 1/2) + 15
    """
    numbers: dict[Monomial, int] = {(): 0}
    symbolic: dict[Monomial, list[sympy.Expr]] = {}
    for repeats, count in counts:
        if type(count) is int:
            numbers[()] += repeats * count
            continue
        for monomial, coefficient in _terms(count).items():
            if type(coefficient) is int:
                numbers[monomial] = numbers.get(monomial, 0) + repeats * coefficient
            else:
                symbolic.setdefault(monomial, []).append(repeats * coefficient)
    if not symbolic and not any(numbers) and type(times) is int:
        return times * numbers[()]
    whole = _sum_of(numbers, times)
    if not symbolic:
        return as_dim(whole)
    terms = [whole]
    for monomial, coefficients in symbolic.items():
        coefficient = resolve(sympy.Add(*coefficients))
        terms.append(sympy.expand(coefficient * _sum_of({monomial: 1}, times)))
    return as_dim(sympy.Add(*terms))


def _terms(count: Count) -> dict[Monomial, Dim]:
    return count.terms if isinstance(count, Amount) else {(): count}


def _multiplied(
    left: dict[Monomial, Dim], right: dict[Monomial, Dim]
) -> dict[Monomial, Dim]:
    terms: dict[Monomial, Dim] = {}
    for one, first in left.items():
        for other, second in right.items():
            terms[one + other] = terms.get(one + other, 0) + first * second
    return terms


@lru_cache(maxsize=4096)
def _expanded(
    monomial: Monomial, times: Dim
) -> tuple[tuple[sympy.Rational, tuple[sympy.Expr, ...]], ...]:
    """Return extents times the batch, multiplied out: a number and factors a term."""
    values = [sympy.sympify(extent.value) for extent in monomial]
    whole = sympy.Mul(times, *values)
    if any(value.is_Add for value in values):
        whole = sympy.expand(whole)
    parts = (term.as_coeff_Mul() for term in sympy.Add.make_args(whole))
    return tuple((number, sympy.Mul.make_args(rest)) for number, rest in parts)


def _sum_of(numbers: Mapping[Monomial, int], times: Dim) -> sympy.Expr:
    """Return Σ number · Π extents · times as sympy would write it.

    The products are in sympy's normal form already, and commute. Brought into sympy's
    order they are its sum, which it would otherwise take apart and look at anew.
    """
    found: dict[tuple[sympy.Expr, ...], sympy.Rational] = {}
    for monomial, number in numbers.items():
        for part, factors in _expanded(monomial, times):
            found[factors] = found.get(factors, 0) + number * part
    constant = found.pop(_NONE, 0)
    terms = [_term(number, factors) for factors, number in found.items() if number]
    terms.sort(key=cmp_to_key(sympy.Basic.compare))
    if constant:
        terms.insert(0, sympy.sympify(constant))
    return sympy.Add._from_args(terms, is_commutative=True)  # noqa: SLF001


def _term(number: sympy.Rational, factors: tuple[sympy.Expr, ...]) -> sympy.Expr:
    """Return a number times factors: the number first, the factors in their order."""
    given = factors if number == 1 else (number, *factors)
    return sympy.Mul._from_args(given, is_commutative=True)  # noqa: SLF001


_NONE = (sympy.S.One,)
"""The factors of a term that is a number."""

"""Pruning of a maximum of formulas: those proved never to be the largest are dropped.

A formula is a polynomial with numbers for coefficients; its extents of one integer
symbol are floors of lines, such as ⌊(H + 1)/2⌋.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.monomial import Monomial, number
from costmodel.algebra.polynomial import Polynomial
from costmodel.algebra.step_function import LONGEST_PERIOD


class Factors(NamedTuple):
    """The extents of a monomial that rise in one integer symbol, and all others."""

    lines: tuple[Extent, ...]
    rest: Monomial


def undominated(
    formulas: Sequence[Polynomial], least: Mapping[sympy.Symbol, int]
) -> list[int]:
    """Return the numbers of the formulas that may be the largest somewhere.

    One is left out where another is proved to be at least as large for every value of
    the symbols from ``least`` on (1 for those not named): first by comparing
    coefficients, then by the smallest ratios that monomials can have.
    """
    distinct = {formula: i for i, formula in reversed(list(enumerate(formulas)))}
    bound = _Bound(least)
    kept: list[int] = []
    for i in sorted(distinct.values(), key=lambda i: -sum(formulas[i].terms.values())):
        if not any(bound.covers(formulas[j], formulas[i]) for j in kept):
            kept.append(i)
    for i in sorted(kept, reverse=True):
        others = [j for j in kept if j != i]
        if any(bound.proves(formulas[j], formulas[i]) for j in others):
            kept = others
    return sorted(kept)


class _Bound:
    """Lower bounds of monomials and their ratios, for all values from the least on."""

    def __init__(self, least: Mapping[sympy.Symbol, int]) -> None:
        self.least = least
        self.ratio = cache(self._ratio)
        self.is_positive = cache(self._is_positive)

    def covers(self, large: Polynomial, small: Polynomial) -> bool:
        """Say whether large − small has no coefficient below 0."""
        more, less = large.terms, small.terms
        return all(count <= more.get(m, 0) for m, count in less.items()) and all(
            count >= less.get(m, 0) and self.is_positive(m)
            for m, count in more.items()
            if count != less.get(m, 0)
        )

    def proves(self, large: Polynomial, small: Polynomial) -> bool:
        """Say whether large − small is proved to be at least 0.

        A negative coefficient is covered by the surplus of larger monomials.
        """
        excess = (large - small).terms
        if not all(self.is_positive(monomial) for monomial in excess):
            return False
        spare = {m: Fraction(count) for m, count in excess.items() if count > 0}
        for monomial, count in excess.items():
            missing = Fraction(-count)
            ratios = ((self.ratio(other, monomial), other) for other in spare)
            # The nearest first: it can cover the least of what else is missing.
            for ratio, other in sorted(ratios, key=lambda pair: pair[0]):
                if missing <= 0:
                    break
                if ratio > 0:
                    used = min(spare[other], missing / ratio)
                    spare[other] -= used
                    missing -= used * ratio
            if missing > 0:
                return False
        return True

    def _is_positive(self, monomial: Monomial) -> bool:
        """Say whether a monomial is known never to be below 0."""
        lines, rest = split(monomial)
        values = (self._least_value(line) for line in lines)
        return all(value >= 0 for value in values) and all(
            sympy.sympify(extent.value).is_nonnegative for extent in rest
        )

    def _ratio(self, over: Monomial, under: Monomial) -> Fraction:
        """Return a lower bound of over/under; 0 if none is known."""
        one, other = split(over), split(under)
        if one.rest != other.rest:
            return Fraction(0)
        bound = Fraction(1)
        for symbol in dict.fromkeys(symbol_of(x) for x in one.lines + other.lines):
            ours, theirs = (
                sorted((x for x in m.lines if symbol_of(x) == symbol), key=_rate)
                for m in (one, other)
            )
            if len(ours) < len(theirs):
                return Fraction(0)
            for line in ours[len(theirs) :]:
                bound *= self._least_value(line)
            for line, less in zip(ours, theirs):
                bound *= _least_ratio(line, less, self.least.get(symbol, 1))
        return bound

    def _least_value(self, line: Extent) -> int:
        return at(line, self.least.get(symbol_of(line), 1))


@cache
def _least_ratio(over: Extent, under: Extent, least: int) -> Fraction:
    """Return the infimum of over/under: at the first point of a class, or in the limit.

    On a residue class both are lines, and their ratio is monotone. Of neighbouring
    points at which one of both lines stays the same, one is enough: the first if that
    is ``under``, the last if it is ``over``. It is 0 where both rise too often.
    """
    last = least + math.lcm(over.stride, under.stride) - 1
    rises = [at(x, last) - at(x, least) for x in (over, under)]
    if min(rises) > LONGEST_PERIOD:
        return Fraction(0)
    points = {least, last}
    if rises[1] <= rises[0]:
        points |= set(_rises(under, least, last))
    else:
        points |= {x - 1 for x in _rises(over, least, last)}
    far = _rate(over) / _rate(under)
    return min(far, *(Fraction(at(over, x), max(at(under, x), 1)) for x in points))


def _rises(line: Extent, first: int, last: int) -> Iterator[int]:
    """Give the points behind the first at which ⌊(a·x + c)/s⌋ has risen."""
    slope = int(sympy.sympify(line.base).as_coeff_Mul()[0])
    for value in range(at(line, first) + 1, at(line, last) + 1):
        yield -((line.offset - value * line.stride) // slope)


@cache
def split(monomial: Monomial) -> Factors:
    """Return the extents of a monomial that are lines, and the others."""
    lines = tuple(extent for extent in monomial if symbol_of(extent) is not None)
    return Factors(lines, Monomial(e for e in monomial if symbol_of(e) is None))


@cache
def symbol_of(extent: Extent) -> sympy.Symbol | None:
    """Return the whole symbol x of an extent ⌊(a·x + c)/s⌋ with a > 0, if it is that.

    >>> from costmodel.algebra.symbols import H, W
    >>> symbol_of(Extent(3 * H, 1, 2)), symbol_of(Extent(H * W, 1, 2))
    (H, None)
    """
    slope, symbol = sympy.sympify(extent.base).as_coeff_Mul()
    is_whole = symbol.is_Symbol and symbol.is_integer and symbol.is_positive
    is_line = type(extent.offset) is type(extent.stride) is int
    return symbol if is_whole and is_line and slope.is_Integer and slope > 0 else None


def at(line: Extent, value: int) -> int:
    """Return the value of a line at a value of its symbol."""
    return number(line, {symbol_of(line): value})


def _rate(line: Extent) -> Fraction:
    """Return the slope of a line in the long run."""
    return Fraction(at(line, line.stride) - at(line, 0), line.stride)

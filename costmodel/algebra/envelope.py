"""Which of several formulas may be the largest: the others are proved to be smaller.

A formula is a sum of monomials with exact coefficients, their factors floors of lines
such as ⌊(H + 1)/2⌋.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import NamedTuple, TypeAlias

import sympy

from costmodel.algebra.symbols import Dim


Terms: TypeAlias = Mapping[sympy.Expr, int | Fraction]
"""A formula: coefficients by monomial."""


class Line(NamedTuple):
    """⌊(slope·symbol + offset)/divisor⌋, in whole numbers."""

    symbol: sympy.Symbol
    slope: int
    offset: int
    divisor: int

    def rate(self) -> Fraction:
        """Return how fast the line grows."""
        return Fraction(self.slope, self.divisor)

    def at(self, value: int) -> int:
        """Return the line's whole part at a value of its symbol."""
        return (self.slope * value + self.offset) // self.divisor


class Monomial(NamedTuple):
    """A product of lines, and of whatever else there is."""

    lines: tuple[Line, ...]
    rest: sympy.Expr


def terms(formula: Dim) -> dict[sympy.Expr, int | Fraction]:
    """Return a count's coefficients by monomial.

    >>> from costmodel.algebra.symbols import H, N
    >>> terms(N * (3 * H + 2))
    {N: 2, H*N: 3}
    """
    if type(formula) is int:
        return {sympy.S.One: formula}
    parts = sympy.Add.make_args(sympy.expand(formula))
    found = {}
    for coefficient, monomial in (part.as_coeff_Mul() for part in parts):
        whole = coefficient.is_Integer
        found[monomial] = (
            int(coefficient) if whole else Fraction(coefficient.p, coefficient.q)
        )
    return found


def undominated(
    formulas: Sequence[Terms], least: Mapping[sympy.Symbol, int]
) -> list[int]:
    """Return the numbers of the formulas that are the largest somewhere, perhaps.

    One is left out where another is proved to be at least as large for every value of
    the symbols from ``least`` on (1 for those not named): first by comparing
    coefficients, then by the smallest ratios that monomials can have.
    """
    distinct = {frozenset(formula.items()): i for i, formula in
                reversed(list(enumerate(formulas)))}  # fmt: skip
    bound = _Bound(least)
    kept: list[int] = []
    for i in sorted(distinct.values(), key=lambda i: -sum(formulas[i].values())):
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

    def covers(self, large: Terms, small: Terms) -> bool:
        """Say whether large − small has no coefficient below 0."""
        return all(count <= large.get(m, 0) for m, count in small.items()) and all(
            count >= small.get(m, 0) and self.is_positive(m)
            for m, count in large.items()
            if count != small.get(m, 0)
        )

    def proves(self, large: Terms, small: Terms) -> bool:
        """Say whether large − small is proved to be at least 0.

        What is missing of a monomial is covered by what larger ones have to spare.
        """
        names = dict.fromkeys([*large, *small])
        excess = {m: large.get(m, 0) - small.get(m, 0) for m in names}
        if not all(self.is_positive(m) for m, count in excess.items() if count):
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

    def _is_positive(self, monomial: sympy.Expr) -> bool:
        """Say whether a monomial is known never to be below 0."""
        lines, rest = split(monomial)
        values = (line.at(self.least.get(line.symbol, 1)) for line in lines)
        return bool(rest.is_nonnegative) and all(value >= 0 for value in values)

    def _ratio(self, over: sympy.Expr, under: sympy.Expr) -> Fraction:
        """Return a number that over/under never goes below; 0 if there is none."""
        one, other = split(over), split(under)
        if one.rest != other.rest:
            return Fraction(0)
        bound = Fraction(1)
        for symbol in dict.fromkeys(line.symbol for line in one.lines + other.lines):
            ours, theirs = (
                sorted((x for x in m.lines if x.symbol == symbol), key=Line.rate)
                for m in (one, other)
            )
            if len(ours) < len(theirs):
                return Fraction(0)
            least = self.least.get(symbol, 1)
            for line in ours[len(theirs) :]:
                bound *= line.at(least)
            for line, less in zip(ours, theirs):
                bound *= _least_ratio(line, less, least)
        return bound


@cache
def _least_ratio(over: Line, under: Line, least: int) -> Fraction:
    """Return the infimum of over/under: at the first point of a class, or far out.

    On a residue class both are lines, and their ratio goes one way.
    """
    period = math.lcm(over.divisor, under.divisor)
    far = over.rate() / under.rate()
    points = range(least, least + period)
    return min(far, *(Fraction(over.at(x), max(under.at(x), 1)) for x in points))


@cache
def split(monomial: sympy.Expr) -> Monomial:
    """Return a monomial's lines in whole symbols, and the rest of its factors."""
    lines: list[Line] = []
    rest = []
    for factor in sympy.Mul.make_args(monomial):
        base, power = factor.as_base_exp()
        line = _line(base)
        if line is not None and power.is_Integer and power > 0:
            lines += [line] * int(power)
        else:
            rest.append(factor)
    return Monomial(tuple(lines), sympy.Mul(*rest))


def _line(factor: sympy.Expr) -> Line | None:
    """Return a factor as ⌊(a·x + b)/d⌋ of one whole symbol x, if it is that."""
    inside = factor.args[0] if isinstance(factor, sympy.floor) else factor
    if len(inside.free_symbols) != 1:
        return None
    (symbol,) = inside.free_symbols
    slope = inside.coeff(symbol)
    offset = sympy.expand(inside - slope * symbol)
    whole = symbol.is_integer and symbol.is_positive
    if not (whole and slope.is_Rational and offset.is_Rational):
        return None
    divisor = math.lcm(int(slope.q), int(offset.q))
    if slope <= 0 or (divisor != 1 and inside is factor):
        return None
    return Line(symbol, int(slope * divisor), int(offset * divisor), divisor)

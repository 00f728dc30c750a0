"""Which values of a symbol are legal: multiples of a step, or plateaus of roundings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, product, takewhile
from math import gcd, lcm, prod

import sympy

from costmodel.algebra.rounding import rounded
from costmodel.errors import CostModelError


_MOST_PIECES = 1_000_000


@dataclass(frozen=True, slots=True)
class Piece:
    """Values from ``low`` to ``high`` without the ends, or the one where both agree."""

    low: Fraction
    high: Fraction

    @property
    def inside(self) -> Fraction:
        """A value of the piece."""
        return (self.low + self.high) / 2

    @property
    def simplest(self) -> Fraction:
        """The value of least denominator.

        >>> Piece(Fraction(5, 7), Fraction(4, 5)).simplest
        Fraction(3, 4)
        """
        return self.low if self.low == self.high else _simplest(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Multiples:
    """The multiples of a step, from one of them on, without an end.

    >>> Multiples(Fraction(1, 32), first=4)[2].simplest
    Fraction(3, 16)
    """

    step: Fraction
    first: int

    def __getitem__(self, number: int) -> Piece:
        """Return a multiple; the first has the number 0."""
        value = self.step * (self.first + number)
        return Piece(value, value)


def simplest(run: Iterable[Piece]) -> Fraction:
    """Return the value of least denominator in neighbouring pieces.

    >>> ends = [Fraction(2, 3), Fraction(3, 4), Fraction(4, 5)]
    >>> simplest([Piece(ends[0], ends[1]), Piece(ends[1], ends[1])])
    Fraction(3, 4)
    """
    return min((piece.simplest for piece in run), key=lambda x: (x.denominator, x))


def common_multiple(steps: Iterable[Fraction]) -> Fraction:
    """Return the least number that is a multiple of every step.

    >>> common_multiple([Fraction(1, 4), Fraction(1, 6)])
    Fraction(1, 2)
    """
    steps = list(steps)
    return Fraction(
        lcm(*(step.numerator for step in steps)),
        gcd(*(step.denominator for step in steps)),
    )


def step_of(
    query: str, formulas: Iterable[sympy.Expr], symbol: sympy.Symbol
) -> Fraction | None:
    """Return the step of which a real symbol is a multiple where counts are whole.

    Every term of every formula has to come out whole: 32·α asks for multiples of
    1/32, and 2048·α² too. Roundings and other integers are left aside, so that the
    step holds for all their values; None where the symbol stands only inside of them.

    >>> from costmodel.algebra.symbols import N, alpha
    >>> step_of("largest", [2048 * N * alpha**2 + 864 * N * alpha], alpha)
    Fraction(1, 32)
    """
    steps = [
        _term_step(query, term, symbol)
        for formula in formulas
        for term in sympy.Add.make_args(sympy.expand(_opaque(formula, symbol)))
        if symbol in term.free_symbols
    ]
    return common_multiple(steps) if steps else None


def _opaque(formula: sympy.Expr, symbol: sympy.Symbol) -> sympy.Expr:
    """Return the formula with every rounding that has the symbol as one integer."""
    return formula.xreplace(
        {
            part: sympy.Dummy(positive=True, integer=True)
            for part in _roundings(formula, symbol)
        }
    )


def _roundings(formula: sympy.Expr, symbol: sympy.Symbol) -> list[sympy.Expr]:
    """Return the functions of the symbol whose values are whole numbers."""
    return [
        part
        for part in formula.atoms(sympy.Function)
        if part.is_integer and symbol in part.free_symbols
    ]


def _term_step(query: str, term: sympy.Expr, symbol: sympy.Symbol) -> Fraction:
    """Return the least s for which c·xⁿ is whole exactly where x is a multiple of s."""
    number, rest = term.as_coeff_Mul()
    power = 0
    for factor in sympy.Mul.make_args(rest):
        base, exponent = factor.as_base_exp()
        if base == symbol and exponent.is_Integer and exponent > 0:
            power = int(exponent)
        elif symbol in factor.free_symbols or not factor.is_integer:
            raise CostModelError(
                f"{query}: {term} does not tell which {symbol} are legal; give step"
            )
    # With v the power of a prime in c, x needs −⌊v/n⌋ of it at least.
    return prod(
        (Fraction(p) ** -(v // power) for p, v in sympy.factorrat(number).items()
         if p > 0), start=Fraction(1),
    )  # fmt: skip


def pieces(
    query: str, formulas: Iterable[sympy.Expr], symbol: sympy.Symbol, high: Fraction
) -> list[Piece]:
    """Return the pieces from 0 to ``high`` on which all roundings are constant.

    Ends and insides alternate: at an end itself a rounding may go either way.

    >>> from costmodel.algebra.symbols import alpha
    >>> halves = pieces("largest", [sympy.floor(2 * alpha)], alpha, Fraction(1))
    >>> [str(piece.simplest) for piece in halves]
    ['1/3', '1/2', '2/3', '1']
    """
    ends = {high}
    for formula in formulas:
        for rounding in _roundings(formula, symbol):
            ends.update(_ends(query, rounding, symbol, high))
    ordered = sorted(ends)
    result = []
    for low, end in zip([Fraction(0), *ordered], ordered):
        result += [Piece(low, end), Piece(end, end)]
    return result


def _ends(
    query: str, rounding: sympy.Expr, symbol: sympy.Symbol, high: Fraction
) -> Iterator[Fraction]:
    """Give where a rounding may change; more of them do no harm.

    What is rounded has to be a·x + b, for each side that Max and Min may take; a
    rounding inside of it changes at ends of its own.
    """
    rounds = rounded(rounding)
    units = () if rounds is None else rounds.units
    inner = sympy.Add(*rounding.args) if rounds is None else rounds.law
    for line in _lines(_opaque(inner, symbol)):
        slope = line.coeff(symbol, 1)
        start = sympy.expand(line - slope * symbol)
        if symbol not in line.free_symbols:
            continue
        told = units and all(unit.is_Rational for unit in units)
        if not (told and slope.is_Rational and start.is_Rational and slope > 0):
            raise CostModelError(
                f"{query}: {rounding} does not tell which {symbol} are legal; give step"
            )
        for unit in units:
            if slope * high > _MOST_PIECES * unit:
                raise CostModelError(
                    f"{query}: {rounding} changes too often up to {high}; give step"
                )
            yield from _multiples(
                Fraction(unit), Fraction(slope), Fraction(start), high
            )


def _multiples(
    unit: Fraction, slope: Fraction, start: Fraction, high: Fraction
) -> Iterator[Fraction]:
    """Give the x up to ``high`` at which slope·x + start is a multiple of the unit."""
    first = start // unit + 1
    values = ((unit * n - start) / slope for n in count(int(first)))
    return takewhile(lambda x: x <= high, values)


def _lines(formula: sympy.Expr) -> Iterator[sympy.Expr]:
    """Give a formula once for each side that its Max and Min may take."""
    turns = list(formula.atoms(sympy.Max, sympy.Min))
    for sides in product(*(turn.args for turn in turns)):
        yield sympy.expand(formula.xreplace(dict(zip(turns, sides))))


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """Return the fraction of least denominator between two, by continued fractions."""
    whole = low // 1
    if whole + 1 < high:
        return Fraction(whole + 1)
    if low == whole:
        return whole + Fraction(1, 1 / (high - whole) // 1 + 1)
    return whole + 1 / _simplest(1 / (high - whole), 1 / (low - whole))

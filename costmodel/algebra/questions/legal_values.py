"""The legal values of a symbol: multiples of a step, or plateaus of roundings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, pairwise, product, takewhile

import sympy

from costmodel.algebra.code.numpy_code import exactly
from costmodel.algebra.questions.legal_step import opaque, roundings
from costmodel.algebra.questions.monotone import direction
from costmodel.algebra.rounding import rounded
from costmodel.algebra.symbols import Dim, expand
from costmodel.errors import CostModelError


Interval = tuple[Fraction, Fraction]

FARTHEST = 2**64
"""The search for a legal value ends here."""

_MOST_PIECES = 1_000_000


@dataclass(frozen=True, slots=True)
class LegalValues:
    """A lazy sequence of values of a symbol from 0 on: multiples of a step, or pieces.

    On a piece all roundings are constant: between two ends, or at an end itself, where
    a rounding may go either way; one value represents it. A value is computed when it
    is first used.

    >>> multiples(Fraction(1, 32), None)[5]
    Fraction(3, 16)
    """

    piece: Callable[[int], Interval]
    """An open interval, or a single value if both ends agree."""
    count: int | None
    """The number of values; None if there is no last one."""
    step: Fraction | None
    """The number of which all are multiples; None for pieces."""

    def __getitem__(self, number: int) -> Fraction:
        """Return a multiple, or a value in the middle of a piece."""
        low, high = self.piece(number)
        return (low + high) / 2

    def since(self, start: int) -> LegalValues:
        """Return the values from number ``start`` on."""
        count = None if self.count is None else self.count - start
        return LegalValues(lambda k: self.piece(start + k), count, self.step)

    def plateau(
        self, number: int, cost: Callable[[int], Dim]
    ) -> tuple[Fraction, Interval | None]:
        """Return the simplest value of equal cost around a piece, and their bounds.

        A multiple is returned itself, whatever its neighbours cost.
        """
        if self.step is not None:
            return self[number], None
        first, last, own = number, number, cost(number)
        while first > 0 and cost(first - 1) == own:
            first -= 1
        while self.count and last + 1 < self.count and cost(last + 1) == own:
            last += 1
        run = [self.piece(k) for k in range(first, last + 1)]
        values = (simplest(low, high) for low, high in run)
        value = min(values, key=lambda x: (x.denominator, x))
        return value, (run[0][0], run[-1][1])


def multiples(step: Fraction, upto: Fraction | None) -> LegalValues:
    """Return the positive multiples of a step, up to a number if one is given."""
    count = None if upto is None else int(upto // step)
    return LegalValues(lambda k: (step * (k + 1), step * (k + 1)), count, step)


def pieces(ends: Iterable[Fraction]) -> LegalValues:
    """Return the intervals between ends from 0 to the last one, and the ends.

    >>> halves = pieces([Fraction(1, 2), Fraction(1)])
    >>> [str(halves[number]) for number in range(4)]
    ['1/4', '1/2', '3/4', '1']
    """
    parts = [p for low, high in pairwise([Fraction(0), *ends])
             for p in ((low, high), (high, high))]  # fmt: skip
    return LegalValues(parts.__getitem__, len(parts), None)


def legal_values(
    query: str, formula: sympy.Expr, symbol: sympy.Symbol, whole: list[sympy.Expr],
    step: Fraction | None, upto: Fraction | None,
) -> LegalValues:  # fmt: skip
    """Return the legal values of a formula's symbol, up to a number if one is given.

    They are the multiples of ``step``, or the pieces of the formula's roundings, from
    where everything in ``whole`` is 1 or more. Without ``whole``, the floors of the
    formula take its place.

    >>> from costmodel.algebra.symbols import H
    >>> legal_values("largest", sympy.floor(H / 3), H, [], Fraction(1), None)[0]
    Fraction(3, 1)
    """
    if step is not None:
        legal = multiples(step, upto)
    else:
        legal = pieces(_ends(query, formula, symbol, upto or Fraction(1)))
    rising = [
        exactly(part, [symbol])
        for part in whole or formula.atoms(sympy.floor)
        if direction(part, symbol) == 1
    ]
    start = first_number(
        lambda k: all(counted(legal[k]) >= 1 for counted in rising), legal.count
    )
    if start is None:
        raise CostModelError(f"{query}: no {symbol} is legal")
    if start == legal.count:
        raise CostModelError(f"{query}: no {symbol} up to {upto} is legal")
    return legal.since(start)


def first_number(holds: Callable[[int], bool], count: int | None) -> int | None:
    """Return the first number from which on something holds, ``count`` if none is.

    Without a count, numbers are doubled until it holds; None if no number is found.

    >>> first_number(lambda number: number**2 > 2000, None)
    45
    """
    low, high = 0, 1 if count is None else count
    while count is None and not holds(high - 1):
        low, high = high, 2 * high
        if high > FARTHEST:
            return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _ends(
    query: str, formula: sympy.Expr, symbol: sympy.Symbol, high: Fraction
) -> list[Fraction]:
    """Return where roundings may change up to a number, and that number."""
    ends = {high}
    for rounding in roundings(formula, symbol):
        ends.update(_changes(query, rounding, symbol, high))
    return sorted(ends)


def _changes(
    query: str, rounding: sympy.Expr, symbol: sympy.Symbol, high: Fraction
) -> Iterator[Fraction]:
    """Give values at which a rounding may change; superfluous ones do no harm.

    The argument of a rounding has to be a·x + b, for each operand of Max and Min;
    a rounding nested in it changes at ends of its own.
    """
    rounds = rounded(rounding)
    units = () if rounds is None else rounds.units
    inner = sympy.Add(*rounding.args) if rounds is None else rounds.law
    for line in _lines(opaque(inner, symbol)):
        if symbol not in line.free_symbols:
            continue
        slope = line.coeff(symbol, 1)
        start = expand(line - slope * symbol)
        is_told = all(number.is_Rational for number in (slope, start, *units))
        if not (units and is_told and slope > 0):
            raise CostModelError(
                f"{query}: {rounding} does not tell which {symbol} are legal; give step"
            )
        for unit in units:
            if slope * high > _MOST_PIECES * unit:
                raise CostModelError(
                    f"{query}: {rounding} changes too often up to {high}; give step"
                )
            yield from _crossings(
                Fraction(unit), Fraction(slope), Fraction(start), high
            )


def _crossings(
    unit: Fraction, slope: Fraction, start: Fraction, high: Fraction
) -> Iterator[Fraction]:
    """Give the x up to ``high`` at which slope·x + start is a multiple of the unit."""
    first = start // unit + 1
    values = ((unit * n - start) / slope for n in count(int(first)))
    return takewhile(lambda x: x <= high, values)


def _lines(formula: sympy.Expr) -> Iterator[sympy.Expr]:
    """Give a formula once for each choice of operands of its Max and Min."""
    turns = list(formula.atoms(sympy.Max, sympy.Min))
    for sides in product(*(turn.args for turn in turns)):
        yield expand(formula.xreplace(dict(zip(turns, sides))))


def simplest(low: Fraction, high: Fraction) -> Fraction:
    """Return the fraction of least denominator between two, by continued fractions.

    The bounds are excluded unless they are equal.

    >>> simplest(Fraction(5, 7), Fraction(4, 5))
    Fraction(3, 4)
    """
    if low == high:
        return low
    whole = low // 1
    if whole + 1 < high:
        return Fraction(whole + 1)
    if low == whole:
        return whole + Fraction(1, 1 / (high - whole) // 1 + 1)
    return whole + 1 / simplest(1 / (high - whole), 1 / (low - whole))

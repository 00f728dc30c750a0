"""The intervals of one symbol on which each of several formulas is the largest.

On every residue class of H a floor such as ⌊(H + 1)/2⌋ is a line, and a formula a
polynomial; all points where two of them cross are found exactly, in whole numbers.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, zip_longest
from typing import NamedTuple

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.monomial import Monomial
from costmodel.algebra.polynomial import Polynomial
from costmodel.algebra.questions.upper_envelope import at, split, symbol_of
from costmodel.algebra.step_function import LONGEST_PERIOD, UndecidedError
from costmodel.errors import CostModelError


class LeaderInterval(NamedTuple):
    """From ``first`` to ``last`` (None: no upper bound) one formula is the largest.

    ``largest`` has several numbers where, in a long interval, formulas alternate.
    """

    first: int
    last: int | None
    largest: tuple[int, ...]


def leader_intervals(
    formulas: Sequence[Polynomial], symbol: sympy.Symbol, least: int
) -> list[LeaderInterval]:
    """Return where each formula of an integer symbol is the largest, from ``least`` on.

    Where several are equally large, the first of them counts.

    >>> from costmodel.algebra.count import polynomial
    >>> from costmodel.algebra.symbols import H
    >>> formulas = [polynomial(formula) for formula in (5 * H, H**2, 30)]
    >>> for found in leader_intervals(formulas, H, 1):
    ...     print(found.first, found.last, found.largest)
    1 5 (2,)
    6 None (1,)
    """
    scale = math.lcm(*(n.denominator for f in formulas for n in f.terms.values()))
    products = [
        [(int(n * scale), _lines_of(m, symbol)) for m, n in formula.terms.items()]
        for formula in formulas
    ]
    period = math.lcm(*(line.stride for p in products for _, ls in p for line in ls))
    if period > LONGEST_PERIOD:
        raise UndecidedError(
            f"crossovers: sizes repeat themselves after {period} of {symbol} only"
        )
    leaders = [
        _leaders([_polynomial(product, start, period) for product in products])
        for start in range(least, least + period)
    ]
    changes = {least} | {
        least + place + period * turn
        for place, found in enumerate(leaders)
        for turn, _ in found
        if turn
    }

    def leader(value: int) -> int:
        turn, place = divmod(value - least, period)
        return next(who for q, who in reversed(leaders[place]) if q <= turn)

    return _joined(_pieces(sorted(changes), period, leader))


def _pieces(
    changes: list[int], period: int, leader: Callable[[int], int]
) -> Iterator[LeaderInterval]:
    """Cut at every change; value by value unless the piece is long."""
    for first, after in zip(changes, [*changes[1:], None]):
        beyond = first + period if after is None else min(after, first + period)
        who = [leader(value) for value in range(first, beyond)]
        everyone = tuple(sorted(set(who)))
        last = None if after is None else after - 1
        if len(everyone) == 1 or beyond != after:
            yield LeaderInterval(first, last, everyone)
        else:
            for value, one in enumerate(who, start=first):
                yield LeaderInterval(value, value, (one,))


def _joined(pieces: Iterable[LeaderInterval]) -> list[LeaderInterval]:
    """Join neighbours with the same leaders."""
    found: list[LeaderInterval] = []
    for piece in pieces:
        if found and found[-1].largest == piece.largest:
            found[-1] = found[-1]._replace(last=piece.last)
        else:
            found.append(piece)
    return found


def _lines_of(monomial: Monomial, symbol: sympy.Symbol) -> tuple[Extent, ...]:
    """Return a monomial's lines; everything has to be one in this symbol."""
    lines, rest = split(monomial)
    if rest or any(symbol_of(line) != symbol for line in lines):
        formula = Polynomial({monomial: 1}).value
        raise CostModelError(
            f"crossovers: {formula} is not a product of floors of whole multiples of "
            f"{symbol}"
        )
    return lines


def _polynomial(
    product: Sequence[tuple[int, tuple[Extent, ...]]], start: int, period: int
) -> list[int]:
    """Return the coefficients in q of a formula at the points start + period·q."""
    total: list[int] = [0]
    for count, lines in product:
        found = [count]
        for line in lines:
            step = at(line, start + period) - at(line, start)
            found = _multiplied(found, at(line, start), step)
        total = [a + b for a, b in zip_longest(total, found, fillvalue=0)]
    return total


def _multiplied(polynomial: list[int], constant: int, slope: int) -> list[int]:
    """Return the polynomial times (constant + slope·q)."""
    low = [constant * value for value in polynomial] + [0]
    high = [0] + [slope * value for value in polynomial]
    return [sum(pair) for pair in zip(low, high)]


def _value(polynomial: Sequence[int], point: int) -> int:
    """Return the polynomial's value, by Horner's rule."""
    value = 0
    for coefficient in reversed(polynomial):
        value = value * point + coefficient
    return value


def _leaders(polynomials: list[list[int]]) -> list[tuple[int, int]]:
    """Return (q, number) where another polynomial becomes the largest, from 0 on."""
    points = {0}
    for one, other in combinations(polynomials, 2):
        pairs = zip_longest(one, other, fillvalue=0)
        points.update(_sign_changes([a - b for a, b in pairs]))
    found: list[tuple[int, int]] = []
    for point in sorted(points):
        values = [_value(polynomial, point) for polynomial in polynomials]
        leader = values.index(max(values))
        if not found or found[-1][1] != leader:
            found.append((point, leader))
    return found


def _sign_changes(polynomial: list[int]) -> list[int]:
    """Return each q > 0 where the sign differs from that at q − 1.

    Where the differences p(q + 1) − p(q) keep their sign, p is monotone, and changes
    its sign twice at most: to zero, and beyond.
    """
    while polynomial and polynomial[-1] == 0:
        polynomial = polynomial[:-1]
    if len(polynomial) < 2:
        return []
    degree = len(polynomial) - 1
    differences = [
        sum(polynomial[k] * math.comb(k, j) for k in range(j + 1, degree + 1))
        for j in range(degree)
    ]
    turns = [0, *_sign_changes(differences)]
    found: list[int] = []
    for start, end in zip(turns, [*turns[1:], None]):
        found += _changes_between(polynomial, start, end)
    return found


def _changes_between(polynomial: list[int], start: int, end: int | None) -> list[int]:
    """Return where the sign changes on an interval on which the polynomial is monotone.

    An open end is found by doubling: there the sign is the highest coefficient's.
    """

    def sign(point: int) -> int:
        value = _value(polynomial, point)
        return (value > 0) - (value < 0)

    if end is None:
        final, length = (polynomial[-1] > 0) - (polynomial[-1] < 0), 1
        while sign(start + length) != final:
            length *= 2
        end = start + length
    found, before = [], sign(start)
    while sign(end) != before:
        place = bisect_left(range(start, end), True, key=lambda q: sign(q) != before)
        start += place
        before = sign(start)
        found.append(start)
    return found

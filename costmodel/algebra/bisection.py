"""A formula on numbered legal values of its symbol: bisected, or tried one by one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import sympy

from costmodel.algebra.evaluation import exactly
from costmodel.algebra.legal import Multiples, Piece, simplest
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.errors import CostModelError


FARTHEST = 2**64
"""Legal values up to here are looked at before a formula counts as bounded."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The last legal value on one side of a budget, and the next one beyond it."""

    symbol: sympy.Symbol
    value: Dim
    """The largest, or smallest, legal value."""
    cost: Dim
    """The formula there, exactly."""
    beyond: Dim | None
    """The next legal value, on the budget's other side; None where there is none."""
    beyond_cost: Dim | None
    """The formula there."""
    step: Dim | None
    """The number of which legal values are multiples; None on plateaus."""
    interval: tuple[Dim, Dim] | None
    """The plateau: between which values the cost is the same by rounding, or None."""

    def __str__(self) -> str:
        """Write both values with their costs."""
        text = f"{self.symbol} = {self.value}: {shown(self.cost)}"
        if self.interval:
            text += f" (the same from {self.interval[0]} to {self.interval[1]})"
        if self.beyond is None:
            return text
        return f"{text}; at {self.beyond} it is {shown(self.beyond_cost)}"


_LONGEST_DENOMINATOR = 10**4
"""Fractions of larger ones are written as decimals: nobody reads them otherwise."""


def shown(value: Dim | None) -> str:
    """Write a number exactly; seconds, whose fractions are long, in six digits.

    >>> shown(3), shown(sympy.Rational(3, 4)), shown(sympy.Rational(1, 10**7))
    ('3', '3/4', '1e-07')
    """
    if isinstance(value, sympy.Rational) and value.q > _LONGEST_DENOMINATOR:
        return f"{float(value):.6g}"
    return str(value)


@dataclass(frozen=True, slots=True)
class Query:
    """A formula on the legal values of its symbol, which are numbered from 0."""

    name: str
    symbol: sympy.Symbol
    budget: Dim
    legal: Multiples | list[Piece]
    function: Callable[[Fraction], Dim]
    count: int | None
    rises: bool
    sizes: list[sympy.Expr]

    def cost(self, number: int) -> Dim:
        """Return the formula at a legal value."""
        return self.function(self.legal[number].inside)

    def last_within(self) -> int:
        """Return the last value within the budget, or −1."""
        if self.rises:
            return self._bisected(lambda cost: bool(cost > self.budget)) - 1
        tried = range(self.count or 0)
        return max((k for k in tried if self.cost(k) <= self.budget), default=-1)

    def first_reaching(self) -> int:
        """Return the first value that reaches the goal, or how many there are."""
        if self.rises:
            return self._bisected(lambda cost: bool(cost >= self.budget))
        tried = range(self.count or 0)
        return next((k for k in tried if self.cost(k) >= self.budget), len(tried))

    def _bisected(self, is_beyond: Callable[[Dim], bool]) -> int:
        """Return the first value beyond, of costs that rise."""
        high = 1 if self.count is None else self.count
        while self.count is None and not is_beyond(self.cost(high - 1)):
            high *= 2
            if high > FARTHEST:
                raise CostModelError(
                    f"{self.name}: still {self.where(high)}; "
                    f"no {self.symbol} goes beyond {shown(self.budget)}"
                )
        return bisect_left(range(high), 1, key=lambda k: is_beyond(self.cost(k)))

    def answer(self, chosen: int, beyond: int) -> Limit:
        """Return a legal value and the next one beyond, if there is one."""
        self._check(self.legal[chosen].inside)
        run = self._run(chosen)
        low, high = as_dim(run[0].low), as_dim(run[-1].high)
        is_there = beyond >= 0 and (self.count is None or beyond < self.count)
        return Limit(
            self.symbol,
            as_dim(simplest(run)),
            self.cost(chosen),
            as_dim(simplest(self._run(beyond))) if is_there else None,
            self.cost(beyond) if is_there else None,
            as_dim(self.legal.step) if isinstance(self.legal, Multiples) else None,
            None if isinstance(self.legal, Multiples) else (low, high),
        )

    def _run(self, number: int) -> list[Piece]:
        """Return the neighbours of one legal value at which the cost is the same."""
        if isinstance(self.legal, Multiples):
            return [self.legal[number]]
        first, last, cost = number, number, self.cost(number)
        while first > 0 and self.cost(first - 1) == cost:
            first -= 1
        while last + 1 < len(self.legal) and self.cost(last + 1) == cost:
            last += 1
        return self.legal[first : last + 1]

    def _check(self, value: Fraction) -> None:
        """Say so if a size that has to be a positive whole number is none."""
        for size in self.sizes:
            found = exactly(size, [self.symbol])(value)
            if type(found) is not int or found < 1:
                raise CostModelError(
                    f"{self.name}: {self.symbol} = {as_dim(value)} would be the "
                    f"answer, but {size} is {found} there"
                )

    def where(self, number: int) -> str:
        """Say what the formula is at a legal value."""
        value = as_dim(self.legal[number].simplest)
        return f"{shown(self.cost(number))} at {self.symbol} = {value}"

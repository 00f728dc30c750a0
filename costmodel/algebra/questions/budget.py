"""Inverse queries: the largest value within a budget, the smallest reaching a goal.

Floors have no inverse, so no equation is solved. The exact formula is evaluated at
legal values only, by bisection where it is proved to rise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import sympy

from costmodel.algebra.checks import (
    bound,
    formula_of,
    limit_of,
    positive,
    symbol_of,
    values_of,
)
from costmodel.algebra.code.numpy_code import exactly
from costmodel.algebra.questions.legal_step import legal_step
from costmodel.algebra.questions.legal_values import (
    FARTHEST,
    LegalValues,
    first_number,
    legal_values,
)
from costmodel.algebra.questions.monotone import direction
from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.errors import CostModelError


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
    """The plateau: bounds of the values that round to the same cost, or None."""

    def __str__(self) -> str:
        """Write both values with their costs."""
        text = f"{self.symbol} = {self.value}: {shown(self.cost)}"
        if self.interval:
            text += f" (the same from {self.interval[0]} to {self.interval[1]})"
        if self.beyond is None:
            return text
        return f"{text}; at {self.beyond} it is {shown(self.beyond_cost)}"


def largest(
    expression: Dim,
    symbol: sympy.Symbol,
    budget: object,
    *,
    at: Mapping[Any, object] | None = None,
    whole: Iterable[Dim] = (),
    step: object = None,
    upto: object = None,
) -> Limit:
    """Return the largest legal x with f(x) ≤ budget, on the exact formula.

    ``at`` gives the other symbols' values, possibly in terms of x, as in {W: H}.
    Legal values of an integer symbol are whole numbers; of a real one, such as α, those
    at which everything in ``whole`` is a positive whole number: ``tensor_sizes`` of the
    network, which a prediction has already. Without ``whole``, every term of the
    formula has to be whole for all sizes; the network itself may allow fewer values.
    ``step`` instead requires x to be a multiple of it. If x occurs only inside of
    roundings, every value is legal, and the answer is the simplest of its plateau,
    ``interval``.

    The formula is bisected if it is proved to rise with x; otherwise ``upto`` is
    needed, and every legal value up to it is tried.

    **Units**: those of the formula.
    **Errors**: no legal value is within the budget, or every one is.

    >>> from costmodel.algebra.symbols import H, alpha
    >>> print(largest(2048 * alpha**2 * H**2, alpha, 1e6, at={H: 28}))
    alpha = 25/32: 980000; at 13/16 it is 1059968
    """
    found = _search("largest", expression, symbol, budget, at, whole, step, upto)
    last = found.last(lambda cost: bool(cost <= found.budget))
    if last < 0:
        raise CostModelError(
            f"largest: over the budget {found.budget} from the start: {found.where(0)}"
        )
    return found.limit(last, last + 1)


def smallest(
    expression: Dim,
    symbol: sympy.Symbol,
    goal: object,
    *,
    at: Mapping[Any, object] | None = None,
    whole: Iterable[Dim] = (),
    step: object = None,
    upto: object = None,
) -> Limit:
    """Return the smallest legal x with f(x) ≥ goal, on the exact formula.

    Legal values, and when ``upto`` is needed, are those of :func:`largest`; ``beyond``
    is the next legal value below, at which the formula is under the goal.

    The smallest x within a budget, of a formula that falls as x grows, is that of its
    negative: ``smallest(-f, x, -budget)``.

    **Units**: those of the formula.
    **Errors**: no legal value reaches the goal.

    >>> from costmodel.algebra.symbols import H
    >>> print(smallest(100 * sympy.floor((H + 1) / 2), H, 1000))
    H = 19: 1000; at 18 it is 900
    """
    found = _search("smallest", expression, symbol, goal, at, whole, step, upto)
    first = found.first(lambda cost: bool(cost >= found.budget))
    if first == found.legal.count:
        raise CostModelError(
            f"smallest: no {symbol} up to {upto} reaches the goal {found.budget}"
        )
    return found.limit(first, first - 1)


def solutions(
    expression: Dim,
    grid: Mapping[sympy.Symbol, Iterable[object]],
    budget: object,
    *,
    at: Mapping[Any, object] | None = None,
) -> list[dict[sympy.Symbol, Dim]]:
    """Return every point of a grid with f ≤ budget, in the grid's order.

    The formula may rise, fall or do neither; each point is evaluated exactly.

    >>> from costmodel.algebra.symbols import H, alpha
    >>> grid = {alpha: [0.5, 1], H: [128, 224]}
    >>> solutions(alpha * H**2, grid, 25_000)
    [{alpha: 1/2, H: 128}, {alpha: 1, H: 128}]
    """
    formula = formula_of("solutions", expression)
    if not isinstance(grid, Mapping) or not grid:
        raise CostModelError(f"solutions: grid {grid!r} maps no symbols to values")
    values = values_of("solutions", at, [formula])
    symbols = [symbol_of("solutions", symbol, [formula]) for symbol in grid]
    if doubled := values.keys() & set(symbols):
        raise CostModelError(f"solutions: {doubled.pop()} is in grid and in at")
    function = exactly(bound("solutions", formula, values, *symbols), symbols)
    limit = limit_of("solutions: budget", budget, formula)
    axes = [
        [_on_grid(formula, symbol, value) for value in column]
        for symbol, column in grid.items()
    ]
    points = product(*axes)
    return [
        {symbol: as_dim(value) for symbol, value in zip(symbols, point)}
        for point in points
        if function(*map(Fraction, point)) <= limit
    ]


def _on_grid(
    formula: sympy.Expr, symbol: sympy.Symbol, value: object
) -> sympy.Rational:  # fmt: skip
    """Return a value of a grid if it is a number that the symbol may have."""
    number = values_of("solutions", {symbol: value}, [formula])[symbol]
    if not number.is_Rational:
        raise CostModelError(f"solutions: {symbol} = {value} is not a number")
    return number


def _search(
    name: str, expression: Dim, symbol: sympy.Symbol, budget: object, at: object,
    whole: Iterable[Dim], step: object, upto: object,
) -> _Search:  # fmt: skip
    """Check the arguments of a query, and find the legal values of its symbol."""
    formula = formula_of(name, expression)
    whole = tuple(whole) or getattr(expression, "whole", ())
    sizes = [formula_of(name, size) for size in whole]
    values = values_of(name, at, [formula, *sizes])
    if symbol in values:
        raise CostModelError(f"{name}: {symbol} is asked for, and has a value in at")
    placed = {s: v for s, v in values.items() if symbol in v.free_symbols}
    symbol_of(name, symbol, [formula.subs(placed)])
    given = None if step is None else positive(f"{name}: step", step)
    pace = legal_step(name, formula, sizes, symbol, values, given)
    law = bound(name, formula, values, symbol)
    sizes = [bound(name, size, values, symbol) for size in sizes]
    sizes = [size for size in sizes if symbol in size.free_symbols]
    limit = limit_of(f"{name}: budget", budget, formula)
    last = positive(f"{name}: upto", upto)
    cost = exactly(law, [symbol])
    high = last
    if pace is None and last is None and direction(law, symbol) == 1:
        high = _beyond(name, cost, symbol, limit)
    legal = legal_values(name, law, symbol, sizes, pace, high)
    steps = _direction(law, symbol, legal)
    if steps == -1 and last is None:
        raise CostModelError(
            f"{name}: the formula falls as {symbol} grows; the smallest {symbol} "
            f"within a budget is smallest(-formula, {symbol}, -budget)"
        )
    if steps != 1 and last is None:
        raise CostModelError(
            f"{name}: the formula is not seen to rise with {symbol}; give upto, "
            f"and every legal {symbol} up to it is tried"
        )
    return _Search(name, symbol, limit, cost, legal, steps == 1, sizes)


_MOST_DOUBLINGS = 32
"""Channels of any width up to 2³² are exact in the floats that round them."""


def _beyond(
    name: str, cost: Callable[[Fraction], Dim], symbol: sympy.Symbol, limit: Dim
) -> Fraction:
    """Return a value at which a cost that rises is beyond a limit."""
    powers = [Fraction(2**power) for power in range(_MOST_DOUBLINGS + 1)]
    high = next((high for high in powers if cost(high) > limit), None)
    if high is None:
        raise CostModelError(f"{name}: no {symbol} goes beyond {limit}")
    return high


def _direction(law: sympy.Expr, symbol: sympy.Symbol, legal: LegalValues) -> int | None:
    """Return the direction on legal values alone: below them a formula may fall."""
    steps = direction(law, symbol)
    if steps is not None or legal.step is None:
        return steps
    further = sympy.Dummy(nonnegative=True, integer=True)
    first, step = map(sympy.Rational, (legal[0], legal.step))
    shifted = law.subs(symbol, first + step * further)
    return direction(expand(shifted), further)


@dataclass(frozen=True, slots=True)
class _Search:
    """A formula on the legal values of its symbol, which are numbered from 0."""

    name: str
    symbol: sympy.Symbol
    budget: Dim
    formula: Callable[[Fraction], Dim]
    legal: LegalValues
    rises: bool
    sizes: list[sympy.Expr]

    def cost(self, number: int) -> Dim:
        """Return the formula at a legal value."""
        return self.formula(self.legal[number])

    def first(self, holds: Callable[[Dim], bool]) -> int:
        """Return the first number whose cost satisfies a condition, or their count."""
        if not self.rises:
            tried = range(self.legal.count or 0)
            return next((k for k in tried if holds(self.cost(k))), len(tried))
        number = first_number(lambda k: holds(self.cost(k)), self.legal.count)
        if number is None:
            raise CostModelError(
                f"{self.name}: still {self.where(2 * FARTHEST)}; "
                f"no {self.symbol} goes beyond {shown(self.budget)}"
            )
        return number

    def last(self, holds: Callable[[Dim], bool]) -> int:
        """Return the last number whose cost satisfies a condition, or −1."""
        if self.rises:
            return self.first(lambda cost: not holds(cost)) - 1
        tried = range(self.legal.count or 0)
        return max((k for k in tried if holds(self.cost(k))), default=-1)

    def limit(self, chosen: int, beyond: int) -> Limit:
        """Return a legal value and the next one beyond, if there is one."""
        self._check(self.legal[chosen])
        value, ends = self.legal.plateau(chosen, self.cost)
        following = following_cost = None
        if beyond >= 0 and beyond != self.legal.count:
            following = as_dim(self.legal.plateau(beyond, self.cost)[0])
            following_cost = self.cost(beyond)
        step = None if self.legal.step is None else as_dim(self.legal.step)
        interval = None if ends is None else (as_dim(ends[0]), as_dim(ends[1]))
        return Limit(self.symbol, as_dim(value), self.cost(chosen), following,
                     following_cost, step, interval)  # fmt: skip

    def _check(self, value: Fraction) -> None:
        """Raise if a size that has to be a positive whole number is not one."""
        for size in self.sizes:
            found = exactly(size, [self.symbol])(value)
            if type(found) is not int or found < 1:
                raise CostModelError(
                    f"{self.name}: {self.symbol} = {as_dim(value)} would be the "
                    f"answer, but {size} is {found} there"
                )

    def where(self, number: int) -> str:
        """Write the formula's value at a legal value."""
        value, _ = self.legal.plateau(number, lambda own: own)  # without neighbours
        return f"{shown(self.cost(number))} at {self.symbol} = {as_dim(value)}"


_LONGEST_DENOMINATOR = 10**4
"""Fractions of larger denominators are written as decimals, to be readable."""


def shown(value: Dim | None) -> str:
    """Write a number exactly; seconds, whose fractions are long, in six digits.

    >>> shown(3), shown(sympy.Rational(3, 4)), shown(sympy.Rational(1, 10**7))
    ('3', '3/4', '1e-07')
    """
    if isinstance(value, sympy.Rational) and value.q > _LONGEST_DENOMINATOR:
        return f"{float(value):.6g}"
    return str(value)

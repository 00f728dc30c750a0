"""Formulas the other way round: the largest width that a budget allows, and others.

Nothing is solved for: floors have no inverse. The exact formula is evaluated at legal
values only, and bisected where it is proved to rise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import sympy

from costmodel.algebra.arguments import bound, formula_of, symbol_of, values_of
from costmodel.algebra.asking import ask, limit_of
from costmodel.algebra.bisection import Limit
from costmodel.algebra.evaluation import exactly
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.errors import CostModelError


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

    ``at`` gives the other symbols' values, perhaps by x, as in {W: H}.
    Legal values: of an integer symbol, whole numbers. Of a real one, such as α, those
    where everything in ``whole`` is a positive whole number: ``tensor_sizes`` of the
    network; a prediction knows them. Without, those where every term of the formula
    comes out whole for all sizes: it tells no more, and a network may allow less.
    ``step`` says of which number x is a multiple instead. Where x stands only inside
    of roundings every value is legal, and the answer is the simplest of its plateau,
    ``interval``.

    The formula is bisected where it is proved to rise with x; elsewhere ``upto`` is
    needed, and every legal value up to it is tried.

    **Units**: those of the formula.
    **Errors**: no legal value is within the budget, or every one is.

    >>> from costmodel.algebra.symbols import H, alpha
    >>> print(largest(2048 * alpha**2 * H**2, alpha, 1e6, at={H: 28}))
    alpha = 25/32: 980000; at 13/16 it is 1059968
    """
    query = ask("largest", expression, symbol, budget, at, whole, step, upto)
    last = query.last_within()
    if last < 0:
        raise CostModelError(
            f"largest: over the budget {query.budget} from the start: {query.where(0)}"
        )
    return query.answer(last, last + 1)


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

    What is legal, and when ``upto`` is needed, is said at :func:`largest`; ``beyond``
    is the legal value below, where the formula is still under the goal.

    The smallest x within a budget, of a formula that falls as x grows, is that of its
    negative: ``smallest(-f, x, -budget)``.

    **Units**: those of the formula.
    **Errors**: no legal value reaches the goal.

    >>> from costmodel.algebra.symbols import H
    >>> print(smallest(100 * sympy.floor((H + 1) / 2), H, 1000))
    H = 19: 1000; at 18 it is 900
    """
    query = ask("smallest", expression, symbol, goal, at, whole, step, upto)
    first = query.first_reaching()
    if first == query.count:
        raise CostModelError(
            f"smallest: no {symbol} up to {upto} reaches the goal {query.budget}"
        )
    return query.answer(first, first - 1)


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
        if function(*(Fraction(int(v.p), int(v.q)) for v in point)) <= limit
    ]


def _on_grid(
    formula: sympy.Expr, symbol: sympy.Symbol, value: object
) -> sympy.Rational:  # fmt: skip
    """Return a value of a grid if it is a number that the symbol may have."""
    number = values_of("solutions", {symbol: value}, [formula])[symbol]
    if not number.is_Rational:
        raise CostModelError(f"solutions: {symbol} = {value} is no number")
    return number

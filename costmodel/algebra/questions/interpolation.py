"""Exact interpolation: formulas in numbers of blocks, from a few networks.

A network with n blocks is a different graph for every n, but its cost is a polynomial
in n of low degree, which the costs of a few of these networks determine exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product
from math import comb, prod

import sympy

from costmodel.algebra.checks import symbols_of
from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.errors import CostModelError


def interpolate(
    function: Callable[..., Dim],
    symbols: Sequence[sympy.Symbol],
    *,
    start: int = 1,
    largest_degree: int = 3,
) -> Dim:
    """Return the polynomial in the symbols that equals a function of whole numbers.

    ``function`` gives the count for numbers from ``start`` on, itself perhaps symbolic
    in other names. The degree is the lowest for which the polynomial also gives the
    function's values at further points: alone along each axis, and along the diagonal.

    f(n) = Σⱼ (Δʲf)(start) · C(n − start, j), Newton's forward differences.

    **Errors**: no polynomial of that degree, as where a count is rounded.

    >>> n, k = sympy.symbols("n k")
    >>> interpolate(lambda number: sum(k * i for i in range(number)), [n])
    k*n**2/2 - k*n/2
    """
    symbols = symbols_of("interpolate", symbols)
    value = cache(
        lambda *steps: sympy.sympify(as_dim(function(*(start + s for s in steps))))
    )

    def is_met(formula: sympy.Expr, steps: tuple[int, ...]) -> bool:
        """Say whether a polynomial equals the function so far from the start."""
        at = {symbol: start + step for symbol, step in zip(symbols, steps)}
        return bool(expand(formula.subs(at) - value(*steps)) == 0)

    for degree in range(largest_degree + 1):
        formula = _newton(value, [symbol - start for symbol in symbols], degree)
        if all(is_met(formula, steps) for steps in _further(len(symbols), degree)):
            return as_dim(formula)
    names = ", ".join(map(str, symbols))
    raise CostModelError(
        f"interpolate: no polynomial of degree {largest_degree} or less in {names}; "
        "relax the count first if it is rounded"
    )


def _newton(
    value: Callable[..., sympy.Expr], shifted: Sequence[sympy.Expr], degree: int
) -> sympy.Expr:
    """Return the polynomial of a degree, in symbols less the start."""
    terms = []
    for steps in _simplex(len(shifted), degree):
        difference = sympy.Add(*(
            (-1) ** (sum(steps) - sum(below))
            * prod(comb(j, i) for j, i in zip(steps, below))
            * value(*below)
            for below in product(*(range(step + 1) for step in steps))
        ))  # fmt: skip
        terms.append(difference * prod(map(_choose, shifted, steps)))
    return expand(sympy.Add(*terms))


def _choose(number: sympy.Expr, chosen: int) -> sympy.Expr:
    """C(number, chosen) as a polynomial."""
    return expand(sympy.ff(number, chosen) / sympy.factorial(chosen))


def _simplex(axes: int, degree: int) -> Iterator[tuple[int, ...]]:
    """Give the points of whole numbers from 0 on that add up to ``degree`` or less."""
    points = product(range(degree + 1), repeat=axes)
    return (point for point in points if sum(point) <= degree)


def _further(axes: int, degree: int) -> list[tuple[int, ...]]:
    """Return points outside the simplex: one on each axis, and two on the diagonal."""
    along = [
        tuple((degree + 1) * (axis == other) for other in range(axes))
        for axis in range(axes)
    ]
    return [*along, (degree + 1,) * axes, (degree + 2,) * axes]

"""Symbols with the right assumptions, and exact numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from keyword import iskeyword
from numbers import Integral
from typing import TypeAlias

import sympy

from costmodel.errors import CostModelError


Dim: TypeAlias = int | sympy.Expr
"""A count: a plain ``int`` once it is known, a sympy expression until then."""

Rational = sympy.Rational
"""An exact number, as a multiplier of layers is."""

GREEK = frozenset({
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota",
    "kappa", "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "tau",
    "upsilon", "phi", "chi", "psi", "omega",
})  # fmt: skip
"""Names of Greek letters: the symbols of more than one letter that users may write."""

REAL_SYMBOLS = frozenset({"alpha", "rho", "theta", "phi"})
"""Names that stand for positive real multipliers; every other symbol is an integer."""


def symbol(name: str) -> sympy.Symbol:
    """Return the positive symbol of that name: real for multipliers, else an integer.

    >>> symbol("C").is_integer, symbol("alpha").is_integer
    (True, None)
    """
    if not (isinstance(name, str) and name.isidentifier() and not iskeyword(name)):
        raise CostModelError(f'symbol "{name}": not a name; use letters, digits and _')
    if name in REAL_SYMBOLS:
        return sympy.Symbol(name, positive=True)
    return sympy.Symbol(name, positive=True, integer=True)


N, D, H, W, M = (symbol(name) for name in "NDHWM")
alpha, rho, theta = symbol("alpha"), symbol("rho"), symbol("theta")


def as_dim(value: object, what: str = "value") -> Dim:
    """Return an exact count: ``int`` for whole numbers, else the expression itself.

    >>> as_dim(sympy.Integer(3)), as_dim(2 * alpha)
    (3, 2*alpha)
    """
    if type(value) is int:
        return value
    if isinstance(value, sympy.Expr) and not value.has(sympy.Float):
        return int(value) if value.is_Integer else value
    is_truth = isinstance(value, bool)
    if isinstance(value, Integral) and not is_truth:
        return int(value)  # numpy's integers, among others
    if isinstance(value, Fraction):
        return as_dim(sympy.Rational(value.numerator, value.denominator))
    raise CostModelError(
        f"{what} {value!r} is neither an integer nor an exact expression; "
        "a count is never a float"
    )


def plain(value: Dim) -> Dim:
    """Return a count computed from exact ones: ``int`` for whole numbers.

    >>> plain(sympy.Integer(3)), plain(2 * alpha)
    (3, 2*alpha)
    """
    # Looking for floats, as :func:`as_dim` does, would visit the whole expression.
    return int(value) if isinstance(value, sympy.Integer) else value


def as_int(value: Dim) -> int:
    """Return a count as an ``int``, or raise if it is symbolic."""
    if type(value) is not int:
        raise CostModelError(f"{value} is symbolic; bind its symbols first")
    return value


MOST_TERMS = 20_000
"""The most terms that a product is multiplied out to: seconds, not minutes."""


@lru_cache(maxsize=1024, typed=True)
def expand(formula: Dim) -> sympy.Expr:
    """Return a formula multiplied out.

    **Errors**: a product of more than :data:`MOST_TERMS` terms.

    >>> x, y = symbol("x"), symbol("y")
    >>> expand((x + y) * x)
    x**2 + x*y
    """
    formula = sympy.sympify(formula, strict=True)
    check_terms(formula, MOST_TERMS)
    return sympy.expand(formula)


def check_terms(formula: sympy.Expr, most: int) -> int:
    """Return how many products of terms a formula has, multiplied out.

    **Errors**: over ``most`` of them in one product or power of it.
    """
    count = 1
    if formula.is_Pow and formula.exp.is_Integer and formula.exp > 1:
        base = check_terms(formula.base, most)
        if base > 1:
            power = min(int(formula.exp), most)
            count = math.comb(base + power - 1, power)
    else:
        parts = [check_terms(part, most) for part in formula.args]
        if formula.is_Add:
            return sum(parts)
        if formula.is_Mul:
            count = math.prod(parts)
    if count > most:
        raise CostModelError(
            f"multiplying it out takes over {most} products of terms; give numbers "
            "for some symbols, or a shorter formula"
        )
    return count


def exact_div(dividend: Dim, divisor: Dim) -> Dim:
    """Return dividend / divisor, and raise if there is a remainder.

    >>> exact_div(64, 32), exact_div(32 * alpha, 32 * alpha)
    (2, 1)
    """
    if divisor == 0:
        raise CostModelError(f"{divisor} does not divide {dividend}")
    if type(dividend) is int and type(divisor) is int:
        quotient, remainder = divmod(dividend, divisor)
        if remainder:
            raise CostModelError(f"{divisor} does not divide {dividend}")
        return quotient
    result = as_dim(sympy.sympify(dividend, strict=True) / divisor)
    if isinstance(result, sympy.Rational):
        raise CostModelError(f"{divisor} does not divide {dividend}")
    return result


def floor(value: Dim) -> Dim:
    """Return the largest integer that is not above a value.

    >>> floor(sympy.Rational(7, 2)), floor(theta * 64)
    (3, floor(64*theta))
    """
    return as_dim(sympy.floor(sympy.sympify(as_dim(value))))


def floor_div(dividend: Dim, divisor: Dim) -> Dim:
    """Return ⌊dividend / divisor⌋, exactly.

    >>> floor_div(7, 2), floor_div(symbol("C"), 16)
    (3, floor(C/16))
    """
    if type(dividend) is int and type(divisor) is int:
        return dividend // divisor
    return floor(sympy.sympify(as_dim(dividend)) / as_dim(divisor))


def maximum(left: Dim, right: Dim) -> Dim:
    """Return the larger of two values.

    >>> maximum(1, sympy.Rational(3, 2)), maximum(alpha, 1)
    (3/2, Max(1, alpha))
    """
    sides = (sympy.sympify(side, strict=True) for side in (left, right))
    return as_dim(sympy.Max(*sides))


def is_equal(left: Dim, right: Dim) -> bool:
    """Say whether two counts are the same for every value of their symbols."""
    if type(left) is int and type(right) is int:
        return left == right
    if left == right:
        return True
    return bool(expand(sympy.sympify(left, strict=True) - right) == 0)

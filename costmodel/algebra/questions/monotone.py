"""Monotonicity: whether a formula rises or falls with a symbol, by its structure."""

from __future__ import annotations

from collections.abc import Iterable

import sympy

from costmodel.algebra.rounding import rounded


def direction(formula: sympy.Expr, symbol: sympy.Symbol) -> int | None:
    """Return 1 if a formula never falls as a positive symbol grows, −1 if never rises.

    0 is constant. Sums of rising terms rise, and so do products of rising factors that
    are not negative; Max, Min and roundings rise with their arguments. The answer is a
    proof, roundings included; None, if neither follows, proves nothing.

    >>> from costmodel.algebra.symbols import H
    >>> direction(3 * sympy.floor(H / 2) ** 2 + H, H), direction(1 / H, H)
    (1, -1)
    >>> print(direction(H**2 - 5 * H, H))
    None
    """
    found: int | None = None
    match formula:
        case _ if symbol not in formula.free_symbols:
            found = 0
        case sympy.Symbol():
            found = 1
        case sympy.Add() | sympy.Max() | sympy.Min():
            found = _common(direction(part, symbol) for part in formula.args)
        case sympy.Mul():
            found = _product(formula, symbol)
        case sympy.Pow():
            found = _power(formula, symbol)
        case _:
            found = _rounding(formula, symbol)
    return found


def _common(directions: Iterable[int | None]) -> int | None:
    """Return the direction that all parts share, ignoring constant ones."""
    found = set(directions) - {0}
    return found.pop() if len(found) == 1 else None if found else 0


def _product(formula: sympy.Expr, symbol: sympy.Symbol) -> int | None:
    number, _ = formula.as_coeff_Mul()
    factors = [factor for factor in formula.args if factor != number]
    moving = [factor for factor in factors if symbol in factor.free_symbols]
    # A factor alone may be negative: a positive number times it moves as it does.
    others = [factor for factor in factors if len(moving) > 1 or factor not in moving]
    if not all(factor.is_nonnegative for factor in others):
        return None
    common = _common(direction(factor, symbol) for factor in moving)
    return None if common is None else common * int(sympy.sign(number))


def _power(formula: sympy.Expr, symbol: sympy.Symbol) -> int | None:
    base, power = formula.args
    if power.is_Number and base.is_nonnegative:
        steps = direction(base, symbol)
        return None if steps is None else steps * int(sympy.sign(power))
    if base.is_Number and base.is_positive:
        steps = direction(power, symbol)
        return None if steps is None else steps * int(sympy.sign(base - 1))
    return None


def _rounding(formula: sympy.Expr, symbol: sympy.Symbol) -> int | None:
    rounds = rounded(formula)
    if rounds is None or any(symbol in unit.free_symbols for unit in rounds.units):
        return None
    return direction(rounds.law, symbol)

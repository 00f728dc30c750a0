"""Checks of what queries are given: formulas, symbols, values, budgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

import sympy

from costmodel.algebra.parse import exact
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.errors import CostModelError


def formula_of(query: str, value: object) -> sympy.Expr:
    """Return a count or an expression as an expression, or raise.

    An object with ``_sympy_``, such as a prediction, stands for its formula.
    Strings are refused, never read: sympy would run them as code.
    """
    value = value._sympy_() if hasattr(value, "_sympy_") else value
    if isinstance(value, (int, sympy.Expr)) and not isinstance(value, bool):
        return sympy.sympify(as_dim(value, f"{query}: the formula"))
    raise CostModelError(f"{query}: {value!r} is neither an integer nor an expression")


def is_fractional(formula: sympy.Expr) -> bool:
    """Say whether a formula has coefficients that are not whole, as seconds have.

    >>> from costmodel.algebra.symbols import H
    >>> is_fractional(9 * H), is_fractional(9 * H / 10**6)
    (False, True)
    >>> is_fractional((H + 1) * (H / 10**6 + 2))
    True
    """
    if isinstance(formula, (sympy.Add, sympy.Mul)):
        return any(map(is_fractional, formula.args))
    return bool(formula.is_Rational and not formula.is_Integer)


def whole_number(what: str, value: object) -> int:
    """Return a user's number as an integer: 3e8 is one, and 0.5 is refused.

    >>> whole_number("budget", 3e8)
    300000000
    """
    number = exact(value, what)
    if type(number) is not int:
        raise CostModelError(f"{what} {value} is not a whole number")
    return number


def limit_of(what: str, value: object, formula: sympy.Expr) -> Dim:
    """Return a budget: a whole number for counts, any number for seconds.

    >>> from costmodel.algebra.symbols import H
    >>> limit_of("budget", 10e-3, H / 10**6)
    1/100
    """
    if not is_fractional(formula):
        return whole_number(what, value)
    number = exact(value, what)
    if not sympy.sympify(number).is_Rational:
        raise CostModelError(f"{what} {value} is not a number")
    return number


def positive(what: str, value: object) -> Fraction | None:
    """Return a positive number that a user may give, as a fraction."""
    if value is None:
        return None
    number = sympy.sympify(exact(value, what))
    if not (number.is_Rational and number > 0):
        raise CostModelError(f"{what} {value} is not a positive number")
    return Fraction(number)


def symbols_of(query: str, symbols: object) -> list[sympy.Symbol]:
    """Return distinct symbols as a list, or raise."""
    found = list(symbols) if isinstance(symbols, (list, tuple)) else [symbols]
    if not found or not all(isinstance(symbol, sympy.Symbol) for symbol in found):
        raise CostModelError(f"{query}: name at least one symbol, not {symbols!r}")
    if len(set(found)) < len(found):
        raise CostModelError(f"{query}: a symbol stands twice in {symbols!r}")
    return found


def symbol_of(query: str, symbol: object, formulas: Iterable[Dim]) -> sympy.Symbol:
    """Return one symbol that at least one of the formulas depends on."""
    if not isinstance(symbol, sympy.Symbol):
        raise CostModelError(f"{query}: {symbol!r} is not a symbol")
    free = free_symbols(formulas)
    if symbol not in free:
        same = symbol.name in {other.name for other in free}
        hint = f'; use costmodel.symbol("{symbol}") for both' if same else ""
        raise CostModelError(
            f"{query}: the formula does not depend on {symbol}{hint or _known(free)}"
        )
    return symbol


def values_of(
    query: str, at: object, formulas: Iterable[Dim]
) -> dict[sympy.Symbol, sympy.Expr]:
    """Return exact values by symbol, given by symbol or by name.

    A symbol that no formula has is left out, since its value does not matter. A name
    that no formula has is an error, since it may be mistyped.
    """
    if at is None:
        return {}
    if not isinstance(at, Mapping):
        raise CostModelError(f"{query}: at {at!r} does not map symbols to values")
    free = free_symbols(formulas)
    named = {symbol.name: symbol for symbol in free}
    values = {}
    for key, given in at.items():
        value = sympy.sympify(exact(given, f"{query}: {key}"))
        if str(key) in named:
            values[named[str(key)]] = _fitting(query, named[str(key)], value)
        elif not isinstance(key, sympy.Symbol):
            raise CostModelError(f'{query}: no symbol "{key}"{_known(free)}')
    return values


def bound(
    query: str, formula: sympy.Expr, values: Mapping[sympy.Symbol, sympy.Expr],
    *left: sympy.Symbol,
) -> sympy.Expr:  # fmt: skip
    """Return the formula with values substituted; only some symbols may be left."""
    result = formula.subs(dict(values), simultaneous=True)
    if missing := result.free_symbols - set(left):
        names = ", ".join(sorted(map(str, missing)))
        raise CostModelError(
            f"{query}: the formula also depends on {names}; give values in at"
        )
    return result


def free_symbols(formulas: Iterable[Dim]) -> set[sympy.Symbol]:
    """Return every symbol of some formulas."""
    return set().union(*(sympy.sympify(formula).free_symbols for formula in formulas))


def _known(free: Iterable[sympy.Symbol]) -> str:
    return f"; it has {', '.join(sorted(map(str, free))) or 'no symbol'}"


def _fitting(query: str, symbol: sympy.Symbol, value: sympy.Expr) -> sympy.Expr:
    """Return the value if the symbol's assumptions allow it."""
    for word in ("positive", "integer"):
        allowed = not getattr(symbol, f"is_{word}")
        if not allowed and getattr(value, f"is_{word}") is False:
            raise CostModelError(f"{query}: {symbol} = {value} is not {word}")
    return value

"""Questions to a formula: relax it, lead with it, evaluate it a million times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy
from sympy.printing.numpy import NumPyPrinter

from costmodel.algebra.quotient import PackageFunctions, whole
from costmodel.algebra.symbols import Dim, as_dim, make_divisible
from costmodel.errors import CostModelError


def relax(expression: Dim) -> Dim:
    """Drop floors, ceilings and channel rounding: the smooth law behind the count.

    ⌊x⌋ → x,  make_divisible(c, α, d) → α·c.

    >>> from costmodel.algebra.symbols import H, alpha
    >>> relax(9 * sympy.floor(H / 2) * make_divisible(32, alpha, 8))
    144*H*alpha
    """
    smooth = _formula("relax", expression).replace(
        lambda part: isinstance(part, (sympy.floor, sympy.ceiling, make_divisible)),
        lambda part: part.args[0] * (part.args[1] if len(part.args) > 1 else 1),
    )
    return as_dim(sympy.expand(smooth))


def leading(expression: Dim, *symbols: sympy.Symbol) -> Dim:
    """Return the terms of the highest total degree in the symbols, once relaxed.

    >>> from costmodel.algebra.symbols import M, alpha
    >>> leading(3 * alpha**2 * M**2 + 5 * alpha * M**2 + 7, alpha, M)
    3*M**2*alpha**2
    """
    _symbols("leading", symbols)
    smooth = sympy.sympify(relax(_formula("leading", expression)))
    try:
        polynomial = sympy.Poly(smooth, *symbols)
    except sympy.PolynomialError:
        names = ", ".join(map(str, symbols))
        raise CostModelError(f"leading: {smooth} is no polynomial in {names}") from None
    degree = max(sum(powers) for powers in polynomial.monoms())
    return as_dim(
        sympy.Add(
            *(
                coefficient * sympy.prod(s**p for s, p in zip(symbols, powers))
                for powers, coefficient in polynomial.terms()
                if sum(powers) == degree
            )
        )
    )


def lambdify(
    expression: Dim | Sequence[Dim], symbols: Sequence[sympy.Symbol]
) -> Callable[..., Any]:
    """Return a numpy function of the symbols, vectorised, common parts computed once.

    Integer arguments give exact integers of any size: floors become integer division,
    and what 64 bits do not hold is computed in Python's integers. Real arguments are
    floats, with the rounding of floats: give input sizes as integers.

    >>> from costmodel.algebra.symbols import H
    >>> lambdify(3 * sympy.floor((H + 1) / 2), [H])(np.array([7, 8, 9])).tolist()
    [12, 12, 15]
    """
    chosen = _symbols("lambdify", symbols)
    many = isinstance(expression, Sequence) and not isinstance(expression, str)
    formulas = expression if isinstance(expression, Sequence) and many else [expression]
    wanted = [whole(_formula("lambdify", formula)) for formula in formulas]
    missing = set().union(*(e.free_symbols for e in wanted)) - set(chosen)
    if missing:
        names = ", ".join(sorted(map(str, missing)))
        raise CostModelError(f"lambdify: the formula also depends on {names}")
    named = {"make_divisible": _make_divisible, "common_divisor": _common_divisor}
    function = sympy.lambdify(
        chosen, wanted, modules=[named, "numpy"], printer=_IntegerPrinter(), cse=True
    )
    return _evaluator(function, many=many)


_EXACT_BITS = 62
"""Bits that a 64-bit integer holds, sign and one to spare."""


def _evaluator(function: Callable[..., Any], *, many: bool) -> Callable[..., Any]:
    """Give results the arguments' shape, also constants; keep integers exact."""

    def evaluate(*arguments: Any) -> Any:
        arrays = [np.asarray(argument) for argument in arguments]
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        integers = all(array.dtype.kind in "iuO" for array in arrays)
        if not shape:
            values = function(*(array.item() for array in arrays))
        elif integers:
            values = _integers(function, arrays)
        else:
            values = function(*arrays)
        if shape:
            values = [np.broadcast_to(value, shape) for value in values]
        return values if many else values[0]

    return evaluate


def _integers(function: Callable[..., Any], arrays: list[Any]) -> list[Any]:
    """Evaluate in 64 bits; where an estimate in floats is too large, in Python's."""
    with np.errstate(all="ignore"):
        estimates = function(*(array.astype(float) for array in arrays))
    largest = max(float(np.max(np.abs(estimate))) for estimate in estimates)
    kind = np.int64 if largest < 2.0**_EXACT_BITS else object
    values: list[Any] = function(*(array.astype(kind) for array in arrays))
    return values


def _formula(query: str, value: object) -> sympy.Expr:
    """Return a count or an expression as an expression, or say what it is instead."""
    if isinstance(value, (int, sympy.Expr)):
        return sympy.sympify(value)
    raise CostModelError(f"{query}: {value!r} is neither an integer nor an expression")


def _symbols(query: str, symbols: object) -> list[sympy.Symbol]:
    """Return different symbols as a list, or say what is wrong with them."""
    found = list(symbols) if isinstance(symbols, (list, tuple)) else [symbols]
    if not found or not all(isinstance(symbol, sympy.Symbol) for symbol in found):
        raise CostModelError(f"{query}: name at least one symbol, not {symbols!r}")
    if len(set(found)) < len(found):
        raise CostModelError(f"{query}: a symbol stands twice in {symbols!r}")
    return found


class _IntegerPrinter(PackageFunctions, NumPyPrinter):
    """Print integer division and the functions of this package."""

    def _print_Max(self, expr: sympy.Expr) -> str:  # noqa: N802
        return self._pairwise("maximum", expr.args)

    def _print_Min(self, expr: sympy.Expr) -> str:  # noqa: N802
        return self._pairwise("minimum", expr.args)

    def _pairwise(self, name: str, values: Sequence[sympy.Expr]) -> str:
        first, *rest = map(self._print, values)
        for value in rest:
            first = f"{name}({first}, {value})"
        return str(first)


def _common_divisor(left: Any, right: Any) -> Any:
    """Return the greatest common divisor, also of whole numbers kept as floats."""
    arrays = [np.asarray(value) for value in (left, right)]
    return np.gcd(*(a.astype(np.int64) if a.dtype.kind == "f" else a for a in arrays))


def _make_divisible(channels: Any, width: Any, divisor: Any) -> Any:
    """Round as :class:`make_divisible` does, for arrays, and in floats as it does."""
    scaled = np.asarray(channels, dtype=float) * np.asarray(width, dtype=float)
    step = np.asarray(divisor, dtype=np.int64)
    whole_steps = (scaled + step / 2).astype(np.int64)
    rounded = np.maximum(step, whole_steps // step * step)
    return np.where(rounded < 0.9 * scaled, rounded + step, rounded)

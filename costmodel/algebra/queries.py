"""Questions to a formula: relax it, lead with it, evaluate it a million times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy
from sympy.printing.numpy import NumPyPrinter

from costmodel.algebra.symbols import Dim, as_dim, make_divisible
from costmodel.errors import CostModelError


def relax(expression: Dim) -> Dim:
    """Drop floors, ceilings and channel rounding: the smooth law behind the count.

    ⌊x⌋ → x,  make_divisible(c, α, d) → α·c.

    >>> from costmodel.algebra.symbols import H, alpha
    >>> relax(9 * sympy.floor(H / 2) * make_divisible(32, alpha, 8))
    144*H*alpha
    """
    smooth = sympy.sympify(expression).replace(
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
    if not symbols:
        raise CostModelError("leading: name at least one symbol, e.g. alpha")
    smooth = sympy.sympify(relax(expression))
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

    Integer arguments give exact integers (64 bits): floors become integer division.

    >>> from costmodel.algebra.symbols import H
    >>> lambdify(3 * sympy.floor((H + 1) / 2), [H])(np.array([7, 8, 9])).tolist()
    [12, 12, 15]
    """
    many = isinstance(expression, Sequence)
    formulas = expression if isinstance(expression, Sequence) else [expression]
    wanted = [_whole(sympy.sympify(formula)) for formula in formulas]
    missing = set().union(*(e.free_symbols for e in wanted)) - set(symbols)
    if missing:
        names = ", ".join(sorted(map(str, missing)))
        raise CostModelError(f"lambdify: the formula also depends on {names}")
    function = sympy.lambdify(
        list(symbols),
        wanted if many else wanted[0],
        modules=[
            {"make_divisible": _make_divisible, "common_divisor": np.gcd},
            "numpy",
        ],
        printer=_IntegerPrinter,
        cse=True,
    )
    return _broadcast(function, many=many)


def _broadcast(function: Callable[..., Any], *, many: bool) -> Callable[..., Any]:
    """Give every result the shape of the arguments, also where it is constant."""

    def evaluate(*arguments: Any) -> Any:
        values = function(*arguments)
        shape = np.broadcast_shapes(*(np.shape(a) for a in arguments))
        if not shape:
            return values
        if many:
            return [np.broadcast_to(value, shape) for value in values]
        return np.broadcast_to(values, shape)

    return evaluate


class _Quotient(sympy.Function):
    """⌊numerator/denominator⌋, both without fractions, as integer division."""

    nargs = 2


def _whole(expression: sympy.Expr) -> sympy.Expr:
    """Write floors and ceilings as integer division, so that integers stay exact.

    This comes before common parts are taken out: H/2 of two floors would be a float.
    """

    def quotient(value: sympy.Expr) -> sympy.Expr:
        numerator, denominator = sympy.together(value).as_numer_denom()
        numerator = sympy.expand(numerator)
        if denominator == 1 and numerator.is_integer:
            return numerator
        return _Quotient(numerator, denominator)

    floors = expression.replace(sympy.floor, quotient)
    return floors.replace(sympy.ceiling, lambda value: -quotient(-value))


class _IntegerPrinter(NumPyPrinter):
    """Print integer division and the functions of this package."""

    def _print__Quotient(self, expr: sympy.Expr) -> str:  # noqa: N802
        numerator, denominator = map(self._print, expr.args)
        return f"(({numerator})//({denominator}))"

    def _print_make_divisible(self, expr: sympy.Expr) -> str:
        return f"make_divisible({', '.join(self._print(a) for a in expr.args)})"

    def _print_common_divisor(self, expr: sympy.Expr) -> str:
        return f"common_divisor({', '.join(self._print(a) for a in expr.args)})"


def _make_divisible(channels: Any, width: Any, divisor: Any) -> Any:
    """Round as :class:`make_divisible` does, for arrays, and in floats as it does."""
    scaled = np.asarray(channels, dtype=float) * width
    step = int(divisor)
    whole = (scaled + step / 2).astype(np.int64)
    rounded = np.maximum(step, whole // step * step)
    return np.where(rounded < 0.9 * scaled, rounded + step, rounded)

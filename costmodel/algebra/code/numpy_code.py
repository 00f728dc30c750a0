"""Formulas compiled to Python functions, of numpy arrays or of exact fractions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import sympy
from sympy.printing.numpy import NumPyPrinter
from sympy.printing.pycode import PythonCodePrinter

from costmodel.algebra.checks import formula_of, free_symbols, symbols_of
from costmodel.algebra.code.common_parts import named_functions, named_once
from costmodel.algebra.code.integer_division import whole
from costmodel.algebra.rounding import Rounding
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.errors import CostModelError


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
    chosen = symbols_of("lambdify", symbols)
    many = isinstance(expression, Sequence) and not isinstance(expression, str)
    formulas = expression if isinstance(expression, Sequence) and many else [expression]
    wanted = [whole(formula_of("lambdify", formula)) for formula in formulas]
    if missing := free_symbols(wanted) - set(chosen):
        names = ", ".join(sorted(map(str, missing)))
        raise CostModelError(f"lambdify: the formula also depends on {names}")
    functions = {f.__name__: f.over_arrays for f in named_functions(wanted)}
    function = sympy.lambdify(
        chosen,
        wanted,
        modules=[functions | _EXTREMES, "numpy"],
        printer=_IntegerPrinter({"order": "none"}),  # sorting takes half of the time
        cse=named_once,
    )
    return _evaluator(function, many=many)


def exactly(expression: Dim, symbols: Sequence[sympy.Symbol]) -> Callable[..., Dim]:
    """Return a function of exact numbers, integers or fractions, to an exact number.

    It is one Python function, a hundred times as fast as substitution; nothing in it
    is a float but channel rounding, as the reference code has it.

    **Errors**: what has no exact value there, such as a root or a division by zero.

    >>> from costmodel.algebra.symbols import alpha
    >>> exactly(3 * sympy.floor(alpha * 7) + alpha, [alpha])(Fraction(1, 2))
    19/2
    """
    chosen = symbols_of("exactly", symbols)
    formula = formula_of("exactly", expression)
    functions = {f.__name__: _of_fractions(f) for f in named_functions([formula])}
    function = sympy.lambdify(
        chosen,
        [formula],
        modules=[_EXACT | functions],
        printer=_FractionPrinter(),
        cse=named_once,
    )

    def evaluate(*values: Fraction | int) -> Dim:
        try:
            (value,) = function(*map(Fraction, values))
        except (ArithmeticError, NameError) as error:
            value = error
        if not isinstance(value, (int, Fraction)):
            named = ", ".join(f"{s} = {v}" for s, v in zip(chosen, values))
            raise CostModelError(f"{formula} has no exact value at {named}")
        return as_dim(Fraction(value))

    return evaluate


def _of_any(python: Callable[..., Any], array: Callable[..., Any]) -> Any:
    """Return a function of arrays that leaves Python's integers what they are."""

    def extreme(one: Any, other: Any) -> Any:
        is_array = isinstance(one, np.ndarray) or isinstance(other, np.ndarray)
        return array(one, other) if is_array else python(one, other)

    return extreme


_EXTREMES = {"maximum": _of_any(max, np.maximum), "minimum": _of_any(min, np.minimum)}

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
    """Evaluate in 64-bit integers, or in Python's where those might overflow."""
    with np.errstate(all="ignore"):
        estimates = function(*(array.astype(float) for array in arrays))
    largest = max(float(np.max(np.abs(estimate))) for estimate in estimates)
    kind = np.int64 if largest < 2.0**_EXACT_BITS else object
    values: list[Any] = function(*(array.astype(kind) for array in arrays))
    return values


class _IntegerPrinter(NumPyPrinter):
    """Print Max and Min of integers so that they stay integers."""

    def _print_Max(self, expr: sympy.Expr) -> str:  # noqa: N802
        return self._pairwise("maximum", expr.args)

    def _print_Min(self, expr: sympy.Expr) -> str:  # noqa: N802
        return self._pairwise("minimum", expr.args)

    def _pairwise(self, name: str, values: Sequence[sympy.Expr]) -> str:
        printed = map(self._print, values)
        return str(reduce(lambda one, other: f"{name}({one}, {other})", printed))


class _FractionPrinter(PythonCodePrinter):
    """Print numbers as fractions, and every rounding by its name."""

    printmethod = "_fractioncode"

    def __init__(self) -> None:
        """Write functions by their own names."""
        super().__init__(
            {"fully_qualified_modules": False, "allow_unknown_functions": True}
        )

    def _print_Rational(self, expr: sympy.Rational) -> str:  # noqa: N802
        return f"Fraction({expr.p}, {expr.q})"

    def _print_Max(self, expr: sympy.Expr) -> str:  # noqa: N802
        return f"max({', '.join(map(self._print, expr.args))})"

    def _print_Min(self, expr: sympy.Expr) -> str:  # noqa: N802
        return f"min({', '.join(map(self._print, expr.args))})"


def _of_fractions(function: type[Rounding]) -> Callable[..., Fraction]:
    """Return a named function as one of fractions."""
    return lambda *numbers: Fraction(function.value(*numbers))


_EXACT = {
    "Fraction": Fraction,
    "floor": lambda value: Fraction(math.floor(value)),
    "ceil": lambda value: Fraction(math.ceil(value)),
}
"""Functions of fractions, by the names that are printed."""

"""Floors rewritten as integer division, so that they evaluate without fractions."""

from __future__ import annotations

from typing import Any

import sympy

from costmodel.algebra.checks import is_fractional
from costmodel.algebra.code.common_parts import rebuilt
from costmodel.algebra.symbols import expand


class Quotient(sympy.Function):
    """⌊numerator/denominator⌋ of two terms without fractions.

    Evaluated in floats, H/49 of H = 49 may come out below 1; 49 // 49 does not.
    """

    nargs = 2
    is_integer = True

    def _pythoncode(self, printer: Any) -> str:
        numerator, denominator = map(printer._print, self.args)  # noqa: SLF001 - as sympy's own printers do
        return f"(({numerator})//({denominator}))"

    def _numpycode(self, printer: Any) -> str:
        return self._pythoncode(printer)

    def _javascript(self, printer: Any) -> str:
        numerator, denominator = map(printer._print, self.args)  # noqa: SLF001 - as sympy's own printers do
        return f"Math.floor(({numerator})/({denominator}))"


def whole(expression: sympy.Expr) -> sympy.Expr:
    """Write floors, ceilings, and formulas with whole values, as integer division.

    A formula in integers alone that is a whole number at some sizes is a count, so a
    division that is left outside of a floor has no remainder if it is done last.
    Others, such as seconds, are no whole numbers, and use ordinary division.
    """
    result = rebuilt(expression, _divided)
    if all(symbol.is_integer for symbol in result.free_symbols) and _is_count(
        expression
    ):
        numerator, denominator = sympy.fraction(sympy.together(result))
        if denominator != 1:
            return _quotient(numerator / denominator)
    return result


def _divided(_: sympy.Expr, part: sympy.Expr) -> sympy.Expr:
    """Return a floor or a ceiling as integer division, and anything else as it is."""
    if isinstance(part, sympy.floor):
        return _quotient(part.args[0])
    if isinstance(part, sympy.ceiling):
        return -_quotient(-part.args[0])
    return part


_PRIMES = (11, 13, 17, 19, 23, 29, 31, 37, 41)


def _is_count(formula: sympy.Expr) -> bool:
    """Say whether a formula is a count: in whole numbers, or whole at two points.

    Symbols in denominators are 1 there, since divisibility is not known. Seconds, in
    decimals, are whole nowhere but where they are 0, which tells nothing: a routine
    may not run there.
    """
    if not is_fractional(formula):
        return True
    below = {s for p in formula.atoms(sympy.Pow) if p.exp.is_negative
             for s in p.free_symbols}  # fmt: skip
    symbols = sorted(formula.free_symbols - below, key=str)
    ones = dict.fromkeys(formula.free_symbols, sympy.S.One)
    told = 0
    for further in range(4):
        primes = (_PRIMES[(k + further) % len(_PRIMES)] for k in range(len(symbols)))
        numbers = dict(zip(symbols, map(sympy.Integer, primes))) if further else {}
        value = formula.xreplace(ones | numbers)
        if not value.is_Integer:
            return False
        told += value != 0
    return told > 1


def _quotient(value: sympy.Expr) -> sympy.Expr:
    numerator, denominator = sympy.together(value).as_numer_denom()
    numerator = expand(numerator)
    if denominator == 1 and numerator.is_integer:
        return numerator
    return Quotient(numerator, denominator)

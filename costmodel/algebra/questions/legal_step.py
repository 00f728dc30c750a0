"""The step of a symbol's legal values, derived from formulas that must be whole."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import reduce
from math import prod

import sympy

from costmodel.algebra.checks import is_fractional
from costmodel.algebra.symbols import N, expand
from costmodel.errors import CostModelError


def legal_step(
    query: str, formula: sympy.Expr, whole: list[sympy.Expr], symbol: sympy.Symbol,
    values: dict[sympy.Symbol, sympy.Expr], step: Fraction | None,
) -> Fraction | None:  # fmt: skip
    """Return the number of which every legal value is a multiple, if there is one."""
    told: Fraction | None = Fraction(1)
    if not symbol.is_integer:
        told = step_of(query, [_partly(size, symbol, values) for size in whole], symbol)
        if told is None and step is None:
            told = _own_step(query, _partly(formula, symbol, values), symbol)
    steps = [found for found in (told, step) if found is not None]
    return common_multiple(steps) if steps else None


def _own_step(query: str, law: sympy.Expr, symbol: sympy.Symbol) -> Fraction | None:
    """Return the step that follows from a formula's own terms.

    It follows only while the extents are symbols. Once they are numbers, the terms of
    all layers merge, and the coefficient is divisible by far more than the channels.
    """
    told = step_of(query, [law], symbol)
    without = "in fractions" if is_fractional(law) else "without sizes"
    if told and (is_fractional(law) or not law.free_symbols - {symbol, N}):
        raise CostModelError(
            f"{query}: a formula {without} does not tell which {symbol} are legal; "
            "give whole=costmodel.tensor_sizes(network), or step"
        )
    return told


def _partly(
    formula: sympy.Expr, symbol: sympy.Symbol, values: dict[sympy.Symbol, sympy.Expr]
) -> sympy.Expr:
    """Substitute all values but those of integers that are only factors.

    Being whole for every batch and size is a stronger condition than at one of them.
    """
    below = (p.free_symbols for p in formula.atoms(sympy.Pow) if p.exp.is_negative)
    divisors = set().union(*below)
    chosen = {
        s: value
        for s, value in values.items()
        if symbol in value.free_symbols or s in divisors or not s.is_integer
    }
    return formula.subs(chosen, simultaneous=True)


def step_of(
    query: str, formulas: Iterable[sympy.Expr], symbol: sympy.Symbol
) -> Fraction | None:
    """Return the step of which a real symbol is a multiple where counts are whole.

    Every term of every formula has to come out whole: 32·α asks for multiples of
    1/32, and 2048·α² too. Roundings and other integers are left aside, so that the
    step holds for all their values; None where the symbol stands only inside of them.

    >>> from costmodel.algebra.symbols import N, alpha
    >>> step_of("largest", [2048 * N * alpha**2 + 864 * N * alpha], alpha)
    Fraction(1, 32)
    """
    steps = [
        _term_step(query, term, symbol)
        for formula in formulas
        for term in sympy.Add.make_args(expand(opaque(formula, symbol)))
        if symbol in term.free_symbols
    ]
    return common_multiple(steps) if steps else None


def common_multiple(steps: Iterable[Fraction]) -> Fraction:
    """Return the least number that is a multiple of every step.

    >>> common_multiple([Fraction(1, 4), Fraction(1, 6)])
    Fraction(1, 2)
    """
    return Fraction(reduce(sympy.Rational.lcm, map(sympy.Rational, steps)))


def opaque(formula: sympy.Expr, symbol: sympy.Symbol) -> sympy.Expr:
    """Return the formula with every rounding that has the symbol as one integer."""
    parts = roundings(formula, symbol)
    return formula.xreplace(
        {p: sympy.Dummy(positive=True, integer=True) for p in parts}
    )


def roundings(formula: sympy.Expr, symbol: sympy.Symbol) -> list[sympy.Expr]:
    """Return the parts of a formula that round a function of the symbol."""
    return [
        part
        for part in formula.atoms(sympy.Function)
        if part.is_integer and symbol in part.free_symbols
    ]


def _term_step(query: str, term: sympy.Expr, symbol: sympy.Symbol) -> Fraction:
    """Return the least s for which c·xⁿ is whole exactly where x is a multiple of s."""
    number, rest = term.as_coeff_Mul()
    power = 0
    for factor in sympy.Mul.make_args(rest):
        base, exponent = factor.as_base_exp()
        if base == symbol and exponent.is_Integer and exponent > 0:
            power = int(exponent)
        elif symbol in factor.free_symbols or not factor.is_integer:
            raise CostModelError(
                f"{query}: {term} does not tell which {symbol} are legal; give step"
            )
    # With v the power of a prime in c, x needs −⌊v/n⌋ of it at least.
    return prod(
        (Fraction(p) ** -(v // power) for p, v in sympy.factorrat(number).items()
         if p > 0), start=Fraction(1),
    )  # fmt: skip

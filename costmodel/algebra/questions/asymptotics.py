"""Asymptotics of a formula: its smooth law, its leading terms, its elasticity."""

from __future__ import annotations

from collections.abc import Callable

import sympy

from costmodel.algebra.checks import formula_of, symbol_of, symbols_of
from costmodel.algebra.rounding import rounded
from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.errors import CostModelError


def relax(expression: Dim) -> Dim:
    """Drop floors, ceilings and channel rounding: the smooth law behind the count.

    ⌊x⌋ → x,  make_divisible(c, α, d) → α·c.

    >>> from costmodel.algebra.rounding import make_divisible
    >>> from costmodel.algebra.symbols import H, alpha
    >>> relax(9 * sympy.floor(H / 2) * make_divisible(32, alpha, 8))
    144*H*alpha
    """
    return as_dim(_relaxed(formula_of("relax", expression), lambda _: True))


def smooth(formula: sympy.Expr, *symbols: sympy.Symbol) -> sympy.Expr:
    """Return the formula without the roundings of the given symbols.

    Roundings of other symbols are constant in these, and stay exact.

    >>> from costmodel.algebra.symbols import H, W
    >>> smooth(sympy.floor(H / 2) * sympy.floor(W / 2), H)
    H*floor(W/2)/2
    """
    chosen = set(symbols)
    return _relaxed(formula, lambda part: bool(part.free_symbols & chosen))


def leading(expression: Dim, *symbols: sympy.Symbol) -> Dim:
    """Return the terms of the highest total degree in the symbols, once relaxed.

    >>> from costmodel.algebra.symbols import M, alpha
    >>> leading(3 * alpha**2 * M**2 + 5 * alpha * M**2 + 7, alpha, M)
    3*M**2*alpha**2
    """
    chosen = symbols_of("leading", symbols)
    law = _relaxed(formula_of("leading", expression), lambda _: True)
    try:
        polynomial = sympy.Poly(law, *chosen)
    except sympy.PolynomialError:
        names = ", ".join(map(str, chosen))
        raise CostModelError(f"leading: {law} is not a polynomial in {names}") from None
    degree = max(sum(powers) for powers in polynomial.monoms())
    return as_dim(
        sympy.Add(
            *(
                coefficient * sympy.prod(s**p for s, p in zip(chosen, powers))
                for powers, coefficient in polynomial.terms()
                if sum(powers) == degree
            )
        )
    )


def elasticity(expression: Dim, symbol: sympy.Symbol) -> Dim:
    """Return by how many percent the count grows if the symbol grows by one percent.

    ∂log f/∂log x = (x/f)·∂f/∂x, exact; 2 if doubling x takes four times as much.
    A rounded function of x has no slope, so roundings of x are relaxed; all others
    stay. Where Max or Min changes from one operand to the other, the answer has a
    ``Heaviside``, which is 0 before that point and 1 after it.

    **Units**: none, percent per percent.
    **Errors**: the formula is 0 or does not depend on x, or has no slope in it.

    >>> from costmodel.algebra.symbols import H, alpha
    >>> elasticity(5 * alpha**2 * sympy.floor(H / 2), alpha)
    2
    >>> elasticity(3 * alpha**2 + alpha, alpha)
    (6*alpha + 1)/(3*alpha + 1)
    """
    formula = formula_of("elasticity", expression)
    x = symbol_of("elasticity", symbol, [formula])
    law = smooth(formula, x)
    slope = law.diff(x)
    if slope.has(sympy.Derivative, sympy.Subs):
        raise CostModelError(f"elasticity: {law} has no slope in {x}")
    return as_dim(sympy.cancel(x * slope / law))


def _relaxed(
    formula: sympy.Expr, chosen: Callable[[sympy.Expr], bool]
) -> sympy.Expr:  # fmt: skip
    """Return the formula with some roundings replaced by their arguments, expanded."""

    def law(part: sympy.Expr) -> sympy.Expr:
        rounds = rounded(part)
        return part if rounds is None else rounds.law

    return expand(formula.replace(chosen, law))

"""A formula in a width as a fast exact function: it computes in whole numbers only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import sympy

from costmodel.algebra.code.numpy_code import exactly, lambdify
from costmodel.algebra.rounding import rounded
from costmodel.algebra.symbols import Dim, as_dim


def whole_function(
    formula: sympy.Expr, width: sympy.Symbol, pace: Fraction | None,
    symbols: Sequence[sympy.Symbol],
) -> Callable[..., Dim]:  # fmt: skip
    """Return a count as a function of the width, a fraction, and whole numbers.

    Rounded channels are computed once per width, and a width of a pace is a multiple of
    it; the rest is a formula in integers. If the width is left in it, all is computed
    in fractions.

    >>> from costmodel.algebra.symbols import H, alpha
    >>> law = 2048 * alpha**2 * sympy.floor((H + 1) / 2)
    >>> whole_function(law, alpha, Fraction(1, 32), [H])(Fraction(3, 32), 7)
    72
    """
    parts = {
        part: sympy.Dummy(f"c{number}", integer=True, positive=True)
        for number, part in enumerate(sorted(_roundings(formula, width), key=str))
    }
    rest = formula.xreplace(parts)
    channels = [exactly(part, [width]) for part in parts]
    if width in rest.free_symbols and pace is not None:
        steps = sympy.Dummy("k", integer=True, positive=True)
        rest = rest.subs(width, steps * sympy.Rational(pace))
        parts[width] = steps
        channels.append(lambda value: as_dim(value / pace))
    if width in rest.free_symbols:
        return exactly(formula, [width, *symbols])
    function = lambdify(rest, [*parts.values(), *symbols])
    known: dict[Fraction, list[Dim]] = {}

    def evaluate(value: Fraction, *numbers: int) -> Dim:
        if value not in known:
            known[value] = [channel(value) for channel in channels]
        found: Dim = function(*known[value], *numbers)
        return found

    return evaluate


def _roundings(formula: sympy.Expr, width: sympy.Symbol) -> list[sympy.Basic]:
    """Return the functions in a formula that round the width, and nothing else."""
    return [
        part for part in formula.atoms(sympy.Function)
        if rounded(part) is not None and part.free_symbols == {width}
    ]  # fmt: skip

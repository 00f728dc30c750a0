"""The page of claims: what textbooks say, the numbers, and the verdict by rule."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, get_args

import sympy

from costmodel.analysis.evidence.claims import Decision, Ruling
from costmodel.reports.formulas.mathml import mathml
from costmodel.reports.formulas.numbers import digits_of


VERDICTS: tuple[str, ...] = get_args(Decision)
MEANING = {
    "holds": "every number is as claimed, to the last digit that is printed",
    "approximately": "every number is at most a tenth off",
    "depends": "some numbers are at most a tenth off, others are not",
    "does not hold": "no number is within a tenth of what is claimed",
}
"""What each verdict says of the evidence."""

DIGITS = 4
"""Significant digits of a quotient, where it is no short fraction."""


def claims_finding(rulings: Sequence[Ruling]) -> str:
    """Return the page in one sentence: how many statements came out how."""
    counts = {v: sum(r.verdict == v for r in rulings) for v in VERDICTS}
    parts = [f"{count} {_plural(verdict, count)}" for verdict, count in counts.items()]
    whole = f"{len(rulings)} statement{'s' * (len(rulings) != 1)}"
    return f"Of {whole}, {', '.join(parts[:-1])}, and {parts[-1]}."


def _plural(verdict: str, count: int) -> str:
    """Return a verdict of several statements: 2 hold, 1 holds."""
    one = {
        "approximately": "approximately holds",
        "depends": "depends on what is meant",
    }
    several = {
        "holds": "hold",
        "approximately": "hold approximately",
        "depends": "depend on what is meant",
        "does not hold": "do not hold",
    }
    return one.get(verdict, verdict) if count == 1 else several[verdict]


def number(value: Any) -> str:
    """Return a number or formula of evidence as HTML; text stays as it is printed.

    >>> number(25557032), number("4.2M"), number(sympy.Rational(9, 8))
    ('25,557,032', '4.2M', '<span title="9/8">1.125</span>')
    """
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, int):
        return digits_of(value)
    formula = sympy.sympify(value)
    if formula.is_Integer:
        return digits_of(int(formula))
    if formula.is_number:
        return f'<span title="{escape(str(formula))}">{_decimal(formula)}</span>'
    return mathml(formula)


def _decimal(formula: sympy.Expr) -> str:
    """Return a number to a few digits, or to the nearest whole where it is large."""
    if abs(formula) >= 1000:
        return digits_of(int(sympy.floor(formula + sympy.Rational(1, 2))))
    return f"{float(formula):.{DIGITS}g}"

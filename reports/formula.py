"""Formulas as MathML, and as rows of stages.

Formulas come from the cost rules; here they are added up and factored for display.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any

import sympy
from sympy.printing.mathml import MathMLPresentationPrinter
from sympy.printing.precedence import PRECEDENCE

from costmodel.algebra.symbols import Dim, as_dim
from costmodel.analysis.cost import Cost, Sums


QUANTITIES = ("macs", "parameters", "activations")
"""The quantities that pages give a formula for, in their order."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Neighbouring scopes of one and the same cost, and what each of them costs."""

    name: str
    formulas: tuple[Dim, ...]


def stages(law: Cost) -> tuple[Stage, ...]:
    """Return the cost of each top-level scope, without those that cost nothing."""
    return tuple(
        Stage(_span([name for name, _ in scopes]), formulas)
        for formulas, scopes in _equal_runs(law)
        if any(formula != 0 for formula in formulas)
    )


def total(law: Cost, quantity: str) -> Dim:
    """Return a network's formula as the sum of its stages' products."""
    parts = (factored(sums.metric(quantity)) for sums in law.by_scope(1).values())
    return as_dim(sympy.Add(*parts))


def formulas_of(sums: Sums) -> tuple[Dim, ...]:
    """Return the formulas of all quantities, factored where that is shorter."""
    return tuple(factored(sums.metric(name)) for name in QUANTITIES)


def factored(formula: Dim) -> Dim:
    """Return a formula as a product where that has fewer operations.

    >>> H, W = sympy.symbols("H W")
    >>> factored(H * W - 4 * H - 4 * W + 16)
    (H - 4)*(W - 4)
    """
    if not isinstance(formula, sympy.Add):
        return formula
    product = sympy.factor(formula)
    return product if product.count_ops() < formula.count_ops() else formula


def mathml(formula: Dim) -> str:
    """Return a formula as a MathML element, with its plain text beside it."""
    body = _Printer({"mul_symbol": "dot"}).doprint(sympy.sympify(formula))
    return f'<math alttext="{escape(str(formula))}">{body}</math>'


class _Printer(MathMLPresentationPrinter):
    """Print extents on one line, thin spaces between digits, and real minus signs."""

    def _print_floor(self, expr: sympy.Expr) -> Any:
        top, bottom = sympy.together(expr.args[0]).as_numer_denom()
        offset, rest = top.as_coeff_Add()
        # ⌊(k+b−1)/b⌋ = ⌈k/b⌉ for an integer k, and for no other k.
        if bottom != 1 and offset == bottom - 1 and rest.is_integer:
            return self._fenced("⌈", rest, bottom, "⌉")
        return self._fenced("⌊", top, bottom, "⌋")

    def _print_ceiling(self, expr: sympy.Expr) -> Any:
        top, bottom = sympy.together(expr.args[0]).as_numer_denom()
        return self._fenced("⌈", top, bottom, "⌉")

    def _fenced(
        self, left: str, top: sympy.Expr, bottom: sympy.Expr, right: str
    ) -> Any:
        """Return a quotient on one line between two fences that need not stretch."""
        row = self.dom.createElement("mrow")
        row.appendChild(self._mark(left, stretchy="false"))
        if bottom == 1:
            row.appendChild(self._print(top))
        else:
            row.appendChild(self.parenthesize(top, PRECEDENCE["Mul"]))
            row.appendChild(self._mark("/", lspace="0", rspace="0"))
            row.appendChild(self.parenthesize(bottom, PRECEDENCE["Pow"], strict=True))
        row.appendChild(self._mark(right, stretchy="false"))
        return row

    def _print_Add(self, expr: sympy.Expr, order: Any = None) -> Any:  # noqa: N802
        return self._with_minus(super()._print_Add(expr, order=order))

    def _print_Mul(self, expr: sympy.Expr) -> Any:  # noqa: N802
        return self._with_minus(super()._print_Mul(expr))

    def _print_Integer(self, expr: sympy.Integer) -> Any:  # noqa: N802
        return self._print_int(int(expr))

    def _print_int(self, expr: int) -> Any:
        element = self.dom.createElement("mn")
        digits = f"{abs(expr):,}".replace(",", "\N{THIN SPACE}")
        element.appendChild(self.dom.createTextNode(digits))
        if expr >= 0:
            return element
        row = self.dom.createElement("mrow")
        row.appendChild(self._mark("−"))
        row.appendChild(element)
        return row

    def _print_Function(self, expr: sympy.Function) -> Any:  # noqa: N802
        row = self.dom.createElement("mrow")
        name = self.dom.createElement("mi")
        name.appendChild(self.dom.createTextNode(escape(expr.func.__name__)))
        row.appendChild(name)
        row.appendChild(self._paren_comma_separated(*expr.args))
        return row

    def _mark(self, sign: str, **attributes: str) -> Any:
        element = self.dom.createElement("mo")
        for name, value in attributes.items():
            element.setAttribute(name, value)
        element.appendChild(self.dom.createTextNode(sign))
        return element

    def _with_minus(self, row: Any) -> Any:
        """Replace the hyphens that sympy prints by minus signs."""
        for child in row.childNodes:
            if child.tagName == "mo" and child.firstChild.data == "-":
                child.firstChild.data = "−"
        return row


def _equal_runs(
    law: Cost,
) -> Iterator[tuple[tuple[Dim, ...], list[tuple[str, tuple[Dim, ...]]]]]:
    """Group neighbouring scopes whose formulas are the same."""
    costs = ((name, formulas_of(sums)) for name, sums in law.by_scope(1).items())
    for formulas, scopes in groupby(costs, key=lambda item: item[1]):
        yield formulas, list(scopes)


def _span(names: list[str]) -> str:
    """Return one name, or the first and last of several that cost the same."""
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}, each"

"""Formulas as MathML, and as rows of stages.

Formulas come from the cost rules; here they are added up and factored for display.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import groupby
from typing import Any

import sympy
from sympy.printing.mathml import MathMLPresentationPrinter
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from costmodel.algebra.symbols import Dim, H, W, as_dim
from costmodel.analysis.cost import Cost, Totals


QUANTITIES = ("macs", "parameters", "activations")
"""The quantities that pages give a formula for, in their order."""


@dataclass(frozen=True, slots=True)
class Size:
    """The height or width of a feature map under a short name: h₂ = ⌈H/4⌉."""

    symbol: sympy.Symbol
    extent: sympy.Expr


def sizes(law: Cost) -> tuple[Size, ...]:
    """Return the extents of a law under short names, the largest first.

    Without names, formulas would be long sums of floors that nobody reads.
    """
    extents = set().union(
        *(sympy.sympify(law.metric(name)).atoms(sympy.floor) for name in QUANTITIES)
    )
    found = []
    for side, letter in ((H, "h"), (W, "w")):
        own = [e for e in extents if e.free_symbols == {side}]
        own.sort(key=lambda e: (-float(e.args[0].subs(side, _LARGE)), str(e)))
        found += [
            Size(sympy.Symbol(f"{letter}_{k}", integer=True, positive=True), extent)
            for k, extent in enumerate(own, 1)
        ]
    return tuple(found)


_LARGE = 10**6
"""A side that is large enough to order extents by size."""


def _renamed(formula: Dim, known: tuple[Size, ...]) -> Dim:
    """Return a formula in the names of sizes, factored where that is shorter."""
    return factored(as_dim(_in_names(formula, known)))


def _in_names(formula: Dim, known: tuple[Size, ...]) -> sympy.Expr:
    names = {size.extent: size.symbol for size in known}
    return sympy.sympify(formula).xreplace(names)


@dataclass(frozen=True, slots=True)
class Stage:
    """Neighbouring scopes of one and the same cost, and what each of them costs."""

    name: str
    formulas: tuple[Dim, ...]


def stages(law: Cost, known: tuple[Size, ...] = ()) -> tuple[Stage, ...]:
    """Return the cost of each top-level scope, without those that cost nothing."""
    return tuple(
        Stage(_span([name for name, _ in scopes]), formulas)
        for formulas, scopes in _equal_runs(law, known)
        if any(formula != 0 for formula in formulas)
    )


def total(law: Cost, quantity: str, known: tuple[Size, ...] = ()) -> Dim:
    """Return a network's formula: its stages' products, or its terms if shorter."""
    parts = (
        _renamed(sums.metric(quantity), known) for sums in law.by_scope(1).values()
    )
    summed = sympy.Add(*parts)
    multiplied = _in_names(law.metric(quantity), known).expand()
    return as_dim(min(summed, multiplied, key=sympy.count_ops))


def formulas_of(sums: Totals, known: tuple[Size, ...] = ()) -> tuple[Dim, ...]:
    """Return the formulas of all quantities, factored where that is shorter."""
    return tuple(_renamed(sums.metric(name), known) for name in QUANTITIES)


MOST_FACTORED = 50
"""Operations of a formula above which no short product is looked for."""


@lru_cache(maxsize=4096)
def factored(formula: Dim) -> Dim:
    """Return a formula as a product where that has fewer operations.

    >>> H, W = sympy.symbols("H W")
    >>> factored(H * W - 4 * H - 4 * W + 16)
    (H - 4)*(W - 4)
    """
    if not isinstance(formula, sympy.Add) or sympy.count_ops(formula) > MOST_FACTORED:
        return formula
    product = sympy.factor(formula)
    return product if product.count_ops() < formula.count_ops() else formula


def mathml(formula: Dim) -> str:
    """Return a formula as a MathML element."""
    printed = _Printer({"mul_symbol": "dot"}).doprint(sympy.sympify(formula))
    body = _CODE.sub(lambda found: chr(int(found[1])), printed.replace("&#xB7;", "·"))
    return f"<math>{body}</math>"


def mathml_sum(formula: Dim) -> str:
    """Return a formula as MathML, each term of a sum by itself: lines break between.

    >>> a, b = sympy.symbols("a b")
    >>> re.sub("<[^>]*>", "", mathml_sum(a - 2 * b * (a**2 + b + 1)))
    'a − 2·b·(a2 + b + 1)'
    """
    parts = []
    for place, term in enumerate(sympy.sympify(formula).as_ordered_terms()):
        is_less = term.could_extract_minus_sign()
        sign = ("−" if is_less else "") if place == 0 else " − " if is_less else " + "
        parts.append(sign + _product(-term if is_less else term))
    return "".join(parts)


def _product(term: sympy.Expr) -> str:
    """Return a product, its longest sum as text that lines may break in."""
    sums = [f for f in sympy.Mul.make_args(term) if isinstance(f, sympy.Add)]
    longest = max(sums, key=lambda found: len(found.args), default=None)
    if longest is None or len(longest.args) < _LONG or term == longest:
        return mathml(term)
    return f"{mathml(term / longest)}·({mathml_sum(longest)})"


_LONG = 3
"""Terms of a sum inside of a product from which on lines may break in it."""

_CODE = re.compile(r"&#(\d{3,});")
"""Characters that sympy writes by number: longer, and harder to read."""


def plain(formula: Dim) -> str:
    """Return a product of sizes as a line of text, extents between fences.

    >>> H, W = sympy.symbols("H W", integer=True)
    >>> plain(sympy.floor(H / 4 + sympy.Rational(3, 4)) * W**2)
    'W²·⌈H/4⌉'
    """
    return str(_Text().doprint(sympy.sympify(formula)))


def _quotient(expr: sympy.Expr) -> tuple[str, sympy.Expr, sympy.Expr, str]:
    """Return a floor as a quotient between its fences; a ceiling where it is one."""
    top, bottom = sympy.together(expr.args[0]).as_numer_denom()
    offset, rest = top.as_coeff_Add()
    # ⌊(k+b−1)/b⌋ = ⌈k/b⌉ for an integer k, and for no other k.
    if bottom != 1 and offset == bottom - 1 and rest.is_integer:
        return "⌈", rest, bottom, "⌉"
    return "⌊", top, bottom, "⌋"


class _Text(StrPrinter):
    """Print extents between fences, squares and products as people write them."""

    def _print_floor(self, expr: sympy.Expr) -> str:
        left, top, bottom, right = _quotient(expr)
        if bottom == 1:
            return f"{left}{self._print(top)}{right}"
        return f"{left}{self.parenthesize(top, PRECEDENCE['Mul'])}/{bottom}{right}"

    def _print_Mul(self, expr: sympy.Expr) -> str:  # noqa: N802
        parts = (self.parenthesize(part, PRECEDENCE["Mul"]) for part in expr.args)
        return "·".join(parts)

    def _print_Pow(self, expr: sympy.Expr, rational: bool = False) -> str:  # noqa: FBT001, FBT002, N802
        if expr.exp == 2:
            return f"{self.parenthesize(expr.base, PRECEDENCE['Pow'])}²"
        return str(super()._print_Pow(expr, rational))


class _Printer(MathMLPresentationPrinter):
    """Print extents on one line, thin spaces between digits, and real minus signs."""

    def _print_floor(self, expr: sympy.Expr) -> Any:
        return self._fenced(*_quotient(expr))

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

    def _print_make_divisible(self, expr: sympy.Expr) -> Any:
        """Write channels rounded to a multiple of 8 as ⟨32·α⟩₈."""
        channels, width, divisor = expr.args
        row = self.dom.createElement("mrow")
        row.appendChild(self._mark("⟨", stretchy="false"))
        row.appendChild(self._print(channels * width))
        row.appendChild(self._mark("⟩", stretchy="false"))
        below = self.dom.createElement("msub")
        below.appendChild(row)
        below.appendChild(self._print(divisor))
        return below

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
    law: Cost, known: tuple[Size, ...]
) -> Iterator[tuple[tuple[Dim, ...], list[tuple[str, tuple[Dim, ...]]]]]:
    """Group neighbouring scopes whose formulas are the same."""
    parts = law.by_scope(1).items()
    costs = ((name, formulas_of(sums, known)) for name, sums in parts)
    for formulas, scopes in groupby(costs, key=lambda item: item[1]):
        yield formulas, list(scopes)


def _span(names: list[str]) -> str:
    """Return one name, or the first and last of several that cost the same."""
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}, each"

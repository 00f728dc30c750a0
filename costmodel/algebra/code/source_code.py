"""Formulas printed as text, LaTeX, or runnable Python and JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sympy
from sympy.printing.jscode import JavascriptCodePrinter
from sympy.printing.pycode import PythonCodePrinter

from costmodel.algebra.checks import formula_of
from costmodel.algebra.code.common_parts import named_functions
from costmodel.algebra.code.integer_division import whole
from costmodel.algebra.symbols import Dim


def text(expression: Dim, name: str) -> str:
    """Return ``name = formula`` in the notation that :func:`parse` reads."""
    return f"{name} = {expression}"


def latex(expression: Dim, name: str) -> str:
    r"""Return an equation in LaTeX.

    >>> latex(sympy.Symbol("H") ** 2, "macs")
    '\\mathrm{macs} = H^{2}'
    """
    formula = sympy.latex(formula_of("latex", expression), mul_symbol=r" \, ")
    word = name.replace("_", r"\_")
    return rf"\mathrm{{{word}}} = {formula}"


def python(expression: Dim, name: str) -> str:
    """Return a Python function of the formula's symbols; integers stay exact.

    >>> print(python(sympy.floor(sympy.Symbol("H") / 2), "macs"))
    def macs(H):
        return ((H)//(2))
    """
    formula, arguments = _program(expression)
    definitions = [function.python for function in named_functions([formula])]
    body = PythonCodePrinter().doprint(formula)
    return f"{_lines(definitions)}def {name}({arguments}):\n    return {body}"


def javascript(expression: Dim, name: str) -> str:
    """Return a JavaScript function of the formula's symbols, exact below 2⁵³.

    >>> print(javascript(sympy.floor(sympy.Symbol("H") / 2), "macs"))
    const macs = (H) => Math.floor((H)/(2));
    """
    formula, arguments = _program(expression)
    definitions = [function.javascript for function in named_functions([formula])]
    body = JavascriptCodePrinter().doprint(formula)
    return f"{_lines(definitions)}const {name} = ({arguments}) => {body};"


FORMATS: dict[str, Callable[[Dim, str], str]] = {
    "text": text,
    "latex": latex,
    "python": python,
    "js": javascript,
}
"""The printers, by the format's name."""


def _program(expression: Dim) -> tuple[sympy.Expr, str]:
    """Return a formula with integer divisions, and its symbols as arguments."""
    formula = whole(formula_of("printing", expression))
    return formula, ", ".join(sorted(map(str, formula.free_symbols)))


def _lines(definitions: Iterable[str]) -> str:
    return "".join(f"{text}\n" for text in definitions if text)

"""Formulas printed as text, LaTeX, or runnable Python and JavaScript."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sympy
from sympy.printing.jscode import JavascriptCodePrinter
from sympy.printing.pycode import PythonCodePrinter

from costmodel.algebra.checks import formula_of
from costmodel.algebra.code.common_parts import repeated
from costmodel.algebra.code.integer_division import whole
from costmodel.algebra.rounding import named_functions
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


def javascript_function(formulas: Mapping[Any, Dim], arguments: Sequence[str]) -> str:
    """Return a JavaScript function of named arguments to an object of all formulas.

    Common parts are computed once. Counts are exact below 2⁵³; keys 0, 1, 2, … give
    an array.

    >>> H = sympy.Symbol("H")
    >>> print(javascript_function({"a": H**2 + 1, "b": 2 * H**2}, ["H"]))
    (H) => {
    const x0 = Math.pow(H, 2);
    return {"a": 1 + x0, "b": 2*x0};
    }
    """
    wanted = [formula_of("printing", formula) for formula in formulas.values()]
    printer = _SharingPrinter(wanted)
    values = [printer.doprint(formula) for formula in wanted]
    definitions = [function.javascript for function in named_functions(wanted)]
    lines = [*(text.rstrip() for text in definitions if text), *printer.lines]
    if all(type(key) is int for key in formulas):
        result = f"[{', '.join(values)}]"
    else:
        pairs = zip(map(json.dumps, formulas), values)
        result = "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
    body = "\n".join([*lines, f"return {result};"])
    return f"({', '.join(arguments)}) => {{\n{body}\n}}"


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


class _SharingPrinter(JavascriptCodePrinter):
    """Give each part that occurs more than once a name, and print it once."""

    def __init__(self, formulas: Iterable[sympy.Expr]) -> None:
        super().__init__({"order": "none"})  # sorting takes half of the time
        self.lines: list[str] = []
        self._names: dict[sympy.Expr, str] = {}
        self._shared = set(repeated(formulas))

    def _print(self, expr: Any, **options: Any) -> str:
        if expr not in self._shared:
            return str(super()._print(expr, **options))
        if expr not in self._names:
            body = super()._print(expr, **options)
            self._names[expr] = f"x{len(self._names)}"
            self.lines.append(f"const {self._names[expr]} = {body};")
        return self._names[expr]

    def _print_floor(self, expr: sympy.Expr) -> str:
        return self._rounded("floor", expr)

    def _print_ceiling(self, expr: sympy.Expr) -> str:
        return self._rounded("ceil", expr)

    def _rounded(self, way: str, expr: sympy.Expr) -> str:
        """Divide once, and last, so that quotients of whole numbers round correctly."""
        top, bottom = sympy.fraction(sympy.together(expr.args[0]))
        inside = self._print(top)
        if bottom != 1:
            inside = f"({inside})/({self._print(bottom)})"
        return f"Math.{way}({inside})"

"""A formula as text, LaTeX, Python or JavaScript that runs as it stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy
from sympy.printing.jscode import JavascriptCodePrinter
from sympy.printing.pycode import PythonCodePrinter

from costmodel.algebra.arguments import formula_of
from costmodel.algebra.quotient import PackageFunctions, whole
from costmodel.algebra.symbols import Dim, common_divisor, make_divisible


NAMED = {
    make_divisible: (
        """\
def make_divisible(channels, width, divisor):
    scaled = channels * width
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * scaled else rounded
""",
        """\
const make_divisible = (channels, width, divisor) => {
  const scaled = channels * width;
  const rounded = Math.max(
    divisor, Math.floor(Math.floor(scaled + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * scaled ? rounded + divisor : rounded;
};
""",
    ),
    common_divisor: (
        "from math import gcd as common_divisor\n",
        "const common_divisor = (a, b) => b ? common_divisor(b, a % b) : a;\n",
    ),
}
"""Functions of this package, in Python and in JavaScript."""


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
    body, arguments = _code(_Python(), expression)
    return f"{_named(expression, 0)}def {name}({arguments}):\n    return {body}"


def javascript(expression: Dim, name: str) -> str:
    """Return a JavaScript function of the formula's symbols, exact below 2⁵³.

    >>> print(javascript(sympy.floor(sympy.Symbol("H") / 2), "macs"))
    const macs = (H) => Math.floor((H)/(2));
    """
    body, arguments = _code(_JavaScript(), expression)
    return f"{_named(expression, 1)}const {name} = ({arguments}) => {body};"


def javascript_function(formulas: Mapping[Any, Dim], arguments: Sequence[str]) -> str:
    """Return a JavaScript function of named arguments, to an object of all formulas.

    Common parts are computed once. Counts are exact below 2⁵³; keys that are numbers,
    in their order, give an array.

    >>> H = sympy.Symbol("H")
    >>> print(javascript_function({"a": H**2 + 1, "b": 2 * H**2}, ["H"]))
    (H) => {
    const x0 = Math.pow(H, 2);
    return {"a": x0 + 1, "b": 2*x0};
    }
    """
    wanted = [whole(formula_of("printing", formula)) for formula in formulas.values()]
    steps, results = sympy.cse(wanted, sympy.numbered_symbols("x"), order="none")
    printer = _JavaScript()
    needed = [f for f in NAMED if any(formula.has(f) for formula in wanted)]
    lines = [NAMED[function][1].rstrip() for function in needed]
    lines += [f"const {name} = {printer.doprint(part)};" for name, part in steps]
    values = [printer.doprint(result) for result in results]
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
"""How a formula is written, by the format's name."""


def _code(printer: Any, expression: Dim) -> tuple[str, str]:
    formula = whole(formula_of("printing", expression))
    arguments = ", ".join(sorted(map(str, formula.free_symbols)))
    return printer.doprint(formula), arguments


def _named(expression: Dim, language: int) -> str:
    formula = formula_of("printing", expression)
    needed = [f for f in NAMED if formula.has(f)]
    return "".join(NAMED[function][language] + "\n" for function in needed)


class _Python(PackageFunctions, PythonCodePrinter):
    """Print integer division and the functions of this package."""


class _JavaScript(PackageFunctions, JavascriptCodePrinter):
    """Print integer division and the functions of this package."""

    def _print_Quotient(self, expr: sympy.Expr) -> str:  # noqa: N802
        top, bottom = map(self._print, expr.args)
        return f"Math.floor(({top})/({bottom}))"

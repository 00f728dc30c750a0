"""Several formulas printed as one JavaScript function, common parts computed once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sympy
from sympy.printing.jscode import JavascriptCodePrinter
from sympy.printing.precedence import PRECEDENCE, precedence

from costmodel.algebra.checks import formula_of
from costmodel.algebra.code.common_parts import named_functions, repeated
from costmodel.algebra.symbols import Dim


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


def _level(part: sympy.Expr) -> float:
    """Return how strongly a part binds, as sympy does, which is slow for products."""
    if not part.is_Mul:
        return float(precedence(part))
    first = part.args[0]
    return float(PRECEDENCE["Add" if first.is_Rational and first.p < 0 else "Mul"])


def _divides(factor: sympy.Expr) -> bool:
    return bool(factor.is_Pow and factor.exp.is_Rational and factor.exp.p < 0)


class _SharingPrinter(JavascriptCodePrinter):
    """Give each part that occurs more than once a name, and print it once."""

    def __init__(self, formulas: Iterable[sympy.Expr]) -> None:
        super().__init__({"order": "none"})  # sorting takes half of the time
        self.lines: list[str] = []
        self._names: dict[sympy.Expr, str] = {}
        self._shared = set(repeated(formulas))

    def parenthesize(self, item: Any, level: float, strict: bool = False) -> str:  # noqa: FBT001, FBT002 - as sympy calls it
        """Return a part, in parentheses where it binds no more than what it is in."""
        own, text = _level(item), self._print(item)
        return text if own > level or (strict and own == level) else f"({text})"

    def _print_Add(self, expr: sympy.Expr, order: None = None) -> str:  # noqa: ARG002, N802 - as sympy calls it
        texts = [f"({self._print(term)})" if term.is_Add else self._print(term)
                 for term in expr.args]  # fmt: skip
        return " + ".join(texts).replace(" + -", " - ")

    def _print_Mul(self, expr: sympy.Expr) -> str:  # noqa: N802
        level = PRECEDENCE["Mul"]
        if _level(expr) < level or any(_divides(factor) for factor in expr.args):
            return str(super()._print_Mul(expr))
        return "*".join(self.parenthesize(factor, level) for factor in expr.args)

    def _handle_UnevaluatedExpr(self, expr: sympy.Expr) -> sympy.Expr:  # noqa: N802
        return expr  # there is none, and sympy would rebuild the formula to look

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

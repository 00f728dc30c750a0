"""Numbers and formulas as users write them, read exactly and never evaluated."""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import accumulate
from typing import Any

import sympy

from costmodel.algebra.rounding import FUNCTIONS
from costmodel.algebra.symbols import GREEK, Dim, as_dim, check_terms, symbol
from costmodel.errors import CostModelError, known_are, short


def exact(value: object, what: str = "value") -> Dim:
    """Return a number as its decimal notation reads, exactly: 0.3 is 3/10.

    >>> exact(0.3), exact("1/2"), exact(2.0), exact("32*M")
    (3/10, 1/2, 2, 32*M)
    """
    if isinstance(value, bool):
        raise CostModelError(f"{what} {value!r} is not a number")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CostModelError(f"{what} {value!r} is not a finite number")
        return as_dim(Fraction(str(value)), what)
    if not isinstance(value, str):
        return _real(as_dim(value, what), what)
    number = _real(parse(value, what), what)
    for unknown in getattr(number, "free_symbols", ()):
        if not (_LETTER.fullmatch(unknown.name) or unknown.name in GREEK):
            raise CostModelError(
                f'{what} "{value}": "{unknown}" is neither a number nor a symbol; '
                "a symbol is one letter, or a Greek one such as alpha"
            )
    return number


def _real(value: Dim, what: str) -> Dim:
    """Return the value if nothing says that it is no finite real number."""
    number = sympy.sympify(value)
    if number is sympy.nan or number.is_real is False or number.is_finite is False:
        raise CostModelError(f"{what} {value} is not a finite real number")
    if any(max(abs(n.p), n.q) >= _LARGEST for n in number.atoms(sympy.Rational)):
        raise CostModelError(f"{what}: a number of over {_MOST_DIGITS} digits")
    _check_growth(number, what)
    return value


def _check_growth(formula: sympy.Expr, what: str) -> None:
    """Refuse what would take minutes: costs are sums of products of users' formulas."""
    try:
        check_terms(formula, _MOST_TERMS)
    except CostModelError as error:
        raise CostModelError(f"{what}: {error}") from None


_LETTER = re.compile(r"[^\W\d_]\d*")
_ARITHMETIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_LONGEST_TEXT = 10_000
_MOST_DIGITS = 100
_LARGEST = 10**_MOST_DIGITS
_LARGEST_POWER = 64
_MOST_BITS = 10_000
_MOST_TERMS = 32
_MOST_COMPARED = 16
_DEEPEST = 60


def parse(
    text: str, what: str = "expression", names: Mapping[str, sympy.Expr] | None = None
) -> Dim:
    """Read an exact expression from a string, without ever evaluating code.

    Numbers, names, + - * / ** (or ^), parentheses and the functions of this package
    are understood. ``names`` gives symbols their own assumptions.

    >>> parse("32*M"), parse("0.75"), parse("floor((H + 1)/2)")
    (32*M, 3/4, floor(H/2 + 1/2))
    """
    if len(text) > _LONGEST_TEXT:
        raise CostModelError(f"{what}: longer than {_LONGEST_TEXT} characters")
    if re.search(rf"\d{{{_MOST_DIGITS}}}", text):
        raise CostModelError(f"{what}: a number of {_MOST_DIGITS} digits or more")
    shown = short(text)
    depths = accumulate({"(": 1, ")": -1}.get(letter, 0) for letter in text)
    if max(depths, default=0) > _DEEPEST:
        raise CostModelError(f'{what} "{shown}": over {_DEEPEST} nested parentheses')
    try:
        source = text.strip().replace("^", "**")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of "1if": it is refused below
            tree = ast.parse(source, mode="eval")
        _check_compared(tree)
        value = _finite(sympy.sympify(_evaluate(tree.body, names or {}, source)))
        check_terms(value, _MOST_TERMS)
        return as_dim(value, what)
    except CostModelError as error:
        raise CostModelError(f'{what} "{shown}": {error}') from None
    except ZeroDivisionError:
        raise CostModelError(f'{what} "{shown}": division by zero') from None
    except (RecursionError, MemoryError):
        raise CostModelError(f'{what} "{shown}": it is nested too deeply') from None
    except (SyntaxError, ValueError, TypeError, OverflowError):
        raise CostModelError(
            f'{what} "{shown}" is not a number or an expression such as 0.5, 3/4, 32*M'
        ) from None


def _evaluate(node: ast.expr, names: Mapping[str, sympy.Expr], source: str) -> Any:
    """Return the value of one node of the syntax tree; only arithmetic is known."""
    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex() | None):
            raise ValueError(node)
        case ast.Constant(value=float() as number):
            return _decimal(number, ast.get_source_segment(source, node) or "")
        case ast.Constant(value=int() as number):
            return sympy.Integer(number)
        case ast.Name(id=name):
            return names.get(name) or symbol(name)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _ARITHMETIC:
            return _ARITHMETIC[type(op)](_evaluate(operand, names, source))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            first = _evaluate(left, names, source)
            second = _evaluate(right, names, source)
            _check(op, first, second)
            return _ARITHMETIC[type(op)](first, second)
        case ast.Call(func=ast.Name(id=name), args=[_, *_] as arguments, keywords=[]):
            if name not in FUNCTIONS:
                known = known_are(name, sorted(FUNCTIONS))
                raise CostModelError(f"unknown function {name}; {known}")
            values = [_evaluate(a, names, source) for a in arguments]
            check_terms(sympy.Add(*values, evaluate=False), _MOST_TERMS)
            problem = f"{name} does not take {len(values)} arguments"
            try:
                return FUNCTIONS[name](*values)
            except TypeError:
                raise CostModelError(problem) from None
        case _:
            raise ValueError(node)


def _extremes(tree: ast.AST) -> list[ast.Call]:
    calls = (one for one in ast.walk(tree) if isinstance(one, ast.Call))
    return [call for call in calls if ast.unparse(call.func) in {"Max", "Min"}]


def _check_compared(tree: ast.AST) -> None:
    """Refuse a Max or Min of many values, those inside included, or of high powers."""
    work = 0
    for call in _extremes(tree):
        inside = (sum(len(e.args) for e in _extremes(one)) for one in call.args)
        many = sum(max(1, count) for count in inside)
        powers = re.findall(r"\*\* (\d+)", ast.unparse(call))
        work += many * (many * (many > 3) + sum(map(int, powers)))
        if many > _MOST_COMPARED or work > 3 * _MOST_COMPARED**2:
            most = f"at most {_MOST_COMPARED}, of low powers, are compared three times"
            raise CostModelError(f"{ast.unparse(call.func)} of {many} values; {most}")


def _finite(value: sympy.Expr) -> sympy.Expr:
    if value.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        raise ZeroDivisionError
    return value


def _decimal(number: float, text: str) -> sympy.Rational:
    """Return a decimal exactly as it is written, within the range of floats."""
    mantissa = text.lower().partition("e")[0]
    if not math.isfinite(number) or (number == 0 and mantissa.strip("0._")):
        raise ValueError(text)
    exactly = Fraction(text) if number else Fraction(0)
    return sympy.Rational(exactly.numerator, exactly.denominator)


def _check(op: ast.operator, base: sympy.Expr, power: sympy.Expr) -> None:
    """Refuse what is no finite real number, or would fill the memory."""
    if isinstance(op, ast.Div) and power == 0:
        raise ZeroDivisionError
    if not isinstance(op, ast.Pow):
        return
    if power.has(sympy.Pow) or (power.is_number and not abs(power) <= _LARGEST_POWER):
        raise CostModelError(f"power {power} is too large")
    if base == 0 and not power.is_positive:
        raise ZeroDivisionError
    if not (power.is_integer or base.is_positive):
        raise CostModelError(f"power {power} of {base} may be no real number")
    numbers = base.atoms(sympy.Rational)
    bits = max((max(n.p.bit_length(), n.q.bit_length()) for n in numbers), default=0)
    if power.is_number and bits * abs(power) > _MOST_BITS:
        raise CostModelError(f"power {power} of so long a number is too large")

"""Symbols with the right assumptions, exact numbers, named integer functions."""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from fractions import Fraction
from keyword import iskeyword
from numbers import Integral
from typing import Any, TypeAlias

import sympy

from costmodel.errors import CostModelError


Dim: TypeAlias = int | sympy.Expr
"""A count: a plain ``int`` once it is known, a sympy expression until then."""

Rational = sympy.Rational
"""An exact number, as a multiplier of layers is."""

GREEK = frozenset({
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota",
    "kappa", "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "tau",
    "upsilon", "phi", "chi", "psi", "omega",
})  # fmt: skip
"""Names of Greek letters: symbols of more than one letter that a user may write."""

REAL_SYMBOLS = frozenset({"alpha", "rho", "theta", "phi"})
"""Names that stand for positive real multipliers; every other symbol is an integer."""


def symbol(name: str) -> sympy.Symbol:
    """Return the positive symbol of that name: real for multipliers, else an integer.

    >>> symbol("C").is_integer, symbol("alpha").is_integer
    (True, None)
    """
    if not (isinstance(name, str) and name.isidentifier() and not iskeyword(name)):
        raise CostModelError(f'symbol "{name}": not a name; use letters, digits and _')
    if name in REAL_SYMBOLS:
        return sympy.Symbol(name, positive=True)
    return sympy.Symbol(name, positive=True, integer=True)


N, H, W, M = (symbol(name) for name in "NHWM")
alpha, rho, theta = symbol("alpha"), symbol("rho"), symbol("theta")


def as_dim(value: object, what: str = "value") -> Dim:
    """Return an exact count: ``int`` for whole numbers, else the expression itself.

    >>> as_dim(sympy.Integer(3)), as_dim(2 * alpha)
    (3, 2*alpha)
    """
    if type(value) is int:
        return value
    if isinstance(value, sympy.Expr) and not value.has(sympy.Float):
        return int(value) if value.is_Integer else value
    is_truth = isinstance(value, bool)
    if isinstance(value, Integral) and not is_truth:
        return int(value)  # numpy's integers, among others
    if isinstance(value, Fraction):
        return as_dim(sympy.Rational(value.numerator, value.denominator))
    raise CostModelError(
        f"{what} {value!r} is neither an integer nor an exact expression; "
        "a count is never a float"
    )


def as_int(value: Dim) -> int:
    """Return a count that is known by now, or say that it is not."""
    if type(value) is not int:
        raise CostModelError(f"{value} is symbolic; bind its symbols first")
    return value


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
        raise CostModelError(f"{what} {value} is no finite real number")
    if any(max(abs(n.p), n.q) >= _LARGEST for n in number.atoms(sympy.Rational)):
        raise CostModelError(f"{what}: a number of over {_MOST_DIGITS} digits")
    return value


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
_LARGEST_FLOAT = 2**53


def parse(
    text: str,
    what: str = "expression",
    names: Mapping[str, sympy.Expr] | None = None,
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
    try:
        source = text.strip().replace("^", "**")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of "1if": it is refused below
            tree = ast.parse(source, mode="eval")
        value = _finite(sympy.sympify(_evaluate(tree.body, names or {}, source)))
        return as_dim(value, what)
    except CostModelError as error:
        raise CostModelError(f'{what} "{text}": {error}') from None
    except ZeroDivisionError:
        raise CostModelError(f'{what} "{text}": division by zero') from None
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError,
            OverflowError):  # fmt: skip
        raise CostModelError(
            f'{what} "{text}" is not a number or an expression such as 0.5, 3/4, 32*M'
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
                known = ", ".join(sorted(FUNCTIONS))
                raise CostModelError(f"unknown function {name}; known are {known}")
            return FUNCTIONS[name](*(_evaluate(a, names, source) for a in arguments))
        case _:
            raise ValueError(node)


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


def exact_div(dividend: Dim, divisor: Dim) -> Dim:
    """Return dividend / divisor, and raise where the numbers leave a remainder.

    >>> exact_div(64, 32), exact_div(32 * alpha, 32 * alpha)
    (2, 1)
    """
    if divisor == 0:
        raise CostModelError(f"{divisor} does not divide {dividend}")
    if type(dividend) is int and type(divisor) is int:
        quotient, remainder = divmod(dividend, divisor)
        if remainder:
            raise CostModelError(f"{divisor} does not divide {dividend}")
        return quotient
    result = as_dim(sympy.sympify(dividend) / divisor)
    if isinstance(result, sympy.Rational):
        raise CostModelError(f"{divisor} does not divide {dividend}")
    return result


def floor(value: Dim) -> Dim:
    """Return the largest integer that is not above a value.

    >>> floor(sympy.Rational(7, 2)), floor(theta * 64)
    (3, floor(64*theta))
    """
    return as_dim(sympy.floor(value))


def maximum(left: Dim, right: Dim) -> Dim:
    """Return the larger of two values.

    >>> maximum(1, sympy.Rational(3, 2)), maximum(alpha, 1)
    (3/2, Max(1, alpha))
    """
    return as_dim(sympy.Max(left, right))


def is_equal(left: Dim, right: Dim) -> bool:
    """Say whether two counts are the same for every value of their symbols."""
    if type(left) is int and type(right) is int:
        return left == right
    return bool(left == right or sympy.expand(sympy.sympify(left) - right) == 0)


class make_divisible(sympy.Function):  # noqa: N801 - the reference code's name
    """Channels times width, rounded to a multiple of a divisor, never below 90 %.

    ``make_divisible(channels, width, divisor)`` with v = channels·width is
    max(d, ⌊(v + d/2)/d⌋·d), and d more where that is under 0.9·v.
    On numbers it computes **in floats**, as the reference code does: 0.29·400 gives
    112, where exact arithmetic would give 120. On symbols it stays unevaluated.

    Source: Sandler et al. 2018, reference code of MobileNetV2 (TF-slim,
    ``conv_blocks.py``), repeated in torchvision's ``_make_divisible``.

    >>> make_divisible(32, sympy.Rational(3, 4), 8), make_divisible(32, alpha, 8)
    (24, make_divisible(32, alpha, 8))
    """

    nargs = 3
    is_integer = True
    is_positive = True

    @classmethod
    def eval(
        cls, channels: sympy.Expr, width: sympy.Expr, divisor: sympy.Expr
    ) -> sympy.Integer | None:
        """Return the rounded number, or None to stay unevaluated."""
        if divisor.is_number and not (divisor.is_Integer and divisor > 0):
            raise CostModelError(f"make_divisible: {divisor} is no positive integer")
        if not (channels.is_Rational and width.is_Rational and divisor.is_number):
            return None
        if channels * width > _LARGEST_FLOAT:
            raise CostModelError(f"make_divisible: {channels}·{width} is too large")
        scaled, step = float(channels) * float(width), int(divisor)
        rounded = max(step, int(scaled + step / 2) // step * step)
        return sympy.Integer(rounded + step if rounded < 0.9 * scaled else rounded)


class common_divisor(sympy.Function):  # noqa: N801 - a function, printed as one
    """The greatest common divisor of two positive integers, unevaluated on symbols.

    >>> common_divisor(6, 7), common_divisor(H, 1), common_divisor(H, 7)
    (1, 1, common_divisor(H, 7))
    """

    nargs = 2
    is_integer = True
    is_positive = True

    @classmethod
    def eval(cls, left: sympy.Expr, right: sympy.Expr) -> sympy.Integer | None:
        """Return the divisor, or None to stay unevaluated."""
        if left.is_Integer and right.is_Integer:
            return sympy.Integer(math.gcd(int(left), int(right)))
        return sympy.Integer(1) if sympy.S.One in (left, right) else None


FUNCTIONS: dict[str, Any] = {
    "floor": sympy.floor,
    "ceiling": sympy.ceiling,
    "Max": sympy.Max,
    "Min": sympy.Min,
    "make_divisible": make_divisible,
    "common_divisor": common_divisor,
}
"""The functions that may stand in a formula, by the names that formulas print."""

"""Named integer-valued functions, such as channel rounding, one class for each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

import sympy

from costmodel.errors import CostModelError


FUNCTIONS: dict[str, Any] = {
    "floor": sympy.floor,
    "ceiling": sympy.ceiling,
    "Max": sympy.Max,
    "Min": sympy.Min,
}
"""The functions that may occur in a formula, by the names that formulas print.

Subclasses of :class:`Rounding` register themselves.
"""


@dataclass(frozen=True, slots=True)
class Rounded:
    """The argument that a function rounds, of which it is a rising step function."""

    law: sympy.Expr
    """The smooth law behind the value."""
    units: tuple[sympy.Expr, ...]
    """The value is constant while the law is between multiples of all of them."""


class Rounding(sympy.Function):
    """A named function of numbers and expressions whose values are whole numbers.

    Abstract. A subclass defines ``nargs``, its exact ``value``, its definitions in
    ``python`` and ``javascript``, and what it rounds, if anything. Formulas can then
    evaluate, print, relax and invert it, and read it back by its name.
    """

    is_integer = True

    python: ClassVar[str]
    """Its definition in Python, put before a formula that calls it."""
    javascript: ClassVar[str]
    """Its definition in JavaScript, exact below 2⁵³."""

    @staticmethod
    def value(*numbers: Fraction) -> int:
        """Return the exact value at numbers."""
        raise NotImplementedError

    @classmethod
    def over_arrays(cls, *values: Any) -> Any:
        """Return the values at arrays of numbers, whole ones perhaps as floats.

        By default point by point; a subclass may vectorise it.
        """
        import numpy as np

        return np.vectorize(lambda *point: cls.value(*map(Fraction, point)))(*values)

    def rounded(self) -> Rounded | None:
        """Return what is rounded; None if nothing is, as for a common divisor."""
        return None

    def __init_subclass__(cls, **options: Any) -> None:
        """Register the function, so that formulas with its name can be read."""
        super().__init_subclass__(**options)
        FUNCTIONS[cls.__name__] = cls

    def __new__(cls, *arguments: object, **options: bool) -> Self:
        """Refuse strings, which sympy would run as code."""
        for argument in arguments:
            if isinstance(argument, str):
                raise CostModelError(f"{cls.__name__}: {argument!r} is not a number")
        made: Self = super().__new__(cls, *arguments, **options)
        return made

    @classmethod
    def eval(cls, *arguments: sympy.Expr) -> sympy.Expr | None:
        """Return the value of whole numbers, or None to stay unevaluated."""
        if all(argument.is_Integer for argument in arguments):
            return sympy.Integer(cls.value(*map(Fraction, arguments)))
        return None

    def _pythoncode(self, printer: Any) -> str:
        arguments = (printer._print(argument) for argument in self.args)  # noqa: SLF001 - as sympy's own printers do
        return f"{type(self).__name__}({', '.join(arguments)})"

    _javascript = _numpycode = _fractioncode = _pythoncode


def rounded(part: sympy.Basic) -> Rounded | None:
    """Return what a part of a formula rounds, or None if it is no rounding.

    >>> print(rounded(sympy.floor(sympy.Symbol("H") / 2)).law)
    H/2
    """
    if isinstance(part, (sympy.floor, sympy.ceiling)):
        return Rounded(part.args[0], (sympy.S.One,))
    return part.rounded() if isinstance(part, Rounding) else None


_MOST_EXACT = 2**53
"""Integers up to here are exact in floats."""


class make_divisible(Rounding):  # noqa: N801 - the reference code's name
    """Channels times width, rounded to a multiple of a divisor, never below 90 %.

    ``make_divisible(channels, width, divisor)`` with v = channels·width is
    max(d, ⌊(v + d/2)/d⌋·d), and d more where that is under 0.9·v.
    On numbers it computes **in floats**, as the reference code does: 0.29·400 gives
    112, where exact arithmetic would give 120. On symbols it stays unevaluated.

    Source: Sandler et al. 2018, reference code of MobileNetV2 (TF-slim,
    ``conv_blocks.py``), repeated in torchvision's ``_make_divisible``.

    >>> alpha = sympy.Symbol("alpha", positive=True)
    >>> make_divisible(32, sympy.Rational(3, 4), 8), make_divisible(32, alpha, 8)
    (24, make_divisible(32, alpha, 8))
    """

    nargs = 3
    is_positive = True
    python = """\
def make_divisible(channels, width, divisor):
    scaled = channels * width
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * scaled else rounded
"""
    javascript = """\
const make_divisible = (channels, width, divisor) => {
  const scaled = channels * width;
  const rounded = Math.max(
    divisor, Math.floor(Math.floor(scaled + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * scaled ? rounded + divisor : rounded;
};
"""

    @classmethod
    def eval(cls, *arguments: sympy.Expr) -> sympy.Expr | None:
        """Return the rounded number, or None to stay unevaluated; widths are real."""
        channels, width, divisor = arguments
        if divisor.is_number and not (divisor.is_Integer and divisor > 0):
            raise CostModelError(f"make_divisible: {divisor} is not a positive integer")
        if not (channels.is_Rational and width.is_Rational and divisor.is_number):
            return None
        return sympy.Integer(cls.value(*map(Fraction, arguments)))

    @staticmethod
    def value(*numbers: Fraction) -> int:
        """Round as the reference code does, in floats."""
        channels, width, divisor = numbers
        if not (divisor.denominator == 1 and divisor > 0):
            raise CostModelError(f"make_divisible: {divisor} is not a positive integer")
        if channels * width > _MOST_EXACT:
            raise CostModelError(f"make_divisible: {channels}·{width} is too large")
        scaled, step = float(channels) * float(width), int(divisor)
        whole = max(step, int(scaled + step / 2) // step * step)
        return whole + step if whole < 0.9 * scaled else whole

    @classmethod
    def over_arrays(cls, *values: Any) -> Any:
        """Round whole arrays at once, in floats."""
        import numpy as np

        channels, width, divisor = values
        scaled = np.asarray(channels, dtype=float) * np.asarray(width, dtype=float)
        step = np.asarray(divisor, dtype=np.int64)
        whole_steps = (scaled + step / 2).astype(np.int64)
        whole = np.maximum(step, whole_steps // step * step)
        return np.where(whole < 0.9 * scaled, whole + step, whole)

    def rounded(self) -> Rounded:
        """Half a divisor is rounded up; the 90 % rule begins at 10/9 of a multiple."""
        channels, width, divisor = self.args
        return Rounded(channels * width, (divisor / 2, 10 * divisor / 9))


class common_divisor(Rounding):  # noqa: N801 - a function, printed as one
    """The greatest common divisor of two positive integers, unevaluated on symbols.

    >>> H = sympy.Symbol("H", positive=True, integer=True)
    >>> common_divisor(6, 7), common_divisor(H, 1), common_divisor(H, 7)
    (1, 1, common_divisor(H, 7))
    """

    nargs = 2
    is_positive = True
    python = "from math import gcd as common_divisor\n"
    javascript = "const common_divisor = (a, b) => b ? common_divisor(b, a % b) : a;\n"

    @classmethod
    def eval(cls, *arguments: sympy.Expr) -> sympy.Expr | None:
        """Return the divisor, or None to stay unevaluated."""
        found = super().eval(*arguments)
        return sympy.S.One if found is None and sympy.S.One in arguments else found

    @staticmethod
    def value(*numbers: Fraction) -> int:
        """Return the divisor of integers."""
        return math.gcd(*map(int, numbers))

    @classmethod
    def over_arrays(cls, *values: Any) -> Any:
        """Return the divisors, also of whole numbers kept as floats."""
        import numpy as np

        arrays = [np.asarray(value) for value in values]
        return np.gcd(
            *(a.astype(np.int64) if a.dtype.kind == "f" else a for a in arrays)
        )


class counted_in_doubles(Rounding):  # noqa: N801 - a function, printed as one
    """``int((h/r · (w/c) + 1) · n)`` as doubles give it.

    A mean costs one addition per element of its window of h/r by w/c elements, and a
    division; n outputs have n of them. In exact arithmetic that is a whole number
    whenever r·c divides n, but a quotient that doubles round down loses a unit.
    On symbols it stays unevaluated, except that dividing by 1 loses nothing.

    **Units**: operations.
    **Source**: IEEE 754; thop 0.1.1, ``calc_func.py``, ``calculate_adaptive_avg``.

    >>> counted_in_doubles(8, 8, 4, 4, 16), counted_in_doubles(1, 4, 1, 3, 3)
    (80, 6)
    """

    nargs = 5
    is_positive = True
    python = javascript = ""  # short enough to stand in the formula itself

    @classmethod
    def eval(cls, *arguments: sympy.Expr) -> sympy.Expr | None:
        """Return the count, or None to stay unevaluated."""
        height, width, rows, columns, outputs = arguments
        if rows == columns == 1:
            return (height * width + 1) * outputs
        return super().eval(*arguments)

    @staticmethod
    def value(*numbers: Fraction) -> int:
        """Return the count as doubles give it."""
        h, w, r, c, n = map(float, numbers)
        return int((h / r * (w / c) + 1) * n)

    @classmethod
    def over_arrays(cls, *values: Any) -> Any:
        """Return the counts of whole arrays at once."""
        import numpy as np

        h, w, r, c, n = values
        return np.asarray((h / r * (w / c) + 1) * n).astype(np.int64)

    def _pythoncode(self, printer: Any) -> str:
        return f"int({self._in_doubles(printer, 'float')})"

    def _javascript(self, printer: Any) -> str:
        return f"Math.trunc({self._in_doubles(printer)})"

    def _in_doubles(self, printer: Any, double: str = "") -> str:
        """Write the formula as Python and JavaScript both read it."""
        h, w, r, c, n = (f"({printer._print(value)})" for value in self.args)  # noqa: SLF001 - as sympy's own printers do
        return f"({double}{h}/{r}*({double}{w}/{c}) + 1)*{n}"


class printed_digits(Rounding):  # noqa: N801 - a function, printed as one
    """``int(float(f"{count:.3e}"))``: a count read off a text of four digits.

    On symbols it stays unevaluated.

    **Units**: operations.
    **Source**: numpy, ``einsum_path``, whose text fvcore and DeepSpeed read.

    >>> printed_digits(1234), printed_digits(123456)
    (1234, 123500)
    """

    nargs = 1
    is_positive = True
    python = ""  # short enough to stand in the formula itself
    # toExponential rounds a tie up, Python to the even digit: so in integers.
    javascript = """\
const printed_digits = (count) => {
  const unit = 10 ** Math.max(0, String(count).length - 4);
  const digits = Math.floor(count / unit), rest = 2 * (count % unit);
  return (digits + (rest > unit || (rest === unit && digits % 2) ? 1 : 0)) * unit;
};
"""

    @staticmethod
    def value(*numbers: Fraction) -> int:
        """Return the count rounded to the digits of its text."""
        return int(float(f"{float(numbers[0]):.3e}"))

    def _pythoncode(self, printer: Any) -> str:
        return f"int(float('%.3e' % ({printer._print(self.args[0])})))"  # noqa: SLF001 - as sympy's own printers do

"""A count that a tool computes in doubles, and then cuts to a whole number."""

from __future__ import annotations

from typing import Any

import sympy


class counted_in_doubles(sympy.Function):  # noqa: N801 - a function, printed as one
    """``int((h/r · (w/c) + 1) · n)`` as doubles give it.

    A mean costs an addition an element of its window of h/r by w/c elements, and a
    division; n outputs have n of them. In exact arithmetic that is a whole number
    whenever r·c divides n, but a quotient that doubles round down loses a unit.
    On symbols it stays unevaluated, except that dividing by 1 loses nothing.

    **Units**: operations.
    **Source**: IEEE 754; thop 0.1.1, ``calc_func.py``, ``calculate_adaptive_avg``.

    >>> counted_in_doubles(8, 8, 4, 4, 16), counted_in_doubles(1, 4, 1, 3, 3)
    (80, 6)
    """

    nargs = 5
    is_integer = True
    is_positive = True

    @classmethod
    def eval(cls, *values: sympy.Expr) -> sympy.Expr | None:
        """Return the count, or None to stay unevaluated."""
        height, width, rows, columns, outputs = values
        if rows == columns == 1:
            return (height * width + 1) * outputs
        if all(value.is_Integer for value in values):
            h, w, r, c, n = map(int, values)
            return sympy.Integer(int((h / r * (w / c) + 1) * n))
        return None

    def _pythoncode(self, printer: Any) -> str:
        return f"int({self._in_doubles(printer, 'float')})"

    def _javascript(self, printer: Any) -> str:
        return f"Math.trunc({self._in_doubles(printer)})"

    def _numpycode(self, printer: Any) -> str:
        array, whole = map(printer._module_format, ("numpy.asarray", "numpy.int64"))  # noqa: SLF001 - as sympy's own printers do
        return f"{array}({self._in_doubles(printer)}).astype({whole})"

    def _in_doubles(self, printer: Any, double: str = "") -> str:
        """Write the formula as Python, numpy and JavaScript all read it."""
        h, w, r, c, n = (f"({printer._print(value)})" for value in self.args)  # noqa: SLF001 - as sympy's own printers do
        return f"({double}{h}/{r}*({double}{w}/{c}) + 1)*{n}"


class printed_digits(sympy.Function):  # noqa: N801 - a function, printed as one
    """``int(float(f"{count:.3e}"))``: a count read off a text of four digits.

    On symbols it stays unevaluated.

    **Units**: operations.
    **Source**: numpy, ``einsum_path``, whose text fvcore and DeepSpeed read.

    >>> printed_digits(1234), printed_digits(123456)
    (1234, 123500)
    """

    nargs = 1
    is_integer = True
    is_positive = True

    @classmethod
    def eval(cls, value: sympy.Expr) -> sympy.Expr | None:
        """Return the count, or None to stay unevaluated."""
        if value.is_Integer:
            return sympy.Integer(int(float(f"{int(value):.3e}")))
        return None

    def _pythoncode(self, printer: Any) -> str:
        return f"int(float('%.3e' % ({printer._print(self.args[0])})))"  # noqa: SLF001 - as sympy's own printers do

    def _numpycode(self, printer: Any) -> str:
        every = printer._module_format("numpy.vectorize")  # noqa: SLF001 - as sympy's own printers do
        read = "lambda count: int(float('%.3e' % count))"
        return f"{every}({read})({printer._print(self.args[0])})"  # noqa: SLF001 - as sympy's own printers do

"""Symbolic integers: sizes of traced tensors that carry the formula of their value.

A traced network's own Python code sees ordinary integers, those of a sample; results of
its arithmetic keep their formulas, and comparisons are recorded as conditions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Self

import sympy

from costmodel.algebra.polynomial import Size, size
from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError


@dataclass
class Record:
    """The conditions and losses of formulas recorded while a network is traced."""

    values: Mapping[sympy.Symbol, int]
    """The sample's sizes."""
    where: Callable[[], str] = lambda: ""
    """Names the module that is running."""
    guards: dict[tuple[str, Size], str] = field(default_factory=dict)
    """Relations of a size to 0 that held, and the places of the comparisons."""
    lost: list[str] = field(default_factory=list)
    """The places where a size became a plain number."""

    def hold(self, relation: str, difference: Size) -> None:
        """Record that a size is ==, !=, >= or < 0."""
        if difference.constant is None:
            self.guards.setdefault((relation, difference), self.where())

    def lose(self, what: str) -> None:
        """Record that a size lost its formula."""
        self.lost.append(f"{what} in {self.where() or 'forward'}")


class SizeInt(int):
    """An integer with the formula of its value."""

    formula: Size
    record: Record

    def __new__(cls, formula: Size, record: Record) -> Self:
        """Return the value of a formula for the sample."""
        made = super().__new__(cls, formula.at(record.values))
        made.formula, made.record = formula, record
        return made

    def __add__(self, other: Any) -> Any:
        return self._join(other, lambda a, b: a + b, int.__add__)

    def __radd__(self, other: Any) -> Any:
        return self._join(other, lambda a, b: b + a, int.__radd__)

    def __sub__(self, other: Any) -> Any:
        return self._join(other, lambda a, b: a - b, int.__sub__)

    def __rsub__(self, other: Any) -> Any:
        return self._join(other, lambda a, b: b - a, int.__rsub__)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, float):
            return _scaled(self, other)
        return self._join(other, lambda a, b: a * b, int.__mul__)

    def __rmul__(self, other: Any) -> Any:
        if isinstance(other, float):
            return _scaled(self, other)
        return self._join(other, lambda a, b: b * a, int.__rmul__)

    def __neg__(self) -> Any:
        return whole(-self.formula, self.record)

    def __pos__(self) -> SizeInt:
        return self

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __floordiv__(self, other: Any) -> Any:
        return _divided(self, other, self.record)

    def __rfloordiv__(self, other: Any) -> Any:
        return _divided(other, self, self.record)

    def __mod__(self, other: Any) -> Any:
        quotient = self // other
        return NotImplemented if quotient is NotImplemented else self - quotient * other

    def __rmod__(self, other: Any) -> Any:
        quotient = other // self
        return other - quotient * self

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __truediv__(self, other: Any) -> Any:
        return _ratio(self, other, self.record)

    def __rtruediv__(self, other: Any) -> Any:
        return _ratio(other, self, self.record)

    def __pow__(self, other: Any, modulus: Any = None) -> Any:
        if modulus is None and type(other) is int and 0 <= other <= 8:
            result: Any = 1
            for _ in range(other):
                result = self * result
            return result
        if other == 0.5:
            return math.sqrt(self)
        self.record.lose(f"a power of {self.formula.value}")
        return int.__pow__(_plain(self), other, modulus)

    def __rshift__(self, other: Any) -> Any:
        return self // 2**other

    def __lshift__(self, other: Any) -> Any:
        return self * 2**other

    def __eq__(self, other: object) -> bool:
        return self._compare(other, "==", "!=", int.__eq__)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __ge__(self, other: Any) -> bool:
        return self._compare(other, ">=", "<", int.__ge__)

    def __lt__(self, other: Any) -> bool:
        return not self >= other

    def __gt__(self, other: Any) -> bool:
        return self >= other + 1 if isinstance(other, int) else float(self) > other

    def __le__(self, other: Any) -> bool:
        return not self > other

    def __hash__(self) -> int:
        return int.__hash__(self)

    def __bool__(self) -> bool:
        return self != 0

    def __floor__(self) -> SizeInt:
        return self

    __ceil__ = __trunc__ = __floor__

    def __round__(self, digits: Any = None) -> SizeInt:
        return self

    def __int__(self) -> int:
        self.record.lose(f"int() of {self.formula.value}")
        return _plain(self)

    def __float__(self) -> float:
        self.record.lose(f"float() of {self.formula.value}")
        return int.__float__(self)

    def __reduce__(self) -> Any:
        return int, (_plain(self),)

    def __copy__(self) -> SizeInt:
        return self

    def __deepcopy__(self, memo: Any) -> SizeInt:
        return self

    def _join(self, other: Any, combine: Any, plainly: Any) -> Any:
        if isinstance(other, SizeInt):
            return whole(combine(self.formula, other.formula), self.record)
        if isinstance(other, int):
            return whole(combine(self.formula, size(_plain(other))), self.record)
        return plainly(self, other)

    def _compare(self, other: Any, holds: str, fails: str, plainly: Any) -> bool:
        if isinstance(other, SizeRatio):
            return bool(plainly(_plain(self), float(other)))
        if not isinstance(other, int):
            result = plainly(self, other)
            return bool(result) if result is not NotImplemented else False
        theirs = other.formula if isinstance(other, SizeInt) else size(_plain(other))
        outcome = bool(plainly(self, other))
        self.record.hold(holds if outcome else fails, self.formula - theirs)
        return outcome


class SizeRatio(float):
    """A size divided by a number, before it is rounded to an integer."""

    numerator: Size
    denominator: int
    record: Record

    def __new__(cls, numerator: Size, denominator: int, record: Record) -> Self:
        """Return numerator/denominator for the sample."""
        made = super().__new__(cls, numerator.at(record.values) / denominator)
        made.numerator, made.denominator, made.record = numerator, denominator, record
        return made

    def __floor__(self) -> Any:
        return whole(self.numerator // self.denominator, self.record)

    def __ceil__(self) -> Any:
        return whole(-(-self.numerator // self.denominator), self.record)

    def __floordiv__(self, other: Any) -> Any:
        if type(other) is int and other > 0:
            under = self.denominator * other
            return SizeRatio(self.numerator // under, 1, self.record)
        return float.__floordiv__(self, other)

    def __truediv__(self, other: Any) -> Any:
        if type(other) is int and other > 0:
            return SizeRatio(self.numerator, self.denominator * other, self.record)
        return float.__truediv__(self, other)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, int) and not isinstance(other, SizeInt):
            return SizeRatio(self.numerator * other, self.denominator, self.record)
        if isinstance(other, float) and not isinstance(other, SizeRatio):
            exact = Fraction(other)
            if _is_short(exact):
                under = self.denominator * exact.denominator
                return SizeRatio(self.numerator * exact.numerator, under, self.record)
        return float.__mul__(self, other)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Any:
        if isinstance(other, SizeInt):
            other_size = other.formula * self.denominator
        elif isinstance(other, (int, float)) and _is_short(Fraction(other)):
            exact = Fraction(other)
            numerator = self.numerator * exact.denominator
            numerator = numerator + exact.numerator * self.denominator
            under = self.denominator * exact.denominator
            return SizeRatio(numerator, under, self.record)
        else:
            return float.__add__(self, other)
        return SizeRatio(self.numerator + other_size, self.denominator, self.record)

    __radd__ = __add__

    def __int__(self) -> int:
        self.record.lose(f"int() of {self.numerator.value}/{self.denominator}")
        return int(float.__trunc__(self))

    def __hash__(self) -> int:
        return float.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return float.__eq__(self, other)


def whole(formula: Size, record: Record) -> int:
    """Return a formula's value, as a plain ``int`` if the formula is constant."""
    constant = formula.constant
    return constant if constant is not None else SizeInt(formula, record)


def formula_of(value: int) -> Size:
    """Return the formula of an integer."""
    return value.formula if isinstance(value, SizeInt) else size(_plain(value))


def formula_value(value: int) -> Dim:
    """Return the formula of an integer as a number or a sympy expression."""
    return formula_of(value).value


def _divided(dividend: Any, divisor: Any, record: Record) -> Any:
    if not (isinstance(dividend, int) and isinstance(divisor, int)):
        return NotImplemented
    above, under = formula_of(dividend), formula_of(divisor)
    if under.constant is not None and under.constant > 0:
        return whole(above // under.constant, record)
    exact = above.divided(under) if under.constant is None else None
    if exact is not None:
        return whole(exact, record)
    if under.constant is None and above.constant != 0:
        quotient = sympy.floor(sympy.sympify(above.value) / under.value)
        try:
            return whole(size(quotient), record)
        except CostModelError:
            record.lose(f"a quotient by {under.value}")
    return _plain(dividend) // _plain(divisor)


def _ratio(dividend: Any, divisor: Any, record: Record) -> Any:
    if not (isinstance(dividend, int) and isinstance(divisor, int)):
        if isinstance(dividend, SizeInt) and isinstance(divisor, float) and divisor:
            return _scaled(dividend, 1 / divisor)
        return NotImplemented
    above, under = formula_of(dividend), formula_of(divisor)
    if under.constant:
        sign = 1 if under.constant > 0 else -1
        return SizeRatio(above * sign, abs(under.constant), record)
    exact = above.divided(under)
    if exact is not None:
        return SizeRatio(exact, 1, record)
    return int.__truediv__(_plain(dividend), _plain(divisor))


def _scaled(value: SizeInt, factor: float) -> float:
    exact = Fraction(factor)
    if not _is_short(exact):
        return int.__float__(value) * factor
    numerator = value.formula * exact.numerator
    return SizeRatio(numerator, exact.denominator, value.record)


def _is_short(exact: Fraction) -> bool:
    """Say whether a fraction is simple enough to be what a float was meant as."""
    return exact.denominator <= 1 << 16


def _plain(value: int) -> int:
    return int.__add__(value, 0)

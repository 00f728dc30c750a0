"""Symbolic integers: sizes of traced tensors that carry the formula of their value.

A traced network's own Python code sees ordinary integers, those of a sample; results of
its arithmetic keep their formulas, and comparisons are recorded as conditions.
"""

from __future__ import annotations

import math
import operator
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
    compared: set[Size] = field(default_factory=set)
    """What the code itself compared with 0."""
    lost: list[str] = field(default_factory=list)
    """The places where a size became a plain number."""
    is_asked: bool = False
    """Whether code was given other sizes than the batch, which it may then use."""

    def hold(self, relation: str, difference: Size) -> None:
        """Record that a size is ==, !=, >= or < 0."""
        if difference.constant is None:
            self.guards.setdefault((relation, difference), self.where())

    def lose(self, what: str) -> None:
        """Record that a size lost its formula."""
        self.lost.append(f"{what} in {self.where() or 'forward'}")

    def losses(self) -> str:
        """Return the first places where sizes became plain numbers, or nothing."""
        found = "; ".join(list(dict.fromkeys(self.lost))[:4])
        return f"; sizes lost their formula: {found}" if found else ""


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
        return self._join(other, lambda a, b: a * b, int.__mul__)

    def __rmul__(self, other: Any) -> Any:
        return self._join(other, lambda a, b: b * a, int.__rmul__)

    def __neg__(self) -> Any:
        return whole(-self.formula, self.record)

    def __pos__(self) -> SizeInt:
        return self

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __floordiv__(self, other: Any) -> Any:
        if isinstance(other, float):
            return ratio(self) // other
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
        return ratio(self) / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / ratio(self)

    def __pow__(self, other: Any, modulus: Any = None) -> Any:
        if modulus is None and type(other) is int and 0 <= other <= 8:
            result: Any = 1
            for _ in range(other):
                result = self * result
            return result
        if other == 0.5:
            return math.sqrt(self)
        self.record.lose(f"a power of {self.formula.value}")
        return int.__pow__(plain(self), plain(other), modulus)

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
        if isinstance(other, int):
            return self >= other + 1
        return self._compare(other, ">", "<=", int.__gt__)

    def __le__(self, other: Any) -> bool:
        return not self > other

    def __hash__(self) -> int:
        self.record.lose(f"hash() of {self.formula.value}")
        return int.__hash__(self)

    def __bool__(self) -> bool:
        return self != 0

    @property
    def real(self) -> SizeInt:
        """The size itself, as its numerator is."""
        return self

    numerator = real

    def __floor__(self) -> SizeInt:
        return self

    __ceil__ = __trunc__ = conjugate = __floor__

    def __round__(self, digits: Any = None) -> SizeInt:
        return self

    def __reduce__(self) -> Any:
        return int, (plain(self),)

    def __copy__(self) -> SizeInt:
        return self

    def __deepcopy__(self, memo: Any) -> SizeInt:
        return self

    def _join(self, other: Any, combine: Any, plainly: Any) -> Any:
        if isinstance(other, int):
            return whole(combine(self.formula, formula_of(other)), self.record)
        if isinstance(other, float):
            return getattr(ratio(self), plainly.__name__)(other)
        return plainly(self, other)

    def _compare(self, other: Any, holds: str, fails: str, plainly: Any) -> bool:
        if isinstance(other, float):
            return bool(getattr(ratio(self), plainly.__name__)(other))
        if not isinstance(other, int):
            result = plainly(self, other)
            return bool(result) if result is not NotImplemented else False
        outcome = bool(plainly(self, other))
        difference = self.formula - formula_of(other)
        self.record.compared.add(difference)
        self.record.hold(holds if outcome else fails, difference)
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

    def __trunc__(self) -> Any:
        return math.floor(self) if self >= 0 else math.ceil(self)

    def __round__(self, digits: Any = None) -> Any:
        if digits is None and self.denominator % 2:
            # Nothing is halfway between two numbers.
            above = self.numerator * 2 + self.denominator
            return whole(above // (2 * self.denominator), self.record)
        self.record.lose(f"round() of {self.text}")
        return float.__round__(self, digits)

    def __neg__(self) -> SizeRatio:
        return SizeRatio(-self.numerator, self.denominator, self.record)

    def __add__(self, other: Any) -> Any:
        found = _fraction(other)
        if found is None:
            return self._lost("__add__", other)
        above = self.numerator * found[1] + found[0] * self.denominator
        return SizeRatio(above, self.denominator * found[1], self.record)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        found = _fraction(other)
        if found is None:
            return self._lost("__mul__", other)
        under = self.denominator * found[1]
        return SizeRatio(self.numerator * found[0], under, self.record)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        found = _fraction(other)
        if found is None:
            return self._lost("__truediv__", other)
        above, under = self.numerator * found[1], found[0]
        if under.constant:
            sign = 1 if under.constant > 0 else -1
            under = self.denominator * abs(under.constant)
            return SizeRatio(above * sign, under, self.record)
        exact = above.divided(under)
        if exact is None:
            return self._lost("__truediv__", other)
        return SizeRatio(exact, self.denominator, self.record)

    def __rtruediv__(self, other: Any) -> Any:
        found = _fraction(other)
        if found is None:
            return self._lost("__rtruediv__", other)
        return SizeRatio(*found, self.record) / self

    def __floordiv__(self, other: Any) -> Any:
        quotient = self / other
        if isinstance(quotient, SizeRatio):
            return ratio(math.floor(quotient))
        return math.floor(quotient)

    def __pos__(self) -> SizeRatio:
        return self

    def __abs__(self) -> SizeRatio:
        return self if self >= 0 else -self

    def __bool__(self) -> bool:
        return self._compare(0, "__ne__")

    def __deepcopy__(self, memo: Any) -> SizeRatio:
        return self

    def __reduce__(self) -> Any:
        return float, (plain(self),)

    def __hash__(self) -> int:
        self.record.lose(f"hash() of {self.text}")
        return float.__hash__(self)

    @property
    def text(self) -> str:
        """The formula, for messages."""
        return str(sympy.sympify(self.numerator.value) / self.denominator)

    def _compare(self, other: Any, name: str) -> bool:
        found = _fraction(other)
        if found is None:
            answer: bool = self._lost(name, other)
            return answer
        above = self.numerator * found[1] - found[0] * self.denominator
        above = -above if name in {"__le__", "__gt__"} else above
        holds, fails = ("==", "!=") if name in {"__eq__", "__ne__"} else (">=", "<")
        outcome = HOLDS[holds](above.at(self.record.values), 0)
        self.record.compared.add(above)
        self.record.hold(holds if outcome else fails, above)
        return outcome != (name in {"__ne__", "__lt__", "__gt__"})

    def _lost(self, name: str, other: Any) -> Any:
        if isinstance(other, (int, float)):
            self.record.lose(f"{name.strip('_')}() of {self.text}")
        return getattr(plain(self), name)(plain(other))


HOLDS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<": operator.lt,
}  # fmt: skip
"""Relations of conditions."""


def whole(formula: Size, record: Record) -> int:
    """Return a formula's value, as a plain ``int`` if the formula is constant."""
    constant = formula.constant
    return constant if constant is not None else SizeInt(formula, record)


def formula_of(value: int) -> Size:
    """Return the formula of an integer."""
    return value.formula if isinstance(value, SizeInt) else size(int.__add__(value, 0))


def formula_value(value: int) -> Dim:
    """Return the formula of an integer as a number or a sympy expression."""
    return formula_of(value).value


def ratio(value: Any) -> SizeRatio:
    """Return a size as a fraction."""
    return SizeRatio(value.formula, 1, value.record)


def _divided(dividend: Any, divisor: Any, record: Record) -> Any:
    if not (isinstance(dividend, int) and isinstance(divisor, int)):
        return NotImplemented
    above, under = formula_of(dividend), formula_of(divisor)
    if under.constant:
        sign = 1 if under.constant > 0 else -1
        return whole((above * sign) // (under.constant * sign), record)
    if under.constant is None:
        exact = above.divided(under)
        if exact is not None:
            return whole(exact, record)
        quotient = sympy.floor(sympy.sympify(above.value) / under.value)
        try:
            return whole(size(quotient), record)
        except CostModelError:
            record.lose(f"a quotient by {under.value}")
    return plain(dividend) // plain(divisor)


def _fraction(value: Any) -> tuple[Size, int] | None:
    """Return a number as a fraction of a size; None if it is hardly meant as one.

    A float is what it is meant as if it is simple enough: 0.5, but not 0.3.
    """
    if isinstance(value, SizeRatio):
        return value.numerator, value.denominator
    if isinstance(value, int):
        return formula_of(value), 1
    if isinstance(value, float) and math.isfinite(value):
        exact = Fraction(value)
        if exact.denominator <= 1 << 16:
            return size(exact.numerator), exact.denominator
    return None


def plain(value: Any) -> Any:
    """Return a size as its number for the sample, and anything else as it is."""
    if isinstance(value, SizeInt):
        return int.__add__(value, 0)
    return float.__add__(value, 0.0) if isinstance(value, SizeRatio) else value


def _losing(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of plain numbers, which records that a size became one."""

    def called(self: SizeInt | SizeRatio, *args: Any) -> Any:
        text = self.formula.value if isinstance(self, SizeInt) else self.text
        self.record.lose(f"{_WORDS.get(name, name.strip('_'))}() of {text}")
        return method(plain(self), *map(plain, args))

    return called


_WORDS = {"__repr__": "str", "__trunc__": "int"}
_KEPT = {
    "__new__", "__init__", "__class__", "__doc__", "__dir__", "__init_subclass__",
    "__subclasshook__", "__getattribute__", "__setattr__", "__delattr__", "__str__",
    "__reduce_ex__", "__getnewargs__", "__getstate__", "__sizeof__", "__getformat__",
    "from_bytes", "fromhex", "imag", "denominator",
}  # fmt: skip
"""What sizes inherit from plain numbers: nothing that tells the number."""


def _comparing(name: str) -> Callable[..., bool]:
    def called(self: SizeRatio, other: Any) -> bool:
        return self._compare(other, name)

    return called


for _name in ("__eq__", "__ne__", "__ge__", "__lt__", "__le__", "__gt__"):
    setattr(SizeRatio, _name, _comparing(_name))

# What else a number can do makes a plain one, and says so.
for _kind, _base in (SizeInt, int), (SizeRatio, float):
    for _name in dir(_base):
        _method = getattr(_base, _name)
        if _name not in vars(_kind) and _name not in _KEPT and callable(_method):
            setattr(_kind, _name, _losing(_name, _method))

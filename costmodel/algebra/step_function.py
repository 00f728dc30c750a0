"""Step functions of one side: quasi-periodic, with whole values.

Every composition f of floors, remainders, sums and multiples of a side n satisfies
f(n + L) = f(n) + G for every n, with a period L and a gain G, so that one period
determines all values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import gcd, lcm

import sympy

from costmodel.algebra.symbols import expand
from costmodel.errors import CostModelError


LONGEST_PERIOD = 20_000
"""Functions of a longer period are not decided."""


class UndecidedError(CostModelError):
    """A function or a condition that is of no decidable kind."""


@dataclass(frozen=True)
class StepFunction:
    """⌊(slope·n + constant + Σ factor·step function) / divisor⌋, all whole numbers.

    Every extent of one symbol is one without nested step functions, ⌊(a·n + c)/s⌋.
    With divisor 1 nothing is rounded.

    >>> from costmodel.algebra.symbols import H
    >>> half = step_function(sympy.floor((H + 1) / 2), H)
    >>> half == StepFunction(0, 0, ((1, StepFunction(1, 1, divisor=2)),))
    True
    >>> half.over(range(1, 6)), half.period, half.gain
    ([1, 1, 2, 2, 3], 2, 1)
    """

    slope: int
    constant: int
    floors: tuple[tuple[int, StepFunction], ...] = ()
    divisor: int = 1

    def over(self, sides: Sequence[int]) -> list[int]:
        """Return the rounded values at some sides."""
        slope, constant, divisor = self.slope, self.constant, self.divisor
        sums = [slope * n + constant for n in sides]
        for factor, floor in self.floors:
            parts = floor.over(sides)
            sums = [total + factor * part for total, part in zip(sums, parts)]
        return sums if divisor == 1 else [total // divisor for total in sums]

    @cached_property
    def rise(self) -> Fraction:
        """The gain per pixel, in the long run."""
        total = self.slope + sum(factor * floor.rise for factor, floor in self.floors)
        return Fraction(total) / self.divisor

    @cached_property
    def period(self) -> int:
        """A number of pixels after which the values repeat, plus a gain."""
        inner = lcm(1, *(floor.period for _, floor in self.floors))
        gain = int(self.rise * self.divisor * inner)
        period = inner * (self.divisor // gcd(gain, self.divisor))
        if period > LONGEST_PERIOD:
            raise UndecidedError(f"it repeats itself after {period} pixels only")
        return period

    @property
    def gain(self) -> int:
        """The gain per period."""
        return int(self.rise * self.period)

    @property
    def one_period(self) -> list[int]:
        """The values at the sides from 1 up to the period."""
        return self.over(range(1, self.period + 1))


def step_function(expression: sympy.Expr, side: sympy.Symbol) -> StepFunction:
    """Return an expression of one whole-number symbol as a function of it.

    **Errors**: an expression that is no sum of multiples of n, of floors, ceilings and
    remainders of such sums, and of numbers; a Max or Min that is not always the same
    one of its operands.
    """
    if not side.is_integer:
        raise UndecidedError(f"{side} is not a whole number")
    slope, constant = Fraction(0), Fraction(0)
    floors: list[tuple[Fraction, StepFunction]] = []
    for term, factor in expand(expression).as_coefficients_dict().items():
        if not factor.is_Rational:
            raise UndecidedError(f"{factor} is not an exact number")
        times = Fraction(factor)
        if term.is_Rational:
            constant += times * Fraction(term)
        elif term == side:
            slope += times
        else:
            more = _term(term, side)
            slope += times * Fraction(more.slope, more.divisor)
            constant += times * Fraction(more.constant, more.divisor)
            floors += [(times * f / more.divisor, part) for f, part in more.floors]
    numbers = [slope, constant, *(factor for factor, _ in floors)]
    common = lcm(*(number.denominator for number in numbers))
    whole = [(int(factor * common), part) for factor, part in floors if factor]
    return StepFunction(
        int(slope * common), int(constant * common), tuple(whole), common
    )


def _term(term: sympy.Expr, side: sympy.Symbol) -> StepFunction:
    """Return one term that is not the side itself."""
    if isinstance(term, sympy.floor):
        return StepFunction(0, 0, ((1, step_function(term.args[0], side)),))
    if isinstance(term, sympy.ceiling):
        return StepFunction(0, 0, ((-1, step_function(-term.args[0], side)),))
    if isinstance(term, sympy.Mod):
        number, modulus = term.args
        return step_function(number - modulus * sympy.floor(number / modulus), side)
    if isinstance(term, (sympy.Max, sympy.Min)):
        return step_function(_extreme(term, side), side)
    raise UndecidedError(f"{term} is not a floor of multiples of {side}")


def _extreme(term: sympy.Expr, side: sympy.Symbol) -> sympy.Expr:
    """Return the operand that is the largest, or smallest, at every side from 1 on."""
    sign = 1 if isinstance(term, sympy.Max) else -1
    for operand in term.args:
        others = (sign * (operand - other) for other in term.args if other != operand)
        if side.is_positive and all(_is_never_negative(o, side) for o in others):
            return operand
    raise UndecidedError(f"{term} is not always one of its operands")


def _is_never_negative(expression: sympy.Expr, side: sympy.Symbol) -> bool:
    function = step_function(expression, side)
    return function.gain >= 0 and min(function.one_period) >= 0


def with_one_floor(function: StepFunction) -> StepFunction | None:
    """Return a function as k + m·⌊(a·n + c)/s⌋ in the fewest terms, if it is one.

    m, a/s in lowest terms and c are unique with 0 ≤ k < m: s·g ≤ a·n + c < s·g + s for
    g = (f − k)/m at every n leaves one c, written as a remainder of s. Where m or s is
    1, one fraction is all: ⌊(a·n + c)/s⌋, or a·n + c.

    >>> from costmodel.algebra.symbols import H
    >>> with_one_floor(step_function(sympy.floor(sympy.floor(H / 2) / 2) + 3, H))
    StepFunction(slope=1, constant=12, floors=(), divisor=4)
    >>> twice = with_one_floor(step_function(2 * sympy.floor(H / 4) + 3, H))
    >>> twice == StepFunction(0, 3, ((2, StepFunction(1, 0, divisor=4)),))
    True
    """
    values = function.over(range(1, function.period + 2))
    steps = [after - before for before, after in pairwise(values)]
    multiple = gcd(*steps)
    if multiple == 0:
        return StepFunction(0, values[0])
    rest = values[0] % multiple
    rise = Fraction(function.gain, function.period * multiple)
    a, s = rise.numerator, rise.denominator
    needed = [s * (v // multiple) - a * n for n, v in enumerate(values, start=1)]
    low, high = max(needed), min(needed) + s - 1
    if low > high:
        return None
    if multiple == 1 or s == 1:
        return StepFunction(multiple * a, multiple * low + rest, divisor=s)
    floor = StepFunction(a, low % s, divisor=s)
    return StepFunction(0, rest + multiple * (low // s), ((multiple, floor),))

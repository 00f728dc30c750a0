"""A question to a formula, checked, and what is legal to answer it with."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import sympy

from costmodel.algebra.arguments import (
    bound,
    formula_of,
    is_fractional,
    symbol_of,
    values_of,
)
from costmodel.algebra.bisection import FARTHEST, Query
from costmodel.algebra.evaluation import exactly
from costmodel.algebra.growth import direction
from costmodel.algebra.legal import (
    Multiples,
    Piece,
    common_multiple,
    pieces,
    step_of,
)
from costmodel.algebra.parse import exact
from costmodel.algebra.symbols import Dim, N
from costmodel.errors import CostModelError


def ask(
    name: str, expression: Dim, symbol: sympy.Symbol, budget: object, at: object,
    whole: Iterable[Dim], step: object, upto: object,
) -> Query:  # fmt: skip
    """Check a question, and find the values of its symbol that are legal."""
    formula = formula_of(name, expression)
    whole = tuple(whole) or getattr(expression, "whole", ())
    sizes = [formula_of(name, size) for size in whole]
    values = values_of(name, at, [formula, *sizes])
    if symbol in values:
        raise CostModelError(f"{name}: {symbol} is asked for, and has a value in at")
    placed = {s: v for s, v in values.items() if symbol in v.free_symbols}
    symbol_of(name, symbol, [formula.subs(placed)])
    pace = _pace(name, formula, sizes, symbol, values, step)
    setting = _Setting(
        name,
        symbol,
        bound(name, formula, values, symbol),
        [
            size
            for size in (bound(name, size, values, symbol) for size in sizes)
            if symbol in size.free_symbols
        ],
        limit_of(f"{name}: budget", budget, formula),
        None if upto is None else _fraction(name, "upto", upto),
    )
    return setting.on_plateaus() if pace is None else setting.on_multiples(pace)


def whole_number(what: str, value: object) -> int:
    """Return a number that a user gives as an integer; 3e8 is one, and 0.5 is not.

    >>> whole_number("budget", 3e8)
    300000000
    """
    number = exact(value, what)
    if type(number) is not int:
        raise CostModelError(f"{what} {value} is no whole number")
    return number


def limit_of(what: str, value: object, formula: sympy.Expr) -> Dim:
    """Return a budget: a whole number of what is counted, any number of seconds.

    >>> from costmodel.algebra.symbols import H
    >>> limit_of("budget", 10e-3, H / 10**6)
    1/100
    """
    if not is_fractional(formula):
        return whole_number(what, value)
    number = exact(value, what)
    if not sympy.sympify(number).is_Rational:
        raise CostModelError(f"{what} {value} is no number")
    return number


def _fraction(name: str, what: str, value: object) -> Fraction:
    number = sympy.sympify(exact(value, f"{name}: {what}"))
    if not (number.is_Rational and number > 0):
        raise CostModelError(f"{name}: {what} {value} is no positive number")
    return Fraction(int(number.p), int(number.q))


def _pace(
    name: str, law: sympy.Expr, sizes: list[sympy.Expr], symbol: sympy.Symbol,
    values: dict[sympy.Symbol, sympy.Expr], step: object,
) -> Fraction | None:  # fmt: skip
    """Return the number of which every legal value is a multiple, if there is one."""
    if symbol.is_integer:
        asked = [Fraction(1)]
    else:
        told = step_of(name, [_partly(s, symbol, values) for s in sizes], symbol)
        if told is None and step is None:
            told = _own_step(name, _partly(law, symbol, values), symbol)
        asked = [] if told is None else [told]
    if step is not None:
        asked.append(_fraction(name, "step", step))
    return common_multiple(asked) if asked else None


def _own_step(name: str, law: sympy.Expr, symbol: sympy.Symbol) -> Fraction | None:
    """Return the step that a formula's own terms tell.

    They tell it while the extents are symbols. Once these are numbers, terms of all
    layers are one, and its coefficient is a multiple of far more than the channels.
    """
    told = step_of(name, [law], symbol)
    if told is not None and is_fractional(law):
        raise CostModelError(
            f"{name}: a formula in fractions does not tell which {symbol} are legal; "
            "give whole=costmodel.tensor_sizes(network), or step"
        )
    if told is not None and not law.free_symbols - {symbol, N}:
        raise CostModelError(
            f"{name}: a formula without sizes does not tell which {symbol} are legal; "
            "give whole=costmodel.tensor_sizes(network), or step"
        )
    return told


def _partly(
    formula: sympy.Expr, symbol: sympy.Symbol, values: dict[sympy.Symbol, sympy.Expr]
) -> sympy.Expr:
    """Put in all values but those of integers that are only factors.

    What is whole for every batch and size is asked of more than what is whole at one.
    """
    divisors = {
        part
        for power in formula.atoms(sympy.Pow)
        if power.exp.is_negative
        for part in power.free_symbols
    }
    chosen = {
        s: value
        for s, value in values.items()
        if symbol in value.free_symbols or s in divisors or not s.is_integer
    }
    return formula.subs(chosen, simultaneous=True)


_FARTHEST_PLATEAU = 2**32
"""Channels of any width up to here are exact in the floats that round them."""


@dataclass(frozen=True, slots=True)
class _Setting:
    """What was asked, with all values but the symbol's put in."""

    name: str
    symbol: sympy.Symbol
    law: sympy.Expr
    sizes: list[sympy.Expr]
    budget: Dim
    upto: Fraction | None

    def on_multiples(self, step: Fraction) -> Query:
        """Return the question on the multiples of a step."""
        first = 1 + self._too_few(Multiples(step, 1))
        further = sympy.Dummy(nonnegative=True, integer=True)
        shifted = self.law.subs(self.symbol, sympy.Rational(step) * (first + further))
        steps = direction(self.law, self.symbol)
        if steps is None:  # what falls at first may rise on legal values
            steps = direction(sympy.expand(shifted), further)
        last = None if self.upto is None else max(first - 1, self.upto // step)
        count = None if last is None else last - first + 1
        return self._query(Multiples(step, first), count, steps)

    def on_plateaus(self) -> Query:
        """Return the question on the intervals between which roundings change."""
        steps = direction(self.law, self.symbol)
        high = self.upto or self._far_enough(steps)
        legal = pieces(self.name, [self.law], self.symbol, high)
        legal = legal[self._too_few(legal) :]
        return self._query(legal, len(legal), steps)

    def _far_enough(self, steps: int | None) -> Fraction:
        """Return a value beyond the budget, of costs that rise."""
        function, high = exactly(self.law, [self.symbol]), Fraction(1)
        while steps == 1 and not function(high) > self.budget:
            high *= 2
            if high > _FARTHEST_PLATEAU:
                raise CostModelError(
                    f"{self.name}: no {self.symbol} goes beyond {self.budget}"
                )
        return high

    def _too_few(self, legal: Multiples | list[Piece]) -> int:
        """Return how many values are below the first where all sizes are 1 or more.

        Without sizes, what a formula rounds down counts something: it stands for them.
        """
        counts = self.sizes or [
            part
            for part in self.law.atoms(sympy.floor)
            if self.symbol in part.free_symbols
        ]
        functions = [
            exactly(count, [self.symbol])
            for count in counts
            if direction(count, self.symbol) == 1
        ]

        def is_enough(number: int) -> bool:
            value = legal[number].inside
            return all(function(value) >= 1 for function in functions)

        high = 1 if isinstance(legal, Multiples) else len(legal)
        while isinstance(legal, Multiples) and not is_enough(high - 1):
            high = 2 * high
            if high > FARTHEST:
                raise CostModelError(f"{self.name}: no {self.symbol} is legal")
        return bisect_left(range(high), 1, key=is_enough)

    def _query(
        self, legal: Multiples | list[Piece], count: int | None, steps: int | None
    ) -> Query:
        x = self.symbol
        if count == 0:
            raise CostModelError(f"{self.name}: no {x} up to {self.upto} is legal")
        if steps == -1 and self.upto is None:
            raise CostModelError(
                f"{self.name}: the formula falls as {x} grows; the smallest {x} within "
                f"a budget is smallest(-formula, {x}, -budget)"
            )
        if steps != 1 and self.upto is None:
            raise CostModelError(
                f"{self.name}: the formula is not seen to rise with {x}; give upto, "
                f"and every legal {x} up to it is tried"
            )
        function = exactly(self.law, [x])
        return Query(
            self.name, x, self.budget, legal, function, count, steps == 1, self.sizes
        )

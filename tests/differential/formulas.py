"""Formulas as text and as exact numbers at points, by this file's own arithmetic.

Neither engine writes or evaluates here: what is compared is what their formulas say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from operator import mul
from typing import Any, TypeAlias

import sympy


Number: TypeAlias = int | Fraction
Point: TypeAlias = Mapping[str, Number]


def number_from(text: object) -> Number:
    """Return a number that was written as JSON: 12 or "3/4"."""
    return text if isinstance(text, int) else Fraction(str(text))


def numbers(point: Mapping[str, object]) -> Point:
    """Return the values of a point that was written as JSON."""
    return {name: number_from(value) for name, value in point.items()}


def written(value: Number) -> int | str:
    """Return a number as JSON holds it."""
    return int(value) if value == int(value) else str(value)


class Writer:
    """Formulas as text: equal formulas have equal texts, each part is written once.

    Sympy's own printer sorts and looks at each part anew, which takes longer than
    deriving the formula does.
    """

    def __init__(self) -> None:
        """Begin with no formula."""
        self._known: dict[sympy.Basic, str] = {}

    def __call__(self, formula: sympy.Basic) -> str:
        """Return a formula as text."""
        found = self._known.get(formula)
        if found is None:
            found = self._known[formula] = self._written(formula)
        return found

    def _written(self, formula: sympy.Basic) -> str:
        name = type(formula).__name__
        if not formula.args:
            return str(formula)
        parts = list(map(self, formula.args))
        if name == "Add":
            return f"({' + '.join(parts)})"
        if name in _SIGNS:
            return _SIGNS[name].join(parts)
        return f"{name}({', '.join(parts)})"


_SIGNS = {"Mul": "*", "Pow": "**"}


class Evaluator:
    """Values of formulas at a few points, each part evaluated once."""

    def __init__(self, points: Sequence[Point]) -> None:
        """Keep the points; formulas come later."""
        self.points = points
        self._known: dict[sympy.Basic, tuple[Number, ...]] = {}

    def __call__(self, formula: sympy.Basic) -> tuple[Number, ...]:
        """Return a formula's value at each point."""
        found = self._known.get(formula)
        if found is None:
            found = self._known[formula] = self._evaluated(formula)
        return found

    def _evaluated(self, formula: sympy.Basic) -> tuple[Number, ...]:
        if isinstance(formula, sympy.Symbol):
            return tuple(point[formula.name] for point in self.points)
        if isinstance(formula, sympy.Rational):
            value = _plain(Fraction(int(formula.p), int(formula.q)))
            return (value,) * len(self.points)
        rule = _RULES.get(type(formula).__name__)
        arguments = zip(*map(self, formula.args))
        if rule is None:
            return tuple(_by_itself(formula, given) for given in arguments)
        return tuple(_plain(rule(given)) for given in arguments)


def _plain(value: Number) -> Number:
    if isinstance(value, Fraction) and value.denominator == 1:
        return value.numerator
    return value


def _power(given: Sequence[Number]) -> Number:
    base, exponent = given
    return (
        Fraction(base) ** int(exponent) if exponent == int(exponent) else _root(given)
    )


def _root(given: Sequence[Number]) -> Number:
    raise ArithmeticError(f"{given[0]} to the power of {given[1]} is not exact")


_RULES: dict[str, Callable[[Sequence[Number]], Number]] = {
    "Add": sum,
    "Mul": lambda given: reduce(mul, given),
    "Pow": _power,
    "floor": lambda given: math.floor(given[0]),
    "ceiling": lambda given: math.ceil(given[0]),
    "Max": max,
    "Min": min,
    "Mod": lambda given: given[0] % given[1],
    "Abs": lambda given: abs(given[0]),
}
"""What the functions of formulas do to numbers, by name."""


def _by_itself(formula: sympy.Basic, given: Sequence[Number]) -> Number:
    """Return what a function of the package makes of numbers: rounded widths."""
    arguments = [sympy.Rational(v.numerator, v.denominator) for v in given]
    value: Any = formula.func(*arguments)
    if not value.is_Rational:
        raise ArithmeticError(f"{formula} has no exact value at {given}")
    return _plain(Fraction(int(value.p), int(value.q)))


class UncountedError(TypeError):
    """An answer is a float, or something else that no count is."""


class Formulas:
    """Formulas of one network: as text, and what they are at the network's points.

    ``table`` has by text the names of the symbols, and the values; none where a formula
    has no exact value.
    """

    text = Writer()
    """Of all networks: they have many a part in common."""

    def __init__(self, points: Iterable[Mapping[str, object]]) -> None:
        """Keep points as they were written as JSON."""
        self.points = list(map(numbers, points))
        self.table: dict[str, list[Any]] = {}
        self._evaluate = Evaluator(self.points)

    def valued(self, formula: sympy.Basic) -> list[Any]:
        """Return the names of a formula's symbols, and its value at each point."""
        names = sorted(symbol.name for symbol in formula.free_symbols)
        try:
            return [names, *map(written, self._evaluate(formula))]
        except (ArithmeticError, KeyError, TypeError, AttributeError):
            return [names]

    def encoded(self, answer: Any) -> Any:
        """Return an answer as JSON: a formula is "=" and its text in the table."""
        if isinstance(answer, Mapping):
            return {str(key): self.encoded(part) for key, part in answer.items()}
        if isinstance(answer, (list, tuple)):
            return [self.encoded(part) for part in answer]
        if isinstance(answer, sympy.Integer):
            return int(answer)
        if isinstance(answer, sympy.Basic):
            text = self.text(answer)
            if text not in self.table:
                self.table[text] = self.valued(answer)
            return f"={text}"
        if answer is None or isinstance(answer, (bool, int, str)):
            return answer
        raise UncountedError(f"{answer!r} is neither a count nor text")

"""Conditions on one side of the input: the exact set of sizes at which each holds.

A difference of two sizes is quasi-periodic, f(H + L) = f(H) + G, so that on one residue
class modulo L a relation f ≥ 0 or f = 0 holds always, never, from some size on, up to
some size, or at one size. No size is tried beyond one period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from math import prod
from operator import and_, or_
from typing import Any, TypeAlias

import sympy
from sympy.logic.boolalg import Boolean

from costmodel.algebra.extent import extent_of
from costmodel.algebra.integer_sets.periodic_set import PeriodicSet, Piece
from costmodel.algebra.step_function import (
    LONGEST_PERIOD,
    StepFunction,
    UndecidedError,
    step_function,
)


Blocks: TypeAlias = tuple[int, int | None] | None
"""The first and last period, counted from 0, in which a relation holds."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """The answer for a condition that this module cannot decide."""

    why: str

    def __str__(self) -> str:
        """Write undecided: and the reason."""
        return f"undecided: {self.why}"


@lru_cache(maxsize=4096)
def decided(
    condition: Boolean, side: sympy.Symbol | None = None
) -> PeriodicSet | Undecided:
    """Return the exact set of sides, from 1 on, at which a condition holds.

    Relations =, ≠, ≥, >, ≤, < and their combinations by And, Or and Not are decided if
    both sides are sums of multiples of one positive whole-number symbol, of floors,
    ceilings, remainders, maxima and minima of such sums, and of numbers.
    Everything else (two symbols, a product of extents, a period of over 20 000 pixels)
    is :class:`Undecided`, never guessed. ``side`` is needed only for a condition
    without symbols.

    >>> from costmodel.algebra.symbols import H, W
    >>> half = sympy.floor(H / 2)
    >>> print(decided(sympy.Eq(2 * sympy.floor(half / 2), half)))
    H mod 4 in {0, 1}
    >>> print(decided(sympy.Ge(sympy.floor((H - 11) / 32), 2)))
    H ≥ 75
    >>> print(decided(sympy.Eq(H, W)))
    undecided: it is about H and W
    """
    condition = _plain(condition)
    names = sorted(map(str, condition.free_symbols))
    if len(names) > 1:
        return Undecided(f"it is about {' and '.join(names)}")
    symbol = next(iter(condition.free_symbols), side)
    if symbol is None:
        return Undecided("it is about no side")
    if not (symbol.is_integer and symbol.is_positive):
        return Undecided(f"{symbol} is not a positive whole number")
    try:
        return _where(condition, symbol)
    except UndecidedError as error:
        return Undecided(str(error))


def _plain(condition: Boolean) -> Boolean:
    """Return a condition without opaque extents."""
    opaque = {s: extent_of(s) for s in condition.free_symbols}
    known = {s: sympy.sympify(e.value) for s, e in opaque.items() if e is not None}
    return condition.xreplace(known) if known else condition


def _where(condition: Boolean, side: sympy.Symbol) -> PeriodicSet:
    """Return where a condition of one symbol holds."""
    if condition in (sympy.true, sympy.false):
        every = PeriodicSet.between(1, name=side.name)
        return every if condition == sympy.true else ~every
    if isinstance(condition, (sympy.And, sympy.Or)):
        join = and_ if isinstance(condition, sympy.And) else or_
        found = reduce(join, (_where(part, side) for part in condition.args))
        if found.modulus > LONGEST_PERIOD:
            raise UndecidedError(f"it repeats itself after {found.modulus} pixels only")
        return found
    if isinstance(condition, sympy.Not):
        return ~_where(condition.args[0], side)
    is_relation = type(condition) in _RELATIONS
    if not (is_relation and all(isinstance(s, sympy.Expr) for s in condition.args)):
        raise UndecidedError(f"{condition} is not a relation")
    sign, ask, negate = _RELATIONS[type(condition)]
    found = _compared(ask, sign * (condition.lhs - condition.rhs), side)
    return ~found if negate else found


_MOST_CASES = 64
"""The most combinations of operands of Max and Min that are tried."""


def _compared(
    ask: Callable[[int, int], Blocks], difference: sympy.Expr, side: sympy.Symbol
) -> PeriodicSet:
    """Return where a difference has the required sign, case by case of Max and Min."""
    try:
        return _of_steps(ask, step_function(difference, side), side.name)
    except UndecidedError:
        extremes = sorted(difference.atoms(sympy.Max, sympy.Min), key=sympy.count_ops)
        if not extremes:
            raise
    cases = prod(len(extreme.args) for extreme in extremes)
    if cases > _MOST_CASES:
        raise UndecidedError(f"it has {cases} cases of largest and smallest values")
    found = PeriodicSet.only((), side.name)
    extreme = extremes[0]  # the simplest: no other one is inside of it
    sign = 1 if isinstance(extreme, sympy.Max) else -1
    for operand in extreme.args:
        chosen = PeriodicSet.between(1, name=side.name)
        for other in extreme.args:
            if other != operand:
                chosen &= _compared(_at_least, sign * (operand - other), side)
        if not chosen.is_never:
            case = difference.xreplace({extreme: operand})
            found |= chosen & _compared(ask, case, side)
    return found


def _of_steps(
    ask: Callable[[int, int], Blocks], function: StepFunction, name: str
) -> PeriodicSet:
    """Return where a step function has the required sign."""
    whole = replace(function, divisor=1)
    gain, period = whole.gain, whole.period
    blocks = [ask(value, gain) for value in whole.one_period]
    return PeriodicSet.joined(_pieces(blocks, period), name)


def _at_least(value: int, gain: int) -> Blocks:
    """Return the t ≥ 0 at which value + gain·t ≥ 0."""
    if gain > 0:
        return max(0, -(value // gain)), None
    if value < 0:
        return None
    return 0, None if gain == 0 else value // -gain


def _zero(value: int, gain: int) -> Blocks:
    """Return the t ≥ 0 at which value + gain·t = 0."""
    if gain == 0:
        return None if value else (0, None)
    if value % gain or -value // gain < 0:
        return None
    return -value // gain, -value // gain


def _above(value: int, gain: int) -> Blocks:
    """Return the t ≥ 0 at which value + gain·t > 0."""
    return _at_least(value - 1, gain)


_RELATIONS: dict[Any, tuple[int, Callable[[int, int], Blocks], bool]] = {
    sympy.Eq: (1, _zero, False),
    sympy.Ne: (1, _zero, True),
    sympy.Ge: (1, _at_least, False),
    sympy.Gt: (1, _above, False),
    sympy.Le: (-1, _at_least, False),
    sympy.Lt: (-1, _above, False),
}
"""By relation: the sign of left − right, its test, and whether the test is negated."""

_MOST_WORK = 1_000_000


def _pieces(blocks: list[Blocks], period: int) -> Iterator[Piece]:
    """Give the pieces between periods at which the set of remainders changes."""
    known = {held for held in blocks if held is not None}
    cuts = {0, *(first for first, _ in known)}
    cuts |= {last + 1 for _, last in known if last is not None}
    if len(cuts) * period > _MOST_WORK:
        raise UndecidedError(f"it changes at {len(cuts)} sizes")
    for block in sorted(cuts):
        held = [
            n for n, span in enumerate(blocks, start=1)
            if span and span[0] <= block and (span[1] is None or block <= span[1])
        ]  # fmt: skip
        yield Piece.of(block * period + 1, period, held)

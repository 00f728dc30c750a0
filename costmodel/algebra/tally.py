"""Counts of primitive operations by kind, which form a commutative monoid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import sympy

from costmodel.algebra.symbols import Dim, as_dim


@dataclass(frozen=True, slots=True)
class Tally:
    """Multiply–accumulates, additions, multiplications, divisions, exp, comparisons.

    A subtraction is an addition; a square root or a power is an ``exp``.
    Kinds are kept apart since every tool weighs them differently.

    **Units**: operations.

    >>> Tally(mac=2) + Tally(mac=3, add=1)
    Tally(mac=5, add=1, mul=0, div=0, exp=0, compare=0)
    """

    mac: Dim = 0
    add: Dim = 0
    mul: Dim = 0
    div: Dim = 0
    exp: Dim = 0
    compare: Dim = 0

    def __add__(self, other: Tally) -> Tally:
        """Return the operations of both."""
        return total_tally((self, other))

    def __mul__(self, times: Dim) -> Tally:
        """Return the operations of so many repetitions."""
        parts = (getattr(self, kind) for kind in KINDS)
        # 0 stays the number 0, whatever it is multiplied by.
        return Tally(*(times * part if part != 0 else 0 for part in parts))


KINDS = tuple(field.name for field in fields(Tally))


def total(terms: Iterable[Dim]) -> Dim:
    """Return the sum of counts; symbolic terms are added in one single step.

    >>> total([1, 2, 3])
    6
    """
    number, expressions = 0, []
    for term in terms:
        if type(term) is int:
            number += term
        else:
            expressions.append(term)
    return as_dim(sympy.Add(number, *expressions)) if expressions else number


def total_tally(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of many tallies, kind by kind."""
    tallies = list(tallies)
    return Tally(*(total(getattr(tally, kind) for tally in tallies) for kind in KINDS))

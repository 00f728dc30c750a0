"""Sets of sides: whole numbers from 1 on, by bounds and by remainders, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import lcm

from costmodel.algebra.residues import Residues
from costmodel.algebra.stairs import LONGEST_PERIOD, UndecidedError
from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Stretch:
    """The numbers from ``first`` to ``last`` (or without an end) of some remainders."""

    first: int
    last: int | None
    residues: Residues

    def __contains__(self, number: int) -> bool:
        """Say whether a number is one of them."""
        inside = self.first <= number and (self.last is None or number <= self.last)
        return inside and number in self.residues

    def __str__(self) -> str:
        """Write H ≥ 75, H = 224, 5 ≤ H ≤ 9, or H ≥ 33 and 16 divides H."""
        name, first, last = self.residues.name, self.first, self.last
        if last is None:
            bounds = "" if first == 1 else f"{name} ≥ {first}"
        elif first == last:
            bounds = f"{name} = {first}"
        else:
            bounds = f"{name} ≤ {last}" if first == 1 else f"{first} ≤ {name} ≤ {last}"
        whole = self.residues.modulus == 1 and self.residues.values
        return " and ".join(
            part for part in (bounds, "" if whole and bounds else str(self.residues))
            if part
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sides:
    """A set of whole numbers from 1 on that repeats itself from some number on.

    Stretches are apart and in order; the last one, if it has no end, has the least
    modulus and begins as early as it can. Two sets are equal if they hold the same.

    >>> sixteenths = Sides.of(Residues.of(16, [0]))
    >>> print(sixteenths & Sides.between(33), "|", sixteenths & Sides.between(9, 40))
    H ≥ 33 and 16 divides H | H in {16, 32}
    >>> print(~Sides.only([5, 6]))
    H ≤ 4 or H ≥ 7
    """

    stretches: tuple[Stretch, ...]
    name: str = "H"

    @classmethod
    def of(cls, residues: Residues) -> Sides:
        """Return all numbers of some remainders."""
        return cls.joined([Stretch(1, None, residues)], residues.name)

    @classmethod
    def between(cls, first: int, last: int | None = None, name: str = "H") -> Sides:
        """Return all numbers from one on, to another one or without an end."""
        every = Residues(1, (0,), name)
        if last is not None and last < max(1, first):
            return cls((), name)
        return cls.joined([Stretch(max(1, first), last, every)], name)

    @classmethod
    def only(cls, numbers: Iterable[int], name: str = "H") -> Sides:
        """Return the set of so many numbers; what is below 1 is left out."""
        every = Residues(1, (0,), name)
        points = sorted({number for number in numbers if number >= 1})
        return cls.joined([Stretch(n, n, every) for n in points], name)

    @classmethod
    def joined(cls, stretches: Iterable[Stretch], name: str = "H") -> Sides:
        """Return the set of stretches that are apart and in order."""
        none, covered, begun = Residues(1, (), name), list[Stretch](), 1
        for stretch in stretches:
            if stretch.first > begun:
                covered.append(Stretch(begun, stretch.first - 1, none))
            covered += _plain(stretch)
            if stretch.last is None:
                break
            begun = stretch.last + 1
        else:
            covered.append(Stretch(begun, None, none))
        kept = [s for s in _merged(covered) if s.residues.values]
        return cls(tuple(kept), name)

    @property
    def is_always(self) -> bool:
        """Whether every number is in it."""
        return (~self).is_never

    @property
    def is_never(self) -> bool:
        """Whether no number is in it."""
        return self.first is None

    @property
    def first(self) -> int | None:
        """The least number that is in it, if there is one."""
        for stretch in self.stretches:
            found = stretch.residues.first(stretch.first)
            if found is not None and (stretch.last is None or found <= stretch.last):
                return found
        return None

    def __contains__(self, number: int) -> bool:
        """Say whether a number is in it."""
        return any(number in stretch for stretch in self.stretches)

    def __and__(self, other: Sides) -> Sides:
        """Return what is in both."""
        return self._combined(other, lambda one, another: one and another)

    def __or__(self, other: Sides) -> Sides:
        """Return what is in one of them, or in both."""
        return self._combined(other, lambda one, another: one or another)

    def __invert__(self) -> Sides:
        """Return the numbers that are not in it."""
        every = Sides((Stretch(1, None, Residues(1, (0,), self.name)),), self.name)
        return every._combined(self, lambda _, another: not another)

    def __eq__(self, other: object) -> bool:
        """Say whether two sets of one side hold the same numbers."""
        if not isinstance(other, Sides):
            return NotImplemented
        if self.name != other.name:
            return False
        if self.stretches == other.stretches:
            return True
        return self._combined(other, lambda one, another: one != another).is_never

    def __hash__(self) -> int:
        """Return what equal sets have in common: how they end."""
        ends = [s.residues for s in self.stretches if s.last is None]
        return hash((self.name, *ends))

    def _combined(self, other: Sides, keep: Callable[[bool, bool], bool]) -> Sides:
        """Return the numbers of which a rule keeps whether they are in each set."""
        if self.name != other.name:
            raise CostModelError(f"sets of {self.name} and of {other.name} are apart")
        both = [*self.stretches, *other.stretches]
        cuts = sorted({1, *(s.first for s in both),
                       *(s.last + 1 for s in both if s.last is not None)})  # fmt: skip
        found = []
        for first, after in pairwise([*cuts, None]):
            last = None if after is None else after - 1
            one, another = self._from(first), other._from(first)
            found.append(_kept(Stretch(first or 1, last, one), another, keep))
        return Sides.joined(found, self.name)

    def _from(self, first: int | None) -> Residues:
        """Return the remainders in a stretch between two cuts, by where it begins."""
        for s in self.stretches:
            if first and s.first <= first and (s.last is None or first <= s.last):
                return s.residues
        return Residues(1, (), self.name)

    def __str__(self) -> str:
        """Write H ≥ 75, H mod 32 in {0, 31}, H in {1, 2} or H ≥ 9, or no H."""
        points = [s.first for s in self.stretches if s.first == s.last]
        texts = [str(s) for s in self.stretches if s.first != s.last]
        if len(points) > 1:
            texts.insert(0, f"{self.name} in {{{', '.join(map(str, points))}}}")
        elif points:
            texts.insert(0, f"{self.name} = {points[0]}")
        return " or ".join(texts) or f"no {self.name}"


def _kept(
    stretch: Stretch, other: Residues, keep: Callable[[bool, bool], bool]
) -> Stretch:
    """Return the numbers of a stretch that a rule keeps, given other remainders."""
    one, name = stretch.residues, stretch.residues.name
    modulus = lcm(one.modulus, other.modulus)
    numbers = range(stretch.first, stretch.first + modulus)
    if stretch.last is not None:
        numbers = range(stretch.first, min(numbers.stop, stretch.last + 1))
    if len(numbers) > LONGEST_PERIOD:
        raise UndecidedError(f"it repeats itself after {modulus} pixels only")
    first, second = set(one.values), set(other.values)
    found = [
        n for n in numbers
        if keep(n % one.modulus in first, n % other.modulus in second)
    ]  # fmt: skip
    if len(numbers) < modulus and len(found) == len(numbers):
        return Stretch(stretch.first, stretch.last, Residues(1, (0,), name))
    return Stretch(stretch.first, stretch.last, Residues.of(modulus, found, name))


_RUNS = 8
"""A stretch of up to so many runs of numbers is written run by run."""


def _plain(stretch: Stretch) -> list[Stretch]:
    """Return a stretch that is only a few runs of numbers as those, and what is not."""
    if stretch.last is None or stretch.residues.modulus == 1:
        return [stretch]
    name, values = stretch.residues.name, set(stretch.residues.values)
    modulus = stretch.residues.modulus
    rest = Residues(modulus, tuple(v for v in range(modulus) if v not in values), name)
    every, none = Residues(1, (0,), name), Residues(1, (), name)
    runs, begun = list[Stretch](), stretch.first
    while begun <= stretch.last:
        kind, until = every, rest
        if begun % modulus not in values:
            kind, until = none, stretch.residues
        after = until.first(begun)
        last = stretch.last if after is None else min(stretch.last, after - 1)
        runs.append(Stretch(begun, last, kind))
        begun = last + 1
        if len(runs) > 2 * _RUNS + 1:
            return [stretch]
    return runs


def _merged(covered: list[Stretch]) -> list[Stretch]:
    """Return stretches that cover all numbers, each begun as early as it can be."""
    found: list[Stretch] = []
    while covered:
        stretch = covered.pop()
        if not found:
            found.append(stretch)
            continue
        later = found[-1]
        begun = _agreed(stretch, later.residues)
        if begun == later.first:
            found.append(stretch)
            continue
        found[-1] = Stretch(begun, later.last, later.residues)
        if begun > stretch.first:
            before = Stretch(stretch.first, begun - 1, stretch.residues)
            covered += _plain(before)
    return found[::-1]


def _agreed(stretch: Stretch, later: Residues) -> int:
    """Return where a stretch begins to hold what other remainders would hold there."""
    last = stretch.last or stretch.first
    one, first, second = stretch.residues, set(stretch.residues.values), later.values
    number, same = last, set(second)
    enough = last - lcm(one.modulus, later.modulus)
    while number >= stretch.first and number > enough:
        if (number % one.modulus in first) != (number % later.modulus in same):
            return number + 1
        number -= 1
    return stretch.first

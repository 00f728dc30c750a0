"""Eventually periodic sets of whole numbers from 1 on: bounds and remainders."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import gcd, lcm
from operator import and_, ne, or_
from typing import NamedTuple

import sympy

from costmodel.algebra.integer_sets.text import written
from costmodel.algebra.step_function import LONGEST_PERIOD, UndecidedError
from costmodel.errors import CostModelError


class Piece(NamedTuple):
    """The numbers with given remainders, from ``start`` up to the next piece."""

    start: int
    modulus: int = 1
    residues: frozenset[int] = frozenset({0})

    @classmethod
    def of(cls, start: int, modulus: int, values: Iterable[int]) -> Piece:
        """Return the numbers with given remainders, with the least possible modulus."""
        kept = {value % modulus for value in values}
        for prime in sympy.primefactors(modulus):
            while modulus % prime == 0:
                smaller = modulus // prime
                if any((value + smaller) % modulus not in kept for value in kept):
                    break
                modulus, kept = smaller, {value % smaller for value in kept}
        return cls(start, modulus if kept else 1, frozenset(kept))

    def holds(self, number: int) -> bool:
        """Say whether a number leaves one of the remainders."""
        return number % self.modulus in self.residues


@dataclass(frozen=True, eq=False)
class PeriodicSet:
    """A set of whole numbers from 1 on that is periodic from some number on.

    The pieces cover every number, in order. The last one has no end, the least modulus
    and begins as early as it can: :attr:`modulus` and :attr:`residues` are its own, and
    the pieces before it are the head. Two sets are equal if they have equal elements.

    >>> sixteenths = PeriodicSet.of(32, [0, 16])
    >>> print(sixteenths & PeriodicSet.between(33))
    H ≥ 33 and 16 divides H
    >>> print(sixteenths & PeriodicSet.between(9, 40), "|", ~PeriodicSet.only([5, 6]))
    H in {16, 32} | H ≤ 4 or H ≥ 7
    >>> print(PeriodicSet.of(4, [1, 3]) | PeriodicSet.of(6, [0, 1, 3, 5]))
    H mod 6 in {0, 1, 3, 5}
    """

    pieces: tuple[Piece, ...]
    name: str = "H"

    @classmethod
    def of(cls, modulus: int, values: Iterable[int], name: str = "H") -> PeriodicSet:
        """Return all numbers with given remainders."""
        return cls((Piece.of(1, modulus, values),), name)

    @classmethod
    def between(
        cls, first: int, last: int | None = None, name: str = "H"
    ) -> PeriodicSet:
        """Return all numbers from ``first`` on, up to ``last`` if that is given."""
        first = max(1, first)
        after = [] if last is None else [_nothing(max(first, last + 1))]
        return cls.joined([_nothing(1), Piece(first), *after], name)

    @classmethod
    def only(cls, numbers: Iterable[int], name: str = "H") -> PeriodicSet:
        """Return the set of the given numbers; those below 1 are left out."""
        pieces = [_nothing(1)]
        for number in sorted({number for number in numbers if number >= 1}):
            pieces += [Piece(number), _nothing(number + 1)]
        return cls.joined(pieces, name)

    @classmethod
    def joined(cls, pieces: Iterable[Piece], name: str = "H") -> PeriodicSet:
        """Return the set of pieces that begin at 1, one where the last one ends."""
        covered = list[Piece]()
        for piece, after in _ending(list(pieces)):
            if after != piece.start:  # else it has no number
                covered += _plain(piece, after)
        return cls(tuple(_merged(covered)), name)

    @property
    def modulus(self) -> int:
        """The period of the set from the last piece on."""
        return self.pieces[-1].modulus

    @property
    def residues(self) -> tuple[int, ...]:
        """The remainders modulo :attr:`modulus` in the set, from the last piece on."""
        return tuple(sorted(self.pieces[-1].residues))

    @property
    def is_always(self) -> bool:
        """Whether every number is in it."""
        return self.pieces == (Piece(1),)

    @property
    def is_never(self) -> bool:
        """Whether no number is in it."""
        return self.pieces == (_nothing(1),)

    @property
    def first(self) -> int | None:
        """The least number that is in it, if there is one."""
        for (start, modulus, residues), after in _ending(self.pieces):
            ahead = ((residue - start) % modulus for residue in residues)
            found = min((start + step for step in ahead), default=None)
            if found is not None and (after is None or found < after):
                return found
        return None

    def __contains__(self, number: int) -> bool:
        """Say whether a number is in it."""
        return number >= 1 and self._at(number).holds(number)

    def __and__(self, other: PeriodicSet) -> PeriodicSet:
        """Return the intersection."""
        return self._combined(other, and_)

    def __or__(self, other: PeriodicSet) -> PeriodicSet:
        """Return the union."""
        return self._combined(other, or_)

    def __invert__(self) -> PeriodicSet:
        """Return the complement."""
        return self._combined(PeriodicSet((Piece(1),), self.name), ne)

    def __eq__(self, other: object) -> bool:
        """Say whether two sets of one name hold the same numbers."""
        if not isinstance(other, PeriodicSet):
            return NotImplemented
        if self.name != other.name or self.pieces[-1] != other.pieces[-1]:
            return False
        return self.pieces == other.pieces or self._combined(other, ne).is_never

    def __hash__(self) -> int:
        """Return a hash of the last piece, which equal sets share."""
        return hash((self.name, self.pieces[-1]))

    def __str__(self) -> str:
        """Write H ≥ 75, H mod 32 in {0, 31}, H in {1, 2} or H ≥ 9, or no H."""
        intervals = [
            (start, None if after is None else after - 1, modulus, sorted(residues))
            for (start, modulus, residues), after in _ending(self.pieces)
            if residues
        ]
        return written(intervals, self.name)

    def _at(self, number: int) -> Piece:
        """Return the piece that a number belongs to."""
        return self.pieces[bisect_right(self.pieces, number, key=_start) - 1]

    def _combined(
        self, other: PeriodicSet, keep: Callable[[bool, bool], bool]
    ) -> PeriodicSet:
        """Return the numbers that a Boolean operation on membership in both keeps."""
        if self.name != other.name:
            raise CostModelError(f"sets of {self.name} and of {other.name} are apart")
        starts = sorted({piece.start for piece in (*self.pieces, *other.pieces)})
        found = [
            _kept(start, after, self._at(start), other._at(start), keep)
            for start, after in zip(starts, [*starts[1:], None])
        ]
        return PeriodicSet.joined(found, self.name)


def dividing(factor: int, constant: int, modulus: int, name: str = "H") -> PeriodicSet:
    """Return the numbers x for which the modulus divides factor·x + constant.

    >>> print(dividing(1, 3, 32), "|", dividing(32, 1, 2), "|", dividing(6, 3, 9))
    H ≡ 29 (mod 32) | no H | H ≡ 1 (mod 3)
    """
    shared = gcd(factor, modulus)
    if constant % shared:  # gcd(0, m) = m: without x it divides always, or never
        return PeriodicSet.only((), name)
    reduced = modulus // shared
    inverse = pow(factor // shared, -1, reduced) if reduced > 1 else 0
    return PeriodicSet.of(reduced, [-constant // shared * inverse], name)


def _nothing(start: int) -> Piece:
    return Piece(start, 1, frozenset())


def _start(piece: Piece) -> int:
    return piece.start


def _ending(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, int | None]]:
    """Give pieces, each with the start of the next one; the last has no end."""
    return zip(pieces, [*map(_start, pieces[1:]), None])


def _kept(
    start: int,
    after: int | None,
    one: Piece,
    other: Piece,
    keep: Callable[[bool, bool], bool],
) -> Piece:
    """Return the numbers of two pieces that a Boolean operation keeps."""
    modulus = lcm(one.modulus, other.modulus)
    is_whole = after is None or after - start >= modulus
    if keep is and_ and is_whole:
        return Piece.of(start, modulus, _common(one, other))
    numbers = range(start, start + modulus if is_whole else after or start)
    if len(numbers) > LONGEST_PERIOD:
        raise UndecidedError(f"it repeats itself after {modulus} pixels only")
    found = [n for n in numbers if keep(one.holds(n), other.holds(n))]
    if len(found) == len(numbers):
        return Piece(start)
    return Piece.of(start, modulus, found)


def _common(one: Piece, other: Piece) -> list[int]:
    """Return the remainders of the intersection, by the Chinese remainder theorem.

    Remainders a (mod m) and b (mod n) have a number in common exactly when
    gcd(m, n) divides a − b; then there is one modulo lcm(m, n).
    """
    shared = gcd(one.modulus, other.modulus)
    alike = defaultdict[int, list[int]](list)
    for b in other.residues:
        alike[b % shared].append(b)
    if sum(len(alike[a % shared]) for a in one.residues) > LONGEST_PERIOD:
        modulus = lcm(one.modulus, other.modulus)
        raise UndecidedError(f"it repeats itself after {modulus} pixels only")
    pairs = [(a, b) for a in one.residues for b in alike[a % shared]]
    step = other.modulus // shared
    inverse = pow(one.modulus // shared, -1, step) if step > 1 else 0
    return [a + one.modulus * ((b - a) // shared * inverse % step) for a, b in pairs]


_MOST_INTERVALS = 8
"""A bounded piece of at most so many intervals is written as intervals."""


def _plain(piece: Piece, after: int | None) -> list[Piece]:
    """Return a piece as the few intervals it consists of, or unchanged."""
    if after is None or piece.modulus == 1:
        return [piece]
    runs, begun = list[Piece](), piece.start
    while begun < after:
        inside, end = piece.holds(begun), begun + 1
        while end < after and piece.holds(end) == inside:
            end += 1
        runs.append(Piece(begun) if inside else _nothing(begun))
        begun = end
        if len(runs) > 2 * _MOST_INTERVALS + 1:
            return [piece]
    return runs


def _merged(covered: list[Piece]) -> list[Piece]:
    """Return pieces that cover all numbers, each begun as early as it can be."""
    found = [covered.pop()]
    while covered:
        piece, later = covered.pop(), found[-1]
        begun = _agreed(piece, later)
        if begun == later.start:
            found.append(piece)
            continue
        found[-1] = later._replace(start=begun)
        if begun > piece.start:
            covered += _plain(piece, begun)
    return found[::-1]


def _agreed(piece: Piece, later: Piece) -> int:
    """Return the number from which a piece agrees with the later one."""
    enough = max(piece.start, later.start - lcm(piece.modulus, later.modulus))
    for number in range(later.start - 1, enough - 1, -1):
        if piece.holds(number) != later.holds(number):
            return number + 1
    return piece.start

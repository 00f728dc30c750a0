"""Sets of whole numbers by their remainders, and where two extents are equal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import gcd, lcm

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import as_int
from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Residues:
    """The whole numbers that leave one of some remainders, in lowest terms.

    >>> print(Residues.of(32, [0]), "|", Residues.of(4, [1, 3]))
    H mod 32 = 0 | H ≡ 1 (mod 2)
    """

    modulus: int
    values: tuple[int, ...]
    name: str = "H"

    @classmethod
    def of(cls, modulus: int, values: Iterable[int], name: str = "H") -> Residues:
        """Return the numbers of those remainders, the modulus as small as it can be."""
        kept = {value % modulus for value in values}
        for prime in _primes(modulus):
            while modulus % prime == 0:
                smaller = modulus // prime
                if any((value + smaller) % modulus not in kept for value in kept):
                    break
                modulus, kept = smaller, {value % smaller for value in kept}
        return cls(modulus if kept else 1, tuple(sorted(kept)), name)

    def __contains__(self, number: int) -> bool:
        """Say whether a number is one of them."""
        return number % self.modulus in self.values

    def meet(self, other: Residues) -> Residues:
        """Return the numbers that both hold, by the Chinese remainder theorem.

        Remainders a (mod m) and b (mod n) have a number in common exactly when
        gcd(m, n) divides a − b; then there is one in every lcm(m, n).
        """
        shared, modulus = (
            gcd(self.modulus, other.modulus),
            lcm(self.modulus, other.modulus),
        )
        step = other.modulus // shared
        inverse = pow(self.modulus // shared, -1, step) if step > 1 else 0
        found = [
            a + self.modulus * ((b - a) // shared * inverse % step)
            for a in self.values
            for b in other.values
            if (b - a) % shared == 0
        ]
        return Residues.of(modulus, found, self.name)

    def first(self, least: int) -> int | None:
        """Return the least of them that is not below a number."""
        ahead = ((value - least) % self.modulus for value in self.values)
        return min((least + step for step in ahead), default=None)

    def __str__(self) -> str:
        """Write H mod 32 = 0, H ≡ 29 (mod 32) or H mod 32 ∈ {0, 31}."""
        if not self.values:
            return f"no {self.name}"
        if self.modulus == 1:
            return f"every {self.name}"
        if self.values == (0,):
            return f"{self.name} mod {self.modulus} = 0"
        if len(self.values) == 1:
            return f"{self.name} ≡ {self.values[0]} (mod {self.modulus})"
        listed = ", ".join(map(str, self.values))
        return f"{self.name} mod {self.modulus} ∈ {{{listed}}}"


def dividing(factor: int, constant: int, modulus: int, name: str = "H") -> Residues:
    """Return the numbers x for which the modulus divides factor·x + constant.

    >>> print(dividing(1, 3, 32), "|", dividing(32, 1, 2), "|", dividing(6, 3, 9))
    H ≡ 29 (mod 32) | no H | H ≡ 1 (mod 3)
    """
    shared = gcd(factor, modulus)
    if constant % shared:  # gcd(0, m) = m: without x it divides always, or never
        return Residues(1, (), name)
    reduced = modulus // shared
    inverse = pow(factor // shared, -1, reduced) if reduced > 1 else 0
    return Residues.of(reduced, [-constant // shared * inverse], name)


@dataclass(frozen=True, slots=True)
class Agreement:
    """The input sides at which two extents are equal: of some remainders, or a few."""

    residues: Residues
    least: int
    """The least side at which neither extent is empty."""
    only: tuple[int, ...] | None = None
    """The sides one by one, where there are only so many."""

    def __contains__(self, side: int) -> bool:
        """Say whether the extents are equal, and not empty, at a side."""
        if self.only is not None:
            return side in self.only
        return side >= self.least and side in self.residues

    def __str__(self) -> str:
        """Write H mod 2 = 0, H ≥ 2, or H ∈ {1, 2}."""
        name = self.residues.name
        if self.only:
            return f"{name} ∈ {{{', '.join(map(str, self.only))}}}"
        if self.only is not None or not self.residues.values:
            return f"no {name}"
        return f"{self.residues}, {name} ≥ {self.least}"


def agreement(left: Extent, right: Extent) -> Agreement:
    """Return the input sides at which two extents of one symbol are equal.

    With equal slopes ⌊(a·x + c)/s⌋ − ⌊(b·x + d)/t⌋ repeats itself, so that remainders
    say all; with different ones it is 0 only where the lines are less than 1 apart.

    >>> from costmodel.algebra.symbols import H
    >>> print(agreement(Extent(H, 0, 2), Extent(H, 1, 2)))
    H mod 2 = 0, H ≥ 2
    >>> print(agreement(Extent(H, 1, 2), Extent(H)))
    H ∈ {1}
    """
    (symbol, a, c, s), (other, b, d, t) = line(left), line(right)
    if symbol != other:
        raise CostModelError(f"agreement: {left} and {right} are of different sides")
    least = max(1, -(-(s - c) // a), -(-(t - d) // b))
    name, tilt = symbol.name, a * t - b * s

    def equal(side: int) -> bool:
        return (a * side + c) // s == (b * side + d) // t

    if tilt == 0:
        period = lcm(s // gcd(a, s), t // gcd(b, t))
        found = (side for side in range(least, least + period) if equal(side))
        return Agreement(Residues.of(period, found, name), least)
    # |tilt·x + c·t − d·s| < s·t
    ends = sorted((-(c * t - d * s) + sign * s * t) // tilt for sign in (1, -1))
    sides = range(max(least, ends[0]), ends[1] + 2)
    return Agreement(Residues(1, (), name), least, tuple(filter(equal, sides)))


@lru_cache(maxsize=4096)
def line(extent: Extent) -> tuple[sympy.Symbol, int, int, int]:
    """Return an extent ⌊(a·x + c)/s⌋ as its symbol x, and a, c and s, all numbers."""
    base = sympy.sympify(extent.base)
    if len(base.free_symbols) == 1:
        (symbol,) = base.free_symbols
        slope, rest = base.as_independent(symbol, as_Add=True)[::-1]
        factor = sympy.cancel(slope / symbol)
        if factor.is_Integer and factor > 0 and rest.is_Integer:
            return (symbol, int(factor), as_int(extent.offset) + int(rest),
                    as_int(extent.stride))  # fmt: skip
    raise CostModelError(f"{extent} is not of one symbol times a number")


def _primes(number: int) -> list[int]:
    """Return the primes that divide a number."""
    found, prime = [], 2
    while prime * prime <= number:
        if number % prime == 0:
            found.append(prime)
            while number % prime == 0:
                number //= prime
        prime += 1
    return [*found, number] if number > 1 else found

"""Sets of whole numbers by their remainders, in lowest terms."""

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
    32 divides H | H odd
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
        """Write 32 divides H, H even, H ≡ 29 (mod 32) or H mod 32 in {0, 31}."""
        if not self.values:
            return f"no {self.name}"
        if self.modulus == 1:
            return f"every {self.name}"
        if len(self.values) == 1:
            (rest,) = self.values
            if self.modulus == 2:
                return f"{self.name} {'odd' if rest else 'even'}"
            if rest == 0:
                return f"{self.modulus} divides {self.name}"
            return f"{self.name} ≡ {rest} (mod {self.modulus})"
        missing = [v for v in range(self.modulus) if v not in set(self.values)]
        listed, word = list(self.values), "in"
        if len(missing) < len(listed) / 2:
            listed, word = missing, "not in"
        return f"{self.name} mod {self.modulus} {word} {{{_listed(listed)}}}"


def _listed(numbers: list[int]) -> str:
    """Write numbers; of very many, the first and the last ones."""
    if len(numbers) <= _LISTED:
        return ", ".join(map(str, numbers))
    few = _LISTED // 2
    return f"{_listed(numbers[:few])}, …, {_listed(numbers[-few:])}"


_LISTED = 32
"""So many numbers are written one by one."""


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

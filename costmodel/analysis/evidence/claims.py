"""Textbook statements as executable checks: computed evidence, and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import sympy

from costmodel.algebra.symbols import Dim
from costmodel.entry_points import import_all
from costmodel.errors import CostModelError
from costmodel.network.registry.printed_figures import Published


GROUP = "costmodel.claims"
"""The entry-point group under which packages offer claims."""

Decision = Literal["holds", "approximately", "depends", "does not hold"]
"""None of the evidence is off; none by much; some is; all is."""

NEAR = sympy.Rational(1, 10)
"""The largest relative error of a claim that holds approximately."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number or formula that a claim implies, beside the computed one.

    ``claimed`` is exact, or a string as printed, whose last digit is the tolerance.
    ``relation`` is how the computed number should compare with it.
    """

    what: str
    claimed: Dim | str
    computed: Dim
    relation: Literal["=", "<", ">"] = "="

    @property
    def is_met(self) -> bool:
        """Say whether the computed number satisfies the claim."""
        if self.relation == "<":
            return bool(sympy.sympify(self.computed) < self._value)
        if self.relation == ">":
            return bool(sympy.sympify(self.computed) > self._value)
        if isinstance(self.claimed, str):
            return bool(abs(self._off) < self._figure.tolerance)
        return bool(sympy.simplify(self._off) == 0)

    @property
    def is_near(self) -> bool:
        """Say whether it does, or is at most a tenth off."""
        if self.is_met:
            return True
        off, value = abs(self._off), abs(self._value)
        return bool(off.is_number and value.is_number and off <= NEAR * value)

    @property
    def _figure(self) -> Published:
        return Published(self.what, str(self.claimed), (), None, None, "")

    @property
    def _value(self) -> sympy.Expr:
        is_printed = isinstance(self.claimed, str)
        return sympy.sympify(self._figure.value if is_printed else self.claimed)

    @property
    def _off(self) -> sympy.Expr:
        return sympy.sympify(self.computed) - self._value


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement, its source, the convention it is checked under, and its check.

    ``verdict`` is the expected verdict on the evidence, and ``because`` explains it.
    """

    name: str
    says: str
    source: str
    about: tuple[str, ...]
    convention: str
    verdict: Decision
    because: str
    weigh: Callable[[], Iterable[Evidence]]


@dataclass(frozen=True)
class Ruling:
    """A claim, its evidence as computed now, and the verdict that follows from it."""

    claim: Claim
    evidence: tuple[Evidence, ...]

    @cached_property
    def verdict(self) -> Decision:
        """The verdict that follows from the evidence by a fixed rule."""
        if all(item.is_met for item in self.evidence):
            return "holds"
        if all(item.is_near for item in self.evidence):
            return "approximately"
        if any(item.is_near for item in self.evidence):
            return "depends"
        return "does not hold"

    @property
    def is_wrong(self) -> bool:
        """True if the evidence no longer gives the stated verdict."""
        return self.verdict != self.claim.verdict


def claim(
    *,
    says: str,
    source: str,
    about: Sequence[str],
    verdict: Decision,
    convention: str = "",
    because: str = "",
) -> Callable[[Callable[[], Iterable[Evidence]]], Callable[[], Iterable[Evidence]]]:
    """Register a function that gives a claim's evidence and whose name is the claim's.

    ``about`` lists the families of networks that the claim is about.
    """

    def register(
        weigh: Callable[[], Iterable[Evidence]],
    ) -> Callable[[], Iterable[Evidence]]:
        name = weigh.__name__
        if name in _CLAIMS:
            raise CostModelError(f'claim "{name}" is registered twice')
        if verdict not in get_args(Decision):
            known = ", ".join(get_args(Decision))
            raise CostModelError(f'claim "{name}": verdict "{verdict}"; known: {known}')
        _CLAIMS[name] = Claim(
            name, says, source, tuple(about), convention, verdict, because, weigh
        )
        return weigh

    return register


def claims() -> dict[str, Claim]:
    """Return every claim by name, in the order of their definition."""
    import_all(GROUP)
    return dict(_CLAIMS)


def judge(chosen: Iterable[Claim]) -> Iterator[Ruling]:
    """Compute the evidence of some claims."""
    for item in chosen:
        evidence = tuple(item.weigh())
        if not evidence:
            raise CostModelError(f'claim "{item.name}" has no evidence')
        yield Ruling(item, evidence)


_CLAIMS: dict[str, Claim] = {}

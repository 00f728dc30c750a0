"""Requirements: relations that a network keeps and checks as symbols get values.

A network binds them, drops one that always holds and refuses one that never does.
Whether a relation with symbols always holds is decided by a subclass, since that takes
algebra that no cost depends on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import sympy
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean, BooleanAtom, BooleanFunction

from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Requirement(ABC):
    """A relation that has to hold, the node or module that requires it, and why."""

    relation: Boolean
    node: str
    why: str = ""

    def __post_init__(self) -> None:
        """Refuse anything but exact conditions; remainders are written as floors."""
        # A bare symbol is a Boolean to SymPy as well.
        kinds = (Relational, BooleanFunction, BooleanAtom)
        if not isinstance(self.relation, kinds) or self.relation.has(sympy.Float):
            raise CostModelError(
                f"constraint: {self.relation!r} is not an exact relation, like Eq(H, W)"
            )
        if not (isinstance(self.node, str) and isinstance(self.why, str)):
            raise CostModelError(f"constraint: {self.node!r}, {self.why!r} is not text")
        plain = self.relation.replace(
            sympy.Mod, lambda a, m: a - m * sympy.floor(a / m)
        )
        if isinstance(plain, (sympy.And, sympy.Or)):
            # Joined bit by bit, sympy may have missed what holds always.
            plain = plain.func(*sorted(plain.args, key=str))
        object.__setattr__(self, "relation", plain)

    @property
    def symbols(self) -> frozenset[sympy.Symbol]:
        """The symbols of the relation."""
        return frozenset(self.relation.free_symbols)

    def bind(self, values: Mapping[sympy.Symbol, Dim]) -> Self:
        """Return the requirement with symbols replaced by numbers or expressions."""
        if self.symbols.isdisjoint(values):
            return self
        relation = self.relation.subs(dict(values), simultaneous=True)
        return replace(self, relation=relation)

    @property
    @abstractmethod
    def is_true(self) -> bool:
        """Whether it holds at every size."""

    @property
    @abstractmethod
    def is_false(self) -> bool:
        """Whether it holds at no size."""

    @property
    @abstractmethod
    def needs(self) -> str:
        """The requirement as text: H even, or H = W."""

    @abstractmethod
    def needed_with(self, others: Iterable[Requirement]) -> str:
        """Return the conjunction with others as text, or "" if they require no more."""

    def __str__(self) -> str:
        """Write the node, its requirement, and the reason."""
        return f'"{self.node}" needs {self.needs}' + (f" ({self.why})" * bool(self.why))


def settled(
    requirements: Iterable[Requirement],
    values: Mapping[sympy.Symbol, Dim],
    network: str,
    kinds: Mapping[str, str],
) -> tuple[Requirement, ...]:
    """Return the requirements that remain open after symbols got these values.

    Those that hold at every size are dropped, and so are duplicates.

    **Errors**: a requirement that is violated, with the sizes that satisfy it.
    """
    kept: dict[Boolean, Requirement] = {}
    requirements = tuple(requirements)
    for requirement in requirements:
        if not isinstance(requirement, Requirement):
            raise CostModelError(
                f'network "{network}": {requirement!r} is not a Constraint'
            )
        now = requirement.bind(values)
        if now.is_false:
            kind = kinds.get(requirement.node)
            who = f"{kind} {requirement}" if kind else str(requirement)
            together = requirement.needed_with(requirements)
            others = f"; all in all, {together}" if together else ""
            raise CostModelError(
                f"{network}: {_chosen(requirement, values)}: {who}{others}"
            )
        if not now.is_true:
            kept.setdefault(now.relation, now)
    return tuple(kept.values())


def _chosen(requirement: Requirement, values: Mapping[sympy.Symbol, Dim]) -> str:
    """Return a description of the values that do not fit."""
    chosen = [
        f"{symbol} = {value}"
        for symbol, value in sorted(values.items(), key=str)
        if symbol in requirement.symbols
    ]
    return f"{', '.join(chosen)} does not fit" if chosen else "no size fits"

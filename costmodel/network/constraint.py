"""Constraints: relations that the code of a network requires of its input size.

Concatenated branches must have equal sizes, code may branch on a size, and a linear
layer takes one length only. Each relation is kept with the network. If it is about one
side alone, the exact set of sizes at which it holds is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.logic.boolalg import Boolean

from costmodel.algebra.integer_sets.periodic_set import PeriodicSet
from costmodel.algebra.integer_sets.solve import Undecided, decided
from costmodel.algebra.parse import parse
from costmodel.errors import CostModelError
from costmodel.network.requirement import Requirement


@dataclass(frozen=True, slots=True)
class Constraint(Requirement):
    """A relation between sizes that has to hold, the node that requires it, and why.

    >>> from costmodel.algebra.symbols import H
    >>> half = sympy.floor(H / 2)
    >>> print(Constraint(sympy.Eq(2 * half, H), "up.cat", "both are joined"))
    "up.cat" needs H even (both are joined)
    """

    @property
    def sides(self) -> PeriodicSet | Undecided:
        """The sizes at which it holds, if it is about one symbol."""
        return decided(self.relation)

    @property
    def needs(self) -> str:
        """The requirement as text: H even, or H = W."""
        sides = self.sides
        return str(sides) if isinstance(sides, PeriodicSet) else _text(self.relation)

    @property
    def is_true(self) -> bool:
        """Whether it holds at every size."""
        sides = self.sides
        known = isinstance(sides, PeriodicSet) and sides.is_always
        return self.relation == sympy.true or known

    @property
    def is_false(self) -> bool:
        """Whether it holds at no size."""
        sides = self.sides
        known = isinstance(sides, PeriodicSet) and sides.is_never
        return self.relation == sympy.false or known

    def needed_with(self, others: Iterable[Requirement]) -> str:
        """Return the conjunction with others as text, or "" if they require no more.

        Only decided constraints on the same side count.
        """
        together = self.sides
        for other in others:
            sides = together
            if other.symbols == self.symbols:
                sides = decided(other.relation)
            if isinstance(together, PeriodicSet) and isinstance(sides, PeriodicSet):
                together &= sides
        is_more = isinstance(together, PeriodicSet) and together != self.sides
        return str(together) if is_more else ""


_SIGNS: dict[Any, str] = {
    sympy.Eq: "=", sympy.Ne: "≠", sympy.Ge: "≥", sympy.Gt: ">", sympy.Le: "≤",
    sympy.Lt: "<",
}  # fmt: skip
_WORDS: dict[Any, str] = {sympy.And: "and", sympy.Or: "or", sympy.Not: "not"}
_CLASSES = {sign: kind for kind, sign in [*_SIGNS.items(), *_WORDS.items()]}


def _text(relation: Boolean) -> str:
    if type(relation) in _SIGNS:
        return f"{relation.lhs} {_SIGNS[type(relation)]} {relation.rhs}"
    if isinstance(relation, (sympy.And, sympy.Or)):
        parts = sorted(map(_text, relation.args))
        return f" {_WORDS[type(relation)]} ".join(parts)
    return str(relation)


def write_relation(relation: Boolean) -> list[Any]:
    """Return a relation as lists and strings: ["=", "H", "W"].

    >>> from costmodel.algebra.symbols import H, W
    >>> write_relation(sympy.And(H > 3, sympy.Eq(H, W)))
    ['and', ['=', 'H', 'W'], ['>', 'H', '3']]
    """
    if type(relation) in _SIGNS:
        return [_SIGNS[type(relation)], str(relation.lhs), str(relation.rhs)]
    if type(relation) in _WORDS:
        parts = sorted(map(write_relation, relation.args), key=str)
        return [_WORDS[type(relation)], *parts]
    raise CostModelError(f"constraint {relation} is not a relation that can be written")


def read_relation(document: Any, names: Mapping[str, sympy.Expr]) -> Boolean:
    """Return the relation of lists and strings."""
    match document:
        case [str(sign), str(left), str(right)] if sign in _SIGNS.values():
            sides = (sympy.sympify(parse(text, names=names)) for text in (left, right))
            return _CLASSES[sign](*sides)
        case [str(word), *parts] if parts and word in _WORDS.values():
            return _CLASSES[word](*(read_relation(part, names) for part in parts))
    raise CostModelError(f"constraint {document!r} is not a relation")

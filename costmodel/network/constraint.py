"""Constraints: what the code of a network asks of the size of its input.

Branches that are joined have to be equal, code branches on a size, a linear layer
takes one length only. Such a condition is kept with the network, and is checked as
soon as its symbols have values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean, BooleanAtom, BooleanFunction

from costmodel.algebra.conditions import Undecided, decided
from costmodel.algebra.parse import parse
from costmodel.algebra.periodic_set import PeriodicSet
from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Constraint:
    """A relation that has to hold, the node or module that asks for it, and why.

    >>> from costmodel.algebra.symbols import H
    >>> half = sympy.floor(H / 2)
    >>> print(Constraint(sympy.Eq(2 * half, H), "up.cat", "both are joined"))
    "up.cat" needs H even (both are joined)
    """

    relation: Boolean
    node: str
    why: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no exact condition; remainders are written as floors."""
        # A bare symbol is a Boolean to SymPy as well.
        kinds = (Relational, BooleanFunction, BooleanAtom)
        if not isinstance(self.relation, kinds) or self.relation.has(sympy.Float):
            raise CostModelError(
                f"constraint: {self.relation!r} is no exact relation, such as Eq(H, W)"
            )
        if not (isinstance(self.node, str) and isinstance(self.why, str)):
            raise CostModelError(f"constraint: {self.node!r}, {self.why!r} is no text")
        plain = self.relation.replace(
            sympy.Mod, lambda a, m: a - m * sympy.floor(a / m)
        )
        if isinstance(plain, (sympy.And, sympy.Or)):
            # Joined bit by bit, sympy may have missed what holds always.
            plain = plain.func(*sorted(plain.args, key=str))
        object.__setattr__(self, "relation", plain)

    @property
    def symbols(self) -> frozenset[sympy.Symbol]:
        """The symbols that it is about."""
        return frozenset(self.relation.free_symbols)

    @property
    def sides(self) -> PeriodicSet | Undecided:
        """The sides at which it holds, where it is about one symbol."""
        return decided(self.relation)

    @property
    def needs(self) -> str:
        """What it asks for, as text: H even, or H = W."""
        sides = self.sides
        return str(sides) if isinstance(sides, PeriodicSet) else _text(self.relation)

    def bind(self, values: Mapping[sympy.Symbol, Dim]) -> Constraint:
        """Return the constraint with symbols replaced by numbers or expressions."""
        if self.symbols.isdisjoint(values):
            return self
        relation = self.relation.subs(dict(values), simultaneous=True)
        return replace(self, relation=relation)

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

    def __str__(self) -> str:
        """Write who needs what, and why."""
        return f'"{self.node}" needs {self.needs}' + (f" ({self.why})" * bool(self.why))


def settled(
    constraints: Iterable[Constraint],
    values: Mapping[sympy.Symbol, Dim],
    network: str,
    kinds: Mapping[str, str],
) -> tuple[Constraint, ...]:
    """Return the constraints that are still open once symbols have these values.

    What holds at every size is dropped, and so is what is asked for twice.

    **Errors**: a constraint that holds no more, with the sizes that would do.
    """
    kept: dict[Boolean, Constraint] = {}
    constraints = tuple(constraints)
    for constraint in constraints:
        if not isinstance(constraint, Constraint):
            raise CostModelError(
                f'network "{network}": {constraint!r} is no Constraint'
            )
        now = constraint.bind(values)
        if now.is_false:
            kind = kinds.get(constraint.node)
            who = f"{kind} {constraint}" if kind else str(constraint)
            chosen = _chosen(constraint, values)
            others = _all_needs(constraint, constraints)
            raise CostModelError(f"{network}: {chosen}: {who}{others}")
        if not now.is_true:
            kept.setdefault(now.relation, now)
    return tuple(kept.values())


def _all_needs(constraint: Constraint, constraints: Iterable[Constraint]) -> str:
    """Say what all constraints on a side need together, where that is more."""
    together = constraint.sides
    for other in constraints:
        sides = other.sides if other.symbols == constraint.symbols else together
        if isinstance(together, PeriodicSet) and isinstance(sides, PeriodicSet):
            together &= sides
    is_more = isinstance(together, PeriodicSet) and together != constraint.sides
    return f"; all in all, {together}" if is_more else ""


def _chosen(constraint: Constraint, values: Mapping[sympy.Symbol, Dim]) -> str:
    """Say which values do not fit, or that none does."""
    chosen = [
        f"{symbol} = {value}"
        for symbol, value in sorted(values.items(), key=str)
        if symbol in constraint.symbols
    ]
    return f"{', '.join(chosen)} does not fit" if chosen else "no size fits"


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
    raise CostModelError(f"constraint {relation} is no relation that can be written")


def read_relation(document: Any, names: Mapping[str, sympy.Expr]) -> Boolean:
    """Return the relation of lists and strings."""
    match document:
        case [str(sign), str(left), str(right)] if sign in _SIGNS.values():
            sides = (sympy.sympify(parse(text, names=names)) for text in (left, right))
            return _CLASSES[sign](*sides)
        case [str(word), *parts] if parts and word in _WORDS.values():
            return _CLASSES[word](*(read_relation(part, names) for part in parts))
    raise CostModelError(f"constraint {document!r} is no relation")

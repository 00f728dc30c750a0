"""Counting conventions as data: rules by kind of operator.

A kind is that of an operator's class, or of a base that has one: ``elementwise`` is
every elementwise function that no rule names. The kind as which a function of the table
counts is in :class:`costmodel.network.operators.functions.Function`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from costmodel.errors import CostModelError
from costmodel.network.node import FORMS
from costmodel.network.operators import (
    FUNCTIONS,
    OPERATORS,
    Operator,
    Pointwise,
    functions,
    operators,
)


MODULE, FUNCTION, HOLDER = ("module",), ("function",), ("module", "subclass")
NAMED = ("module", "function", "subclass")
CALLED = (*NAMED, "method")
ANYHOW = FORMS
"""The forms that a tool notices. Modules call functions by name, so that a tool which
replaces functions notices both; one that watches kernels notices every call."""

MAC, FLOP = "MAC", "FLOP"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: the number of operations of operators of some kinds.

    ``amount`` is a sum of products of whole numbers and of the quantities in
    :mod:`costmodel.analysis.conventions.quantities`.
    """

    kinds: str
    amount: str
    what: str
    quirk: str = ""
    """A sentence on unexpected behaviour of the tool."""
    seen: tuple[str, ...] = CALLED
    """The forms that the tool notices."""
    is_whole: bool = False
    """True if the amount is that of the batch, not of one sample."""
    is_joint: bool = False
    """True if the kinds are one item together."""


@dataclass(frozen=True, slots=True)
class Convention:
    """How one tool counts. Every kind of operator has a rule, or is in ``zero``.

    The kind of a base applies to its classes that no rule, and no zero, names.
    """

    name: str
    tool: str
    unit: str
    rules: tuple[Rule, ...]
    zero: str
    one_sample: tuple[tuple[str, ...], ...] = ()
    """The ``seen`` of rules whose counts are of one sample, however large the batch."""
    batch_quirk: str = ""
    """A sentence that explains this."""
    by_kind: Mapping[str, tuple[Rule, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Sort the rules by kind, and refuse contradictions and unknown kinds."""
        by_kind: dict[str, tuple[Rule, ...]] = dict.fromkeys(self.zero.split(), ())
        for rule in self.rules:
            for kind in rule.kinds.split():
                if kind in self.zero.split():
                    raise CostModelError(f"{self.name}: {kind} has a rule, and is zero")
                by_kind[kind] = (*by_kind.get(kind, ()), rule)
        if by_kind.keys() - _KINDS and (unknown := by_kind.keys() - _known()):
            names = ", ".join(sorted(unknown))
            raise CostModelError(f"{self.name}: no operators called {names}")
        object.__setattr__(self, "by_kind", by_kind)

    def kind_of(self, operator: Operator) -> str:
        """Return the nearest kind of an operator that there are rules for.

        None is an error, not a zero.
        """
        for kind in _kinds(operator):
            if kind in self.by_kind:
                return kind
        raise CostModelError(
            f'convention "{self.name}" has no rule for {operator.kind}'
        )

    def of(self, operator: Operator) -> tuple[Rule, ...]:
        """Return the rules of an operator; a written zero has none."""
        return self.by_kind[self.kind_of(operator)]


def _kinds(operator: Operator) -> Iterator[str]:
    """Return the kinds as which an operator may count, the nearest first."""
    if isinstance(operator, Pointwise):
        yield operator.row.counted
    own, *bases = _of_class(type(operator))
    yield own
    if operator.counted:
        yield operator.counted
    yield from bases


def _of_class(of: type[Operator]) -> tuple[str, ...]:
    """Return the kinds of a class and of its bases, its own first."""
    return tuple(base.kind for base in of.__mro__ if hasattr(base, "kind"))


_KINDS = {row.counted for row in FUNCTIONS.values()}.union(
    *map(_of_class, OPERATORS.values())
)
"""Every kind of this package's own that a rule may name."""


def _known() -> set[str]:
    """Return every kind that a rule may name, those of other packages included."""
    counted = {row.counted for row in functions().values()}
    return counted.union(*map(_of_class, operators().values()))

"""Counts by the rules of a convention, item by item and in total."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from costmodel.algebra.count import Count, added
from costmodel.algebra.symbols import Dim
from costmodel.algebra.tally import Tally, total
from costmodel.analysis.conventions.quantities import RuleInput, evaluate
from costmodel.analysis.conventions.rule import Convention, Rule
from costmodel.analysis.conventions.tables import CONVENTIONS
from costmodel.errors import CostModelError, known_are
from costmodel.network.building.builder import forms_of
from costmodel.network.node import Node
from costmodel.network.operators import FUNCTIONS, OPERATORS


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a count: the kind of operators, what is counted, and how much.

    ``kind`` is empty for the multiply–accumulates that all tools start from, and for
    corrections of a tool's whole count.
    """

    kind: str
    what: str
    amount: Dim
    quirk: str = ""

    def __str__(self) -> str:
        """Write the item without its amount."""
        return f"{self.kind}: {self.what}" if self.kind else self.what


class CostPerSample(Protocol):
    """The operations of one sample."""

    @property
    def tally(self) -> Tally:
        """Every primitive operation, by kind."""

    @property
    def is_stored(self) -> bool:
        """Say whether it is counted once per batch."""

    @property
    def is_unknown(self) -> bool:
        """Say whether no rule gives its cost, so that no tool's count includes it."""


class CountedRow(Protocol):
    """The part of a cost's row that conventions read."""

    node: Node

    @property
    def sample(self) -> CostPerSample:
        """The node's cost per sample."""


_NUMBERED = {kind: place for place, kind in enumerate([*FUNCTIONS, *OPERATORS])}
"""The order of kinds that share one rule."""

NOT_SEEN = Rule(
    "",
    "",
    "not seen",
    "It looks for other forms than the one in which code writes this.",
)


def find(name: str) -> Convention:
    """Return the convention of that name."""
    if not isinstance(name, str) or name not in CONVENTIONS:
        known = known_are(name, CONVENTIONS)
        raise CostModelError(f'unknown convention "{name}"; {known}')
    return CONVENTIONS[name]


def count(
    rows: Iterable[CountedRow], batch: Dim, name: str, written: Mapping[str, str]
) -> Dim:
    """Return a tool's total for the rows of a network."""
    return total(item.amount for item in itemize(rows, batch, name, written))


def itemize(
    rows: Iterable[CountedRow], batch: Dim, name: str, written: Mapping[str, str]
) -> tuple[Item, ...]:
    """Return the items of a tool's count, the MACs that all tools count first."""
    convention = find(name)
    ledger = _Ledger(convention, batch)
    for layer, form, times in _layers(tuple(rows), batch, written):
        for rule in convention.of(layer.operator):
            if form in rule.seen or rule is convention.rules[0]:
                amount = times * evaluate(rule.amount, layer)
                ledger.add(rule, layer, amount, seen=form in rule.seen)
    return tuple(ledger.items())


class _Ledger:
    """Amounts by item, still to be added, of one sample or of the batch."""

    def __init__(self, convention: Convention, batch: Dim) -> None:
        self.convention, self.batch = convention, batch
        self.one_sample = Rule("", "", "of one sample", convention.batch_quirk)
        self.parts: dict[tuple[Rule, str], list[tuple[Count, bool]]] = {
            (convention.rules[0], ""): []
        }
        last = NOT_SEEN, self.one_sample
        rules = (*convention.rules, *last)
        self.order = {rule: place for place, rule in enumerate(rules)}
        self.places: dict[tuple[Rule, str], tuple[int, ...]] = {}

    def add(self, rule: Rule, layer: RuleInput, amount: Count, *, seen: bool) -> None:
        """Record an amount, and the tool's corrections of it."""
        item = "" if rule.is_joint else layer.operator.kind
        is_whole = rule.is_whole or layer.is_stored
        self._note(rule, item, (amount, is_whole))
        if item:
            counted = self.convention.kind_of(layer.operator)
            place = rule.kinds.split().index(counted)
            self.places[rule, item] = place, _NUMBERED.get(item, len(_NUMBERED))
        if not seen:
            self._note(NOT_SEEN, "", (-1 * amount, is_whole))
        elif rule.seen in self.convention.one_sample:
            self._note(self.one_sample, "", (amount, True), (-1 * amount, False))

    def _note(self, rule: Rule, item: str, *amounts: tuple[Count, bool]) -> None:
        self.parts.setdefault((rule, item), []).extend(amounts)

    def items(self) -> Iterator[Item]:
        """Add up; leave out items of 0, except for the common MACs.

        Items are in the order of the rules, and of the kinds that these name.
        """
        ordered = sorted(self.parts, key=lambda part: (
            self.order[part[0]], *self.places.get(part, ())
        ))  # fmt: skip
        for rule, kind in ordered:
            amounts = self.parts[rule, kind]
            samples = ((1, amount) for amount, whole in amounts if not whole)
            wholes = ((1, amount) for amount, whole in amounts if whole)
            amount = total((added(samples, self.batch), added(wholes)))
            if amount != 0 or rule is self.convention.rules[0]:
                yield Item(kind, rule.what, amount, rule.quirk)


def _layers(
    rows: tuple[CountedRow, ...], batch: Dim, written: Mapping[str, str]
) -> Iterator[tuple[RuleInput, str, int]]:
    """Return distinct layers, the form they are written in, and their number."""
    outputs = {row.node.name: row.node.output for row in rows}
    forms = forms_of([row.node for row in rows], written)
    found: dict[tuple[object, ...], tuple[RuleInput, str, int]] = {}
    for row in rows:
        if row.sample.is_unknown:
            continue
        node, form = row.node, forms[row.node.name]
        inputs = tuple(outputs[source] for source in node.inputs)
        # Equal layers of a network are one operator and the same shapes.
        key = (form, row.sample.is_stored, id(node.operator), *map(id, inputs))
        is_stored = row.sample.is_stored
        many = 1 if is_stored else batch
        tally = row.sample.tally
        layer = RuleInput(node.operator, inputs, node.output, tally, many, is_stored)
        times = found[key][2] if key in found else 0
        found[key] = layer, form, times + 1
    yield from found.values()

"""The difference of two networks' costs, by scope or operator.

A network's parts are its scopes or its operators. Two networks are aligned by the names
of their parts; a part that only one of them has is a difference like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Literal, TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.analysis.cost import Cost, Totals, cost
from costmodel.errors import CostModelError, no_network
from costmodel.network.bind import check_symbols
from costmodel.network.graph import Network


By: TypeAlias = Literal["scope", "operator"]
"""The kinds of parts of a network."""

SHOWN = ("parameters", "macs", "activations")
"""The quantities that a difference is shown in."""


def parts(
    network: Network | Cost,
    metric: str = "macs",
    *,
    by: By = "operator",
    depth: int = 1,
) -> dict[str, Dim]:
    """Return a quantity of a network by operator or by scope, as ``share`` takes it.

    **Units**: those of the quantity.

    >>> from costmodel.network.registry import load
    >>> parts(load("mobilenet_v1", resolution=224, batch=1), "parameters")["linear"]
    1025000
    """
    sums = _grouped("parts", _cost("parts", network), by, depth)
    return {name: part.metric(metric) for name, part in sums.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """A part of two networks: its totals in each, None if one does not have it."""

    name: str
    before: Totals | None
    after: Totals | None

    def delta(self, metric: str) -> Dim:
        """Return the second network's cost of the part less the first's."""
        return _minus(
            self.after.metric(metric) if self.after else 0,
            self.before.metric(metric) if self.before else 0,
        )


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One row of a table: neighbouring parts with equal differences."""

    name: str
    count: int
    only_in: str | None
    """The network that has the part, None where both have it."""
    deltas: tuple[Dim, ...]
    """The difference of each part in each quantity of ``SHOWN``."""

    @property
    def title(self) -> str:
        """The first part's name, and how many there are: ``stage2.block2 ×3``."""
        return f"{self.name} ×{self.count}" if self.count > 1 else self.name


@dataclass(frozen=True, slots=True)
class Difference:
    """The cost of a second network less that of a first one, as exact formulas."""

    before: Cost
    after: Cost
    names: tuple[str, str]

    def delta(self, metric: str) -> Dim:
        """Return the difference of the totals."""
        return _minus(self.after.metric(metric), self.before.metric(metric))

    @property
    def parameters(self) -> Dim:
        """More learnable scalars."""
        return self.delta("parameters")

    @property
    def macs(self) -> Dim:
        """More multiply–accumulates per batch."""
        return self.delta("macs")

    @property
    def activations(self) -> Dim:
        """More elements output by convolutions and linear layers per batch."""
        return self.delta("activations")

    def by_scope(self, depth: int = 2) -> tuple[Change, ...]:
        """Return the parts by ``depth`` levels of scope, in network order."""
        return self._changes("scope", depth)

    def by_operator(self) -> tuple[Change, ...]:
        """Return the parts by the kind of operator."""
        return self._changes("operator", 1)

    def _changes(self, by: By, depth: int) -> tuple[Change, ...]:
        first, second = (
            _grouped("diff", side, by, depth) for side in (self.before, self.after)
        )
        return tuple(
            Change(name, first.get(name), second.get(name))
            for name in _merged(list(first), list(second))
        )

    def table(self, by: By = "scope", depth: int = 2) -> tuple[DifferenceRow, ...]:
        """Return the parts that differ; equal differences of neighbours are one row."""
        lines: list[DifferenceRow] = []
        for change in self._changes(by, depth):
            deltas = tuple(change.delta(metric) for metric in SHOWN)
            side = None if change.before and change.after else self._owner(change)
            last = lines[-1] if lines else None
            if last and (last.only_in, last.deltas) == (side, deltas):
                lines[-1] = replace(last, count=last.count + 1)
            else:
                lines.append(DifferenceRow(change.name, 1, side, deltas))
        return tuple(line for line in lines if any(line.deltas) or line.only_in)

    def _owner(self, change: Change) -> str:
        return self.names[0] if change.before else self.names[1]

    def __str__(self) -> str:
        """Write the differences by scope as a table."""
        rows = [("part", "only in", *(f"+ {metric}" for metric in SHOWN))]
        for line in self.table():
            rows.append((line.title, line.only_in or "", *map(str, line.deltas)))
        rows.append(("total", "", *(str(self.delta(metric)) for metric in SHOWN)))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in rows
        ]
        return "\n".join([" → ".join(self.names), *lines])


def diff(first: Network | Cost, second: Network | Cost) -> Difference:
    """Return the second network's cost less the first's, by scope and operator.

    Δ = f_second − f_first, for every quantity and part; the parts add up to the total.

    **Units**: those of the quantities.
    **Errors**: two different symbols of one name.

    >>> from costmodel.network.registry import load
    >>> more = diff(load("resnet50"), load("se_resnet50", reduction="r"))
    >>> [change.delta("parameters") for change in more.by_scope()
    ...  if change.name == "stage1.block1"]
    [512*floor(256/r)]
    """
    sides = _cost("diff", first), _cost("diff", second)
    names = [n.name if isinstance(n, Network) else "" for n in (first, second)]
    if not all(names) or names[0] == names[1]:
        names = ["first", "second"]
    free = {
        symbol
        for side in sides
        for metric in ("parameters", "bytes_read")
        for symbol in sympy.sympify(side.metric(metric)).free_symbols
    }
    check_symbols(free)
    return Difference(*sides, (names[0], names[1]))


def _cost(query: str, network: object) -> Cost:
    if isinstance(network, Cost):
        return network
    if isinstance(network, Network):
        return cost(network)
    raise no_network(query, network, "a costmodel.Network or its cost")


def _grouped(query: str, side: Cost, by: By, depth: int) -> Mapping[str, Totals]:
    """Return the totals of every part; a node without a scope is a part by itself."""
    if by == "operator":
        return side.by_operator()
    if by != "scope":
        raise CostModelError(f'{query}: by {by!r} is neither "scope" nor "operator"')
    if type(depth) is not int or depth < 1:
        raise CostModelError(f"{query}: depth {depth!r} is not an integer ≥ 1")
    names: dict[str, list[str]] = {}
    for row in side.rows:
        part = ".".join(row.node.scope[:depth]) or row.name
        names.setdefault(part, []).append(row.name)
    return {part: side.of_nodes(rows) for part, rows in names.items()}


def _merged(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """Return all names once, in an order that agrees with both networks'."""
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    names: dict[str, None] = {}
    for _, low, high, start, end in matcher.get_opcodes():
        names |= dict.fromkeys([*first[low:high], *second[start:end]])
    return tuple(names)


def _minus(after: Dim, before: Dim) -> Dim:
    return as_dim(expand(sympy.sympify(after) - before))

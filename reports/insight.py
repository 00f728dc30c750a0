"""What a network's page says beside its formulas: shares, memory, fields, accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy

from costmodel.algebra.symbols import Dim
from costmodel.analysis.field import Field
from costmodel.analysis.memory import memory
from costmodel.analysis.receptive_field import ReceptiveField, receptive_field
from costmodel.analysis.reconcile import Reconciliation, reconcile
from costmodel.errors import CostModelError
from costmodel.network.outline import outline
from reports.formula import QUANTITIES
from reports.numerals import share
from reports.subject import Subject


@dataclass(frozen=True, slots=True)
class Part:
    """A stage's part of a quantity: in percent, and as a bar's length."""

    percent: str
    bar: str


@dataclass(frozen=True, slots=True)
class StageShares:
    """A stage, and its part of each quantity."""

    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Bytes:
    """A headline of the memory that a network takes."""

    title: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """The memory that a network takes, or why that is not known."""

    rows: tuple[Bytes, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A layer from which on positions see more of the input than before it."""

    name: str
    size: str
    stride: str
    padding: str


@dataclass(frozen=True, slots=True)
class Fields:
    """The receptive field along a network, or why there is none to show."""

    rows: tuple[FieldRow, ...] = ()
    reason: str = ""
    leaves_out_gates: bool = False


def shares(subject: Subject) -> tuple[StageShares, ...]:
    """Return where each quantity sits, without stages that have none of any."""
    totals = [int(subject.cost.metric(name)) for name in QUANTITIES]
    found = []
    for name, sums in subject.cost.by_scope(1).items():
        counts = [int(sums.metric(quantity)) for quantity in QUANTITIES]
        if any(counts):
            parts = map(_part, counts, totals)
            found.append(StageShares(name, tuple(parts)))
    return tuple(found)


def _part(count: int, whole: int) -> Part:
    """Return a part of a whole; a bar takes four fifths of an em a percent of ten."""
    return Part(share(count, whole), f"{float(Fraction(8 * count, whole or 1)):.3f}em")


def footprint(subject: Subject) -> Footprint:
    """Return what weights and activations take, to infer and to train."""
    try:
        return Footprint(tuple(Bytes(t, int(n)) for t, n in _bytes(subject)))
    except CostModelError as error:
        return Footprint(reason=f"It is not known: {error}.")


def _bytes(subject: Subject) -> Iterator[tuple[str, Dim]]:
    infers, trains = memory(subject.bound), memory(subject.bound, training=True)
    yield "Weights", infers.weight_bytes
    yield "Peak of activations, inference", infers.peak_activation_bytes
    yield "Peak of activations, training step", trains.peak_activation_bytes
    yield "Optimizer state, Adam", trains.optimizer_bytes("adam")


def fields(subject: Subject) -> Fields:
    """Return the field where it changes; gates are left out where they see it all."""
    try:
        found = receptive_field(subject.symbolic)
        if gated := found.unbounded is not None:
            found = receptive_field(subject.symbolic, ignore_gates=True)
        if found.unbounded is not None:
            reason = f"From {found.unbounded} on, each position sees the whole input."
            return Fields(reason=reason)
        return Fields(tuple(_changes(found)), "", gated)
    except CostModelError as error:
        return Fields(reason=f"There is no single window: {error}.")


def _changes(found: ReceptiveField) -> Iterator[FieldRow]:
    """Give the ends of blocks down to the last map, where the field is another."""
    shown: tuple[str, ...] = ()
    for block in outline(found.network, 1):
        names = [node.name for nodes in block.repeats for node in nodes]
        is_last = found.name in names
        row = found.of(found.name if is_last else names[-1])
        told = tuple(_by(row, quantity) for quantity in ("size", "stride", "padding"))
        if told != shown:
            yield FieldRow(block.title, *told)
            shown = told
        if is_last:
            return


def _by(field: Field, quantity: str) -> str:
    """Write a pair of a field; a dash where paths have no single value for it."""
    try:
        pair = getattr(field, quantity)
    except CostModelError:
        return "–"
    if sympy.oo in pair:
        return "∞"
    return f"{pair[0]}×{pair[1]}"


def accounts(subject: Subject) -> Reconciliation:
    """Return what every tool prints for the network at its own resolution."""
    return reconcile(subject.bound)

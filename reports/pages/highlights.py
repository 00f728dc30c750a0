"""A network's page beside its formulas: shares, doublings, receptive fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy

from costmodel.algebra.code.numpy_code import lambdify
from costmodel.algebra.symbols import H, N, W, alpha
from costmodel.analysis.receptive_field import ReceptiveField, receptive_field
from costmodel.analysis.receptive_field.field import Field
from costmodel.errors import CostModelError
from costmodel.network.table import outline
from costmodel.reports.data.seconds import Timing
from costmodel.reports.data.subject import Subject
from costmodel.reports.formulas.mathml import QUANTITIES
from costmodel.reports.formulas.numbers import share


NOUNS = ("MACs", "parameters", "activations")
SAME = "the same"


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
class Doubling:
    """An option or size that is doubled, and the factor of each quantity."""

    what: str
    factors: tuple[str, ...]

    @property
    def words(self) -> str:
        """The same as a sentence."""
        told = [
            f"{'the same number of' if factor == SAME else factor} {noun}"
            for factor, noun in zip(self.factors, NOUNS)
        ]
        return f"Doubling the {self.what} gives {told[0]}, {told[1]} and {told[2]}."


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A layer from which on the receptive field is another than before it."""

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


def shares(
    subject: Subject, timings: tuple[Timing, ...] = ()
) -> tuple[StageShares, ...]:
    """Return where each quantity sits, without stages that have none of any.

    Predicted seconds come last, one column per device.
    """
    known = [timing for timing in timings if not timing.reason]
    totals = [int(subject.cost.metric(name)) for name in QUANTITIES]
    times = [sum(timing.by_stage.values()) for timing in known]
    sums = subject.cost.by_scope(1)
    found = []
    for name in dict.fromkeys([*sums, *(n for t in known for n in t.by_stage)]):
        counts = [int(sums[name].metric(q)) if name in sums else 0 for q in QUANTITIES]
        seconds = [timing.by_stage.get(name, 0.0) for timing in known]
        if any(counts) or any(seconds):
            parts = map(_part, [*counts, *seconds], [*totals, *times])
            found.append(StageShares(name, tuple(parts)))
    return tuple(found)


def _part(count: float, whole: float) -> Part:
    """Return a part of a whole; a bar of 100 percent is eight em long."""
    part = Fraction(count) / Fraction(whole or 1)
    return Part(share(part.numerator, part.denominator), f"{float(8 * part):.3f}em")


def doublings(subject: Subject) -> tuple[Doubling, ...]:
    """Return what twice the width, twice both sides and twice the batch cost.

    Sides are not doubled where the network restricts them by constraints. Nothing is
    where it has no symbol.
    """
    law, symbols = subject.law, subject.symbolic.inputs[0].output.sizes
    sizes = zip(symbols, subject.bound.inputs[0].output.sizes, strict=True)
    now = {N: 1, **dict(sizes), **subject.own}
    now = {s: n for s, n in now.items() if s in subject.symbolic.free_symbols}
    changes: dict[str, tuple[sympy.Symbol, ...]] = {"batch": (N,)}
    if {H, W} <= now.keys() and not subject.symbolic.constraints:
        changes = {"height and width of the input": (H, W), **changes}
    for symbol, setting in subject.options.items():
        changes = {setting.named(symbol): (symbol,), **changes}
    if alpha in now:
        changes = {"width": (alpha,), **changes}
    if not now:
        return ()
    formulas = [lambdify(law.metric(name), tuple(now)) for name in QUANTITIES]
    return tuple(
        Doubling(what, tuple(_times(f, now, doubled) for f in formulas))
        for what, doubled in changes.items()
        if now.keys() >= set(doubled)
    )


def _times(
    formula: Callable[..., int], now: dict[sympy.Symbol, int], doubled: Sequence[object]
) -> str:
    """Return the factor of a quantity when some symbols are doubled."""
    then = [2 * n if symbol in doubled else n for symbol, n in now.items()]
    before, after = int(formula(*now.values())), int(formula(*then))
    factor = Fraction(after, before or 1)
    return SAME if factor == 1 else f"{float(factor):.3g}×"


def fields(subject: Subject) -> Fields:
    """Return the field where it changes, without gates if they see the whole input."""
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
    """Give the ends of blocks up to the last feature map, where the field changes."""
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

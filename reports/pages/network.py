"""The page of one network, and its other files."""

from __future__ import annotations

from typing import Any

import sympy

from costmodel.algebra.code.source_code import FORMATS
from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import H, W
from costmodel.analysis.cost import Row, Totals
from costmodel.analysis.evidence.printed import Verdict
from costmodel.network.table import outline, table
from costmodel.reports.data.memory_timeline import Timeline
from costmodel.reports.data.seconds import Timing
from costmodel.reports.data.subject import Subject
from costmodel.reports.drawings.network import Drawing, Full
from costmodel.reports.formulas.mathml import QUANTITIES, sizes, stages, total
from costmodel.reports.formulas.numbers import share
from costmodel.reports.pages.highlights import doublings, fields, shares
from costmodel.reports.pages.templating import filled
from costmodel.reports.sitemap import Frame


MANY_ROWS = 60
"""Layer tables longer than this are folded away at first."""


def network_page(
    subject: Subject, frame: Frame, drawing: Drawing, full: Full,
    memory: Timeline, timings: tuple[Timing, ...],
) -> str:  # fmt: skip
    """Return the page of one network."""
    chosen = subject.architecture
    blocks, known = outline(subject.bound), sizes(subject.law)
    return filled(
        "network.html",
        frame,
        subject=subject,
        chosen=chosen,
        kin=frame.kin_of(chosen.name, chosen.family),
        cost=subject.cost,
        finding=finding(subject),
        smallest=_smallest(subject),
        drawing=drawing,
        full=full,
        outline_text=table(subject.bound),
        sizes=known,
        rounds=sympy.sympify(subject.law.parameters).has(make_divisible),
        stages=stages(subject.law, known),
        totals={name: total(subject.law, name, known) for name in QUANTITIES},
        doublings=doublings(subject),
        shares=shares(subject, timings),
        memory=memory,
        timings=timings,
        fields=fields(subject),
        accounts=subject.accounts,
        setting=setting,
        copies=_copies(subject),
        blocks=blocks,
        rows={row.name: row for row in subject.cost.rows if _costs(row)},
        is_long=sum(len(block.nodes) for block in blocks) > MANY_ROWS,
    )


def finding(subject: Subject) -> str:
    """Return a network in one sentence: where its MACs and parameters are."""
    parts = subject.cost.by_scope(1)
    macs = _largest(parts, "macs")
    parameters = _largest(parts, "parameters")
    return (
        f"The largest share of the MACs is in {macs[0]} ({macs[1]}), the largest share "
        f"of the parameters in {parameters[0]} ({parameters[1]})."
    )


def setting(verdict: Verdict) -> str:
    """Return the options, input size and layer for which a figure was printed."""
    row = verdict.row
    parts = [f"{name} {value}" for name, value in row.options]
    if row.resolution:
        parts.append(f"{row.resolution}²")
    return ", ".join([*parts, *([f"layer {row.layer}"] if row.layer else [])])


def _largest(parts: dict[str, Totals], quantity: str) -> tuple[str, str]:
    """Return the part with the most of a quantity, and its share."""
    counts = {name: int(sums.metric(quantity)) for name, sums in parts.items()}
    name = max(counts, key=lambda key: counts[key])
    return name, share(counts[name], sum(counts.values()))


def _costs(row: Row) -> bool:
    """Say whether a layer costs anything that its line would show."""
    return any(row.metric(name) != 0 for name in QUANTITIES)


def _smallest(subject: Subject) -> dict[str, Any]:
    """Return the least legal height and width, and the layer that requires them."""
    height, layer = subject.symbolic.smallest(H)
    width, _ = subject.symbolic.smallest(W)
    return {"height": height, "width": width, "layer": layer if height > 1 else ""}


def _copies(subject: Subject) -> dict[str, str]:
    """Return the total MACs in notations to copy."""
    formula = subject.law.macs
    notations = (("Text", "text"), ("LaTeX", "latex"), ("Python", "python"))
    return {name: FORMATS[style](formula, "macs") for name, style in notations}

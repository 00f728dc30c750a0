"""The Pareto front, and the cheapest network of at least the same accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costmodel.reports.data.network_record import Record


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a network stands by one cost: on the front or not, and what is cheapest.

    ``cheapest`` is the network of least cost among those that are at least as accurate:
    itself where it is on the front.
    """

    is_on_front: bool
    cheapest: str


def standings(records: Sequence[Record], quantity: str) -> dict[str, Standing]:
    """Return where each network stands whose accuracy and cost are known.

    The front has the networks that no other is both as accurate and cheaper than, or
    more accurate and as cheap.
    """
    known = [
        (cost, -accuracy, record.name)
        for record in records
        if (accuracy := record.accuracy) is not None
        and (cost := record.amount(quantity)) is not None
    ]
    found: dict[str, Standing] = {}
    ordered = sorted(known)
    best: list[tuple[float, float, str]] = []
    for cost, minus, name in ordered:
        if not best or minus < best[-1][1]:
            best.append((cost, minus, name))
    front = {name for _, _, name in best}
    for _, minus, name in ordered:
        cheapest = next(other for _, theirs, other in best if theirs <= minus)
        found[name] = Standing(name in front, cheapest)
    return found

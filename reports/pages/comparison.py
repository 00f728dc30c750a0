"""The comparison page: every network's numbers, and the cheapest of its accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from costmodel.reports.charts.pareto import Standing, standings
from costmodel.reports.data.machine_readable import script_text
from costmodel.reports.data.network_record import Record
from costmodel.reports.sitemap import Frame
from costmodel.runtime.profile import profiles


LABELS = {
    "macs": "MACs", "parameters": "Parameters", "activations": "Activations",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """A network, and where it stands by each cost."""

    record: Record
    standings: tuple[Standing, ...]


def quantities() -> dict[str, str]:
    """Return the costs that networks are ranked by, and what pages call them."""
    seconds = {name: f"Predicted time, {name}" for name in profiles()}
    return {**LABELS, **seconds}


def comparisons(records: Sequence[Record]) -> tuple[Compared, ...]:
    """Return the networks of known accuracy and costs, the most accurate first."""
    by = [standings(records, quantity) for quantity in quantities()]
    known = [record for record in records if all(record.name in stand for stand in by)]
    known.sort(key=lambda record: (-(record.accuracy or 0), record.macs))
    return tuple(Compared(r, tuple(stand[r.name] for stand in by)) for r in known)


def compare_data(records: Sequence[Record], frame: Frame) -> str:
    """Return every network's numbers as a script: pages on a disk cannot load data."""
    by = {quantity: standings(records, quantity) for quantity in quantities()}
    labels = script_text(quantities())
    rows = ",\n".join(script_text(_numbers(record, frame, by)) for record in records)
    return f"var networks = {{labels: {labels}, all: [\n{rows}\n]}};\n"


def _numbers(
    record: Record, frame: Frame, by: dict[str, dict[str, Standing]]
) -> dict[str, Any]:
    name = record.name
    return {
        "name": name,
        "page": frame.networks[name].file,
        "family": record.title,
        "year": record.year,
        "input": record.sides,
        "depth": record.depth,
        "top1": record.accuracy,
        "peak": record.peak_activation_bytes,
        "costs": {quantity: record.amount(quantity) for quantity in by},
        "front": [
            q for q, stand in by.items() if name in stand and stand[name].is_on_front
        ],
        "cheapest": {
            q: stand[name].cheapest for q, stand in by.items() if name in stand
        },
        "terms": record.terms,
    }

"""Charts of accuracy against cost, as SVGs without scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from costmodel.reports.charts.label_placement import Spot, place
from costmodel.reports.charts.pareto import standings
from costmodel.reports.charts.svg import named
from costmodel.reports.data.network_record import COSTS, Record
from costmodel.reports.formulas.numbers import human, milliseconds
from costmodel.reports.optional import library
from costmodel.runtime.profile import profiles


PALETTE = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
    "#999999",
)  # fmt: skip
"""Okabe & Ito 2008, Color Universal Design, with grey for black: outlines are dark."""

SHAPES = (
    "circle", "square", "triangle-up", "diamond", "cross", "triangle-down",
    "triangle-right", "triangle-left",
)  # fmt: skip

_SIZE = (760, 480)
_ROOM = 0.06
"""Free room before the least and after the most, as parts of the span."""

TITLES = {
    "macs": "MACs for one input",
    "activations": "Activations for one input",
    "parameters": "Parameters",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """Accuracy against one cost: what the cost is, and the picture."""

    quantity: str
    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class _Point:
    name: str
    family: str
    cost: float
    accuracy: float
    parameters: int
    told: str
    is_on_front: bool

    @property
    def record(self) -> dict[str, Any]:
        """The point as a row of data."""
        return {
            "family": self.family,
            "cost": self.cost,
            "accuracy": self.accuracy,
            "parameters": self.parameters,
            "description": f"{self.name}: top-1 {self.accuracy:g} %, {self.told}",
        }


def charts(records: Sequence[Record]) -> tuple[Chart, ...]:
    """Return accuracy against each cost, and against predicted seconds by device.

    Every point is named in tooltip and ARIA. Networks without a recorded accuracy, or
    without the cost, are left out; with fewer than two points there is no chart.
    """
    quantities = {name: TITLES[name] for name in COSTS}
    quantities |= {name: f"Predicted seconds, {name}" for name in profiles()}
    families = list(dict.fromkeys(r.title for r in records if r.accuracy is not None))
    found = []
    for quantity, title in quantities.items():
        points = _points(records, quantity)
        if len(points) > 1:
            found.append(Chart(quantity, title, _svg(points, title, families)))
    return tuple(found)


def _points(records: Sequence[Record], quantity: str) -> list[_Point]:
    stands = standings(records, quantity)
    return [
        _Point(record.name, record.title, cost, accuracy, record.parameters,
               _told(record, quantity, cost), stands[record.name].is_on_front)
        for record in records
        if (accuracy := record.accuracy) is not None
        and (cost := record.amount(quantity))
    ]  # fmt: skip


def _told(record: Record, quantity: str, cost: float) -> str:
    parameters = f"{human(record.parameters)} parameters"
    if quantity == "parameters":
        return parameters
    if quantity in COSTS:
        word = {"macs": "MACs"}.get(quantity, quantity)
        return f"{human(int(cost))} {word}, {parameters}"
    return f"{milliseconds(cost)}, {parameters}"


def _svg(points: list[_Point], title: str, families: list[str]) -> str:
    altair = library("altair")
    ends = _ends(points)
    layers = [
        _front(altair, points),
        _marks(altair, points, title, ends, families),
        *_names(altair, points, ends),
    ]
    return named(altair.layer(*layers), _SIZE)


def _ends(points: list[_Point]) -> dict[str, tuple[float, float]]:
    """Return the ends of both axes, room for the marks included; cost as logarithm."""
    costs = [math.log10(point.cost) for point in points]
    return {
        "cost": _roomy(min(costs), max(costs)),
        "accuracy": _roomy(
            min(point.accuracy for point in points),
            max(point.accuracy for point in points),
        ),
    }


def _roomy(least: float, most: float) -> tuple[float, float]:
    span = (most - least) or 1.0
    return least - _ROOM * span, most + _ROOM * span


def _front(altair: Any, points: list[_Point]) -> Any:
    """Return the Pareto front as a stair: what each cost buys."""
    front = sorted((p for p in points if p.is_on_front), key=lambda point: point.cost)
    values = [{"cost": point.cost, "accuracy": point.accuracy} for point in front]
    line = altair.Chart(altair.InlineData(values=values)).mark_line(
        interpolate="step-after", stroke="#888", strokeWidth=1.5, aria=False
    )
    return line.encode(x="cost:Q", y="accuracy:Q")


def _marks(
    altair: Any, points: list[_Point], title: str, ends: Any, families: list[str]
) -> Any:
    """Return the points: hue and shape by family, area by parameters."""
    count = len(PALETTE)
    hues = [PALETTE[i % count] for i in range(len(families))]
    # The shapes step on by one each time the hues are used up.
    shapes = [SHAPES[(i + i // count) % count] for i in range(len(families))]
    legend = altair.Legend(
        title="Family", orient="bottom", labelLimit=0, symbolLimit=0, columns=5
    )
    data = altair.InlineData(values=[point.record for point in points])
    marks = altair.Chart(data).mark_point(
        filled=True, opacity=0.85, stroke="#222", strokeWidth=1.2
    )
    return marks.encode(
        x=_cost_axis(altair, title, ends["cost"]),
        y=altair.Y("accuracy:Q", title="Top-1 accuracy, %",
                   scale=altair.Scale(zero=False, nice=False, domain=ends["accuracy"]),
                   axis=altair.Axis(gridOpacity=0.6)),
        size=altair.Size("parameters:Q", legend=None,
                         scale=altair.Scale(type="sqrt", range=[40, 700])),
        color=altair.Color(
            "family:N", scale=altair.Scale(domain=families, range=hues), legend=legend
        ),
        shape=altair.Shape(
            "family:N", scale=altair.Scale(domain=families, range=shapes)
        ),
        description="description:N",
    )  # fmt: skip


def _cost_axis(altair: Any, title: str, ends: tuple[float, float]) -> Any:
    """Return a log axis with labels at 1, 2 and 5 times the powers of ten."""
    first_digit = "slice(format(datum.value, 'e'), 0, 1)"
    text = "replace(format(datum.value, '~s'), 'k', 'K')"
    return altair.X(
        "cost:Q",
        scale=altair.Scale(type="log", nice=False, domain=[10**end for end in ends]),
        axis=altair.Axis(
            title=f"{title} (log scale)",
            labelExpr=f"indexof(['1', '2', '5'], {first_digit}) < 0 ? '' : {text}",
            labelOverlap=True,
            gridOpacity=0.6,
        ),
    )


def _names(altair: Any, points: list[_Point], ends: Any) -> list[Any]:
    """Return names beside the points of the front, one layer per side."""
    known = {point.name: point for point in points}
    spots = [_spot(point, ends) for point in points]
    on_front = {point.name for point in points if point.is_on_front}
    labels = place(spots, on_front)
    layers = []
    for side, align, shift in (("right", "left", 11), ("left", "right", -11)):
        values = [
            known[label.spot.name].record | {"label": label.text}
            for label in labels
            if label.side == side
        ]
        text = altair.Chart(altair.InlineData(values=values)).mark_text(
            align=align, dx=shift, fontSize=10, aria=False
        )
        layers.append(text.encode(x="cost:Q", y="accuracy:Q", text="label:N"))
    return layers


def _spot(point: _Point, ends: dict[str, tuple[float, float]]) -> Spot:
    """Return where a point lies, in pixels."""
    x, y = (
        (value - ends[key][0]) / (ends[key][1] - ends[key][0]) * size
        for key, value, size in (
            ("cost", math.log10(point.cost), _SIZE[0]),
            ("accuracy", point.accuracy, _SIZE[1]),
        )
    )
    return Spot(point.name, x, y)

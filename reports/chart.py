"""The chart of all networks: MACs against parameters, as an SVG without scripts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.labels import Spot, place
from reports.libraries import library
from reports.numerals import human
from reports.subject import Subject


PALETTE = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
    "#999999",
)  # fmt: skip
"""Okabe & Ito 2008, Color Universal Design, with grey for black: outlines are dark."""

SHAPES = (
    "circle", "square", "triangle-up", "diamond", "cross", "triangle-down",
    "triangle-right", "triangle-left",
)  # fmt: skip

_SIZE = (720, 540)
_ROOM = {"parameters": (0.06, 0.16), "macs": (0.06, 0.06)}
"""Free room before the least and after the most, as parts of the span."""

_MARK = re.compile(r'<path aria-label="([^"]*)"([^>]*?)/>')
_GROUND = re.compile(r'<rect width="\d+" height="\d+" fill="[^"]*"/>')


@dataclass(frozen=True, slots=True)
class _Point:
    name: str
    family: str
    parameters: int
    macs: int

    @property
    def record(self) -> dict[str, Any]:
        """The point as a row of data."""
        told = f"{human(self.macs)} MACs, {human(self.parameters)} parameters"
        return {
            "family": self.family,
            "parameters": self.parameters,
            "macs": self.macs,
            "description": f"{self.name}: {told}",
        }


def chart(subjects: Sequence[Subject]) -> str:
    """Return the chart as inline SVG; every point is named in tooltip and ARIA.

    A network without MACs or without parameters has no place on log axes.
    """
    altair, convert = library("altair"), library("vl_convert")
    points = [_point(subject) for subject in subjects]
    points = [point for point in points if point.parameters and point.macs]
    if not points:
        return ""
    domains = {
        key: _domain([getattr(point, key) for point in points], room)
        for key, room in _ROOM.items()
    }
    layers = [_marks(altair, points, domains), *_names(altair, points, domains)]
    figure = (
        altair.layer(*layers)
        .properties(width=_SIZE[0], height=_SIZE[1])
        .configure_view(stroke=None)
    )
    text: str = convert.vegalite_to_svg(figure.to_json())
    text = _GROUND.sub("", text, count=1)
    return _MARK.sub(r'<path aria-label="\1"\2><title>\1</title></path>', text)


_TITLES = {
    "parameters": "Parameters (log scale)",
    "macs": "MACs for one input (log scale)",
}


def _point(subject: Subject) -> _Point:
    chosen, cost = subject.architecture, subject.cost
    return _Point(chosen.name, chosen.title, int(cost.parameters), int(cost.macs))


def _domain(counts: list[int], room: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of an axis as decimal logarithms, room for names included."""
    least, most = math.log10(min(counts)), math.log10(max(counts))
    span = most - least or 1.0
    return least - room[0] * span, most + room[1] * span


def _marks(altair: Any, points: list[_Point], domains: dict[str, Any]) -> Any:
    """Return the points: hue and shape a family, dark outline."""
    families = list(dict.fromkeys(point.family for point in points))
    count = len(PALETTE)
    hues = [PALETTE[i % count] for i in range(len(families))]
    # The shapes step on by one each time the hues are used up.
    shapes = [SHAPES[(i + i // count) % count] for i in range(len(families))]
    legend = altair.Legend(
        title="Family", orient="top", labelLimit=0, symbolLimit=0, columns=8
    )
    data = altair.InlineData(values=[point.record for point in points])
    marks = altair.Chart(data).mark_point(
        filled=True, opacity=1, size=110, stroke="#222", strokeWidth=1.2
    )
    return marks.encode(
        x=_axis(altair, altair.X, "parameters", domains),
        y=_axis(altair, altair.Y, "macs", domains),
        color=altair.Color(
            "family:N", scale=altair.Scale(domain=families, range=hues), legend=legend
        ),
        shape=altair.Shape(
            "family:N", scale=altair.Scale(domain=families, range=shapes)
        ),
        description="description:N",
    )


def _axis(altair: Any, kind: Any, field: str, domains: dict[str, Any]) -> Any:
    """Return a log axis with labels at 1, 2 and 5 times the powers of ten."""
    first_digit = "slice(format(datum.value, 'e'), 0, 1)"
    text = "replace(format(datum.value, '~s'), 'k', 'K')"
    ends = [10**end for end in domains[field]]
    return kind(
        f"{field}:Q",
        scale=altair.Scale(type="log", nice=False, domain=ends),
        axis=altair.Axis(
            title=_TITLES[field],
            labelExpr=f"indexof(['1', '2', '5'], {first_digit}) < 0 ? '' : {text}",
            labelOverlap=True,
            gridOpacity=0.6,
        ),
    )


def _names(altair: Any, points: list[_Point], domains: dict[str, Any]) -> list[Any]:
    """Return the names beside the points, one layer a side."""
    known = {point.name: point for point in points}
    labels = place([_spot(point, domains) for point in points])
    layers = []
    for side, align, shift in (("right", "left", 9), ("left", "right", -9)):
        values = [
            known[label.spot.name].record | {"label": label.text}
            for label in labels
            if label.side == side
        ]
        text = altair.Chart(altair.InlineData(values=values)).mark_text(
            align=align, dx=shift, fontSize=10, aria=False
        )
        layers.append(text.encode(x="parameters:Q", y="macs:Q", text="label:N"))
    return layers


def _spot(point: _Point, domains: dict[str, Any]) -> Spot:
    """Return where a point lies, in pixels."""
    x, y = (
        (math.log10(getattr(point, key)) - domains[key][0])
        / (domains[key][1] - domains[key][0])
        * size
        for key, size in zip(("parameters", "macs"), _SIZE)
    )
    return Spot(point.name, x, y)

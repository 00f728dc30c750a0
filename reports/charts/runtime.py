"""Charts of seconds: predicted against measured, and rooflines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.reports.charts.svg import named
from costmodel.reports.data.devices import JudgedSet
from costmodel.reports.data.network_record import Record
from costmodel.reports.optional import library
from costmodel.runtime.profile import Profile


BAND = 0.25
"""How far the outer band lies from equality."""

_SIZE = (620, 460)


def scatter(sets: Sequence[JudgedSet]) -> str:
    """Return predicted against measured milliseconds, with y = x and bands of 25 %."""
    points = [
        {
            "set": found.title,
            "measured": row["seconds"] * 1e3,
            "predicted": row["predicted"] * 1e3,
            "description": (
                f"{row['name']}: measured {row['seconds'] * 1e3:.3g} ms, "
                f"predicted {row['predicted'] * 1e3:.3g} ms"
            ),
        }
        for found in sets
        for row in found.rows
    ]
    if not points:
        return ""
    altair = library("altair")
    values = [p[key] for p in points for key in ("measured", "predicted")]
    ends = [min(values) / 1.3, max(values) * 1.3]
    lines = [_line(altair, ends, factor) for factor in (1 - BAND, 1, 1 + BAND)]
    marks = altair.Chart(altair.InlineData(values=points)).mark_point(
        filled=True, size=50, opacity=0.85, stroke="#222", strokeWidth=1
    )
    marks = marks.encode(
        x=_log(altair.X, altair, "measured:Q", "Measured, ms", ends),
        y=_log(altair.Y, altair, "predicted:Q", "Predicted, ms", ends),
        color=altair.Color("set:N", title=None, scale=altair.Scale(scheme="tableau10"),
                           legend=altair.Legend(orient="top", labelLimit=0, columns=2)),
        shape=altair.Shape("set:N", title=None),
        description="description:N",
    )  # fmt: skip
    return named(altair.layer(*lines, marks), _SIZE)


def roofline(profile: Profile, records: Sequence[Record]) -> str:
    """Return what the device can reach by FLOP per byte, and where the networks are."""
    top, slope = profile.peak_flop_per_s, profile.peak_byte_per_s
    points = [
        {
            "intensity": record.arithmetic_intensity,
            "rate": 2 * record.macs / seconds,
            "description": (
                f"{record.name}: {record.arithmetic_intensity:.3g} FLOP per byte, "
                f"{2 * record.macs / seconds / 1e9:.3g} GFLOP/s predicted"
            ),
        }
        for record in records
        if record.macs
        and (seconds := record.amount(profile.name))
        and record.arithmetic_intensity
    ]
    if not (points and top and slope):
        return ""
    altair = library("altair")
    low = min(p["intensity"] for p in points) / 2
    high = max(*(p["intensity"] for p in points), top / slope) * 2
    roof = [
        {"intensity": x, "rate": min(top, slope * x)} for x in (low, top / slope, high)
    ]
    line = altair.Chart(altair.InlineData(values=roof)).mark_line(
        stroke="#888", aria=False
    )
    line = line.encode(x="intensity:Q", y="rate:Q")
    marks = altair.Chart(altair.InlineData(values=points)).mark_point(
        filled=True, size=45, opacity=0.85, stroke="#222", color="#56B4E9"
    )
    rates = [*(p["rate"] for p in points), top]
    marks = marks.encode(
        x=_log(altair.X, altair, "intensity:Q", "FLOP per byte moved", [low, high]),
        y=_log(altair.Y, altair, "rate:Q", "FLOP/s", [min(rates) / 2, max(rates) * 2]),
        description="description:N",
    )
    return named(altair.layer(line, marks), _SIZE)


def _line(altair: Any, ends: list[float], factor: float) -> Any:
    values = [{"measured": end, "predicted": factor * end} for end in ends]
    dash = [1, 0] if factor == 1 else [4, 4]
    line = altair.Chart(altair.InlineData(values=values)).mark_line(
        stroke="#888", strokeWidth=1, strokeDash=dash, aria=False, clip=True
    )
    return line.encode(x="measured:Q", y="predicted:Q")


def _log(kind: Any, altair: Any, field: str, title: str, ends: list[float]) -> Any:
    named_axis = altair.Axis(
        title=f"{title} (log scale)", labelOverlap=True, gridOpacity=0.6, format="~s"
    )
    scale = altair.Scale(type="log", nice=False, domain=ends)
    return kind(field, scale=scale, axis=named_axis)

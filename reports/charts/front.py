"""The chart of a search: all that was evaluated, the front, and what random finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.nas import Evaluation, Found
from costmodel.nas.objectives import Constraint, Objective
from costmodel.reports.charts.svg import named
from costmodel.reports.optional import library


_SIZE = (620, 400)
_MOST = 1500
"""Points of the cloud; more look like a stain."""


def front_chart(found: Found, baseline: Found | None = None) -> str:
    """Return the first two objectives of everything evaluated, as SVG.

    The front is a line, a random search's front of as many evaluations a dashed one,
    and what a limit of either axis leaves out is shaded. Empty for one objective.
    """
    if len(found.objectives) < 2:
        return ""
    altair = library("altair")
    axes = found.objectives[:2]
    layers = [
        *_shaded(altair, found.constraints, axes),
        _cloud(altair, found),
        *([_line(altair, baseline, "#777777", [4, 3])] if baseline else []),
        _line(altair, found, "#0072B2", [1, 0]),
        _marks(altair, found),
    ]
    return named(altair.layer(*layers), _SIZE)


def _rows(found: Found, some: Sequence[Evaluation]) -> list[dict[str, Any]]:
    names = [one.name for one in found.objectives[:2]]
    return [
        {
            "x": float(one.values[0]),
            "y": float(one.values[1]),
            "description": f"{one.text}: "
            + ", ".join(
                f"{name} {value:,.6g}" for name, value in zip(names, one.values)
            ),
        }
        for one in some
    ]


def _cloud(altair: Any, found: Found) -> Any:
    """Return every evaluation, or as many as can be told apart, evenly taken."""
    step = -(-len(found.evaluations) // _MOST)
    rows = _rows(found, found.evaluations[::step])
    marks = altair.Chart(altair.InlineData(values=rows)).mark_point(
        filled=True, size=12, opacity=0.35, color="#888", aria=False
    )
    return marks.encode(x=_axis(altair, "X", found.objectives[0]),
                        y=_axis(altair, "Y", found.objectives[1]))  # fmt: skip


def _line(altair: Any, found: Found, color: str, dash: list[int]) -> Any:
    """Return a front as steps: what is possible right of and above each point."""
    rows = _rows(found, sorted(found.front, key=lambda one: one.values[0]))
    step = "step-before" if found.objectives[0].is_maximized else "step-after"
    line = altair.Chart(altair.InlineData(values=rows)).mark_line(
        stroke=color, strokeDash=dash, strokeWidth=1.5, aria=False, interpolate=step
    )
    return line.encode(x="x:Q", y="y:Q")


def _marks(altair: Any, found: Found) -> Any:
    rows = _rows(found, found.front)
    marks = altair.Chart(altair.InlineData(values=rows)).mark_point(
        filled=True, size=55, stroke="#222", color="#56B4E9"
    )
    return marks.encode(x="x:Q", y="y:Q", description="description:N")


def _shaded(
    altair: Any, limits: Sequence[Constraint], axes: Sequence[Objective]
) -> list[Any]:
    """Return what limits of the axes leave out, as grey areas."""
    found = []
    for letter, axis in zip("xy", axes):
        for limit in limits:
            if limit.name == axis.name and limit.high is not None:
                rule = altair.Chart(
                    altair.InlineData(values=[{letter: float(limit.high)}])
                ).mark_rule(stroke="#D55E00", strokeDash=[2, 2], aria=False)
                found.append(rule.encode(**{letter: f"{letter}:Q"}))
    return found


def _axis(altair: Any, kind: str, objective: Objective) -> Any:
    """Return an axis that says what it counts, and which way is better."""
    better = "more is better" if objective.is_maximized else "less is better"
    title = f"{objective.name} ({better})"
    axis = altair.Axis(title=title, format="~s", labelOverlap=True, gridOpacity=0.6)
    scale = altair.Scale(zero=False)
    return getattr(altair, kind)(f"{kind.lower()}:Q", axis=axis, scale=scale)

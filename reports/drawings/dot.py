"""Boxes and arrows: as DOT for everyone's tools, and laid out as a small SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from costmodel.reports.drawings.layout import TIME_LIMIT_S, laid_out
from costmodel.reports.optional import library


POINTS = 72
"""Points per inch: dot's plain format counts in inches."""

_FONT, _LINE = 11, 13.2
"""Text size, and distance of lines, in points."""

_STYLE = """\
<style>
:root {
  color-scheme: light dark;
  --ink: light-dark(#1a1f24, #e8ecf0);
  --line: light-dark(#56606b, #a9b4bf);
  background: light-dark(#fff, #14181c);
}
text { font: 11px Helvetica, Arial, sans-serif; text-anchor: middle; fill: var(--ink); }
text:first-of-type { font-weight: 700; }
rect { rx: 5px; fill: light-dark(#e8f0f8, #22303d); stroke: var(--line); }
path { fill: none; stroke: var(--line); }
marker path { fill: var(--line); }
</style>
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A box of some lines of text; a link leads from it, and a tip explains it."""

    name: str
    lines: tuple[str, ...]
    kind: str = ""
    link: str = ""
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow; one with a larger weight is drawn straighter."""

    source: str
    target: str
    kind: str = "branch"
    weight: int = 1
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Diagram:
    """Boxes and arrows from top to bottom; the boxes of a row stand side by side."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    apart: tuple[float, float] = (0.3, 0.3)
    """Inches between the boxes of a row, and between rows."""
    margin: str = "0.2,0.08"
    """Inches around the text of a box, beside it and above it."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A diagram as SVG, or why there is none."""

    svg: str = ""
    reason: str = ""


HIDDEN = "hidden"
"""The kind of arrows that only hold boxes in their places."""


def dot(diagram: Diagram, *, straight: bool = True) -> str:
    """Return the diagram in graphviz's language, with what keeps its trunk straight."""
    graph = library("graphviz").Digraph()
    beside, below = map(str, diagram.apart)
    graph.attr("graph", nodesep=beside, ranksep=below)
    graph.attr("node", shape="box", style="rounded", fontname="Helvetica",
               fontsize=str(_FONT), margin=diagram.margin, height="0.3")  # fmt: skip
    graph.attr("edge", arrowsize="0.6")
    numbers = _numbers(diagram)
    text = library("graphviz").escape
    for box in diagram.boxes:
        graph.node(numbers[box.name], text("\n".join(box.lines)))
    for row in diagram.rows:
        with graph.subgraph() as side_by_side:
            side_by_side.attr(rank="same")
            for name in row:
                side_by_side.node(numbers[name])
    for arrow in diagram.arrows:
        told: dict[str, Any] = {"style": "invis"} if arrow.kind == HIDDEN else {}
        if straight and arrow.weight != 1:
            told["weight"] = str(arrow.weight)
        graph.edge(numbers[arrow.source], numbers[arrow.target], **told)
    return str(graph.source)


def drawn(
    diagram: Diagram, prefix: str, label: str, *, alone: bool = False,
    limit: float = TIME_LIMIT_S,
) -> Drawn:  # fmt: skip
    """Return the diagram as SVG; ids begin with the prefix, the label is for ARIA.

    Inside of a page its style sheet draws it; ``alone`` it is a file with its own.
    """
    layout = laid_out(dot(diagram), "plain", limit)
    if layout.reason:
        return Drawn(reason=layout.reason)
    return Drawn("\n".join(_lines(diagram, layout.text, prefix, label, alone=alone)))


def _numbers(diagram: Diagram) -> dict[str, str]:
    return {box.name: f"n{place}" for place, box in enumerate(diagram.boxes)}


def _lines(
    diagram: Diagram, plain: str, prefix: str, label: str, *, alone: bool
) -> Iterator[str]:
    """Give the SVG, line by line."""
    rows = [line.split() for line in plain.replace("\\\n", "").splitlines()]
    high = float(rows[0][3]) * POINTS
    wide = float(rows[0][2]) * POINTS
    size = (
        f'width="{wide:.0f}" height="{high:.0f}" '
        f'viewBox="-4 -4 {wide + 8:.0f} {high + 8:.0f}"'
    )
    space = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
    yield f'<svg{space} role="group" aria-label="{escape(label)}" {size}>'
    if alone:
        yield _STYLE
    yield (
        f'<defs><marker id="{prefix}-arrow" viewBox="0 -3 6 6" markerWidth="6" '
        'markerHeight="6" orient="auto"><path d="M0,-3L6,0L0,3z"/></marker></defs>'
    )
    numbers = _numbers(diagram)
    ends = {
        (numbers[arrow.source], numbers[arrow.target]): arrow
        for arrow in diagram.arrows
        if arrow.kind != HIDDEN
    }
    yield f'<g class="edges" marker-end="url(#{prefix}-arrow)">'
    for row in rows:
        if row[0] == "edge" and (arrow := ends.get((row[1], row[2]))):
            yield _path(row, arrow, high)
    yield "</g>"
    boxes = dict(zip(numbers.values(), diagram.boxes))
    for row in rows:
        if row[0] == "node":
            yield _box(row, boxes[row[1]], high)
    yield "</svg>"


def _path(row: Sequence[str], arrow: Arrow, high: float) -> str:
    """Return a curve: dot gives its first point, and then three points per piece."""
    count = int(row[3])
    values = [float(value) * POINTS for value in row[4 : 4 + 2 * count]]
    points = [f"{x:.0f},{high - y:.0f}" for x, y in zip(values[::2], values[1::2])]
    kind = f' class="{arrow.kind}"' if arrow.kind not in ("branch", "trunk") else ""
    path = f"M{points[0]}C{' '.join(points[1:])}"
    tip = f"<title>{escape(arrow.tip)}</title>" if arrow.tip else ""
    return (
        f'<path{kind} d="{path}">{tip}</path>' if tip else f'<path{kind} d="{path}"/>'
    )


def _box(row: Sequence[str], box: Box, high: float) -> str:
    x, y, wide, tall = (float(value) * POINTS for value in row[2:6])
    y = high - y
    rect = (
        f'<rect x="{x - wide / 2:.0f}" y="{y - tall / 2:.0f}" width="{wide:.0f}" '
        f'height="{tall:.0f}"/>'
    )
    first = y - (len(box.lines) - 1) * _LINE / 2 + _FONT / 3
    lines = "".join(
        f'<text x="{x:.0f}" y="{first + place * _LINE:.0f}">{escape(line)}</text>'
        for place, line in enumerate(box.lines)
    )
    tip = f"<title>{escape(box.tip)}</title>" if box.tip else ""
    inside = f"{tip}{rect}{lines}"
    if box.link:
        inside = f'<a href="{escape(box.link)}">{inside}</a>'
    kind = f' class="{box.kind}"' if box.kind else ""
    return f"<g{kind}>{inside}</g>"

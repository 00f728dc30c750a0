"""The page of searches: a worked example for each space, with its front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import le
from typing import Any

from costmodel.nas import Evaluation
from costmodel.nas.objectives import Constraint
from costmodel.nas.spaces.space import LEVELS
from costmodel.reports.charts.front import front_chart
from costmodel.reports.data.worked_search import WorkedSearch, first_middle_last
from costmodel.reports.drawings.cell import cell_drawing
from costmodel.reports.drawings.dot import Drawn
from costmodel.reports.formulas.numbers import digits_of
from costmodel.reports.pages.templating import NAMES, counted


ROWS = 12
"""Rows of a front that its table has; all are in the data file."""

MEANING_OF_LEVEL = {
    "encoding": "networks as they are written",
    "graph": "networks whose graphs are not isomorphic",
    "function": "networks that compute different functions",
}
"""What is counted as one at each level."""


@dataclass(frozen=True, slots=True)
class Column:
    """An objective as the heading of a column."""

    title: str
    way: str
    unit: str


@dataclass(frozen=True, slots=True)
class Row:
    """A network of the front: its number, its values with every digit, its text."""

    number: int
    values: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a network of the front, drawn."""

    title: str
    label: str
    drawn: Drawn


@dataclass(frozen=True)
class Section:
    """What the page shows of a search."""

    work: WorkedSearch
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    chart: str
    cells: tuple[Cell, ...]
    spread: str
    """The front in one sentence: how far apart its ends are."""
    against_random: str
    """How a random search of as many did; empty where there is none."""

    @property
    def limits(self) -> tuple[str, ...]:
        """The limits of the search, numbers with every digit."""
        return tuple(map(_limit, self.work.found.constraints))

    @property
    def is_limited(self) -> bool:
        """Whether the chart shows a limit: the upper bound of an axis."""
        found = self.work.found
        axes = {one.name for one in found.objectives[:2]}
        return any(
            one.name in axes and one.high is not None for one in found.constraints
        )

    @property
    def more(self) -> int:
        """How many networks of the front have no row."""
        return len(self.work.found.front) - len(self.rows)


def sections(works: Sequence[WorkedSearch]) -> tuple[Section, ...]:
    """Return what the page shows of each search."""
    return tuple(_section(work) for work in works)


def search_finding(works: Sequence[WorkedSearch]) -> str:
    """Return the page in one sentence: how many were tried, of how many."""
    tried = sum(len(work.found.evaluations) for work in works)
    sizes = [work.sizes[LEVELS[0]] or 0 for work in works]
    return (
        f"{len(works)} spaces of {digits_of(min(sizes))} to {_power(max(sizes))} "
        f"networks, each searched once: {digits_of(tried)} networks were evaluated, by "
        "exact costs alone."
    )


def _power(count: int) -> str:
    """Return a large count as a power of ten."""
    digits, _, exponent = f"{count:.0e}".partition("e+")
    return f"{digits}·10{str(int(exponent)).translate(_RAISED)}"


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _section(work: WorkedSearch) -> Section:
    found = work.found
    columns = tuple(
        Column(
            one.name.replace("_", " "),
            "as large as possible" if one.is_maximized else "as small as possible",
            one.unit,
        )
        for one in found.objectives
    )
    rows = tuple(
        Row(number, tuple(map(_digits, one.values)), one.text)
        for number, one in enumerate(found.front[:ROWS])
    )
    chart = front_chart(found, work.baseline)
    return Section(
        work, columns, rows, chart, tuple(_cells(work)), spread(work), _random(work)
    )


def spread(work: WorkedSearch) -> str:
    """Return how far the objectives rise from one end of the front to the other."""
    found = work.found
    count = len(found.front)
    parts = []
    for place, one in enumerate(found.objectives):
        values = [each.values[place] for each in found.front]
        low, high = min(values), max(values)
        name = NAMES.get(one.name, one.name.replace("_", " "))
        times = f", {high / low:.3g} times as much" if low > 0 else ""
        parts.append(f"{name} from {_digits(low)} to {_digits(high)}{times}")
    return f"{counted(count, 'network')} on the front: {'; '.join(parts)}."


def _random(work: WorkedSearch) -> str:
    """Say how many of a random search's front are no better than one of this front."""
    if work.baseline is None:
        return ""
    ours = [_signed(work, one) for one in work.found.front]
    theirs = [_signed(work, one) for one in work.baseline.front]
    met = sum(any(all(map(le, one, other)) for one in ours) for other in theirs)
    tried = digits_of(len(work.baseline.evaluations))
    return (
        f"A random search of {tried} networks has {counted(len(theirs), 'network')} "
        f"on its front; for {met} of them this front has one that is as good or better "
        "in both."
    )


def _signed(work: WorkedSearch, one: Evaluation) -> tuple[float, ...]:
    signs = [-1 if each.is_maximized else 1 for each in work.found.objectives]
    return tuple(sign * value for sign, value in zip(signs, one.values))


def _cells(work: WorkedSearch) -> Iterator[Cell]:
    """Give the cells of the first, the middle and the last network of the front."""
    found = work.found
    for number in first_middle_last(found.front):
        one = found.front[number]
        for place, (title, graph) in enumerate(found.space.cells(one.point).items()):
            prefix = f"{work.name}-{number}-{place}"
            label = f"{title} of network {number} of {work.title}"
            drawing = cell_drawing(graph, prefix, label)
            yield Cell(f"Network {number}, {title}", label, drawing)


def _limit(limit: Constraint) -> str:
    """Return a limit as it is read: 1,000 ≤ layers ≤ 2,000."""
    ends = [None if end is None else _digits(end) for end in (limit.low, limit.high)]
    return " ≤ ".join(filter(None, (ends[0], limit.name, ends[1])))


def _digits(value: Any) -> str:
    """Return a count with every digit, and any other number to six."""
    return digits_of(value) if isinstance(value, int) else f"{float(value):.6g}"

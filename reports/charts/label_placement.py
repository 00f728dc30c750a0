"""Names beside the points of a chart, placed so that none covers another."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal


Side = Literal["left", "right"]
Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""

_CHARACTER, _LINE, _GAP, _MARK, _SAME = 5.8, 9.0, 11.0, 6.0, 5.0
"""Sizes in pixels at 10 px text: a character, a line, the gap, half a mark, and how
far apart points may lie that share a name."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A named point, in pixels from the lower left."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Label:
    """A text beside a spot; points in one place share it."""

    text: str
    spot: Spot
    side: Side


def place(spots: Sequence[Spot], named: Container[str] | None = None) -> list[Label]:
    """Return labels that overlap neither each other nor a point; some or all names.

    Points on top of each other share a label; one that fits on neither side is left
    out, for its tooltip has the name too.

    >>> [(x.text, x.side) for x in place([Spot("a", 0, 0), Spot("b", 2, 0)])]
    [('a, b', 'right')]
    """
    labels: list[Label] = []
    taken = [_mark(spot) for spot in spots]
    for group in _groups([s for s in spots if named is None or s.name in named]):
        for label in _candidates(group, left_first=named is not None):
            box = _box(label)
            if box[0] >= 0 and not any(_overlap(box, other) for other in taken):
                labels.append(label)
                taken.append(box)
                break
    return labels


def _groups(spots: Sequence[Spot]) -> list[list[Spot]]:
    """Group points that lie on top of each other, from the top down."""
    groups: list[list[Spot]] = []
    for spot in sorted(spots, key=lambda s: (-s.y, s.x, s.name)):
        for group in groups:
            first = group[0]
            if max(abs(spot.x - first.x), abs(spot.y - first.y)) < _SAME:
                group.append(spot)
                break
        else:
            groups.append([spot])
    return groups


def _candidates(group: list[Spot], *, left_first: bool) -> Iterator[Label]:
    """Offer the places right and left of the group, one after the other.

    Where only some are named, these are on a staircase that continues to the right.
    """
    text = ", ".join(sorted((spot.name for spot in group), key=lambda n: (len(n), n)))
    right = Label(text, max(group, key=lambda spot: spot.x), "right")
    left = Label(text, min(group, key=lambda spot: spot.x), "left")
    yield from (left, right) if left_first else (right, left)


def _box(label: Label) -> Box:
    width, spot = _CHARACTER * len(label.text), label.spot
    start = spot.x + _GAP if label.side == "right" else spot.x - _GAP - width
    return start, spot.y - _LINE / 2, start + width, spot.y + _LINE / 2


def _mark(spot: Spot) -> Box:
    return spot.x - _MARK, spot.y - _MARK, spot.x + _MARK, spot.y + _MARK


def _overlap(one: Box, other: Box) -> bool:
    return (
        one[0] < other[2]
        and other[0] < one[2]
        and one[1] < other[3]
        and other[1] < one[3]
    )

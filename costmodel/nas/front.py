"""Fronts: the points that no other is better than, and how much they dominate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def front(values: Sequence[Sequence[float]]) -> list[int]:
    """Return the numbers of the vectors that no other dominates, smaller being better.

    One vector dominates another that it is not above anywhere, and below somewhere. Of
    equal vectors the first is returned. The order is that of the vectors, sorted.

    >>> front([(3, 1), (1, 3), (2, 2), (2, 3), (1, 3)])
    [1, 2, 0]
    """
    order = sorted(
        range(len(values)), key=lambda number: (tuple(values[number]), number)
    )
    kept: list[int] = []
    best = np.empty((0, len(values[0]) if values else 0))
    lowest = np.inf
    for number in order:
        own = np.asarray(values[number], float)
        if len(own) == 2:  # sorted by the first, the second has to fall
            if own[1] < lowest:
                kept.append(number)
                lowest = own[1]
        elif not (best <= own).all(axis=1).any():
            kept.append(number)
            best = np.vstack([best, own])
    return kept


def hypervolume(
    values: Sequence[Sequence[float]], reference: Sequence[float]
) -> float:  # fmt: skip
    """Return the volume that vectors dominate, up to a reference: smaller is better.

    **Source**: While, Bradstreet, Barone 2012, "A fast way of calculating exact
    hypervolumes": a point's own share, what the others leave of its box.

    >>> hypervolume([(1, 3), (2, 2)], (4, 4)), hypervolume([(1, 1, 1)], (2, 3, 4))
    (5.0, 6.0)
    """
    inside = [tuple(v) for v in values if all(a < b for a, b in zip(v, reference))]
    return _volume([inside[number] for number in front(inside)], tuple(reference))


def _volume(points: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """Return the volume of points of a front, sorted."""
    if len(reference) == 1:
        return float(max((reference[0] - v[0] for v in points), default=0))
    if len(reference) == 2:
        total, above = 0.0, float(reference[1])
        for x, y in points:
            total += (reference[0] - x) * (above - y)
            above = y
        return total
    total = 0.0
    for number, own in enumerate(points):
        box = float(np.prod([b - a for a, b in zip(own, reference)]))
        others = [tuple(map(max, own, other)) for other in points[number + 1 :]]
        shared = [others[index] for index in front(others)]
        total += box - _volume(shared, reference)
    return total

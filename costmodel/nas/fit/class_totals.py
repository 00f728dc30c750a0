"""Kernels of a space's networks, added up by class: what seconds are fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import add
from typing import TypeAlias

import numpy as np

from costmodel.nas.spaces.choices import Choices
from costmodel.nas.spaces.space import Point, Space
from costmodel.nas.spaces.sums import Group, Sums
from costmodel.network.graph import Network
from costmodel.runtime.kernels import kernels
from costmodel.runtime.kernels.classes import KINDS
from costmodel.runtime.profile import FEATURES, MULTIPLIED
from costmodel.runtime.setting import Setting


CLASSES = tuple(KINDS)

Box: TypeAlias = dict[str, dict[str, tuple[int, int]]]

_COMPARED = 3
"""Networks that are counted both ways before sums over choices are believed."""


class ClassTotals:
    """Totals of each class of kernels, of points of a space.

    Where costs are sums over groups of choices, few networks are built for all points:
    25 of NAS-Bench-201's 15,625.

    **Units**: work as the class counts it, bytes, bytes of weights, calls.
    """

    def __init__(self, space: Space, setting: Setting) -> None:
        """Build nothing yet."""
        self.space, self.setting = space, setting
        self._known: dict[Point, tuple[tuple[int, ...], Box]] = {}
        self._groups: tuple[Group, ...] = ()
        self._sums: Sums | None = None
        self._is_compared = False
        if isinstance(space, Choices) and len(space.groups) > 1:
            self._groups = space.groups
            self._sums = Sums(space.counts, space.groups, self._priced)

    def table(self, points: Iterable[Sequence[int]]) -> np.ndarray:
        """Return an array of points × classes × terms, in the order of a profile's."""
        checked = [self.space.checked(point) for point in points]
        shape = (len(checked), len(CLASSES), len(MULTIPLIED))
        if not checked:
            return np.zeros(shape, np.int64)
        if self._sums is not None and not self._is_compared:
            some = checked[:_COMPARED]
            self._is_compared = True
            if [self._sums.of(point) for point in some] != list(map(self._built, some)):
                self._sums = None
        if self._sums is None:
            return np.array(list(map(self._built, checked)), np.int64).reshape(shape)
        return np.asarray(self._sums.table(np.array(checked)).T).reshape(shape)

    def box(self, points: Iterable[Sequence[int]]) -> Box:
        """Return the least and the most of each number of a kernel, by class."""
        built = list(map(self.space.checked, points))
        if self._sums is not None:
            built = [
                self._alone(group, [point[place] for place in group])
                for point in built
                for group in self._groups
            ]
        found: Box = {}
        for point in dict.fromkeys(built):
            self._built(point)
            for kind, bounds in self._known[point][1].items():
                _widen(found.setdefault(kind, {}), bounds)
        return found

    def _built(self, point: Point) -> tuple[int, ...]:
        """Return the terms of one network, class by class; each is built once."""
        if point not in self._known:
            self._known[point] = _added(self.space.network(point), self.setting)
        return self._known[point][0]

    def _priced(self, places: Group, chosen: tuple[int, ...]) -> tuple[int, ...]:
        return self._built(self._alone(places, chosen))

    def _alone(self, places: Group, chosen: Sequence[int]) -> Point:
        """Return the point with some choices, and the first value everywhere else."""
        count = 1 + max(place for group in self._groups for place in group)
        values = dict(zip(places, chosen))
        return tuple(values.get(place, 0) for place in range(count))


def _added(network: Network, setting: Setting) -> tuple[tuple[int, ...], Box]:
    """Return the terms of a network, class by class, and the box of its kernels."""
    found = dict.fromkeys(CLASSES, (0,) * len(MULTIPLIED))
    box: Box = {}
    for kernel in kernels(network, setting):
        terms = [int(getattr(kernel, name)) for name in MULTIPLIED]
        found[kernel.kind] = tuple(map(add, found[kernel.kind], terms))
        alone = {name: (value, value) for name, value in zip(FEATURES, terms)}
        _widen(box.setdefault(kernel.kind, {}), alone)
    return tuple(value for terms in found.values() for value in terms), box


def _widen(
    box: dict[str, tuple[int, int]], more: Mapping[str, tuple[int, int]]
) -> None:
    """Make a class's bounds hold others too."""
    for name, (least, most) in more.items():
        low, high = box.get(name, (least, most))
        box[name] = min(low, least), max(high, most)

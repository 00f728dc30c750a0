"""Small directed acyclic graphs with labels, enumerated up to isomorphism in numpy.

A graph of V vertices is a whole number: bit k is the k-th edge i → j, i < j, in row
order. Vertex 0 is the input and V − 1 the output; every vertex lies on a path between
them. Vertices between them have labels, written as digits of a second number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, permutations

import numpy as np


@dataclass(frozen=True)
class Graphs:
    """All graphs of some vertices with at most so many edges, and their symmetries.

    **Source**: the number of labellings is counted twice: listed, and by Burnside's
    lemma (Burnside 1911, "Theory of Groups of Finite Order", section 145).

    >>> [Graphs(v, 9, 3).count for v in range(2, 8)]
    [1, 6, 84, 2441, 62010, 359082]
    >>> len(Graphs(6, 9, 3).labelled[0])
    62010
    """

    vertices: int
    edges: int
    labels: int

    @property
    def inner(self) -> int:
        """Vertices between input and output."""
        return self.vertices - 2

    @cached_property
    def written(self) -> np.ndarray:
        """Every graph as it can be written: vertices in some topological order."""
        rows = self.vertices - 1
        masks, fed, used = np.zeros((3, 1), np.int64)
        for row in range(rows):
            below = rows - row
            sets = np.arange(1, 1 << below)
            bits = sum(sets >> bit & 1 for bit in range(below))
            # The lowest bit is the edge to the next vertex.
            shape = (len(masks), len(sets))
            count = np.broadcast_to(used[:, None] + bits, shape)
            seen = fed[:, None] >> 1 | sets
            fits = (count <= self.edges - (below - 1)) & (seen & 1 == 1)
            place = pairs(self.vertices).index((row, row + 1))
            masks = (masks[:, None] | sets << place)[fits]
            fed, used = seen[fits], count[fits]
        return np.sort(masks)

    @cached_property
    def _moved(self) -> tuple[np.ndarray, np.ndarray]:
        """Each written graph with its inner vertices in each order, and if it is one.

        An order is one if edges still go from lower to higher vertices.
        """
        masks, index = self.written, {e: k for k, e in enumerate(pairs(self.vertices))}
        moved = np.zeros((len(self.orders), len(masks)), np.int64)
        legal = np.ones(moved.shape, bool)
        for number, order in enumerate(self.orders):
            place = (0, *(1 + inner for inner in order), self.vertices - 1)
            for (i, j), bit in index.items():
                is_edge = masks >> bit & 1
                if place[i] < place[j]:
                    moved[number] |= is_edge << index[place[i], place[j]]
                else:
                    legal[number] &= is_edge == 0
        return moved, legal

    @cached_property
    def orders(self) -> list[tuple[int, ...]]:
        """Every order of the inner vertices: where each one goes."""
        return list(permutations(range(self.inner)))

    @cached_property
    def numbers(self) -> dict[int, int]:
        """By written graph: its number."""
        return {mask: number for number, mask in enumerate(self.written.tolist())}

    def ways(self, mask: int) -> tuple[int, list[tuple[int, ...]]]:
        """Return the least graph isomorphic to one, and all orders to get it."""
        if mask not in self._ways:
            moved, legal = (part[:, self.numbers[mask]] for part in self._moved)
            least = moved[legal].min()
            found = np.flatnonzero(legal & (moved == least))
            self._ways[mask] = int(least), [self.orders[number] for number in found]
        return self._ways[mask]

    @cached_property
    def _ways(self) -> dict[int, tuple[int, list[tuple[int, ...]]]]:
        return {}

    @cached_property
    def structures(self) -> np.ndarray:
        """One graph of each isomorphism class, labels apart."""
        moved, legal = self._moved
        least = np.where(legal, moved, np.iinfo(np.int64).max).min(axis=0)
        kept: np.ndarray = self.written[least == self.written]
        return kept

    @cached_property
    def symmetries(self) -> np.ndarray:
        """By order and structure: if the order leaves the structure as it is."""
        moved, legal = self._moved
        chosen = np.isin(self.written, self.structures)
        same: np.ndarray = (moved == self.written) & legal
        return same[:, chosen]

    @cached_property
    def count(self) -> int:
        """The number of graphs with labels up to isomorphism, by Burnside's lemma."""
        fixed = np.array([self.labels ** _cycles(order) for order in self.orders])
        orbits = fixed @ self.symmetries.astype(np.int64)
        sizes = self.symmetries.sum(axis=0)
        return int((orbits // sizes).sum())

    @cached_property
    def labelled(self) -> tuple[np.ndarray, np.ndarray]:
        """One of each isomorphism class with labels: numbers of structures, labels."""
        total = self.labels**self.inner
        codes = np.arange(total)
        carried = np.stack([self.carry(codes, order) for order in self.orders])
        groups, group_of = np.unique(self.symmetries, axis=1, return_inverse=True)
        kept = [
            np.flatnonzero(carried[group].min(axis=0) == codes) for group in groups.T
        ]
        which = [kept[group] for group in group_of.ravel()]
        counts = [len(labels) for labels in which]
        return np.repeat(np.arange(len(counts)), counts), np.concatenate(which)

    def carry(self, codes: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
        """Return labels after the vertices went where an order takes them."""
        result = np.zeros_like(codes)
        for inner, to in enumerate(order):
            digit = codes // self.labels**inner % self.labels
            result += digit * self.labels**to
        return result


@lru_cache(maxsize=32)
def pairs(vertices: int) -> tuple[tuple[int, int], ...]:
    """Return the possible edges, in the order of their bits."""
    return tuple(combinations(range(vertices), 2))


def _cycles(order: tuple[int, ...]) -> int:
    """Return the number of cycles of a permutation."""
    seen: set[int] = set()
    count = 0
    for start in range(len(order)):
        count += start not in seen
        place = start
        while place not in seen:
            seen.add(place)
            place = order[place]
    return count

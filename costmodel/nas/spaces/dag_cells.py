"""Spaces of cells that are graphs: vertices with operations, added and stacked."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from random import Random

import networkx as nx
import numpy as np

from costmodel.errors import CostModelError, known_are, short
from costmodel.nas.spaces.dags import Graphs, pairs
from costmodel.nas.spaces.space import Level, Point, Space, check_listed, random_of


MOST_VERTICES = 8
"""Vertices up to which all orders of the inner ones are tried."""

_TRIES = 20
"""Random children of two parents before one of the parents is given instead."""


class Cell:
    """A point as a graph: its edges, and the operations of its inner vertices."""

    def __init__(self, point: Point, operations: Sequence[str]) -> None:
        """Read the numbers of a point."""
        self.vertices, mask, code = point
        edges = enumerate(pairs(self.vertices))
        self.edges = {edge for bit, edge in edges if mask >> bit & 1}
        base = len(operations)
        self.labels = [code // base**v % base for v in range(self.vertices - 2)]
        self.operations = [operations[label] for label in self.labels]

    def into(self, vertex: int) -> list[int]:
        """Return the inner vertices that a vertex reads."""
        return [v for v in range(1, vertex) if (v, vertex) in self.edges]


class DagCells(Space):
    """Cells of up to so many vertices and edges, with one of some operations in each.

    A point is (vertices, edges as bits, operations as digits); every vertex lies on a
    path from the input to the output. At the level "graph" two cells are one if they
    are isomorphic.
    """

    distinct: Level = "graph"

    def __init__(
        self, name: str, vertices: int, edges: int, operations: Sequence[str]
    ) -> None:
        """Make the space of cells with at most so many vertices and edges."""
        if type(vertices) is not int or not 2 <= vertices <= MOST_VERTICES:
            raise CostModelError(
                f"{name}: vertices {vertices!r}; allowed are 2 to {MOST_VERTICES}"
            )
        if type(edges) is not int or edges < vertices - 1:
            raise CostModelError(
                f"{name}: {edges!r} edges do not connect {vertices} vertices"
            )
        check_listed(name, operations=operations)
        if len(set(operations)) < len(operations):
            raise CostModelError(f"{name}: operations {operations!r} are not distinct")
        self.vertices, self.edges = vertices, edges
        self.operations = tuple(operations)
        options = {"vertices": vertices, "edges": edges, "operations": self.operations}
        super().__init__(name, options)
        self._base = len(self.operations)
        self._graphs = {v: Graphs(v, edges, self._base) for v in range(2, vertices + 1)}

    @abstractmethod
    def function(self, cell: Cell) -> str:
        """Return text that two cells share if and only if they are one function."""

    def cell(self, point: Sequence[int]) -> Cell:
        """Return a point as a graph."""
        return Cell(self.checked(point), self.operations)

    def cells(self, point: Sequence[int]) -> dict[str, nx.DiGraph]:
        """Return the cell to draw: its vertices, with their operations."""
        cell = self.cell(point)
        labels = ["input", *cell.operations, "output"]
        graph = nx.DiGraph(sorted(cell.edges))
        nx.set_node_attributes(graph, dict(enumerate(labels)), "label")
        return {"cell": graph}

    def sample(self, seed: int | Random = 0) -> Point:
        """Return a random cell: each way of writing one is equally likely."""
        random = random_of(seed)
        weights = [self._written(vertices) for vertices in self._graphs]
        (vertices,) = random.choices(list(self._graphs), weights)
        graphs = self._graphs[vertices]
        mask = int(graphs.written[random.randrange(len(graphs.written))])
        return self.least((vertices, mask, random.randrange(self._base**graphs.inner)))

    def neighbours(self, point: Sequence[int]) -> list[Point]:
        """Return all cells one edge, operation or vertex away, dead ends cut."""
        cell = self.cell(point)
        inner = cell.vertices - 2
        found = [
            _coded(
                cell.edges, [*cell.labels[:v], label, *cell.labels[v + 1 :]], self._base
            )
            for v in range(inner)
            for label in range(self._base)
        ]
        for edge in pairs(cell.vertices):
            changed = self._pruned(cell.vertices, cell.edges ^ {edge}, cell.labels)
            found += [] if changed is None else [changed]
        if cell.vertices < self.vertices and len(cell.edges) + 2 <= self.edges:
            found += self._grown(cell)
        own = self.least(self.checked(point))
        return [one for one in dict.fromkeys(map(self.least, found)) if one != own]

    def crossover(
        self, one: Sequence[int], other: Sequence[int], seed: int | Random = 0
    ) -> Point:
        """Return a cell with each edge and operation of either parent, at random.

        Of parents that differ in size, or have no cell between them, it is one.
        """
        random = random_of(seed)
        own, its = self.cell(one), self.cell(other)
        for _ in range(_TRIES if own.vertices == its.vertices else 0):
            edges = {
                edge
                for edge in pairs(own.vertices)
                if edge in random.choice([own, its]).edges
            }
            labels = [random.choice(pair) for pair in zip(own.labels, its.labels)]
            child = self._pruned(own.vertices, edges, labels)
            if child is not None:
                return self.least(child)
        return self.least(self.checked(random.choice([one, other])))

    def key(self, point: Sequence[int], level: Level = "encoding") -> str:
        """Return text that two cells share if and only if they are one at a level."""
        level = self.known_level(level)
        own = self.checked(point)
        if level == "encoding":
            return self.text(own)
        least = self.least(own)
        return self.text(least) if level == "graph" else self.function(self.cell(least))

    def text(self, point: Sequence[int]) -> str:
        """Write operations, then edges: conv3x3,maxpool3x3:01,12,23."""
        cell = self.cell(point)
        edges = ",".join(f"{i}{j}" for i, j in sorted(cell.edges))
        return f"{','.join(cell.operations)}:{edges}"

    def _read(self, text: str) -> Point:
        """Read what :meth:`text` writes; dead ends are cut."""
        words, _, listed = text.strip().partition(":")
        operations = [word for word in words.split(",") if word]
        vertices = len(operations) + 2
        found = [re.fullmatch(r"(\d)(\d)", edge) for edge in listed.split(",")]
        edges = {(int(edge[1]), int(edge[2])) for edge in found if edge}
        if not all(found) or not edges <= set(pairs(vertices)):
            raise CostModelError(
                f"{self.name}: {short(text)} is no cell; one is "
                f"{','.join(self.operations[:2])}:01,12,23"
            )
        for operation in operations:
            if operation not in self.operations:
                known = known_are(operation, self.operations)
                raise CostModelError(f'{self.name}: unknown "{operation}"; {known}')
        labels = [self.operations.index(operation) for operation in operations]
        cell = self._pruned(vertices, edges, labels)
        if cell is None or cell[0] > self.vertices:
            raise CostModelError(
                f"{self.name}: {short(text)}: the input does not reach the output, or "
                f"there are more than {self.vertices} vertices or {self.edges} edges"
            )
        return cell

    def checked(self, point: Sequence[int]) -> Point:
        """Return a point as a tuple, if it is a cell whose vertices all matter."""
        try:
            vertices, mask, code = map(int, point)
        except (TypeError, ValueError):
            vertices = mask = code = -1
        graphs = self._graphs.get(vertices)
        is_cell = graphs is not None and mask in graphs.numbers
        if graphs is None or not is_cell or not 0 <= code < self._base**graphs.inner:
            raise CostModelError(f"{self.name}: point {short(point)} is no cell")
        return vertices, mask, code

    def least(self, point: Point) -> Point:
        """Return the cell that stands for all that are isomorphic to one."""
        vertices, mask, _ = point
        labels = Cell(point, self.operations).labels
        least, orders = self._graphs[vertices].ways(mask)
        powers = [self._base**place for place in range(vertices - 2)]
        codes = (
            sum(label * powers[to] for label, to in zip(labels, order))
            for order in orders
        )
        return vertices, least, min(codes)

    def array(self) -> np.ndarray:
        """Return all cells up to isomorphism, points × 3 numbers."""
        parts = []
        for vertices, graphs in self._graphs.items():
            which, codes = graphs.labelled
            masks = graphs.structures[which]
            parts.append(np.stack([np.full_like(masks, vertices), masks, codes], 1))
        return np.concatenate(parts)

    def enumerate(self, level: Level | None = None) -> Iterator[Point]:
        """Give every cell, one for each network of a level, in a fixed order."""
        if level is None or level == "graph":
            return map(tuple, self.array().tolist())
        return super().enumerate(level)

    def is_counted(self, level: Level) -> bool:
        """Say whether Burnside's lemma or a product gives the size at a level."""
        return level != "function"

    def _size(self, level: Level) -> int:
        if level == "graph":
            return sum(graphs.count for graphs in self._graphs.values())
        if level == "encoding":
            return sum(map(self._written, self._graphs))
        return len({self.key(point, level) for point in self.enumerate("graph")})

    def _written(self, vertices: int) -> int:
        """Return how many ways there are to write a cell of so many vertices."""
        graphs = self._graphs[vertices]
        return len(graphs.written) * int(self._base**graphs.inner)

    def _points(self) -> Iterator[Point]:
        for vertices, graphs in self._graphs.items():
            for mask in graphs.written.tolist():
                for code in range(self._base**graphs.inner):
                    yield vertices, mask, code

    def _pruned(
        self, vertices: int, edges: Collection[tuple[int, int]], labels: Sequence[int]
    ) -> Point | None:
        """Return a cell without dead ends; None if none is left, or it is too large."""
        reached, needed = {0}, {vertices - 1}
        for i, j in sorted(edges):
            reached |= {j} if i in reached else set()
        for i, j in sorted(edges, reverse=True):
            needed |= {i} if j in needed else set()
        kept = sorted(reached & needed)
        number = {vertex: count for count, vertex in enumerate(kept)}
        inside = {
            (number[i], number[j]) for i, j in edges if i in number and j in number
        }
        if not {0, vertices - 1} <= set(kept) or len(inside) > self.edges:
            return None
        return _coded(inside, [labels[v - 1] for v in kept[1:-1]], self._base)

    def _grown(self, cell: Cell) -> Iterable[Point]:
        """Give a cell with one more vertex, which reads one and is read by one."""
        for i, j in pairs(cell.vertices):
            place = [v + (v > i) for v in range(cell.vertices)]
            edges = {(place[a], place[b]) for a, b in cell.edges}
            edges |= {(i, i + 1), (i + 1, place[j])}
            for label in range(self._base):
                labels = [*cell.labels[:i], label, *cell.labels[i:]]
                yield _coded(edges, labels, self._base)


def _coded(
    edges: Collection[tuple[int, int]], labels: Sequence[int], base: int
) -> Point:
    """Return a graph as a point."""
    vertices = len(labels) + 2
    bits = {edge: 1 << bit for bit, edge in enumerate(pairs(vertices))}
    code = sum(label * base**place for place, label in enumerate(labels))
    return vertices, sum(bits[edge] for edge in edges), code

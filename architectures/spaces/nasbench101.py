"""NAS-Bench-101. Ying et al. 2019, arXiv:1902.09635, sections 2.1 and 2.2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from costmodel.errors import CostModelError, short
from costmodel.nas.metrics import USUAL, all_measured
from costmodel.nas.spaces.canonical import Terms, added
from costmodel.nas.spaces.catalogue import register
from costmodel.nas.spaces.dag_cells import Cell, DagCells
from costmodel.network.build import (
    Value,
    add,
    concat,
    conv_bn_relu,
    global_average_pool,
    image,
    linear,
    max_pool,
    network,
    part,
    scope,
)
from costmodel.network.graph import Network


OPERATIONS = ("conv3x3", "conv1x1", "maxpool3x3")
STEM, STACKS, MODULES, SIDE, CLASSES = 128, 3, 3, 32, 10

LOOKED_UP = ("macs", "parameters", "activations", "buffers")
"""Metrics to which sums, stacks and slices add nothing."""


def vertex_channels(cell: Cell, inputs: int, outputs: int) -> list[int]:
    """Return the channels of every vertex.

    Those that the output stacks share its channels; what does not divide goes to the
    first ones. Any other has as many as the widest vertex that reads it.

    **Source**: google-research/nasbench, ``compute_vertex_channels``.
    """
    last = cell.vertices - 1
    channels = [inputs, *[0] * (last - 1), outputs]
    stacked = cell.into(last)
    for number, vertex in enumerate(stacked):
        share, rest = divmod(outputs, len(stacked))
        channels[vertex] = share + (number < rest)
    for vertex in range(last - 2, 0, -1):
        if vertex not in stacked:
            read_by = [w for w in range(vertex + 1, last) if (vertex, w) in cell.edges]
            channels[vertex] = max(channels[w] for w in read_by)
    return channels


def module(x: Value, cell: Cell, channels: int) -> Value:
    """Build a cell: vertices add what they read, the output stacks what it reads.

    Every edge from the input is a 1×1 projection; a wider operand is cut.
    """
    widths = vertex_channels(cell, x.channels, channels)
    last = cell.vertices - 1
    made = [x]
    for vertex in range(1, last):
        with scope(f"vertex{vertex}"):
            read = [first(made[v], widths[vertex]) for v in cell.into(vertex)]
            if (0, vertex) in cell.edges:
                read.append(conv_bn_relu(x, widths[vertex], 1))
            y = add(*read) if len(read) > 1 else read[0]
            made.append(apply(cell.operations[vertex - 1], y))
    with scope("output"):
        ends = [made[v] for v in cell.into(last)]
        if (0, last) in cell.edges:
            ends = [concat(*ends)] if len(ends) > 1 else ends
            ends = [*ends, conv_bn_relu(x, channels, 1)]
            return add(*ends) if len(ends) > 1 else ends[0]
        return concat(*ends) if len(ends) > 1 else ends[0]


def first(x: Value, channels: int) -> Value:
    """Return so many channels, from the first on."""
    return x if x.channels == channels else part(x, axis=1, length=channels)


def apply(operation: str, x: Value) -> Value:
    """Apply a vertex's operation, which keeps the channels."""
    if operation.startswith("maxpool"):
        return max_pool(x, int(operation[-1]), 1, int(operation[-1]) // 2)
    return conv_bn_relu(x, x.channels, int(operation[-1]))


def skeleton(cell: Cell) -> Network:
    """Build stem, three stacks of three modules with poolings between, classifier."""
    x = image(3, SIDE, SIDE)
    with scope("stem"):
        x = conv_bn_relu(x, STEM, 3)
    for stack in range(STACKS):
        if stack:
            x = max_pool(x, 2, 2, 0)
        for number in range(MODULES):
            with scope(f"stack{stack}"), scope(f"module{number}"):
                x = module(x, cell, STEM << stack)
    with scope("head"):
        x = linear(global_average_pool(x), CLASSES)
    return network(x, name="nasbench101", batch=1)


@register("nasbench101")
class NasBench101(DagCells):
    """Cells of up to 7 vertices and 9 edges, one of three operations in each.

    At the level "function" one pooling of one value is one vertex, however often it is
    written. Isomorphic cells may differ a little in cost: channels that do not divide
    go to the first vertices. The one that is listed has the least bits.
    """

    def __init__(
        self, vertices: int = 7, edges: int = 9,
        operations: Sequence[str] = OPERATIONS,
    ) -> None:  # fmt: skip
        """Make the space of cells with at most so many vertices and edges."""
        super().__init__("nasbench101", vertices, edges, operations)
        for operation in operations:
            if not re.fullmatch(r"(conv|maxpool)(1x1|3x3|5x5|7x7)", str(operation)):
                raise CostModelError(
                    f"nasbench101: unknown operation {short(operation)}; known are "
                    "conv and maxpool of a square, such as conv3x3"
                )

    def network(self, point: Sequence[int]) -> Network:
        """Build the network of a cell, as the benchmark writes it."""
        return skeleton(self.cell(point))

    def function(self, cell: Cell) -> str:
        """Return the canonical form of what a cell computes."""
        terms = Terms()
        last = cell.vertices - 1
        widths = vertex_channels(cell, STEM, STEM)
        x = terms.input("x")
        made = [x]
        for vertex in range(1, last):
            width = widths[vertex]
            read = [
                made[v] if widths[v] == width
                else terms.layer(f"first {width}", made[v], weights=False)
                for v in cell.into(vertex)
            ]  # fmt: skip
            if (0, vertex) in cell.edges:
                read.append(terms.layer(f"projection {width}", x))
            operation = cell.operations[vertex - 1]
            weights = operation.startswith("conv")
            made.append(terms.layer(operation, added(*read), weights=weights))
        ends = [made[v] for v in cell.into(last)]
        if (0, last) in cell.edges:
            ends.append(terms.layer("shortcut", x))
        return str(terms.form(*ends))

    def costs(
        self, points: Iterable[Sequence[int]], metrics: Sequence[str] = USUAL
    ) -> dict[str, np.ndarray]:
        """Return exact costs of cells, an array of integers for each metric.

        >>> NasBench101().costs([(2, 1, 0)], ["parameters"])
        {'parameters': array([882570])}
        """
        array = points if isinstance(points, np.ndarray) else np.array(list(points))
        array = array.reshape(-1, 3)
        if not set(metrics) <= set(LOOKED_UP):
            return super().costs(map(tuple, array.tolist()), metrics)
        shapes, which = np.unique(array[:, :2], axis=0, return_inverse=True)
        parts = [self._parts(*shape, tuple(metrics)) for shape in shapes.tolist()]
        base = np.array([part[0] for part in parts], np.int64)
        table = np.zeros(
            (len(parts), self.vertices - 2, self._base, len(metrics)), np.int64
        )
        for number, (_, rows) in enumerate(parts):
            table[number, : len(rows)] = rows
        total = base.reshape(-1, len(metrics))[which.ravel()]
        for vertex in range(self.vertices - 2):
            labels = array[:, 2] // self._base**vertex % self._base
            total += table[which.ravel(), vertex, labels]
        return {metric: total[:, number] for number, metric in enumerate(metrics)}

    def cost(
        self, point: Sequence[int], metrics: Sequence[str] = USUAL
    ) -> tuple[int, ...]:
        """Return the exact costs of one cell, in the order of the metrics."""
        own = self.checked(point)
        if not set(metrics) <= set(LOOKED_UP):
            return all_measured(self.network(own), metrics)
        base, rows = self._parts(*own[:2], tuple(metrics))
        labels = self.cell(own).labels
        chosen = [row[label] for row, label in zip(rows, labels)]
        return tuple(sum(chosen, start=base).tolist())

    def is_sum(self, metric: str) -> bool:
        """Say whether a metric is looked up, so that no network is built for it."""
        return metric in LOOKED_UP

    @cache  # noqa: B019 - for as long as the space
    def _parts(
        self, vertices: int, mask: int, metrics: tuple[str, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what a structure costs without operations, and what they add.

        The second is by inner vertex, operation and metric.
        """
        cell = Cell((vertices, mask, 0), self.operations)
        total = np.array(_ends(metrics), np.int64)
        table = np.zeros((vertices - 2, self._base, len(metrics)), np.int64)
        for stack in range(STACKS):
            side, outputs = SIDE >> stack, STEM << stack
            widths = vertex_channels(cell, outputs, outputs)
            read = [widths[v] for v in range(1, vertices) if (0, v) in cell.edges]
            # The first module of a stack reads what the stack before it made.
            for inputs, modules in ((STEM << max(stack - 1, 0), 1), (outputs, 2)):
                for width in read:
                    total += modules * _layer("conv1x1", inputs, width, side, metrics)
            for vertex, width in enumerate(widths[1:-1]):
                for label, operation in enumerate(self.operations):
                    layer = _layer(operation, width, width, side, metrics)
                    table[vertex, label] += MODULES * layer
        return total, table


@cache
def _layer(
    operation: str, inputs: int, outputs: int, side: int, metrics: tuple[str, ...]
) -> np.ndarray:
    """Return the cost of one layer, counted by the engine."""
    x = image(inputs, side, side)
    is_conv = operation.startswith("conv")
    y = conv_bn_relu(x, outputs, int(operation[-1])) if is_conv else apply(operation, x)
    return np.array(all_measured(network(y, batch=1), metrics), np.int64)


@cache
def _ends(metrics: tuple[str, ...]) -> tuple[int, ...]:
    """Return the cost of stem and classifier."""
    stem = network(conv_bn_relu(image(3, SIDE, SIDE), STEM, 3), batch=1)
    maps = image(STEM << STACKS - 1, SIDE >> STACKS - 1, SIDE >> STACKS - 1)
    head = network(linear(global_average_pool(maps), CLASSES), batch=1)
    ends = (all_measured(part, metrics) for part in (stem, head))
    return tuple(map(sum, zip(*ends)))

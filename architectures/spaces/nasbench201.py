"""NAS-Bench-201. Dong, Yang 2020, arXiv:2001.00326, section 2.1 and Figure 1."""

from __future__ import annotations

import re
from collections.abc import Sequence

import networkx as nx

from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError, known_are, short
from costmodel.nas.spaces.canonical import Terms, added
from costmodel.nas.spaces.catalogue import register
from costmodel.nas.spaces.choices import Choices
from costmodel.nas.spaces.space import Level, Point, check_counts, drawn_cell
from costmodel.network.build import (
    Value,
    add,
    avg_pool,
    batch_norm,
    conv,
    global_average_pool,
    image,
    linear,
    network,
    relu,
    scope,
    zeros,
)
from costmodel.network.cells.cell import relu_conv_bn
from costmodel.network.graph import Network


OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""From which node to which: each node is the sum of its edges' results."""

DATASETS = {"cifar10": (32, 10), "cifar100": (32, 100), "imagenet16": (16, 120)}
"""Side and classes."""

_CELL = re.compile(r"\|?(\w+)~(\d)\|?")


def apply(operation: str, x: Value, channels: Dim) -> Value:
    """Apply an edge's operation at stride 1; "none" makes zeros, as written."""
    if operation == "none":
        return zeros(x, channels)
    if operation == "avg_pool_3x3":
        return avg_pool(x, 3, 1, 1, count_include_pad=False)
    if operation == "skip_connect" and x.channels == channels:
        return x
    if operation == "skip_connect":
        return batch_norm(conv(x, channels, kernel=1, bias=False))
    return relu_conv_bn(x, channels, int(operation[-1]))


def cell(x: Value, operations: Sequence[str], channels: Dim) -> Value:
    """Build a cell of four nodes; those that read node 0 bring it to the channels."""
    nodes = [x]
    for node in (1, 2, 3):
        summands = []
        for (source, end), operation in zip(EDGES, operations):
            if end == node:
                with scope(f"edge{source}{end}"):
                    summands.append(apply(operation, nodes[source], channels))
        nodes.append(add(*summands) if len(summands) > 1 else summands[0])
    return nodes[3]


def reduction(x: Value, channels: Dim) -> Value:
    """Halve the side by a basic residual block; the shortcut averages, then 1×1."""
    y = relu_conv_bn(relu_conv_bn(x, channels, 3, stride=2), channels, 3)
    shortcut = conv(avg_pool(x, 2, 2, 0), channels, kernel=1, bias=False)
    return add(y, shortcut)


def skeleton(
    operations: Sequence[str], channels: Sequence[Dim], cells: int, dataset: str,
    name: str,
) -> Network:  # fmt: skip
    """Build stem, three stages of cells with reductions between, and classifier.

    ``channels`` are those of the stages, or one for each cell and reduction.
    """
    side, classes = DATASETS[dataset]
    layers = list(channels)
    if len(layers) == 3:
        one, two, three = layers
        layers = [one] * cells + [two] * (cells + 1) + [three] * (cells + 1)
    x = image(3, side, side)
    with scope("stem"):
        x = batch_norm(conv(x, layers[0], 3, bias=False))
    for number, size in enumerate(layers):
        with scope(f"cell{number}"):
            reduces = number in (cells, 2 * cells + 1)
            x = reduction(x, size) if reduces else cell(x, operations, size)
    with scope("head"):
        x = global_average_pool(relu(batch_norm(x)))
        return network(linear(x, classes), name=name, batch=1)


def unknown_dataset(space: str, dataset: object) -> CostModelError:
    """Return an error that says which datasets there are."""
    known = known_are(dataset, DATASETS)
    return CostModelError(f'{space}: unknown dataset "{short(dataset)}"; {known}')


@register("nasbench201")
class NasBench201(Choices):
    """Cells of six edges with one of five operations each, in one skeleton.

    Networks are as the benchmark writes them: edges that lead nowhere are computed and
    counted. At the level "graph" two cells are one if the identity may be left out, the
    key that the benchmark publishes; at "function" what is 0 may be left out too, one
    pooling of one value is one, and every convolution has weights of its own.
    """

    def __init__(
        self, dataset: str = "cifar10", channels: int = 16, cells: int = 5
    ) -> None:
        """Make the space; ``channels`` are those of the first stage."""
        if dataset not in DATASETS:
            raise unknown_dataset("nasbench201", dataset)
        check_counts("nasbench201", channels=channels, cells=cells)

        def build(**edges: str) -> Network:
            widths = [channels, 2 * channels, 4 * channels]
            chosen = list(edges.values())
            return skeleton(chosen, widths, cells, dataset, "nasbench201")

        names = [f"edge{source}{end}" for source, end in EDGES]
        super().__init__(
            "nasbench201", dict.fromkeys(names, OPERATIONS), build,
            groups=[(place,) for place in range(len(EDGES))],
            options={"dataset": dataset, "channels": channels, "cells": cells},
        )  # fmt: skip

    def key(self, point: Sequence[int], level: Level = "encoding") -> str:
        """Return text that two cells share if and only if they are one at a level."""
        level = self.known_level(level)
        if level == "encoding":
            return self.text(point)
        own = self.checked(point)
        return _stringed(own) if level == "graph" else _function(own)

    def cells(self, point: Sequence[int]) -> dict[str, nx.DiGraph]:
        """Return the cell to draw, with edges of zeros left out."""
        chosen = list(self.values(point).values())
        sums = [
            (f"node {node}", [(operation, source) for (source, end), operation
                              in zip(EDGES, chosen) if end == node and operation != "none"])
            for node in (1, 2, 3)
        ]  # fmt: skip
        return {"cell": drawn_cell(["node 0"], sums, [3])}

    def text(self, point: Sequence[int]) -> str:
        """Write a cell as the benchmark does."""
        nodes: dict[int, list[str]] = {}
        for (source, end), number in zip(EDGES, self.checked(point)):
            nodes.setdefault(end, []).append(f"{OPERATIONS[number]}~{source}|")
        return "+".join("|" + "".join(edges) for edges in nodes.values())

    def _read(self, text: str) -> Point:
        """Read a cell as the benchmark writes it."""
        found = {}
        nodes = text.strip().split("+")
        for end, node in enumerate(nodes, start=1):
            for operation, source in _CELL.findall(node):
                if operation not in OPERATIONS:
                    known = known_are(operation, OPERATIONS)
                    raise CostModelError(f'{self.name}: unknown "{operation}"; {known}')
                found[int(source), end] = OPERATIONS.index(operation)
        if len(nodes) != 3 or set(found) != set(EDGES):
            raise CostModelError(
                f"{self.name}: {short(text)} is no cell; one is {self.text([1] * 6)}"
            )
        return tuple(found[edge] for edge in EDGES)


def _stringed(point: Point) -> str:
    """Write each node as the sum of its edges, the identity left out.

    **Source**: the benchmark's release, ``to_unique_str`` without zeros.
    """
    nodes = ["0"]
    for node in (1, 2, 3):
        summands = [
            nodes[source] if number == 1 else f"({nodes[source]})@{number}"
            for (source, end), number in zip(EDGES, point)
            if end == node
        ]
        nodes.append("+".join(sorted(summands)))
    return nodes[3]


def without_zeros(point: Sequence[int]) -> str:
    """Return the benchmark's shorter key, which also takes what is 0 for one thing.

    It is no identity: it merges one convolution that is used twice with two, and keeps
    summands that are 0. It has 6,466 values.

    **Source**: the benchmark's release, ``to_unique_str`` with zeros.
    """
    nodes = ["0"]
    for node in (1, 2, 3):
        summands = []
        for (source, end), number in zip(EDGES, point):
            if end == node:
                is_zero = number == 0 or nodes[source] == "#"
                made = f"({nodes[source]})@{number}"
                summands.append(
                    "#" if is_zero else nodes[source] if number == 1 else made
                )
        nodes.append("+".join(sorted(summands)))
    return nodes[3]


def _function(point: Point) -> str:
    """Return the canonical form of what a cell computes."""
    terms = Terms()
    nodes = [terms.input("x")]
    for node in (1, 2, 3):
        summands = []
        for (source, end), number in zip(EDGES, point):
            if end == node and number == 1:
                summands.append(nodes[source])
            elif end == node and number:
                name = OPERATIONS[number]
                weights = name.startswith("nor_conv")
                summands.append(terms.layer(name, nodes[source], weights=weights))
        nodes.append(added(*summands))
    return str(terms.form(nodes[3]))

"""NASNet's search space. Zoph et al. 2017, arXiv:1707.07012, section 3 and Figure 3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations, combinations_with_replacement, product

import networkx as nx

from costmodel.errors import CostModelError, known_are
from costmodel.nas.spaces.canonical import Terms, added
from costmodel.nas.spaces.catalogue import register
from costmodel.nas.spaces.choices import Choices
from costmodel.nas.spaces.space import (
    Level,
    Point,
    check_counts,
    check_listed,
    drawn_cell,
)
from costmodel.network.build import image, network
from costmodel.network.cells.cell import OPERATIONS
from costmodel.network.cells.genotype import Genotype
from costmodel.network.graph import Network
from costmodel.zoo.searched import cifar_stem, head, imagenet_stem, stages


NASNET = (
    "identity", "conv_1x3_3x1", "conv_1x7_7x1", "dil_conv_3x3", "avg_pool_3x3",
    "max_pool_3x3", "max_pool_5x5", "max_pool_7x7", "conv_1x1", "conv_3x3",
    "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7",
)  # fmt: skip
"""The 13 operations of the paper's section 3."""

Block = tuple[tuple[str, int], tuple[str, int]]


@register("nasnet")
class NasNetCells(Choices):
    """A normal and a reduction cell: each block adds two operations on earlier states.

    A block's pair has no order. ``distinct`` pairs read two different states, as
    DARTS's do. With ``cells=1`` one cell's choices are both cells'. At the level
    "graph" blocks may be in another order, and at "function" pooling of one state is
    one state.
    """

    def __init__(
        self, blocks: int = 5, operations: Sequence[str] = NASNET, cells: int = 2,
        filters: int = 32, repeats: int = 6, resolution: int = 32,
        distinct: bool = False,  # noqa: FBT001, FBT002
    ) -> None:  # fmt: skip
        """Make the space; ``filters`` and ``repeats`` are the skeleton's."""
        check_listed("nasnet", operations=operations)
        for name in operations:
            if name not in OPERATIONS:
                known = known_are(name, OPERATIONS)
                raise CostModelError(f'nasnet: unknown operation "{name}"; {known}')
        if type(blocks) is not int or not 1 <= blocks <= _MOST_BLOCKS:
            raise CostModelError(
                f"nasnet: blocks {blocks!r}; allowed are 1 to {_MOST_BLOCKS}"
            )
        check_counts("nasnet", filters=filters, repeats=repeats, resolution=resolution)
        if cells not in (1, 2):
            raise CostModelError(f"nasnet: cells {cells!r}; allowed are 1 and 2")
        self.blocks = blocks
        words = ("normal", "reduction")[:cells]
        listed = [_pairs(operations, 2 + b, distinct=distinct) for b in range(blocks)]
        choices = {
            f"{word}{number}": pairs
            for word in words
            for number, pairs in enumerate(listed, start=2)
        }

        def build(**chosen: Block) -> Network:
            made = self._genotypes(list(chosen.values()))
            return skeleton(made[0], made[-1], filters, repeats, resolution)

        options = {"blocks": blocks, "operations": tuple(operations), "cells": cells,
                   "filters": filters, "repeats": repeats, "resolution": resolution,
                   "distinct": distinct}  # fmt: skip
        super().__init__("nasnet", choices, build, options=options)

    def genotypes(self, point: Sequence[int]) -> list[Genotype]:
        """Return the cells of a point."""
        return self._genotypes(list(self.values(point).values()))

    def _genotypes(self, chosen: Sequence[Block]) -> list[Genotype]:
        size = self.blocks
        cells = [chosen[i : i + size] for i in range(0, len(chosen), size)]
        return [Genotype(list(cell)) for cell in cells]

    def cells(self, point: Sequence[int]) -> dict[str, nx.DiGraph]:
        """Return the cells to draw."""
        words = (
            ("normal cell", "reduction cell")
            if self.options["cells"] == 2
            else ("cell",)
        )
        return {
            word: drawn_cell(
                ["last cell", "cell before"],
                [(f"state {n}", block) for n, block in enumerate(cell.blocks, start=2)],
                cell.output,
            )
            for word, cell in zip(words, self.genotypes(point))
        }

    def neighbours(self, point: Sequence[int]) -> list[Point]:
        """Return all points that differ in one operation, or in one state read."""
        own = self.checked(point)
        names = self.options["operations"]
        found = []
        for place, (values, numbers) in enumerate(
            zip(self.choices.values(), self._numbers)
        ):
            mine, states = values[own[place]], range(2 + place % self.blocks)
            near = {
                numbers[way]
                for pair in _near(mine, names, states)
                for way in (pair, pair[::-1])
                if way in numbers
            }
            found += [
                (*own[:place], number, *own[place + 1 :])
                for number in sorted(near - {own[place]})
            ]
        return found

    @cached_property
    def _numbers(self) -> list[dict[Block, int]]:
        """By place, which value a block is."""
        return [
            {pair: number for number, pair in enumerate(values)}
            for values in self.choices.values()
        ]

    def key(self, point: Sequence[int], level: Level = "encoding") -> str:
        """Return text that two points share if and only if they are one at a level."""
        level = self.known_level(level)
        if level == "encoding":
            return super().key(point, level)
        cells = self.genotypes(point)
        if level == "graph":
            return " ".join(str(_form(cell, set(), shares=False)) for cell in cells)
        # The last cell halves the side: its skips of inputs have weights.
        unweighted = [{0}, set[int]()] if len(cells) > 1 else [set[int]()]
        return " ".join(
            str(_form(c, s, shares=True)) for c, s in zip(cells, unweighted)
        )

    def _size(self, level: Level) -> int:
        """Return how many there are; cells are independent of each other."""
        one = (
            NasNetCells(**{**self.options, "cells": 1})
            if len(self.counts) > self.blocks
            else None
        )
        return super()._size(level) if one is None else one.size(level) ** 2


_MOST_BLOCKS = 7


def _pairs(operations: Sequence[str], states: int, *, distinct: bool) -> list[Block]:
    """Return what a block may add, with so many states before it."""
    edges = [(name, state) for state in range(states) for name in operations]
    if not distinct:
        return list(combinations_with_replacement(edges, 2))
    return [
        ((one, a), (other, b))
        for a, b in combinations(range(states), 2)
        for one, other in product(operations, repeat=2)
    ]


def _near(own: Block, names: Sequence[str], states: range) -> Iterator[Block]:
    """Give the pairs that differ in one operation, or in one state; itself too."""
    for (name, state), other in (own, own[::-1]):
        yield from (((word, state), other) for word in names)
        yield from (((name, number), other) for number in states)


def _form(genotype: Genotype, skipped: set[int], *, shares: bool) -> str:
    """Return the canonical form of a cell: of its states, or of what they hold.

    With ``shares`` an operation without weights gives one value of one state. State 1
    may have other channels, which a convolution then brings to the cell's; ``skipped``
    are the inputs whose size stays, so that skipping takes no weights.
    """
    terms = Terms()
    states = [terms.input("input0"), terms.input("input1")]
    for block in genotype.blocks:
        edges = []
        for name, state in block:
            is_skip = name in ("identity", "skip_connect")
            has_none = "pool" in name and state != 1
            has_none |= is_skip and (state >= genotype.inputs or state in skipped)
            edges.append(
                terms.layer(name, states[state], weights=not (shares and has_none))
            )
        total = added(*edges)
        states.append(total if shares else terms.layer("state", total))
    return str(terms.form(*(states[state] for state in genotype.output)))


def skeleton(
    normal: Genotype, reduction: Genotype, filters: int, repeats: int, resolution: int
) -> Network:
    """Build the CIFAR network, or above 64 pixels the ImageNet one."""
    x = image(3, resolution, resolution)
    if resolution <= _SMALL:
        x, before = cifar_stem(x, filters)
        classes = 10
    else:
        x, before = imagenet_stem(x, reduction, 32, filters)
        classes = 1000
    ends = stages(x, before, normal, reduction, repeats, filters)
    return network(head(ends[-1], classes), name="nasnet", batch=1)


_SMALL = 64

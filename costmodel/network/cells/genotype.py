"""Genotypes: cells of searched networks as immutable values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import index
from typing import TypeAlias

import networkx as nx

from costmodel.errors import CostModelError


Edge: TypeAlias = tuple[str, int]
"""An operation's name, and the number of the state that it reads."""


@dataclass(frozen=True, slots=True)
class Genotype:
    """A cell: blocks, each the sum of operations on earlier states, and its output.

    States are numbered: first the ``inputs`` (0 is the output of the last cell, 1 that
    of the one before it), then one per block. The output stacks the states that
    ``output`` names, by default the blocks that no block reads. A genotype is immutable
    and hashable: lists become tuples, and its ``name`` is no part of what it is.

    **Source**: Zoph et al. 2017, arXiv:1707.07012, section 3.

    >>> tiny = Genotype([[("sep_conv_3x3", 0), ("identity", 1)]], name="tiny")
    >>> print(tiny)
    tiny
    2 = sep_conv_3x3(0) + identity(1)
    output = 2

    It survives JSON, and is changed as dataclasses are; ``output=()`` asks anew what no
    block reads.

    >>> import json
    >>> from dataclasses import asdict, replace
    >>> Genotype(**json.loads(json.dumps(asdict(tiny)))) == tiny
    True
    >>> replace(tiny, output=[1, 2]).output
    (1, 2)
    """

    blocks: Sequence[Sequence[Edge]]
    output: Sequence[int] = ()
    inputs: int = 2
    name: str = field(default="cell", compare=False)

    def __post_init__(self) -> None:
        """Turn lists into tuples, and refuse states that are not there."""
        try:
            blocks = tuple(tuple((o, index(s)) for o, s in b) for b in self.blocks)
            output = tuple(map(index, self.output))
        except (TypeError, ValueError):
            raise CostModelError(
                f"{self.title}: blocks are lists of (operation, state), and the output "
                "is a list of states"
            ) from None
        if type(self.inputs) is not int or self.inputs < 1:
            raise CostModelError(f"{self.title}: inputs {self.inputs!r} is below 1")
        object.__setattr__(self, "blocks", blocks)
        self._check_blocks()
        object.__setattr__(self, "output", output or self._unread())
        for state in self.output:
            self._check(f"{self.title}: the output stacks", state, self.states)
        if len(set(self.output)) != len(self.output):
            raise CostModelError(f"{self.title}: output {output} repeats a state")

    @property
    def title(self) -> str:
        """Its name in error messages."""
        return f'cell "{self.name}"'

    @property
    def states(self) -> int:
        """The number of states, inputs included."""
        return self.inputs + len(self.blocks)

    @property
    def graph(self) -> nx.MultiDiGraph:
        """The networkx graph: one node per state, and one edge per summand.

        Nodes have ``is_input`` and ``is_output``, edges their ``operation``; one state
        may be read twice, so there may be parallel edges.
        """
        graph = nx.MultiDiGraph(name=self.name)
        for state in range(self.states):
            is_input, is_output = state < self.inputs, state in self.output
            graph.add_node(state, is_input=is_input, is_output=is_output)
        for state, block in enumerate(self.blocks, start=self.inputs):
            for operation, source in block:
                graph.add_edge(source, state, operation=operation)
        return nx.freeze(graph)

    def __str__(self) -> str:
        """Write one line per block."""
        sums = [
            f"{state} = " + " + ".join(f"{o}({source})" for o, source in block)
            for state, block in enumerate(self.blocks, start=self.inputs)
        ]
        stacked = "output = " + ", ".join(map(str, self.output))
        return "\n".join([self.name, *sums, stacked])

    def _unread(self) -> tuple[int, ...]:
        read = {source for block in self.blocks for _, source in block}
        return tuple(s for s in range(self.inputs, self.states) if s not in read)

    def _check_blocks(self) -> None:
        if not self.blocks:
            raise CostModelError(f"{self.title}: has no block")
        for state, block in enumerate(self.blocks, start=self.inputs):
            where = f"{self.title}, block {state}"
            if not block:
                raise CostModelError(f"{where}: has no operation")
            for operation, source in block:
                if not isinstance(operation, str):
                    raise CostModelError(f"{where}: operation {operation!r} is no text")
                self._check(f"{where}: {operation} reads", source, state)

    @staticmethod
    def _check(what: str, state: int, count: int) -> None:
        if not 0 <= state < count:
            raise CostModelError(f"{what} state {state}; allowed are 0 to {count - 1}")

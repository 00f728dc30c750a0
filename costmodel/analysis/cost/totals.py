"""Totals of node costs, each quantity summed on first use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from costmodel.algebra.count import Count, added
from costmodel.algebra.symbols import Dim
from costmodel.algebra.tally import KINDS, Tally
from costmodel.errors import CostModelError, known_are


METRICS = {
    "parameters": "learnable scalars",
    "macs": "multiply–accumulates per batch",
    "activations": "elements output by conv and linear layers per batch",
    "connections": "links between units and their inputs, biases included, per batch",
    "buffers": "stored scalars that are not learned",
    "bytes_read": "bytes read per batch: operands and weights",
    "bytes_written": "bytes written per batch",
}
"""The quantities of a row, of a sum and of the totals, with their units."""

_CONVENTION = (
    '; FLOPs are counted under a named convention: cost(network).flops("fvcore"), or '
    "`costmodel show NAME --conventions`"
)


class Totals:
    """The quantities of some nodes, each summed once, on first use."""

    def __init__(self, costs: Iterable[OperatorCost], batch: Dim) -> None:
        """Keep the costs to be added; equal ones are one object, added at once."""
        costs = tuple(costs)
        counts = Counter(map(id, costs))
        self._costs = [(s, counts[key]) for key, s in {id(s): s for s in costs}.items()]
        self._batch = batch

    @cached_property
    def parameters(self) -> Dim:
        """Learnable scalars: weights, biases, scales and shifts."""
        return self._stored(lambda cost: cost.parameters)

    @cached_property
    def buffers(self) -> Dim:
        """Stored scalars that are not learned, such as running statistics."""
        return self._stored(lambda cost: cost.buffers)

    @cached_property
    def tally(self) -> Tally:
        """Every primitive operation, by kind."""
        # MACs are cached, and usually computed already.
        return Tally(self.macs, *map(self._operations, KINDS[1:]))

    @cached_property
    def macs(self) -> Dim:
        """Multiply–accumulates: what papers and fvcore call FLOPs."""
        return self._sum(lambda cost: cost.tally.mac)

    @cached_property
    def activations(self) -> Dim:
        """Elements output by convolutions and linear layers."""
        return self._sum(lambda cost: cost.activations)

    @cached_property
    def connections(self) -> Dim:
        """Links of weighted layers: each output to every input it sees and its bias."""
        return self._sum(lambda cost: cost.connections)

    @cached_property
    def bytes_read(self) -> Dim:
        """Bytes of operands and weights; views read nothing."""
        weights = [(count, cost.weight_bytes) for cost, count in self._costs]
        return self._sum(lambda cost: cost.operand_bytes, weights)

    @cached_property
    def bytes_written(self) -> Dim:
        """Bytes of outputs; views write nothing."""
        return self._sum(lambda cost: cost.output_bytes)

    @cached_property
    def unknown_operators(self) -> int:
        """The number of operators without a rule, which other quantities leave out."""
        return sum(count for cost, count in self._costs if cost.is_unknown)

    @property
    def partial(self) -> str:
        """A remark for every quantity if operators are unknown; else empty."""
        count = self.unknown_operators
        plural = "" if count == 1 else "s"
        return f"partial: {count} operator{plural} unknown" if count else ""

    def metric(self, name: str) -> Dim:
        """Return a quantity by its name."""
        if not isinstance(name, str) or name not in METRICS:
            hint = _CONVENTION if "flop" in str(name).lower() else ""
            known = known_are(name, METRICS)
            raise CostModelError(f'unknown metric "{name}"; {known}{hint}')
        value: Dim = getattr(self, name)
        return value

    def _operations(self, kind: str) -> Dim:
        return self._sum(lambda cost: getattr(cost.tally, kind))

    def _stored(self, part: Callable[[OperatorCost], Count]) -> Dim:
        """Add one quantity over all rows, equal rows at once."""
        return added((count, part(cost)) for cost, count in self._costs)

    def _sum(
        self,
        part: Callable[[OperatorCost], Count],
        stored: Iterable[tuple[int, Count]] = (),
    ) -> Dim:
        """Add one quantity over all rows, N times, and what is stored, once."""
        each: list[tuple[int, Count]] = []
        once = [*stored]
        for cost, count in self._costs:
            (once if cost.is_stored else each).append((count, part(cost)))
        return added(each, self._batch, once=once)


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """The cost of one operator per sample, not yet expanded.

    ``is_stored``: it is made of stored tensors alone, and costs that once per batch.
    ``is_unknown``: no rule gives its cost.
    """

    tally: Tally
    parameters: Count
    buffers: Count
    activations: Count
    connections: Count
    weight_bytes: Count
    operand_bytes: Count
    output_bytes: Count
    is_stored: bool = False
    is_unknown: bool = False

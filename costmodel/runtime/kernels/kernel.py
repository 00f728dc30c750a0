"""A kernel of a device, and the operator in its place that asks for it."""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.algebra.count import Count, added
from costmodel.algebra.symbols import Dim
from costmodel.analysis.cost.totals import OperatorCost
from costmodel.network.node import Node
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape, counted
from costmodel.runtime.setting import Setting


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel: what it computes and moves for a whole batch. Numbers are exact.

    **Units**: ``work`` in those of its kind (``KINDS`` in ``classes.py``),
    bytes read and written.
    """

    nodes: tuple[str, ...]
    """The network's nodes that it runs; it is named after the first."""
    kind: str
    work: Dim
    activation_bytes: Dim
    weight_bytes: Dim
    is_modelled: bool = True
    """False: it has no class of its own and is taken for a copy."""
    when: Dim = 1
    """1 where it runs, 0 where another kernel runs in its place: what PyTorch picks
    depends on batch and size. All numbers known, only kernels that run are given."""

    calls: Dim = 1
    """How often its routine is called: once per group of a native convolution."""

    @property
    def name(self) -> str:
        """The node that it is named after."""
        return self.nodes[0]


@dataclass(frozen=True, slots=True)
class Site:
    """A node on its operands, in a batch and a setting: what rules make kernels of."""

    node: Node
    inputs: tuple[Shape, ...]
    sample: OperatorCost
    batch: Dim
    setting: Setting

    @property
    def operator(self) -> Operator:
        """The node's operator."""
        return self.node.operator

    @property
    def output(self) -> Shape:
        """The shape of the result."""
        return self.node.output

    @property
    def made(self) -> Count:
        """Elements of the result."""
        return counted(self.output).numel

    @property
    def read(self) -> Count:
        """Elements of the first operand."""
        return counted(self.inputs[0]).numel

    @property
    def moved(self) -> Count:
        """Bytes of operands and result."""
        return self.sample.operand_bytes + self.sample.output_bytes

    def kernel(
        self, kind: str, work: Count, activation_bytes: Count, weight_bytes: Count = 0,
        *, when: Dim = 1, calls: Dim = 1, rereads: bool = False,
        is_modelled: bool = True,
    ) -> Kernel:  # fmt: skip
        """Return the kernel of a whole batch, from what each sample asks for.

        What is made of stored tensors alone runs once per batch. Weights are read once
        per batch, unless the kernel ``rereads`` them for each sample.
        """
        times = 1 if self.sample.is_stored else self.batch
        return Kernel(
            nodes=(self.node.name,),
            kind=kind,
            work=added([(1, work)], times),
            activation_bytes=added([(1, activation_bytes)], times),
            weight_bytes=added([(1, weight_bytes)], self.batch if rereads else 1),
            is_modelled=is_modelled,
            when=when,
            calls=calls,
        )

    def one(
        self, kind: str, work: Count | None = None, *, when: Dim = 1
    ) -> tuple[Kernel, ...]:
        """Return a single kernel, which moves all that the operator moves."""
        work = self.made if work is None else work
        weights = self.sample.weight_bytes
        return (self.kernel(kind, work, self.moved, weights, when=when),)

    def chain(self, *kinds: str, operands: int = 1) -> tuple[Kernel, ...]:
        """Return elementwise kernels, one after the other."""
        moved = (operands + 1) * self.setting.element_bytes * self.made
        return tuple(self.kernel(kind, self.made, moved) for kind in kinds)

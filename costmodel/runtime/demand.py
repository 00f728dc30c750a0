"""What one kernel asks of a device, and where the operator stands that asks it."""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.algebra.count import Count
from costmodel.algebra.symbols import Dim
from costmodel.analysis.sums import OperatorCost
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape, counted
from costmodel.runtime.setting import Setting


@dataclass(frozen=True, slots=True)
class Demand:
    """One kernel: what it asks for each sample, and weights once a batch."""

    kind: str
    work: Count
    activation_bytes: Count
    weight_bytes: Count = 0
    when: Dim = 1
    is_modelled: bool = True
    is_stored: bool = False
    """Made of stored tensors alone: it runs once a batch, whatever the batch."""
    reads_again: bool = False
    """Samples run one after the other, and each of them reads the weights."""
    calls: Dim = 1
    """How often the routine is called: a native convolution calls it for each group."""


@dataclass(frozen=True, slots=True)
class Site:
    """An operator on its operands, in a batch and a setting."""

    operator: Operator
    inputs: tuple[Shape, ...]
    output: Shape
    sample: OperatorCost
    batch: Dim
    setting: Setting

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

    def one(self, kind: str, work: Count | None = None) -> tuple[Demand, ...]:
        """Return a single kernel, which moves all that the operator moves."""
        work = self.made if work is None else work
        return (Demand(kind, work, self.moved, self.sample.weight_bytes),)

    def chain(self, *kinds: str, operands: int = 1) -> tuple[Demand, ...]:
        """Return kernels of each element, one after the other."""
        moved = (operands + 1) * self.setting.element_bytes * self.made
        return tuple(Demand(kind, self.made, moved) for kind in kinds)

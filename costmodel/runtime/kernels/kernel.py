"""A kernel of a device, and the operator in its place that asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import sympy

from costmodel.algebra.count import Count, added
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.analysis.cost.totals import OperatorCost
from costmodel.network.node import Node
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape, counted
from costmodel.runtime.setting import Setting


_OF_OPERATOR = (
    "window", "stride", "dilation", "groups", "channels_in", "channels_out",
    "positions_in", "positions_out", "operand_bytes",
)  # fmt: skip

NUMBERS = (*_OF_OPERATOR, "work", "activation_bytes", "weight_bytes")
"""What a class of kernels may be split by: numbers that a kernel's operator has.

Areas of window, stride and dilation; groups; channels and positions of the first
operand and of the result, per sample; bytes of all operands, per sample; and what the
kernel computes and moves for a whole batch. What an operator has not got is 1.
"""


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

    operator_numbers: tuple[Dim, ...] = ()
    """Those of :data:`NUMBERS` that are its operator's; of a fused one none."""

    def number(self, name: str) -> Dim:
        """Return one of :data:`NUMBERS`."""
        if name not in _OF_OPERATOR:
            own: Dim = getattr(self, name)
            return own
        known = dict(zip(_OF_OPERATOR, self.operator_numbers))
        return known.get(name, 1)

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

    @property
    def numbers(self) -> tuple[Dim, ...]:
        """What classes may be split by, of the operator itself."""
        given, x, y = (
            self.operator.attributes,
            *map(counted, (self.inputs[0], self.output)),
        )
        area = [_area(given.get(name, 1)) for name in ("kernel", "stride", "dilation")]
        groups = _area(given.get("groups", 1))
        counts = (x.channels, y.channels, x.positions, y.positions,
                  self.sample.operand_bytes)  # fmt: skip
        return (*area, groups, *(added([(1, count)]) for count in counts))

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
            operator_numbers=self.numbers,
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


def _area(value: object) -> Dim:
    """Return the product of a window's sides; 1 for what is no size."""
    if isinstance(value, tuple):
        return as_dim(prod(map(_area, value)))
    is_size = isinstance(value, int | sympy.Expr) and not isinstance(value, bool)
    return as_dim(value) if is_size else 1

"""Reductions along whole axes, and running sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim
from costmodel.algebra.tally import Tally
from costmodel.errors import CostModelError, known_are
from costmodel.network.axes import extents, others, rank, require_axis, shaped
from costmodel.network.flow import Fixed, Flow, Mixed, Same, unchanged
from costmodel.network.operator import Windows
from costmodel.network.operators.base import POINT, Reduction
from costmodel.network.shape import Shape


REDUCTIONS: dict[str, Callable[[Dim, Dim], Tally]] = {
    "sum": lambda n, m: Tally(add=n - m),
    "mean": lambda n, m: Tally(add=n - m, div=m),
    **dict.fromkeys(("max", "min", "max_indexed", "min_indexed"),
                    lambda n, m: Tally(compare=n - m)),
    "prod": lambda n, m: Tally(mul=n - m),
    "norm": lambda n, m: Tally(mul=n, add=n - m, exp=m),
    "var": lambda n, m: Tally(add=3 * n - 2 * m, mul=n, div=2 * m),
    "std": lambda n, m: Tally(add=3 * n - 2 * m, mul=n, div=2 * m, exp=m),
}  # fmt: skip
"""The operations of reducing n elements to m, by definition.

A sum of n/m elements has one addition less. The variance takes the mean, centres,
squares, and takes the mean again; ``indexed`` extremes come with their places.
"""


@final
@dataclass(frozen=True, slots=True)
class Reduce(Reduction):
    """The sum, mean, maximum, … of all elements along some axes.

    ``keep`` leaves a size of 1 in their place. ``everywhere`` says that a spatial axis
    of the image is among them, so that every result depends on all of it.

    >>> x = Shape(8, (Extent(7), Extent(7)))
    >>> print(Reduce("mean", axes=(2, 3), keep=True, everywhere=True).output(x))
    8×1×1
    """

    kind: ClassVar[str] = "reduce"
    defaults: ClassVar[Mapping[str, Any]] = {"correction": 0, "places": None}
    """``places=...``: the places of extremes are taken for these."""
    operation: str
    axes: tuple[int, ...]
    keep: bool = False
    everywhere: bool = True

    def __post_init__(self) -> None:
        """Check that the operation has a rule."""
        super(Reduce, self).__post_init__()
        if self.operation not in REDUCTIONS:
            known = known_are(self.operation, sorted(REDUCTIONS))
            raise CostModelError(f'operation "{self.operation}" is unknown; {known}')

    @property
    def window(self) -> Windows | None:
        """Return the windows of a position, or None if a spatial axis is reduced."""
        return None if self.everywhere else POINT

    def output(self, *inputs: Shape) -> Shape:
        """Return the shape without the reduced axes, or with 1 in their place."""
        x = inputs[0]
        taken = {require_axis(x, axis) for axis in self.axes}
        left = [
            Extent(1) if axis in taken else extent
            for axis, extent in enumerate(extents(x), start=1)
            if self.keep or axis not in taken
        ]
        if not left:
            raise CostModelError(
                f"nothing but the batch is left of {x}; keep an axis, of size 1"
            )
        return shaped(left)

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return the operations that reduce the input's elements to the output's."""
        return REDUCTIONS[self.operation](inputs[0].numel, output.numel)

    def flow(self, *inputs: Shape) -> Flow:
        """Return the remaining axes; the others are summed."""
        every = range(1, rank(inputs[0]) + 1)
        left = tuple(
            Fixed() if axis in self.axes else Same(axis)
            for axis in every
            if self.keep or axis not in self.axes
        )
        return Flow(left, tuple(Same(axis) for axis in every if axis in self.axes))

    def __str__(self) -> str:
        """Write mean of axes 2, 3."""
        word = "axis" if len(self.axes) == 1 else "axes"
        return f"{self.operation} of {word} {', '.join(map(str, self.axes))}"


@final
@dataclass(frozen=True, slots=True)
class Cumulate(Reduction):
    """Running sums along an axis, y_i = Σ_{j ≤ i} x_j.

    >>> tokens = Shape(10, (Extent(4),))
    >>> Cumulate(axis=1).tally(tokens, tokens).add
    36
    """

    kind: ClassVar[str] = "cumulate"
    axis: Dim = 1

    @property
    def window(self) -> Windows | None:
        """Return the windows of a position if channels are summed, else None."""
        return POINT if self.axis == 1 else None

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape; it has that axis."""
        require_axis(inputs[0], self.axis)
        return inputs[0]

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return one addition per element, except the first along the axis."""
        return Tally(add=output.numel - others(output, (self.axis,)))

    def flow(self, *inputs: Shape) -> Flow:
        """Return the axis mixed with what is in front."""
        axes = list(unchanged(rank(inputs[0])).axes)
        axes[int(self.axis) - 1] = Mixed(int(self.axis), running=True)
        return Flow(tuple(axes))

    def __str__(self) -> str:
        """Write running sum of axis 1."""
        return f"running sum of axis {self.axis}"

"""The receptive field of one node: size, stride, padding and centre, over all paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.analysis.receptive_field.windows import (
    Axis,
    Bundle,
    Paths,
    larger,
    smaller,
)
from costmodel.errors import CostModelError
from costmodel.network.operator import sizes_of
from costmodel.network.operators import Sizes


Span: TypeAlias = tuple[Dim, Dim]
"""The first and the last pixel along an axis; both may lie outside of the input."""


@dataclass(frozen=True)
class Field:
    """The receptive field of one node: the pixels that a position sees, over all paths.

    Quantities are (height, width) pairs; for a volume (depth, height, width) triples,
    for a sequence tuples of one. If a path sees the whole input, sizes and padding
    are ∞ (``sympy.oo``); a quantity without a single value is an error that says why.

    **Units**: pixels of the input.
    """

    name: str
    paths: Paths
    problem: str | None = field(default=None, kw_only=True)
    """Why no one window says what a position sees, if so."""
    repeats: str | None = field(default=None, kw_only=True)
    """The first node up to this one whose padding repeats pixels, or None."""

    @property
    def size(self) -> Sizes:
        """The extent in pixels of the union of all paths' windows, R."""
        return self._each(self._size)

    @property
    def stride(self) -> Sizes:
        """The distance in pixels between the fields of neighbouring positions, S."""
        return self._each(lambda axis: self._only(axis).stride)

    @property
    def padding(self) -> Sizes:
        """The number of pixels in front of the input that position 0 sees, P."""
        return self._each(lambda axis: self._unless_all(axis, lambda b: b.before))

    @property
    def padding_after(self) -> Sizes:
        """The padding at the end, P_after: ⌊(n + P + P_after − R)/S⌋ + 1 positions."""
        return self._each(lambda axis: self._unless_all(axis, lambda b: b.after))

    @property
    def offset(self) -> Sizes:
        """The centre of position 0's field, (R − 1)/2 − P; pixel 0 is at 0."""
        return self._each(self._centre)

    @property
    def smallest(self) -> Sizes:
        """The size of the smallest window of a path."""
        return self._each(lambda axis: self._extreme(axis, "smallest", smaller))

    @property
    def largest(self) -> Sizes:
        """The size of the largest window of a path; the union of all may be larger."""
        return self._each(
            lambda axis: (
                sympy.oo if axis.cause else self._extreme(axis, "largest", larger)
            )
        )

    @property
    def unbounded(self) -> str | None:
        """The node that makes the field cover the whole input, or None."""
        return next((axis.cause for axis in self.paths.axes if axis.cause), None)

    @property
    def is_aligned(self) -> bool:
        """Say whether all paths have one stride and one centre, along each axis."""
        return all(
            len(axis.bundles) < 2 and all(bundle.is_aligned for bundle in axis.bundles)
            for axis in self.paths.axes
        )

    def region(self, *position: Dim) -> tuple[Span, ...]:
        """Return the first and last pixel along each axis that a position sees.

        The position is (row, column), as many numbers as there are spatial axes, in
        the order of the input's axes, also behind a transposition; ``support`` takes
        the feature map's own order. Each feature map is taken to go on beyond its
        borders: pixels outside of the input are included, negative ones are padding. If
        it is of zeros, a position sees at most what is inside. Which pixels padding by
        reflection, replication or circularly repeats, it does not say: those are seen
        as well, by positions whose windows reach padding of :attr:`repeats` or later
        nodes; ``support`` says which.
        """
        axes = self._axes
        if len(position) != len(axes):
            raise CostModelError(f"region: {position} is not {sizes_of(len(axes))}")
        return tuple(self._span(axis, at) for axis, at in zip(axes, position))

    @property
    def _axes(self) -> tuple[Axis, ...]:
        if self.problem:
            raise CostModelError(f'"{self.name}": {self.problem}')
        return self.paths.axes

    def _each(self, quantity: Callable[[Axis], Dim]) -> Sizes:
        return tuple(map(quantity, self._axes))

    def _size(self, axis: Axis) -> Dim:
        is_empty = not axis.bundles and axis.cause is None
        return 0 if is_empty else self._unless_all(axis, lambda bundle: bundle.size)

    def _centre(self, axis: Axis) -> Dim:
        if axis.cause is not None:
            raise CostModelError(_everything(self.name, axis.cause, "centre"))
        bundle = self._only(axis)
        return as_dim(expand((sympy.sympify(bundle.beyond) - bundle.before) / 2))

    def _unless_all(self, axis: Axis, quantity: Callable[[Bundle], Dim]) -> Dim:
        return sympy.oo if axis.cause else quantity(self._only(axis))

    def _extreme(self, axis: Axis, name: str, choose: Callable[[Dim, Dim], Dim]) -> Dim:
        if not axis.bundles:
            return sympy.oo if axis.cause else 0
        return reduce(choose, (getattr(bundle, name) for bundle in axis.bundles))

    def _only(self, axis: Axis) -> Bundle:
        """Return the single bundle of an axis, or raise if there is none or several."""
        if len(axis.bundles) == 1:
            return axis.bundles[0]
        if axis.bundles:
            strides = " and ".join(str(bundle.stride) for bundle in axis.bundles)
            raise CostModelError(
                f'"{self.name}": paths of the strides {strides} meet, so that no '
                "single window says what it sees; ask region(row, column)"
            )
        if axis.cause is not None:
            raise CostModelError(_everything(self.name, axis.cause, "stride"))
        raise CostModelError(f'"{self.name}" sees nothing of the input')

    def _span(self, axis: Axis, at: Dim) -> Span:
        if axis.cause is not None:
            return -sympy.oo, sympy.oo
        if not axis.bundles:
            raise CostModelError(f'"{self.name}" sees nothing of the input')
        starts = (as_dim(at * b.stride - b.before) for b in axis.bundles)
        ends = (as_dim(at * b.stride + b.beyond) for b in axis.bundles)
        return reduce(smaller, starts), reduce(larger, ends)


@dataclass(frozen=True)
class Misalignment:
    """A node that joins paths which are each aligned, but not with each other."""

    name: str
    kind: str
    axis: str
    operands: tuple[tuple[str, Dim, Dim], ...]
    """For each operand: its name, its stride, and the centre of its position 0."""

    def __str__(self) -> str:
        """Write the node, and where its operands' paths are centred."""
        known = ", ".join(
            f'those of "{name}" at {centre} (stride {stride})'
            for name, stride, centre in self.operands
        )
        return (
            f'{self.kind} "{self.name}": paths are not centred alike in {self.axis}: '
            f"{known}"
        )


def _everything(name: str, cause: str, quantity: str) -> str:
    return (
        f'"{name}" sees the whole input, through "{cause}", and has no {quantity}; '
        "ignore_gates leaves gates out"
    )

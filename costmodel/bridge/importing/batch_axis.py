"""The position of the batch among a tensor's axes, and the shape of one sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costmodel.algebra.extent import Extent
from costmodel.algebra.polynomial import Size, size
from costmodel.errors import CostModelError
from costmodel.network.shape import Shape


Sizes = tuple[Size, ...]
"""The sizes of a tensor's axes, the batch among them, in PyTorch's order."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The axis of the batch; ``is_folded``: another axis is merged into it."""

    batch_axis: int | None = 0
    is_folded: bool = False
    is_one: bool = False
    """Whether there is no batch, but a leading axis of 1 that broadcasts."""

    @property
    def has_batch(self) -> bool:
        """Whether the tensor has a batch."""
        return self.batch_axis is not None and not self.is_one

    def logical(self, axis: int) -> int:
        """Return the axis of a sample's shape, counted from 1, for a tensor's axis."""
        if self.batch_axis is None or self.is_folded:
            return axis + 1
        if axis == self.batch_axis:
            raise CostModelError("works along the batch")
        return axis + (axis < self.batch_axis)

    def sizes(self, shape: Shape, batch: Size, rank: int) -> Sizes:
        """Return the sizes of a tensor whose sample has that shape."""
        axes = [size(shape.channels), *map(size, shape.spatial)]
        if self.batch_axis is None:
            return tuple(axes[max(0, len(axes) - rank) :])
        if self.is_folded:
            axes[self.batch_axis] = axes[self.batch_axis] * batch
            return tuple(axes)
        if self.is_one:
            batch = size(1)
        if rank == 1:
            return (batch,)
        return (*axes[: self.batch_axis], batch, *axes[self.batch_axis :])


def split(sizes: Sequence[Size], batch: Size) -> tuple[Layout, Shape]:
    """Return the layout of the batch, and the shape of a sample.

    An axis of N·k positions leaves k. A tensor without a batch keeps its shape, except
    a leading 1, which broadcasts to any batch. The batch of a single sample is a
    leading 1, or else it is part of the first axis.
    """
    if sizes and batch.constant == 1:
        if sizes[0].constant == 1:
            return Layout(0), shaped(sizes[1:])
        return Layout(0, is_folded=True), shaped(sizes)
    for axis, length in enumerate(sizes):
        rest = length.divided(batch)
        if rest is None:
            continue
        others = [s for i, s in enumerate(sizes) if i != axis]
        if any(s.divided(batch) is not None and s.constant is None for s in others):
            raise CostModelError("two axes depend on the batch: samples are not apart")
        if rest.constant == 1:
            return Layout(axis), shaped(others)
        kept = [rest if i == axis else s for i, s in enumerate(sizes)]
        return Layout(axis, is_folded=True), shaped(kept)
    if len(sizes) > 1 and sizes[0].constant == 1:
        return Layout(0, is_one=True), shaped(sizes[1:])
    return Layout(None), shaped(sizes)


def shaped(sizes: Sequence[Size]) -> Shape:
    """Return the shape with those sizes: channels first, then the other axes."""
    if not sizes:
        return Shape(1)
    first = sizes[0].constant
    channels = sizes[0].extent.atom if first is None else first
    return Shape(channels, tuple(_extent(s) for s in sizes[1:]))


def _extent(length: Size) -> Extent:
    return length.extent

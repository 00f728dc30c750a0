"""Operators that reshape, permute, repeat or copy a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from costmodel.algebra.extent import Extent, resolve
from costmodel.errors import CostModelError, known_are
from costmodel.network.axes import extents, rank, shaped
from costmodel.network.axis_groups import regrouped
from costmodel.network.flow import AxisFlow, Flow, New, Repeated, Same, Tiled, Turned
from costmodel.network.operator import Windows
from costmodel.network.operators.base import POINT, Rearrangement
from costmodel.network.shape import Shape


def is_known(extent: Extent) -> bool:
    """Say whether an extent is a number."""
    return type(extent.base) is int


@final
@dataclass(frozen=True, slots=True)
class Reshape(Rearrangement):
    """The same elements, in the same order, with another shape: a view.

    >>> x = Shape(64, (Extent(7), Extent(7)))
    >>> print(Reshape(Shape(64, (Extent(49),))).output(x))
    64×49
    """

    kind: ClassVar[str] = "reshape"
    view: ClassVar[bool] = True
    shape: Shape

    def output(self, *inputs: Shape) -> Shape:
        """Return the given shape, which has as many elements if both are known."""
        before, after = (resolve(s.numel) for s in (inputs[0], self.shape))
        known = type(before) is int and type(after) is int
        if known and before != after:
            raise CostModelError(
                f"{inputs[0]} has {before} elements, {self.shape} has {after}"
            )
        return self.shape

    def flow(self, *inputs: Shape) -> Flow:
        """Return each axis kept, merged with others, or split."""
        return regrouped(inputs[0], self.shape)

    def __str__(self) -> str:
        """Write reshape to 64×49."""
        return f"reshape to {self.shape}"


@final
@dataclass(frozen=True, slots=True)
class Permute(Rearrangement):
    """The axes in another order, with the batch in front: a view.

    Output axis i is input axis order[i−1]; (2, 3, 1) puts channels last.

    >>> print(Permute((2, 3, 1)).output(Shape(64, (Extent(7), Extent(5)))))
    7×5×64
    """

    kind: ClassVar[str] = "permute"
    view: ClassVar[bool] = True
    order: tuple[int, ...]

    def output(self, *inputs: Shape) -> Shape:
        """Return the extents in that order, which names every axis once."""
        sides = extents(inputs[0])
        if sorted(self.order) != list(range(1, len(sides) + 1)):
            raise CostModelError(
                f"order {self.order} does not name each axis of {inputs[0]} once"
            )
        return shaped(sides[axis - 1] for axis in self.order)

    def flow(self, *inputs: Shape) -> Flow:
        """Return the axes in their order."""
        return Flow(tuple(map(Same, self.order)))

    def __str__(self) -> str:
        """Write permute to axes 2, 3, 1."""
        return f"permute to axes {', '.join(map(str, self.order))}"


def _repeats(x: Shape, shape: Shape) -> bool:
    """Say whether each axis is equal or was 1, aligned at the last one."""
    pairs = zip(reversed(extents(x)), reversed(extents(shape)), strict=False)
    return rank(x) <= rank(shape) and all(a in (b, Extent(1)) for a, b in pairs)


@final
@dataclass(frozen=True, slots=True)
class Expand(Rearrangement):
    """Axes of size 1 repeated without a copy: a view with stride 0.

    >>> x = Shape(64, (Extent(1), Extent(1)))
    >>> print(Expand(Shape(64, (Extent(7), Extent(7)))).output(x))
    64×7×7
    """

    kind: ClassVar[str] = "expand"
    view: ClassVar[bool] = True
    shape: Shape

    @property
    def window(self) -> Windows | None:
        """Return None: only the flow describes a repeated axis."""
        return None

    def output(self, *inputs: Shape) -> Shape:
        """Return the given shape; other sizes than 1 stay."""
        if not _repeats(inputs[0], self.shape):
            raise CostModelError(f"{inputs[0]} cannot be expanded to {self.shape}")
        return self.shape

    def flow(self, *inputs: Shape) -> Flow:
        """Return sizes of 1 repeated; missing axes are added in front."""
        return _repeated(inputs[0], self.shape)

    def __str__(self) -> str:
        """Write expand to 64×7×7."""
        return f"expand to {self.shape}"


def _repeated(x: Shape, shape: Shape) -> Flow:
    """Return the flow of repeated axes, aligned at the last one."""
    sides, missing = extents(x), rank(shape) - rank(x)
    found: list[AxisFlow] = [New()] * missing
    for axis, (before, after) in enumerate(
        zip(sides, extents(shape)[missing:], strict=True), start=1
    ):
        again = Repeated(axis) if before == Extent(1) else Tiled(axis)
        found.append(Same(axis) if before == after else again)
    return Flow(tuple(found))


@final
@dataclass(frozen=True, slots=True)
class Repeat(Rearrangement):
    """The tensor repeated as a whole along some axes: a copy.

    >>> x = Shape(64, (Extent(7), Extent(7)))
    >>> print(Repeat(Shape(128, (Extent(7), Extent(7)))).output(x))
    128×7×7
    """

    kind: ClassVar[str] = "repeat"
    shape: Shape

    @property
    def window(self) -> Windows | None:
        """Return None: only the flow describes a repeated axis."""
        return None

    def output(self, *inputs: Shape) -> Shape:
        """Return the given shape; known sizes are multiples of the input's."""
        x = inputs[0]
        if rank(x) > rank(self.shape):
            raise CostModelError(f"{x} cannot be repeated to {self.shape}")
        pairs = zip(reversed(extents(x)), reversed(extents(self.shape)), strict=False)
        for a, b in pairs:
            if is_known(a) and is_known(b) and b.base % a.base:
                raise CostModelError(f"{x} cannot be repeated to {self.shape}")
        return self.shape

    def flow(self, *inputs: Shape) -> Flow:
        """Return each axis tiled to its size; missing ones are added in front."""
        return _repeated(inputs[0], self.shape)

    def __str__(self) -> str:
        """Write repeat to 128×7×7."""
        return f"repeat to {self.shape}"


@final
@dataclass(frozen=True, slots=True)
class Copy(Rearrangement):
    """The same elements in new memory: clone, contiguous, another number format.

    They may be reordered along some axes: ``rolled`` has the last ones in front,
    ``flipped`` is in reverse. The constants are the axes, ``dims``, the batch being
    axis 0, and how far they are rolled, ``shifts``; or another ``dtype``.

    **Source**: Liu et al. 2021, arXiv:2103.14030, section 3.2 (cyclic shift).
    """

    kind: ClassVar[str] = "copy"
    order: str = "same"

    def __post_init__(self) -> None:
        """Check the order."""
        if self.order not in COPIES:
            known = known_are(self.order, COPIES)
            raise CostModelError(f'order "{self.order}" is unknown; {known}')
        super(Copy, self).__post_init__()

    @property
    def defaults(self) -> Mapping[str, Any]:  # type: ignore[override]
        """The axes, and how far they are rolled: unknown if they are not given."""
        names = {"rolled": ("shifts", "dims"), "flipped": ("dims",)}
        if self.order == "same":
            return {"dtype": None}
        return dict.fromkeys(names[self.order], ...)

    @property
    def window(self) -> Windows | None:
        """Return the windows of a single position, or None for a reordering."""
        return POINT if self.order == "same" else None

    def flow(self, *inputs: Shape) -> Flow:
        """Return each axis unchanged, or in an order that is not recorded."""
        axes = range(1, rank(inputs[0]) + 1)
        if self.order == "same":
            return super(Copy, self).flow(*inputs)
        return Flow(tuple(map(Turned, axes)))

    def __str__(self) -> str:
        """Write copy, roll or flip."""
        return COPIES[self.order]


COPIES = {"same": "copy", "rolled": "roll", "flipped": "flip"}
"""Orders of a copy, and the names of the operations."""

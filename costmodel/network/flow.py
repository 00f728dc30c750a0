"""Axis flow: from which axes of its operands an operator's output axes come, and how.

An operator's flow maps each output axis to axes of its operands. All analyses that
follow axes interpret it: which channels grow together (``widen``), which pixels an
output depends on (``receptive_field``, ``support``), and the strides of views in
memory.

Axes have PyTorch's numbers: the batch is axis 0 and has no flow, channels are axis 1.
Operands are counted from 0. As in einops, ``(c i j) h w -> c (h i) (w j)``, an axis may
be split into several, and several merged into one, the last of them being the fastest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import ClassVar, TypeAlias, final

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim
from costmodel.algebra.window import Window
from costmodel.network.axes import extents as extents_of
from costmodel.network.shape import Shape


Held: TypeAlias = str | tuple[str, int] | None
"""The operator's field that gives their number, with its index in a tuple; or None."""


class AxisFlow:
    """The origin of one output axis."""

    __slots__ = ()


class From(AxisFlow):
    """An axis that comes from one axis of one operand.

    ``window`` is the window of a position along it, if one window describes all of
    them; None is the whole axis.
    """

    __slots__ = ()
    axis: int
    operand: int
    is_one_window: ClassVar[bool] = True

    @property
    def window(self) -> Window | None:
        """The window of the same position."""
        return Window()


@final
@dataclass(frozen=True, slots=True)
class Same(From):
    """The axis unchanged; ``held`` is the field that gives its length, if any."""

    axis: int
    operand: int = 0
    held: Held = None


@final
@dataclass(frozen=True, slots=True)
class Repeated(From):
    """An axis of size 1, broadcast."""

    axis: int
    operand: int = 0

    @property
    def window(self) -> Window | None:
        """The window of position 0, with stride 0."""
        return Window(stride=0)


@final
@dataclass(frozen=True, slots=True)
class Tiled(From):
    """The n positions of the axis repeated as a whole: position i is i mod n."""

    axis: int
    operand: int = 0
    is_one_window: ClassVar[bool] = False


@final
@dataclass(frozen=True, slots=True)
class Turned(From):
    """The axis in another order, which is not recorded: rolled, mirrored."""

    axis: int
    operand: int = 0
    is_one_window: ClassVar[bool] = False


@final
@dataclass(frozen=True, slots=True)
class Slid(From):
    """A window that slides along the axis, whose taps are ``gap`` apart (dilation).

    ``border`` is the padding mode: zeros, or positions of the axis itself.
    """

    axis: int
    along: Window
    gap: Dim = 1
    border: str = "zeros"
    operand: int = 0

    @property
    def window(self) -> Window | None:
        """The window from its first to its last tap, gaps included."""
        return self.along


@final
@dataclass(frozen=True, slots=True)
class Scattered(From):
    """A transposed convolution, whose window writes where a convolution's reads.

    Position j of the axis is added to j·s − p, j·s − p + d, … of the output, where the
    window has stride s and padding p, and its taps are d apart.
    """

    axis: int
    along: Window
    gap: Dim = 1
    operand: int = 0
    is_one_window: ClassVar[bool] = False


@final
@dataclass(frozen=True, slots=True)
class Sampled(From):
    """The axis interpolated or averaged to another length; see ``Resize``'s modes.

    ``is_given``: that length does not depend on the axis.
    """

    axis: int
    mode: str = "area"
    is_given: bool = True
    operand: int = 0
    is_one_window: ClassVar[bool] = False


@final
@dataclass(frozen=True, slots=True)
class Part(From):
    """Every ``step``-th position from ``start`` on, without the last ``end`` ones.

    ``held`` names the fields that count the positions before, taken, and after.
    Without ``end`` the output's size gives the number of positions taken.
    """

    axis: int
    start: Dim = 0
    step: Dim = 1
    end: Dim = 0
    held: tuple[Held, Held, Held] = (None, None, None)
    operand: int = 0

    @property
    def window(self) -> Window | None:
        """The window of one position, shifted by the start."""
        return Window(stride=self.step, before=-self.start, after=-self.end)


@final
@dataclass(frozen=True, slots=True)
class Padded(From):
    """The axis padded in front and behind, with zeros or another border.

    ``held`` names the fields that count them.
    """

    axis: int
    before: Dim
    after: Dim
    border: str = "zeros"
    held: tuple[Held, Held] = (None, None)
    operand: int = 0

    @property
    def window(self) -> Window | None:
        """The window of one position, shifted by the padding in front."""
        return Window(before=self.before, after=self.after)


@final
@dataclass(frozen=True, slots=True)
class Mixed(From):
    """Each position depends on all positions of its group, one of ``groups``.

    ``held`` is the field that gives the new length; without it the length is kept.
    More groups than one are the operator's field ``groups``. If it is ``running``, each
    depends on those up to itself alone.
    """

    axis: int
    groups: Dim = 1
    held: Held = None
    operand: int = 0
    running: bool = False

    @property
    def window(self) -> Window | None:
        """The whole axis."""
        return None


@final
@dataclass(frozen=True, slots=True)
class Listed(From):
    """Position i depends on the positions that row i of a table lists."""

    axis: int
    table: tuple[tuple[int, ...], ...]
    operand: int = 0

    @property
    def window(self) -> Window | None:
        """The whole axis, which is all that is known without the table."""
        return None


@final
@dataclass(frozen=True, slots=True)
class Together(AxisFlow):
    """One axis of several operands, position by position: a sum, a product."""

    sources: tuple[From, ...]


@final
@dataclass(frozen=True, slots=True)
class Joined(AxisFlow):
    """Axes of several operands concatenated."""

    parts: tuple[Same, ...]


@final
@dataclass(frozen=True, slots=True)
class Merged(AxisFlow):
    """Several axes merged into one in row-major order: the last one is the fastest."""

    parts: tuple[AxisFlow, ...]


@final
@dataclass(frozen=True, slots=True)
class Split(AxisFlow):
    """One of several axes that another axis, or a merged one, is split into.

    ``wide`` is the number of the part whose size follows from the axis, if the operator
    fixes the sizes of the others.
    """

    whole: Same | Merged
    sizes: tuple[Dim, ...]
    number: int
    wide: int | None = None

    @property
    def axes(self) -> tuple[int, ...]:
        """The operand's axes that are split."""
        parts = self.whole.parts if isinstance(self.whole, Merged) else (self.whole,)
        return tuple(part.axis for part in parts if isinstance(part, Same))


@final
@dataclass(frozen=True, slots=True)
class New(AxisFlow):
    """A new axis, of a length given by a field of the operator, or by its shape.

    All its positions depend on the same inputs. A length in a field is an operator's
    own width; one in a shape has to equal that of the axes that it is combined with.
    """

    held: Held = None


@final
@dataclass(frozen=True, slots=True)
class Fixed(AxisFlow):
    """An axis whose length no operand affects: the taps of a kernel, a size of 1."""

    size: Dim = 1


@final
@dataclass(frozen=True, slots=True)
class Unknown(AxisFlow):
    """An axis without a rule: analyses that need it refuse."""


@final
@dataclass(frozen=True, slots=True)
class Flow:
    """The origin of every axis of an output, and the axes that its elements sum over.

    ``summed`` are axes of operands of which every result depends on all positions; axes
    of factors that are summed together are ``Together``. Every axis of an operand with
    more than one position is in ``axes`` or in ``summed``.
    """

    axes: tuple[AxisFlow, ...]
    summed: tuple[From | Together, ...] = ()

    @property
    def is_known(self) -> bool:
        """Say whether there is a rule."""
        return not any(isinstance(axis, Unknown) for axis in self.axes)


def parts_of(axis: AxisFlow) -> tuple[AxisFlow, ...]:
    """Return the parts of a merged axis, or the axis itself."""
    return axis.parts if isinstance(axis, Merged) else (axis,)


def sources(axis: AxisFlow) -> Iterator[From | Split]:
    """Yield every axis of an operand, or part of one, that an axis comes from."""
    match axis:
        case Together(sources=several) | Joined(parts=several) | Merged(parts=several):
            for one in several:
                yield from sources(one)
        case From() | Split():
            yield axis
        case _:
            return


def axes_read(flow: Flow) -> set[tuple[int, int]]:
    """Return (operand, axis) of every axis that the flow reads."""
    found = set[tuple[int, int]]()
    for source in chain.from_iterable(map(sources, (*flow.axes, *flow.summed))):
        if isinstance(source, Split):
            found |= {(0, axis) for axis in source.axes}
        else:
            found.add((source.operand, source.axis))
    return found


@cache
def unchanged(rank: int) -> Flow:
    """Return the flow of an elementwise function of one operand."""
    return Flow(tuple(Same(axis) for axis in range(1, rank + 1)))


@cache
def _side_by_side(rank: int, operands: int) -> Flow:
    return Flow(tuple(
        Together(tuple(Same(axis, number) for number in range(operands)))
        for axis in range(1, rank + 1)
    ))  # fmt: skip


def elementwise(*inputs: Shape) -> Flow:
    """Return the flow of operands that broadcast, aligned at the last axis.

    >>> x, scale = Shape(8, (Extent(5), Extent(5))), Shape(8, (Extent(1), Extent(1)))
    >>> elementwise(x, scale).axes[2]
    Together(sources=(Same(axis=3, operand=0, held=None), Repeated(axis=3, operand=1)))
    """
    first, *others = inputs
    if all(first == other for other in others):
        rank = len(first.spatial) + 1
        return _side_by_side(rank, len(inputs)) if others else unchanged(rank)
    return Flow(aligned([(n, extents_of(x)) for n, x in enumerate(inputs)]))


def aligned(
    operands: Sequence[tuple[int, Sequence[Extent]]], *, first: int = 1
) -> tuple[From | Together, ...]:
    """Return axes of operands that broadcast, each given by its number and sizes.

    ``first`` is the number of the first of these axes. Sizes of 1 are repeated.
    """
    most = max(len(sizes) for _, sizes in operands)
    found: list[From | Together] = []
    for back in range(most, 0, -1):
        here = [(number, sizes) for number, sizes in operands if len(sizes) >= back]
        is_wide = any(sizes[-back] != _ONE for _, sizes in here)
        every = tuple(
            (Repeated if is_wide and sizes[-back] == _ONE else Same)(
                len(sizes) - back + first, number
            )
            for number, sizes in here
        )
        found.append(Together(every) if len(every) > 1 else every[0])
    return tuple(found)


_ONE = Extent(1)

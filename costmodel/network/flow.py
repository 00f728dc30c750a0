"""Where each axis of an operator's output comes from: the words of ``flow``.

An operator's flow says of each output axis which axis of which operand its positions
are, and how. Whoever asks what goes where reads it: which channels grow together
(``widen``), which pixels are seen (``receptive_field``, ``support``), how a view lies
in memory.

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
from costmodel.network.axes import axes as extents_of
from costmodel.network.shape import Shape


Held: TypeAlias = str | tuple[str, int] | None
"""The operator's field that says how many there are, and which of a tuple; or none."""


class AxisFlow:
    """Where the positions of one output axis come from."""

    __slots__ = ()


class From(AxisFlow):
    """Positions that come from one axis of one operand.

    ``window`` is what a position sees along it, if that is one window for all of them;
    None sees the whole axis.
    """

    __slots__ = ()
    axis: int
    operand: int
    is_one_window: ClassVar[bool] = True

    @property
    def window(self) -> Window | None:
        """See the same position."""
        return Window()


@final
@dataclass(frozen=True, slots=True)
class Same(From):
    """Each position is that of the axis; ``held`` counts them, if a field does."""

    axis: int
    operand: int = 0
    held: Held = None


@final
@dataclass(frozen=True, slots=True)
class Repeated(From):
    """Every position is the only one of an axis of size 1."""

    axis: int
    operand: int = 0

    @property
    def window(self) -> Window | None:
        """See position 0 from everywhere."""
        return Window(stride=0)


@final
@dataclass(frozen=True, slots=True)
class Tiled(From):
    """The n positions of the axis, again and again: i is i mod n."""

    axis: int
    operand: int = 0
    is_one_window: ClassVar[bool] = False


@final
@dataclass(frozen=True, slots=True)
class Turned(From):
    """The positions of the axis in another order that is not kept: rolled, mirrored."""

    axis: int
    operand: int = 0
    is_one_window: ClassVar[bool] = False


@final
@dataclass(frozen=True, slots=True)
class Slid(From):
    """A window that slides along the axis, whose taps are ``gap`` apart (dilation).

    ``border`` is what stands beside the axis: zeros, or its own positions once more.
    """

    axis: int
    along: Window
    gap: Dim = 1
    border: str = "zeros"
    operand: int = 0

    @property
    def window(self) -> Window | None:
        """See what is under the window, and in its gaps."""
        return self.along


@final
@dataclass(frozen=True, slots=True)
class Scattered(From):
    """What a window would read is written: a transposed convolution.

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
    """Another number of positions, interpolated or averaged; see ``Resize``'s modes.

    ``is_given``: their number is, however long the axis.
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

    ``held`` names the fields that count what is in front, what is taken, what is left.
    Without ``end`` the output's size says how many are taken.
    """

    axis: int
    start: Dim = 0
    step: Dim = 1
    end: Dim = 0
    held: tuple[Held, Held, Held] = (None, None, None)
    operand: int = 0

    @property
    def window(self) -> Window | None:
        """See one position, from the start on."""
        return Window(stride=self.step, before=-self.start, after=-self.end)


@final
@dataclass(frozen=True, slots=True)
class Padded(From):
    """The axis with so many positions in front and behind: zeros, or another border.

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
        """See one position, behind those in front."""
        return Window(before=self.before, after=self.after)


@final
@dataclass(frozen=True, slots=True)
class Mixed(From):
    """Each position sees all of its group; there are ``groups`` in a row.

    ``held`` says how many positions are made; without it they are those of the axis.
    More groups than one are the operator's field ``groups``.
    """

    axis: int
    groups: Dim = 1
    held: Held = None
    operand: int = 0

    @property
    def window(self) -> Window | None:
        """See the whole axis."""
        return None


@final
@dataclass(frozen=True, slots=True)
class Listed(From):
    """Position i sees those that row i of a table lists."""

    axis: int
    table: tuple[tuple[int, ...], ...]
    operand: int = 0

    @property
    def window(self) -> Window | None:
        """See the whole axis, as far as is known without the table."""
        return None


@final
@dataclass(frozen=True, slots=True)
class Together(AxisFlow):
    """One axis of several operands, position by position: a sum, a product."""

    sources: tuple[From, ...]


@final
@dataclass(frozen=True, slots=True)
class Joined(AxisFlow):
    """Axes of several operands one behind the other: a concatenation."""

    parts: tuple[Same, ...]


@final
@dataclass(frozen=True, slots=True)
class Merged(AxisFlow):
    """One axis that is made of several, row by row: the last one is the fastest."""

    parts: tuple[AxisFlow, ...]


@final
@dataclass(frozen=True, slots=True)
class Split(AxisFlow):
    """One of several axes that another axis, or a merged one, is taken apart into.

    ``wide`` is the number of the one that is as many as the axis asks for, where the
    operator says how many the others are.
    """

    whole: Same | Merged
    sizes: tuple[Dim, ...]
    number: int
    wide: int | None = None

    @property
    def axes(self) -> tuple[int, ...]:
        """The operand's axes that are taken apart."""
        parts = self.whole.parts if isinstance(self.whole, Merged) else (self.whole,)
        return tuple(part.axis for part in parts if isinstance(part, Same))


@final
@dataclass(frozen=True, slots=True)
class New(AxisFlow):
    """Positions made here, as many as the field says, or as the shape that it holds.

    Along it every position sees the same of what the other axes see. Those of a field
    are an operator's own width; those of a shape are as many as what they meet.
    """

    held: Held = None


@final
@dataclass(frozen=True, slots=True)
class Fixed(AxisFlow):
    """So many positions whatever the operands: the taps of a kernel, a size of 1."""

    size: Dim = 1


@final
@dataclass(frozen=True, slots=True)
class Unknown(AxisFlow):
    """Nobody has a rule for it: whoever follows it refuses."""


@final
@dataclass(frozen=True, slots=True)
class Flow:
    """Where every axis of an output comes from, and over what its elements are sums.

    ``summed`` are axes of operands of which every result sees all positions; several
    that are multiplied position by position are ``Together``. Every axis of an operand
    that has more than one position is in one of both.
    """

    axes: tuple[AxisFlow, ...]
    summed: tuple[From | Together, ...] = ()

    @property
    def is_known(self) -> bool:
        """Say whether there is a rule at all."""
        return not any(isinstance(axis, Unknown) for axis in self.axes)


def parts_of(axis: AxisFlow) -> tuple[AxisFlow, ...]:
    """Return what an axis is merged of, or the axis itself."""
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
    """Return the operand's number and the axis, of every axis that is named."""
    found = set[tuple[int, int]]()
    for source in chain.from_iterable(map(sources, (*flow.axes, *flow.summed))):
        if isinstance(source, Split):
            found |= {(0, axis) for axis in source.axes}
        else:
            found.add((source.operand, source.axis))
    return found


@cache
def unchanged(rank: int) -> Flow:
    """Return the flow of a function of each element of one operand."""
    return Flow(tuple(Same(axis) for axis in range(1, rank + 1)))


@cache
def _side_by_side(rank: int, operands: int) -> Flow:
    return Flow(tuple(
        Together(tuple(Same(axis, number) for number in range(operands)))
        for axis in range(1, rank + 1)
    ))  # fmt: skip


def elementwise(*inputs: Shape) -> Flow:
    """Return the flow of operands that broadcast: aligned at the last axis.

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

"""Abstract base classes of operators, with the facts that their subclasses share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeVar

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network.flow import AxisFlow, Fixed, Flow, Same, Slid, elementwise
from costmodel.network.operator import Operator, Sizes, Weights, Windows
from costmodel.network.shape import AXES, Shape


POINT: Windows = ()
"""The windows of an operator that depends on a single position, along any axes."""


def along(windows: Windows, axis: int) -> Window:
    """Return the window of a spatial axis, counted from 0."""
    return windows[axis] if axis < len(windows) else Window()


class KindOf:
    """The kind of an operator that has rows in a table: the row's name.

    The kind of the class itself is used in the JSON of networks.
    """

    def __init__(self, of_class: str, field: str) -> None:
        """Keep the class's kind, and the field that names the row."""
        self.of_class, self.field = of_class, field

    def __get__(self, operator: Operator | None, _class: type[Operator]) -> str:
        """Return the kind of the operator, or of its class."""
        return self.of_class if operator is None else getattr(operator, self.field)


def by(sizes: Sizes) -> str:
    """Write sizes as 3×3."""
    return "×".join(map(str, sizes))


def are_all(sizes: Sizes, value: Dim) -> bool:
    """Say whether sizes are that value along every axis."""
    return all(size == value for size in sizes)


def suffix(stride: Sizes, groups: Dim = 1, dilation: Sizes = (1,)) -> str:
    """Write stride, groups and dilation if they are not the defaults."""
    parts = []
    if not are_all(stride, 1):
        same = are_all(stride, stride[0])
        parts.append(f"/{stride[0]}" if same else f"/{by(stride)}")
    if groups != 1:
        parts.append(f"groups {groups}")
    if not are_all(dilation, 1):
        parts.append(f"dilation {by(dilation)}")
    return "".join(f", {part}" for part in parts)


def slide(x: Shape, channels: Dim, windows: Windows) -> Shape:
    """Return the shape after windows have slid over the axes of a feature map."""
    axes = AXES[len(windows)]
    sides = zip(axes, x.require_axes(len(axes)), windows, strict=True)
    return Shape(channels, tuple(fitted(x, name, side, w) for name, side, w in sides))


def fitted(x: Shape, axis: str, extent: Extent, window: Window) -> Extent:
    """Return the extent after a window along an axis; raise if it does not fit."""
    out = extent.through(window)
    if type(out.base) is int and out.base < 1:
        raise CostModelError(
            f"input {x} is too small: a window of {window.size} does not fit its "
            f"{axis} {extent} with padding {window.before}"
        )
    return out


class Stateless(Operator):
    """An operator that stores no tensor."""

    __slots__ = ()

    def weights(self, *inputs: Shape) -> Weights:
        """Return no tensors."""
        return {}


class Source(Stateless):
    """A tensor that is computed from no operand: a sample, a stored tensor."""

    __slots__ = ()
    kind: ClassVar[str] = "source"
    arity: ClassVar[tuple[int, int | None]] = (0, 0)

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return no operations."""
        return Tally()

    @property
    def window(self) -> Windows | None:
        """Return the windows of a single position: there is no operand to look at."""
        return POINT

    def flow(self, *inputs: Shape) -> Flow:
        """Return axes of fixed length, which come from no operand."""
        return Flow(tuple(map(Fixed, self.output(*inputs).sizes)))


class SameShape(Operator):
    """An operator with one result per element: the shape stays.

    Several operands broadcast. Subclasses may change the shape.
    """

    __slots__ = ()

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        return inputs[0]

    @property
    def window(self) -> Windows | None:
        """Return the windows of a single position."""
        return POINT

    def flow(self, *inputs: Shape) -> Flow:
        """Return each axis unchanged, those of several operands together."""
        return elementwise(*inputs)


class Elementwise(SameShape, Stateless):
    """One result for each element, or each pair of them: the shape stays."""

    __slots__ = ()
    kind: ClassVar[str] = "elementwise"


class Normalization(SameShape):
    """Each element scaled by statistics of several, γ·(x − μ)/σ + β: the shape stays.

    Most store γ and β; a softmax, whose scale is a sum of exponentials, stores nothing.
    Statistics are constants: a position depends on its own element alone.
    """

    __slots__ = ()


class Windowed(Operator):
    """An operator with a sliding window: convolution, pooling, resizing."""

    __slots__ = ()

    def flow(self, *inputs: Shape) -> Flow:
        """Return the channels unchanged, and a window along each other axis."""
        positions = self.window_flow()[: len(inputs[0].spatial)]
        return Flow((self.channel_flow(inputs[0]), *positions))

    def channel_flow(self, x: Shape) -> AxisFlow:
        """Return the flow of the channels: each comes from the same channel."""
        return Same(1)

    def window_flow(self) -> tuple[AxisFlow, ...]:
        """Return the flow of the spatial axes: a window along each."""
        dilation = self.attributes.get("dilation", ())
        gaps = dilation if isinstance(dilation, tuple) else (dilation,)
        windows = self.window or ()
        return tuple(
            Slid(axis + 2, window, gaps[axis] if axis < len(gaps) else 1)
            for axis, window in enumerate(windows)
        )


class Weighted(Operator):
    """Sums of products of the operand's elements with stored tensors."""

    __slots__ = ()
    is_layer: ClassVar[bool] = True


class Product(Stateless):
    """A product of operands, none of them stored by the operator."""

    __slots__ = ()

    @property
    def window(self) -> Windows | None:
        """Return None: every result depends on the whole input."""
        return None


class Rearrangement(SameShape, Stateless):
    """Elements moved, repeated, renamed, dropped or padded: no operations."""

    __slots__ = ()
    kind: ClassVar[str] = "rearrangement"

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return no operations."""
        return Tally()


class Reduction(Stateless):
    """Elements summed, or otherwise combined, along whole axes."""

    __slots__ = ()
    kind: ClassVar[str] = "reduction"


Row = TypeVar("Row")


def rule_for(rules: Mapping[type[Operator], Row], kind: type[Operator]) -> Row | None:
    """Return a table's row for a class: its own, or that of its nearest base.

    Passes use such tables: one row per base, and one per class that is an exception.

    >>> rule_for({Elementwise: "any", Operator: "none"}, Elementwise)
    'any'
    """
    for base in kind.__mro__:
        if base in rules:
            return rules[base]
    return None

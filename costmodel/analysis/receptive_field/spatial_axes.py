"""Which axes of each tensor are the image's spatial axes, and the windows along them.

A feature map has height and width at axes 2 and 3, a volume its depth in front of them.
A permutation moves them; a reshape merges them with other axes, or splits them into
parts that need not stay together: i = 4·block + pixel has one part of each block, and
one of each pixel in it. A part that is read as a whole, by a mean, as channels or by
attention, makes blocks of what is seen. All of this is read off the operators' axis
flows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import NamedTuple, TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, as_dim, is_equal
from costmodel.algebra.window import Window
from costmodel.analysis.receptive_field.connectivity import size_of
from costmodel.analysis.receptive_field.same_padding import as_tensorflow
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.axes import extents as extents_of
from costmodel.network.flow import (
    AxisFlow,
    Flow,
    From,
    Joined,
    Listed,
    Mixed,
    Same,
    Sampled,
    Slid,
    Split,
    Tiled,
    Turned,
    axes_read,
    parts_of,
    sources,
)
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.shape import AXES, Shape


class Digit(NamedTuple):
    """A part of a spatial axis: where it is, and how many positions it has.

    Its neighbours are ``below`` elements apart in that axis of the tensor. Without a
    ``size`` it is all of that axis.
    """

    axis: int
    size: Dim | None = None
    below: Dim = 1


Digits: TypeAlias = tuple[Digit, ...]
"""A spatial axis by its parts, the slowest first: i = first·(sizes behind) + …"""


class Place(NamedTuple):
    """Where a spatial axis is in a tensor.

    There are several ``ways`` if a position has two of its positions, as the product of
    each token with each other has. Without any, all positions are read or none is.
    """

    ways: tuple[Digits, ...] = ()
    problem: str | None = None
    """Why the axis is not followed."""


Places: TypeAlias = tuple[Place, ...]
"""The axes of height and width, or of whatever spatial axes the input has."""

CONSUMED = Place()
FLAT = Place(problem="was flattened into a vector")
PART = Place(problem="was flattened into a vector, of which parts are not followed")


def standard_axes(axes: int) -> Places:
    """Return the axes of so many spatial axes in a feature map.

    >>> [place.ways for place in standard_axes(1)]
    [((Digit(axis=2, size=None, below=1),),)]
    """
    return tuple(Place(((Digit(2 + axis),),)) for axis in range(axes))


def axes_of(network: Network) -> int:
    """Return how many spatial axes the first input has; these are followed."""
    return len(network.inputs[0].output.spatial) if network.inputs else 0


class Step(NamedTuple):
    """What becomes of one spatial axis of an operand, and the window along it."""

    place: Place
    window: Window | None = Window()  # noqa: RUF009 - it is immutable
    problem: str | None = None
    """Why there is no one window."""
    is_blurred: bool = False
    """Whether channels that see different pixels are taken to see those of all."""


class SpatialAxes:
    """The image's axes in every tensor of a network, and all windows along them.

    Equal layers are one operator on one shape, and are computed once.
    """

    def __init__(self, network: Network, *, same: bool = False) -> None:
        """Follow the axes; ``same`` pads as TensorFlow does."""
        self.network, self.same = network, same
        self.standard = standard_axes(axes_of(network))
        self.stored = _stored(network)
        """Nodes computed from stored tensors alone: they have none of these axes."""
        self.flows = network.flows
        self.places: dict[str, Places] = {}
        """The axes of height and width, of results in which they are not standard."""
        self._steps: dict[_Key, tuple[Step, ...]] = {}
        for node in network.nodes:
            operands = [
                self.steps(node, number)
                for number, source in enumerate(node.inputs)
                if source not in self.stored
            ]
            after = tuple(map(_common, zip(*operands, strict=True)))
            if after not in (self.standard, ()):
                self.places[node.name] = after

    def steps(self, node: Node, operand: int) -> tuple[Step, ...]:
        """Return what becomes of each spatial axis of one operand."""
        where = self.before(node, operand)
        x = self.network.by_name[node.inputs[operand]].output
        key = id(node.operator), id(x), id(node.output), operand, where
        found = self._steps.get(key)
        if found is None:
            flow = self.flows[node.name]
            reader = _Operand(x, where, node, flow, operand, self.same)
            found = tuple(map(reader.step, range(len(where))))
            self._steps[key] = found
        return found

    def before(self, node: Node, operand: int) -> Places:
        """Return the axes of height and width in one operand of a node."""
        return self.places.get(node.inputs[operand], self.standard)

    def after(self, node: Node) -> Places:
        """Return the axes of height and width in a node's result."""
        return self.places.get(node.name, self.standard)

    def windows(self, node: Node, operand: int) -> tuple[Window | None, ...]:
        """Return a node's windows on one operand along height and width.

        An operand without an axis is seen alike from every position along that axis.

        **Errors**: an operator that works along an axis that is not followed.
        """
        steps = self.steps(node, operand)
        for problem in (one.problem for one in steps if one.problem):
            raise at(node.operator.kind, node.name, problem)
        places = zip(steps, self.before(node, operand), self.after(node), strict=True)
        return tuple(
            _FIXED if len(node.inputs) > 1 and a == CONSUMED != b else one.window
            for one, a, b in places
        )

    def seen(self, node: Node) -> tuple[tuple[Window | None, ...], str | None]:
        """Return the windows of a node's positions on its elements, or what is wrong.

        A position has all channels, and all pixels that have become channels.
        """
        if node.name not in self.places:
            return (), None
        where, names = self.places[node.name], AXES[len(self.standard)]
        tensor, found = _Tensor(node.output, where), list[Window | None]()
        for name, place in zip(names, where, strict=True):
            window, problem = tensor.position(place)
            if problem:
                return (), f"no one window says what a position sees: {name} {problem}"
            found.append(window)
        return tuple(found), None


_Key: TypeAlias = tuple[int, int, int, int, Places]
"""What determines steps: operator, shapes, operand number and places."""

_FIXED = Window(stride=0)


def _stored(network: Network) -> frozenset[str]:
    """Return the nodes computed from stored tensors alone; they depend on no pixel.

    ``derived`` is one, though a sample may determine how many elements there are.
    """
    found: set[str] = set()
    for node in network.nodes:
        is_stored = type(node.operator) in (op.Parameter, op.Derived)
        if is_stored or (node.inputs and found.issuperset(node.inputs)):
            found.add(node.name)
    return frozenset(found)


def _common(operands: Sequence[Step]) -> Place:
    """Return where an axis is in a result, from where its operands put it."""
    places = [taken.place for taken in operands]
    if len(places) == 1:
        return places[0]
    if any(taken.window is None for taken in operands):
        return CONSUMED  # each result sees all of it
    ways = dict.fromkeys(way for place in places for way in place.ways)
    problems = [place.problem for place in places if place.problem is not None]
    return Place((), problems[0]) if problems else Place(tuple(ways))


def _divides(divisor: Dim, number: Dim) -> bool:
    """Say whether the quotient of two products of sizes is whole."""
    if type(divisor) is type(number) is int:
        return number % divisor == 0
    ratio = sympy.cancel(sympy.sympify(number) / divisor)
    return bool(ratio.as_numer_denom()[1] == 1)


def _over(number: Dim, divisor: Dim) -> Dim:
    return as_dim(sympy.cancel(sympy.sympify(number) / divisor))


@dataclass(frozen=True)
class _Tensor:
    """A tensor, and where the spatial axes are in it."""

    x: Shape
    where: Places

    @cached_property
    def sizes(self) -> tuple[Dim, ...]:
        """The sizes of the axes."""
        return tuple(extent.value for extent in extents_of(self.x))

    def size(self, digit: Digit) -> Dim:
        """Return how many positions a part of a spatial axis has."""
        return self.sizes[digit.axis - 1] if digit.size is None else digit.size

    @cached_property
    def hidden(self) -> frozenset[int]:
        """The axes whose elements are channels though some of them are pixels.

        They have other elements too, or are the first axis of a feature map.
        """
        inside: dict[int, set[Digit]] = {}
        for place in self.where:
            for digit in (digit for way in place.ways for digit in way):
                inside.setdefault(digit.axis, set()).add(digit)
        slowest = [way[0].axis for place in self.where for way in place.ways]
        is_map = sorted(slowest) == list(range(2, len(self.sizes) + 1))
        return frozenset(
            axis
            for axis, digits in inside.items()
            if (is_map and axis == 1)
            or not (
                any(digit.size is None for digit in digits)
                or is_equal(prod(map(self.size, digits)), self.sizes[axis - 1])
            )
        )

    def position(self, place: Place) -> tuple[Window | None, str | None]:
        """Return the window of a position, or why it is none."""
        if place.problem is not None or not place.ways:
            is_vector = place == FLAT and not self.x.spatial
            return Window(), None if is_vector else place.problem
        if len(place.ways) > 1:
            counts = {prod(map(self.size, way)) for way in place.ways}
            is_block = len(counts) > 1 and len({way[0].axis for way in place.ways}) == 1
            if not is_block:
                return None, "comes along two axes"
            return None, _blocks(_over(max(counts), min(counts)))
        (digits,) = place.ways
        shown = [digit for digit in digits if digit.axis not in self.hidden]
        rest = digits[len(shown) :]
        if not shown and digits[0].axis == 1:
            return None, None
        if digits[: len(shown)] != tuple(shown) or not shown:
            return None, _merged(digits)
        size = prod(map(self.size, rest))
        return (Window(size, size) if rest else Window()), None

    def whole(self, digits: Iterable[Digit]) -> Digits:
        """Return digits without those of one position, and neighbours in one."""
        found = list[Digit]()
        for digit in (one for one in digits if one.size != 1):
            size = self.size(digit)
            if found and found[-1].axis == digit.axis:
                last = found[-1]
                if is_equal(last.below, digit.below * size):
                    digit = Digit(digit.axis, self.size(last) * size, digit.below)  # noqa: PLW2901
                    found.pop()
            found.append(digit)
        return tuple(
            Digit(digit.axis)
            if digit.below == 1 and is_equal(self.size(digit), self.sizes[digit.axis - 1])
            else digit
            for digit in found
        )


def _blocks(size: Dim) -> str:
    return f"is split into blocks of {size}, and each position sees its own"


def _merged(digits: Digits) -> str:
    if digits[-1].below == 1:
        return "is merged with another axis"
    return "is merged with what varies faster: neighbouring positions see the same"


@dataclass(frozen=True)
class _Operand(_Tensor):
    """One operand of a node, and what its flow makes of the spatial axes."""

    node: Node
    flow: Flow
    operand: int
    same: bool

    def step(self, index: int) -> Step:
        """Return what becomes of one spatial axis."""
        place, name = self.where[index], AXES[len(self.where)][index]
        operator = self.node.operator
        try:
            if not all(map(_is_one_window, self.flow.axes)):
                operator.window  # noqa: B018 - refuses, and says why
                if not self.flow.is_known:
                    raise CostModelError("no rule says where its axes come from")
            return self._followed(place, name)
        except _MovedError as error:
            problem = str(error) or self._elsewhere()
            why = f"which positions it looks at is not followed: {problem}"
            return Step(Place(problem="is not followed"), problem=why)
        except CostModelError as error:
            return Step(Place(problem="is not followed"), problem=str(error))

    def _followed(self, place: Place, name: str) -> Step:
        if place == CONSUMED:
            return Step(place)
        is_moved = isinstance(self.node.operator, op.Rearrangement)
        if is_moved and self.x.spatial and not self.node.output.spatial:
            return Step(FLAT, None)  # of a vector, whose elements have no positions
        if place.problem is not None:
            return self._lost(place, name)
        if len(place.ways) == 1:
            return self._way(place.ways[0], name)
        try:
            steps = [self._way(digits, name) for digits in place.ways]
        except _BlocksError:
            raise
        except CostModelError:
            steps = []
        if any(one.window is None for one in steps):
            return Step(CONSUMED, None)
        ways = tuple(dict.fromkeys(way for one in steps for way in one.place.ways))
        if not steps or any(one.window != Window() for one in steps):
            raise _MovedError(f"{name} {self.position(place)[1]}")
        return Step(Place(ways))

    def _lost(self, place: Place, name: str) -> Step:
        """Keep an axis lost that stays as it is; only all elements together have it."""
        read = [
            source
            for axis in self.flow.axes
            for source in sources(axis)
            if isinstance(source, Split) or source.operand == self.operand
        ]
        if all(isinstance(one, Split) or one.window == Window() for one in read):
            is_summed = bool(self.flow.summed) and not read
            return Step(CONSUMED, None) if is_summed and place != PART else Step(place)
        if place not in (FLAT, PART):
            raise _MovedError(f"{name} {place.problem}")
        is_whole = all(isinstance(one, Mixed) and not one.running for one in read)
        return Step(CONSUMED, None) if is_whole and place == FLAT else Step(PART)

    def _way(self, digits: Digits, name: str) -> Step:
        """Return what becomes of a spatial axis that is in these parts."""
        after: list[Digits | None] = []
        window, slides, is_blurred, is_kept = Window(), False, False, False
        for digit in digits:
            number, source, below = next(self._made(digit.axis), (0, None, 1))
            here: Digits | None = (Digit(number, self.size(digit), digit.below * below),)
            match source:
                case None:
                    is_read = (self.operand, digit.axis) in axes_read(self.flow)
                    here = None if is_read else ()  # of a size of 1
                case Mixed(running=True):
                    raise CostModelError(
                        f"along {name} each position sees all those before it"
                    )
                case Mixed() | Listed():
                    here, many = None, getattr(source, "groups", 0)
                    is_blurred = is_blurred or many != 1
                    held = getattr(source, "held", None)
                    is_kept = is_kept or (not held and digit.axis not in self.hidden)
                case Split():
                    here = tuple(self._split(digit, source, name))
                case Same() if isinstance(self.flow.axes[number - 1], Joined):
                    if digit.axis in self.hidden:
                        here, is_blurred = None, True
                case Same():
                    pass
                case _:
                    slid = self._window(source, number)
                    slides = slides or slid is not None
                    if digit.size is not None or digit != digits[0]:
                        raise _MovedError(self._why(digits, digit, name))
                    window, here = slid or Window(), None
                    if slid is not None:
                        here = (self._slid(number, source, below),)
            if digit.axis == 1 and isinstance(self.node.operator, op.Windowed):
                if 1 not in self.hidden:
                    raise _MovedError
            after.append(here)
        if slides:
            for index, digit in enumerate(digits[1:], start=1):
                if after[index] and digit.axis not in self.hidden:
                    raise _MovedError(self._why(digits, digit, name))
                is_blurred = is_blurred or bool(after[index])
                after[index] = None
        return self._read(digits, after, window, name, is_kept, is_blurred)

    def _slid(self, number: int, source: From, below: Dim) -> Digit:
        if len(parts_of(self.flow.axes[number - 1])) == 1:
            return Digit(number)
        return Digit(number, size_of(source, self.sizes), below)

    def _read(  # noqa: PLR0913, PLR0917
        self, digits: Digits, after: Sequence[Digits | None], window: Window, name: str,
        is_kept: bool, is_blurred: bool,
    ) -> Step:  # fmt: skip
        """Return the step of an axis of which some parts, None, are read as wholes."""
        alive = sum(part is not None for part in after)
        if all(part is None for part in after):
            if is_blurred:
                raise _MovedError(f"{name} is merged with channels")
            return Step(CONSUMED, None)
        if None in after[:alive]:
            every = prod(map(self.size, digits[alive:]))
            raise _MovedError(
                f"{name} is split, and every {every}th position is read together"
            )
        if alive < len(after):
            if is_kept:
                blocks = _blocks(prod(map(self.size, digits[alive:])))
                raise _BlocksError(f"{name} {blocks}")
            size = prod(map(self.size, digits[alive:]))
            window = Window(size, size).then(window)
        found = _Tensor(self.node.output, ()).whole(
            digit for part in after[:alive] for digit in part or ()
        )
        return Step(Place((found,) if found else ()), window, None, is_blurred)

    def _made(self, axis: int) -> Iterator[tuple[int, From | Split, Dim]]:
        """Yield what an axis becomes: which axis, by what, in front of how much."""
        own = self.flow.axes[axis - 1] if axis <= len(self.flow.axes) else None
        if isinstance(own, From) and (own.operand, own.axis) == (self.operand, axis):
            yield axis, own, 1  # most stay where they are
            return
        for number, made in enumerate(self.flow.axes, start=1):
            parts, below = parts_of(made), 1
            for part in reversed(parts):
                for source in sources(part):
                    if isinstance(source, Split):
                        is_it = self.operand == 0 and axis in source.axes
                    else:
                        is_it = (source.operand, source.axis) == (self.operand, axis)
                    if is_it:
                        yield number, source, below
                if len(parts) > 1:
                    below = below * size_of(part, self.sizes)

    def _split(self, digit: Digit, split: Split, name: str) -> Iterator[Digit]:
        """Yield the parts of a split axis that hold parts of a digit, slowest first."""
        behind = split.axes[split.axes.index(digit.axis) + 1 :]
        below = digit.below * prod(self.sizes[axis - 1] for axis in behind)
        end = below * self.size(digit)
        if is_equal(end, prod(self.sizes[axis - 1] for axis in split.axes)):
            end = prod(split.sizes)  # of as many elements, in sizes that divide it
        found = list[tuple[int, Digit]]()
        for number, source, more in self._made(digit.axis):
            if not isinstance(source, Split):
                continue
            start = prod(split.sizes[source.number + 1 :])
            after = start * split.sizes[source.number]
            if _divides(after, below) or _divides(end, start):
                continue
            low = below if _divides(start, below) else start
            high = end if _divides(end, after) else after
            if not (_divides(below, low) and _divides(high, end)):
                sizes = "×".join(map(str, split.sizes))
                raise _MovedError(f"{name} is split by a reshape to {sizes}")
            part = Digit(number, _over(high, low), _over(low, start) * more)
            found.append((source.number, part))
        yield from (part for _, part in sorted(found, key=lambda one: one[0]))

    def _window(self, source: From, after: int) -> Window | None:
        match source:
            case Tiled():
                problem = (
                    f"{self.node.operator}: which positions repeat is not followed"
                )
                raise CostModelError(problem)
            case Turned():
                what = str(self.node.operator)
                raise CostModelError(f"along which axes is not kept of a {what}")
            case Sampled(axis=axis):
                before = extents_of(self.x)[axis - 1]
                is_copy = before == extents_of(self.node.output)[after - 1]
                return Window() if is_copy else None
            case Slid(axis=axis, along=along) if self.same and isinstance(
                self.node.operator, op.Windowed
            ):
                return as_tensorflow(along, extents_of(self.x)[axis - 1])
            case _:
                return source.window

    def _why(self, digits: Digits, digit: Digit, name: str) -> str:
        """Say why a window does not slide over positions."""
        problem = self.position(Place((digits,)))[1]
        if problem:
            return f"{name} {problem}"
        if digit.axis in self.hidden:
            return f"pixels along {name} have become channels, and it reads a part"
        return self._elsewhere()

    def _elsewhere(self) -> str:
        where = zip(AXES[len(self.where)], self.where, standard_axes(len(self.where)))
        names = [name for name, place, own in where if place != own]
        return f"{' and '.join(names)} went elsewhere in a permute or reshape before it"


def _is_one_window(axis: AxisFlow) -> bool:
    return isinstance(axis, From) and axis.is_one_window


class _MovedError(CostModelError):
    """A spatial axis is not where an operator's window slides."""


class _BlocksError(_MovedError):
    """A part of a spatial axis is read as a whole, and stays."""

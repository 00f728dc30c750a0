"""What becomes of spatial axes in an operator, and its windows along them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from costmodel.algebra.symbols import Dim, is_equal
from costmodel.algebra.window import Window
from costmodel.analysis.receptive_field.axis_parts import (
    CONSUMED,
    FLAT,
    PART,
    Digit,
    Digits,
    Place,
    Tensor,
    blocks_of,
    divides,
    over,
    standard_axes,
)
from costmodel.analysis.receptive_field.connectivity import size_of
from costmodel.analysis.receptive_field.same_padding import as_tensorflow
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.axes import extents as extents_of
from costmodel.network.flow import (
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
from costmodel.network.node import Node
from costmodel.network.shape import AXES


class Step(NamedTuple):
    """What becomes of one spatial axis of an operand, and the window along it."""

    place: Place
    window: Window | None = Window()
    problem: str | None = None
    """Why there is no one window."""
    is_blurred: bool = False
    """Whether channels that see different pixels are taken to see those of all."""


@dataclass(frozen=True)
class Operand(Tensor):
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
            axes = self.flow.axes
            if not all(isinstance(a, From) and a.is_one_window for a in axes):
                operator.window  # noqa: B018 - refuses, and says why
                self._require_known()
            return self._tapped(place, self._followed(place, name), name)
        except _MovedError as error:
            problem = str(error) or self._elsewhere()
            why = f"which positions it looks at is not followed: {problem}"
            return Step(Place(problem="is not followed"), problem=why)
        except CostModelError as error:
            return Step(Place(problem="is not followed"), problem=str(error))

    def _require_known(self) -> None:
        if not self.flow.is_known:
            raise CostModelError("no rule says where its axes come from")

    def _followed(self, place: Place, name: str) -> Step:
        is_moved = isinstance(self.node.operator, op.Rearrangement)
        if place == CONSUMED:
            is_again = is_moved and not self.x.spatial and self.node.output.spatial
            # Once it is padded, all positions see what the vector saw.
            return Step(place, Window(stride=0)) if is_again else Step(place)
        if is_moved and self.x.spatial and not self.node.output.spatial:
            return self._flattened(place)
        if place.problem is not None:
            return self._lost(place, name)
        if len(place.ways) == 1:
            return self._alone(place.ways[0], name)
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

    def _tapped(self, place: Place, found: Step, name: str) -> Step:
        """Add where pixels under windows are; refuse to read a part of them."""
        if not found.place.ways:
            return found
        taps, is_blurred = list[Digit](), found.is_blurred
        for tap in place.taps:
            number, source, below = next(self._made(tap.axis), (0, None, 1))
            match source:
                case Same() if not isinstance(self.flow.axes[number - 1], Joined):
                    taps.append(Digit(number, tap.size, tap.below * below))
                case Split():
                    taps += self._split(tap, source, name)
                case Same() | Listed():
                    is_blurred = True
                case None | Mixed(running=False):
                    is_blurred |= isinstance(source, Mixed) and source.groups != 1
                case _:
                    _ = self._window(source, number)  # may refuse, and say why
                    raise _MovedError(_part(name))
        if isinstance(self.node.operator, op.Unfold):
            kernel, along = self.node.operator.kernel, place.ways[0][0].axis - 2
            tap = Digit(1, kernel[along], prod(kernel[along + 1 :]))
            taps += [] if tap.size == 1 else [tap]
        where = found.place._replace(taps=tuple(taps))
        return found._replace(place=where, is_blurred=is_blurred)

    def _flattened(self, place: Place) -> Step:
        """Lose an axis in a vector, whose elements have no positions."""
        digits = [digit for way in place.ways for digit in way]
        is_one = bool(digits) and all(self.size(digit) == 1 for digit in digits)
        return Step(CONSUMED) if is_one else Step(FLAT, None)

    def _alone(self, digits: Digits, name: str) -> Step:
        """Return what becomes of an axis; one of one position may be there no more.

        All positions see it if it becomes an axis again, and is padded.
        """
        found = self._way(digits, name)
        if found.place != CONSUMED or found.window is None:
            return found
        return found._replace(window=found.window.then(Window(stride=0)))

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
        fates = [self._fate(digits, digit, name) for digit in digits]
        if any(fate.window for fate in fates):
            for index, digit in enumerate(digits[1:], start=1):
                if fates[index].parts and digit.axis not in self.hidden:
                    raise _MovedError(self._why(digits, digit, name))
                is_blurred = fates[index].is_blurred or bool(fates[index].parts)
                fates[index] = _Fate(None, is_blurred=is_blurred)
        alive = sum(fate.parts is not None for fate in fates)
        is_blurred = any(fate.is_blurred for fate in fates)
        if not alive:
            if is_blurred:
                raise _MovedError(f"{name} is merged with channels")
            return Step(CONSUMED, None)
        size = prod(map(self.size, digits[alive:]))
        if any(fate.parts is None for fate in fates[:alive]):
            raise _MovedError(
                f"{name} is split, and every {size}th position is read together"
            )
        window = fates[0].window or Window()
        if alive < len(fates):
            if any(fate.is_kept for fate in fates):
                raise _BlocksError(f"{name} {blocks_of(size)}")
            window = Window(size, size).then(window)
        parts = (digit for fate in fates[:alive] for digit in fate.parts or ())
        found = Tensor(self.node.output, ()).whole(parts)
        return Step(Place((found,) if found else ()), window, None, is_blurred)

    def _fate(  # noqa: C901, PLR0911 - one case per kind of flow
        self, digits: Digits, digit: Digit, name: str
    ) -> _Fate:
        """Return what becomes of one part."""
        is_windowed = isinstance(self.node.operator, op.Windowed)
        if digit.axis == 1 and is_windowed and 1 not in self.hidden:
            raise _MovedError
        number, source, below = next(self._made(digit.axis), (0, None, 1))
        here = Digit(number, self.size(digit), digit.below * below)
        match source:
            case None:
                is_read = (self.operand, digit.axis) in axes_read(self.flow)
                return _Fate(None if is_read else ())  # not read: a size of 1
            case Mixed(groups=groups, held=held, running=running):
                if running:
                    problem = f"along {name} each position sees all those before it"
                    raise CostModelError(problem)
                is_kept = not held and digit.axis not in self.hidden
                return _Fate(None, is_blurred=groups != 1, is_kept=is_kept)
            case Listed():
                return _Fate(None, is_blurred=True)
            case Split():
                return _Fate(tuple(self._split(digit, source, name)))
            case Same():
                is_joined = isinstance(self.flow.axes[number - 1], Joined)
                is_lost = is_joined and digit.axis in self.hidden
                if digit.size is None and len(parts_of(self.flow.axes[number - 1])) < 2:
                    here = Digit(number)  # an axis still, though it be of one position
                return _Fate(None if is_lost else (here,), is_blurred=is_lost)
            case _:
                pass
        window = self._window(source, number)
        if digit.size is not None or digit != digits[0]:
            raise _MovedError(self._why(digits, digit, name))
        if window is None:
            return _Fate(None)
        if len(parts_of(self.flow.axes[number - 1])) == 1:
            return _Fate((Digit(number),), window)
        return _Fate((Digit(number, size_of(source, self.sizes), below),), window)

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
            if divides(after, below) or divides(end, start):
                continue
            low = below if divides(start, below) else start
            high = end if divides(end, after) else after
            if not (divides(below, low) and divides(high, end)):
                sizes = "×".join(map(str, split.sizes))
                raise _MovedError(f"{name} is split by a reshape to {sizes}")
            part = Digit(number, over(high, low), over(low, start) * more)
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
            return _part(name)
        return self._elsewhere()

    def _elsewhere(self) -> str:
        where = zip(AXES[len(self.where)], self.where, standard_axes(len(self.where)))
        names = [name for name, place, own in where if place != own]
        return f"{' and '.join(names)} went elsewhere in a permute or reshape before it"


def _part(name: str) -> str:
    return f"pixels along {name} have become channels, and it reads a part"


class _Fate(NamedTuple):
    """What becomes of a part of a spatial axis; None: it is read as a whole."""

    parts: Digits | None
    window: Window | None = None
    is_blurred: bool = False
    is_kept: bool = False
    """Whether positions along it remain, which all see the same."""


class _MovedError(CostModelError):
    """A spatial axis is not where an operator's window slides."""


class _BlocksError(_MovedError):
    """A part of a spatial axis is read as a whole, and stays."""

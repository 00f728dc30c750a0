"""Receptive fields as unions of windows, one window per path through the graph.

Composition of windows distributes over union, so one fold over the graph computes the
union over all paths to each node, in time linear in the graph, however many paths
there are. Two representations share that fold: :class:`Paths` keeps the extremes of
all windows, :class:`PathSet` keeps every distinct one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Protocol, Self, TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.algebra.window import Window, simple
from costmodel.errors import CostModelError


Windows: TypeAlias = tuple[Window | None, ...]
"""The windows of one operator along height and width; None is the whole axis."""

MOST_WINDOWS = 100_000
"""The most distinct windows of one node that are listed; more are refused."""


class Seen(Protocol):
    """A set of paths from the input; operators extend paths, joins unite sets.

    A value is immutable, and equal ones have equal receptive fields.
    """

    @property
    def sees_everything(self) -> bool:
        """Say whether some path sees the whole input along some axis."""

    def through(self, windows: Windows, name: str, /) -> Self:
        """Return the paths continued by the operator of that name."""

    def joined(self, others: Iterable[Self], /) -> Self:
        """Return these paths and others."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Paths of one stride S along one axis, by the extremes of their windows.

    Position i of the window (R, S, P) sees the pixels i·S − P … i·S − P + R − 1. A
    further window changes each extreme by S times its own.

    **Units**: pixels of the input.

    >>> Bundle().through(Window(3, 2, 1, 1)).through(Window(3, 1, 1, 1)).size
    7
    """

    stride: Dim = 1
    before: Dim = 0
    """The most padding in front, max P."""
    beyond: Dim = 0
    """The last pixel that position 0 sees, max R − 1 − P."""
    after: Dim = 0
    """The most padding at the end."""
    smallest: Dim = 1
    """min R."""
    largest: Dim = 1
    """max R."""
    first: Dim = 0
    """min R − 1 − 2P: twice the centre of position 0 that lies furthest in front."""
    last: Dim = 0
    """max R − 1 − 2P."""

    @property
    def size(self) -> Dim:
        """The extent of the union of the windows, in pixels."""
        return simple(self.before + self.beyond + 1)

    @property
    def is_aligned(self) -> bool:
        """Say whether all windows have one centre."""
        return bool(self.first == self.last)

    def through(self, window: Window) -> Bundle:
        """Return the paths continued by one more window."""
        step, more = self.stride, window.size - 1
        tilt = more - 2 * window.before
        return Bundle(
            simple(step * window.stride),
            simple(self.before + step * window.before),
            simple(self.beyond + step * (more - window.before)),
            simple(self.after + step * window.after),
            simple(self.smallest + step * more),
            simple(self.largest + step * more),
            simple(self.first + step * tilt),
            simple(self.last + step * tilt),
        )

    def joined(self, other: Bundle) -> Bundle:
        """Return these paths and others of the same stride."""
        return Bundle(
            self.stride,
            larger(self.before, other.before),
            larger(self.beyond, other.beyond),
            larger(self.after, other.after),
            smaller(self.smallest, other.smallest),
            larger(self.largest, other.largest),
            smaller(self.first, other.first),
            larger(self.last, other.last),
        )


@dataclass(frozen=True, slots=True)
class Axis:
    """Paths along one axis: one bundle per stride, and what sees the whole input."""

    bundles: tuple[Bundle, ...] = ()
    cause: str | None = None

    def through(self, window: Window | None, name: str) -> Axis:
        """Return the paths continued by the operator of that name."""
        if window is None:
            is_empty = not self.bundles and self.cause is None
            return self if is_empty else Axis((), self.cause or name)
        return Axis(tuple(b.through(window) for b in self.bundles), self.cause)

    def joined(self, other: Axis) -> Axis:
        """Return these paths and others; those of one stride become one bundle."""
        if self == other:
            return self
        bundles = {bundle.stride: bundle for bundle in self.bundles}
        for bundle in other.bundles:
            same = bundles.get(bundle.stride)
            bundles[bundle.stride] = same.joined(bundle) if same else bundle
        return Axis(tuple(bundles.values()), self.cause or other.cause)


@dataclass(frozen=True, slots=True)
class Paths:
    """The extremes of all paths to a node, along height and width."""

    axes: tuple[Axis, ...]

    @property
    def sees_everything(self) -> bool:
        """Say whether some path sees the whole input on some axis."""
        return any(axis.cause is not None for axis in self.axes)

    def through(self, windows: Windows, name: str) -> Paths:
        """Return the paths continued by the operator of that name."""
        pairs = zip(self.axes, windows, strict=True)
        return Paths(tuple(axis.through(window, name) for axis, window in pairs))

    def joined(self, others: Iterable[Paths]) -> Paths:
        """Return these paths and others."""
        axes = self.axes
        for other in others:
            pairs = zip(axes, other.axes, strict=True)
            axes = tuple(mine.joined(theirs) for mine, theirs in pairs)
        return Paths(axes)


def no_paths(axes: int) -> Paths:
    """Return the empty set of paths, for so many spatial axes."""
    return Paths((Axis(),) * axes)


def one_pixel(axes: int) -> Paths:
    """Return the path of length 0: each input position sees itself."""
    return Paths((Axis((Bundle(),)),) * axes)


@dataclass(frozen=True, slots=True)
class PathSet:
    """Every distinct window of the paths to a node, as (height, width) pairs.

    For other inputs there is one window per spatial axis. None in place of a window is
    the whole axis.
    """

    windows: frozenset[Windows] = frozenset()
    limit: int = MOST_WINDOWS

    @property
    def sees_everything(self) -> bool:
        """Say whether some path sees the whole input on some axis."""
        return any(None in pair for pair in self.windows)

    def through(self, windows: Windows, _name: str) -> PathSet:
        """Return the paths continued by one more operator."""
        found = (tuple(map(_then, seen, windows)) for seen in self.windows)
        return PathSet(frozenset(found), self.limit)

    def joined(self, others: Iterable[PathSet]) -> PathSet:
        """Return these paths and others, unless they are too many to list."""
        found = self.windows.union(*(other.windows for other in others))
        if len(found) > self.limit:
            raise CostModelError(
                f"windows: over {self.limit} distinct ones; give a larger limit, or "
                "ask for smallest, largest and their union, which take no list"
            )
        return PathSet(found, self.limit)


def larger(left: Dim, right: Dim) -> Dim:
    """Return the larger of two counts, without Max if that can be decided.

    >>> k = sympy.Symbol("k", positive=True, integer=True)
    >>> larger(3, 5), larger(k, 1), larger(k, 3)
    (5, k, Max(3, k))
    """
    if type(left) is int and type(right) is int:
        return max(left, right)
    chosen = _chosen(left, right)
    return as_dim(sympy.Max(left, right)) if chosen is None else chosen


def smaller(left: Dim, right: Dim) -> Dim:
    """Return the smaller of two counts.

    >>> k = sympy.Symbol("k", positive=True, integer=True)
    >>> smaller(3, 5), smaller(2 * k, k), smaller(k, 3)
    (3, k, Min(3, k))
    """
    if type(left) is int and type(right) is int:
        return min(left, right)
    opposite = _chosen(-left, -right)
    return as_dim(sympy.Min(left, right) if opposite is None else -opposite)


@cache
def _chosen(left: Dim, right: Dim) -> Dim | None:
    """Return the larger of two counts, or None if it depends on their symbols."""
    difference = expand(sympy.sympify(left) - right)
    if _is_nonnegative(difference):
        return left
    return right if _is_nonnegative(-difference) else None


def _is_nonnegative(value: sympy.Expr) -> bool:
    """Say whether a polynomial in positive integers is proved non-negative.

    That is if, with each symbol s replaced by s + 1, no coefficient is negative.
    """
    if value.is_nonnegative:
        return True
    shifted = expand(value.subs({s: s + 1 for s in value.free_symbols if s.is_integer}))
    return all(term.is_nonnegative for term in sympy.Add.make_args(shifted))


@lru_cache(maxsize=1 << 16)
def _then(window: Window | None, later: Window | None) -> Window | None:
    return None if window is None or later is None else window.then(later)

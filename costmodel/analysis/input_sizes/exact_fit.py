"""Exact fit: the input sizes at which every stride divides, without a remainder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.integer_sets.periodic_set import PeriodicSet, dividing
from costmodel.algebra.integer_sets.solve import Undecided, decided
from costmodel.algebra.symbols import Dim, as_int
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError, at
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import AvgPool, MaxPool
from costmodel.network.operators.base import along


Condition: TypeAlias = tuple[str, PeriodicSet]
"""The name of a node, and the sides at which its stride leaves no remainder."""


def exact_fit(
    network: Network, axes: list[int], symbol: sympy.Symbol
) -> tuple[PeriodicSet, tuple[Condition, ...]]:
    """Return the values at which no stride leaves a remainder, and any conflict.

    ``axes`` are those of the input whose side the symbol is.
    """
    exact, conditions = PeriodicSet.between(1, name=symbol.name), list[Condition]()
    for node, axis, window, extent in _windows(network):
        about = sympy.sympify(extent.base).free_symbols
        if symbol in about or (not about and axis in axes):
            needs = _exact(node, window, extent, symbol)
            if needs.is_always:
                continue
            exact &= needs
            conditions.append((node.name, needs))
            if exact.is_never:
                break
    return exact, _conflict(exact, conditions)


def window_of(node: Node, axis: int) -> Window | None:
    """Return a node's window along an axis, if it has one with an integer stride."""
    try:
        windows = node.operator.window
    except CostModelError:  # resampling has fractional strides
        return None
    return None if windows is None else along(windows, axis)


def evened(node: Node, window: Window) -> Window:
    """Return a window without the padding that ceil_mode adds at the end."""
    if isinstance(node.operator, (MaxPool, AvgPool)):
        return Window(window.size, window.stride, window.before, window.before)
    return window


def _windows(network: Network) -> Iterator[tuple[Node, int, Window, Extent]]:
    """Give windows with a stride, their axes, and the extents that they slide over.

    The extents are computed without ceil_mode: its padding at the end is 0 if the
    window fits exactly, but would be a remainder for later layers.
    """
    even: dict[str, tuple[Extent, ...]] = {}
    for node in network.nodes:
        extents = list(node.output.spatial)
        for axis, real in enumerate(extents):
            window = window_of(node, axis)
            for source in node.inputs:
                before = network[source].output.spatial[axis : axis + 1]
                # Operands of one position may be repeated, axes may have been moved.
                if window is None or not before or before[0].through(window) != real:
                    continue
                extents[axis] = even[source][axis].through(evened(node, window))
                if window.stride != 1:
                    yield node, axis, window, even[source][axis]
                break
        even[node.name] = tuple(extents)


def _exact(
    node: Node, window: Window, extent: Extent, symbol: sympy.Symbol
) -> PeriodicSet:
    """Return the sides that leave no remainder here, if earlier layers leave none.

    n = (a·x + c)/s exactly, and S divides n + before + after − R.
    """
    window = evened(node, window)
    try:
        more = as_int(window.before + window.after - window.size)
        step = as_int(window.stride)
        if type(extent.base) is int:  # behind a layer of a fixed size
            return dividing(0, extent.base + more, step, symbol.name)
        if sympy.sympify(extent.base).has(sympy.floor):
            return _no_remainder(sympy.sympify(extent.value) + more, step, symbol)
        _, function = extent.line
    except CostModelError as error:
        raise at(node.operator.kind, node.name, str(error)) from None
    constant = function.constant + function.divisor * more
    return dividing(function.slope, constant, function.divisor * step, symbol.name)


def _no_remainder(size: sympy.Expr, step: int, symbol: sympy.Symbol) -> PeriodicSet:
    """Return the sides at which a number divides a size of floors."""
    whole = step * sympy.floor(size / step)
    sides = decided(sympy.Eq(whole, size), symbol)
    if isinstance(sides, Undecided):
        raise CostModelError(f"{step} divides {size}: {sides}")
    return sides


def _conflict(exact: PeriodicSet, conditions: list[Condition]) -> tuple[Condition, ...]:
    """Return the last condition, which emptied the set, and one that excludes it.

    Congruences that are pairwise compatible have a common solution.
    """
    if not exact.is_never:
        return ()
    *earlier, last = conditions
    if last[1].is_never:
        return (last,)
    against = [c for c in earlier if (c[1] & last[1]).is_never]
    return (*against[:1], last)


def left_over(extent: Extent, window: Window) -> Dim:
    """Return the distance that a window may slide: n + before + after − R."""
    return extent.value + window.before + window.after - window.size

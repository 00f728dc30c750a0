"""Which input sizes a network takes: the smallest ones, and those that fit exactly.

Every extent is ⌊(H + c)/s⌋, so both questions are about remainders and bounds of H;
no size is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.residues import Residues, dividing, line
from costmodel.algebra.symbols import Dim, M, as_int
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError, at
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import AvgPool2d, MaxPool2d, Pad2d


Condition: TypeAlias = tuple[str, Residues]
"""The name of a node, and the sides at which its stride leaves no remainder."""


AXES = ("height", "width")


@dataclass(frozen=True, slots=True)
class Side:
    """What is known of one side of the input, in the symbol that it has."""

    symbol: sympy.Symbol
    smallest: int
    """The least value at which every map has a position."""
    needed_by: str
    """The node whose map is the first to be empty below it."""
    exact: Residues
    """The values at which no stride leaves a remainder."""
    conflict: tuple[Condition, ...] = ()
    """The conditions that no value meets together; none, where there are values."""

    def is_legal(self, value: int) -> bool:
        """Say whether the network can be made at a value."""
        return value >= self.smallest

    def is_exact(self, value: int) -> bool:
        """Say whether it can, and every stride divides what it steps over."""
        return self.is_legal(value) and value in self.exact

    @property
    def first_exact(self) -> int | None:
        """The least value that fits exactly, if there is any."""
        return self.exact.first(self.smallest)

    @property
    def why(self) -> str:
        """The nodes that no value suits together, as text; empty where values do."""
        if len(self.conflict) == 1:
            return f'"{self.conflict[0][0]}" leaves a remainder at every size'
        return " and ".join(f'"{name}" needs {needs}' for name, needs in self.conflict)


@dataclass(frozen=True, slots=True)
class Remainder:
    """What a window's stride leaves over at the end of an axis."""

    name: str
    axis: str
    rows: int
    """How many rows or columns, padding included: (n + before + after − R) mod S."""
    lost: int
    """How many of them are no padding: no window reaches them."""


def input_sizes(network: Network) -> tuple[Side, Side]:
    """Return what is known of the height and of the width that a network takes.

    Legal is H ≥ s − c for every extent ⌊(H + c)/s⌋. It fits exactly where, for every
    window, S divides n + before + after − R: then S·s divides H + c', and all such
    congruences are joined by the Chinese remainder theorem. A layer in ceil_mode fits
    where rounding up and down agree. Pooling to a fixed size asks for nothing.

    **Errors**: a side that is a number already.

    >>> from costmodel.network.registry import load
    >>> height, _ = input_sizes(load("inception_v3"))
    >>> height.smallest, height.needed_by, str(height.exact), 299 in height.exact
    (75, 'mixed_7a.conv2', 'H ≡ 11 (mod 32)', True)
    """
    sample = _sample(network)
    symbols = [line(extent)[0] for extent in sample]
    height, width = (
        _side(network, [a for a in (0, 1) if symbols[a] == symbol], symbol)
        for symbol in symbols
    )
    return height, width


def remainders(network: Network) -> tuple[Remainder, ...]:
    """Return what strides leave over in a bound network, node by node.

    >>> from costmodel.network.registry import load
    >>> remainders(load("alexnet", variant="torchvision", resolution=224))[0]
    Remainder(name='features.conv1', axis='height', rows=1, lost=0)
    """
    found = []
    for node in network.nodes:
        if node.operator.window is None or len(node.inputs) != 1:
            continue
        extents = network.shapes_into(node)[0].spatial
        for axis, extent, window in zip(AXES, extents, node.operator.window):
            even = _evened(node, window)
            over = extent.value + even.before + even.after - even.size
            if type(over) is not int or type(window.stride) is not int:
                raise CostModelError(f'remainders: "{network.name}" has symbols')
            rows = over % window.stride
            if rows:
                lost = max(0, rows - as_int(window.after))
                found.append(Remainder(node.name, axis, rows, lost))
    return tuple(found)


def admissible(build: Callable[[Dim], object], modulus: int = 32) -> Residues:
    """Return the remainders of a side for which an architecture can be built.

    Branches may fit for some sizes only. ``build`` makes the network of a side, and is
    called with the sides modulus·M + r, which stand for all of one remainder.

    >>> from costmodel.network.build import concat, conv, image, max_pool
    >>> def halved(side: Dim) -> object:
    ...     x = image(3, side, side)
    ...     return concat(conv(x, 8, 3, stride=2), max_pool(x, 2))
    >>> print(admissible(halved))
    H mod 2 = 0
    """
    fitting, problem = [], ""
    for rest in range(modulus):
        try:
            build(modulus * M + rest)
        except CostModelError as error:
            problem = problem or str(error)
        else:
            fitting.append(rest)
    if not fitting:
        raise CostModelError(f"admissible: at no size mod {modulus}: {problem}")
    return Residues.of(modulus, fitting)


def _sample(network: Network) -> tuple[Extent, Extent]:
    """Return the extents of the one input, if they are open."""
    shapes = [node.output for node in network.inputs]
    if len(shapes) != 1 or len(shapes[0].spatial) != 2:
        raise CostModelError(f'input_sizes: "{network.name}" does not take one image')
    for extent, axis in zip(shapes[0].spatial, AXES):
        if type(extent.base) is int:
            raise CostModelError(
                f'input_sizes: the {axis} of "{network.name}" is {extent} already; '
                "ask a network without a resolution"
            )
    return shapes[0].require_map()


def _side(network: Network, axes: list[int], symbol: sympy.Symbol) -> Side:
    """Return what all nodes ask of one symbol, along the axes whose side it is."""
    smallest, who = 1, network.nodes[0].name
    for node, extent, least in _bounds(network, axes):
        if type(extent.base) is int:
            continue
        _, slope, offset, stride = _line_at(node, extent)
        needed = -(-(least * stride - offset) // slope)
        if needed > smallest:
            smallest, who = needed, node.name
    exact, conditions = Residues(1, (0,), symbol.name), list[Condition]()
    for node, axis, window, extent in _windows(network):
        if axis in axes:
            needs = _exact(node, window, extent, symbol.name)
            if needs.modulus == 1 and needs.values:
                continue
            exact = exact.meet(needs)
            conditions.append((node.name, needs))
            if not exact.values:
                break
    return Side(symbol, smallest, who, exact, _conflict(exact, conditions))


def _bounds(network: Network, axes: list[int]) -> Iterator[tuple[Node, Extent, int]]:
    """Give extents with the positions that they need at least, and by whom."""
    for node in network.nodes:
        if isinstance(node.operator, Pad2d):
            extents = network.shapes_into(node)[0].require_map()
            ends = zip(extents, node.operator.before, node.operator.after, strict=True)
            for axis, (extent, *added) in enumerate(ends):
                if axis in axes:
                    yield node, extent, -sum(min(0, as_int(n)) for n in added)
        for axis, extent in enumerate(node.output.spatial):
            if axis in axes:
                yield node, extent, 1


def _windows(network: Network) -> Iterator[tuple[Node, int, Window, Extent]]:
    """Give windows that stride, their axes, and the extents that they slide over.

    The extents are those of layers that never round up: what ceil_mode pads at the end
    is nothing where it fits exactly, but would be a remainder to the layers behind.
    """
    evened: dict[str, list[Extent]] = {}
    for node in network.nodes:
        extents = list(node.output.spatial)
        shapes = network.shapes_into(node)
        for axis, extent in enumerate(extents):
            before = [evened[source][axis] for source in node.inputs if evened[source]]
            if len(before) == 1 and node.operator.window is not None:
                window = _evened(node, node.operator.window[axis])
                extents[axis] = before[0].through(window)
                if window.stride != 1:
                    yield node, axis, window, before[0]
            elif before and node.operator.window is not None:
                # Operands of one position may be repeated: the others say how many.
                known = zip(before, (shape.spatial[axis] for shape in shapes))
                extents[axis] = next(even for even, real in known if real == extent)
        evened[node.name] = extents


def _evened(node: Node, window: Window) -> Window:
    """Return a window without the padding that ceil_mode adds at the end."""
    if isinstance(node.operator, (MaxPool2d, AvgPool2d)):
        return Window(window.size, window.stride, window.before, window.before)
    return window


def _exact(node: Node, window: Window, extent: Extent, name: str) -> Residues:
    """Return the sides that leave no remainder here, if none is left before.

    n = (a·x + c)/s exactly, and S divides n + before + after − R.
    """
    try:
        more = as_int(window.before + window.after - window.size)
        step = as_int(window.stride)
        if type(extent.base) is int:  # behind a layer of a fixed size
            return dividing(0, extent.base + more, step, name)
        _, slope, offset, stride = line(extent)
    except CostModelError as error:
        raise at(node.operator.kind, node.name, str(error)) from None
    return dividing(slope, offset + stride * more, stride * step, name)


def _line_at(node: Node, extent: Extent) -> tuple[sympy.Symbol, int, int, int]:
    try:
        return line(extent)
    except CostModelError as error:
        raise at(node.operator.kind, node.name, str(error)) from None


def _conflict(exact: Residues, conditions: list[Condition]) -> tuple[Condition, ...]:
    """Return the last condition, which emptied the set, and an earlier one against it.

    Congruences that are pairwise compatible have a common solution.
    """
    if exact.values:
        return ()
    *earlier, last = conditions
    if not last[1].values:
        return (last,)
    against = (c for c in earlier if not c[1].meet(last[1]).values)
    return (next(against), last)

"""Lower bounds and constraints on each side of the input, collected from all nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import sympy
from sympy.logic.boolalg import Boolean

from costmodel.algebra.extent import Extent, normal, resolve
from costmodel.algebra.integer_sets.periodic_set import PeriodicSet
from costmodel.algebra.integer_sets.solve import decided
from costmodel.algebra.symbols import Dim, as_int, expand
from costmodel.errors import CostModelError, at
from costmodel.network.axes import along
from costmodel.network.constraint import Constraint
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import AvgPool, Crop, Pad, PadTo
from costmodel.network.requirement import Requirement
from costmodel.network.shape import Shape


@dataclass
class Limits:
    """The requirements on one side: its least value, and further conditions."""

    symbol: sympy.Symbol
    smallest: int = 1
    needed_by: str = ""
    more: list[tuple[str, PeriodicSet]] = field(default_factory=list)

    @property
    def admissible(self) -> PeriodicSet:
        """The values that satisfy all requirements."""
        found = PeriodicSet.between(self.smallest, name=self.symbol.name)
        for _, sides in self.more:
            found &= sides
        return found

    def at_least(self, node: Node, extent: Extent, least: int) -> None:
        """Require that an extent ⌊(a·x + c)/s⌋ is not below a number."""
        try:
            _, function = extent.line
        except CostModelError as error:
            raise at(node.operator.kind, node.name, str(error)) from None
        missing = least * function.divisor - function.constant
        needed = -(-missing // function.slope)
        if needed > self.smallest:
            self.smallest, self.needed_by = needed, node.name


def limits(
    network: Network, symbols: list[sympy.Symbol]
) -> tuple[dict[sympy.Symbol, Limits], tuple[Requirement, ...]]:
    """Return the requirements on each symbol, and the remaining conditions.

    The remaining ones are constraints on several symbols or on one that is no side,
    and undecidable ones.
    """
    found = {s: Limits(s, needed_by=network.nodes[0].name) for s in symbols}
    asked, axes = list(network.constraints), set[Extent]()
    for node, extent, least in _bounds(network):
        side = _side_of(extent, found)
        if side is not None and type(least) is int:
            found[side].at_least(node, extent, least)
        elif not found.keys().isdisjoint(sympy.sympify(extent.base).free_symbols):
            relation = sympy.Ge(sympy.sympify(extent.value), least)
            constraint = Constraint(relation, node.name, "enough positions")
            known = isinstance(decided(constraint.relation), PeriodicSet)
            if known or not _is_never_empty(relation, axes):
                asked.append(constraint)
        axes.add(extent)
    left = []
    for requirement in asked:
        sides, about = decided(requirement.relation), requirement.symbols & found.keys()
        if not (isinstance(sides, PeriodicSet) and about):
            left.append(requirement)
        elif not sides.is_always:
            found[next(iter(about))].more.append((requirement.node, sides))
    return found, tuple(left)


def _bounds(network: Network) -> Iterator[tuple[Node, Extent, Dim]]:
    """Give symbolic extents, the nodes that bound them, and their lower bounds."""
    seen: set[tuple[Extent, Dim]] = set()
    for node in network.nodes:
        read = network.shapes_into(node)
        for extent, least in (*_taken(node, read), *_made(node.output)):
            if type(extent.base) is not int and (extent, least) not in seen:
                seen.add((extent, least))
                yield node, extent, least


def _made(shape: Shape) -> Iterator[tuple[Extent, Dim]]:
    """Give the axes of a tensor, each of which needs one position."""
    for extent in shape.spatial:
        yield extent, 1
    if not isinstance(shape.channels, int):
        yield normal(resolve(shape.channels), 0, 1), 1


def _taken(node: Node, read: tuple[Shape, ...]) -> Iterator[tuple[Extent, Dim]]:
    """Give the axes of which an operator needs more positions, with their number."""
    match node.operator:
        case Pad(mode=mode, windows=windows):
            for axis, window in windows.items():
                if axis > 1:  # channels are padded with zeros, and have no side
                    added = [as_int(window.before), as_int(window.after)]
                    yield along(read[0], axis), _reach(mode, added)
        case AvgPool(kernel=(_, _, _) as kernel):  # no smaller one, even if padded
            yield from zip(read[0].spatial, kernel, strict=True)
        case Crop(shape=shape):
            yield from _differences(read[0], shape)
        case PadTo(shape=shape):
            yield from _differences(shape, read[0])
        case _:  # others need no more than one position
            pass


def _reach(mode: str, added: list[int]) -> int:
    """Return how many positions a padding crops, or repeats in its mode."""
    if mode == "reflect":
        return max(added) + 1  # the border itself is not repeated
    return max(added) if mode == "circular" else -sum(min(0, n) for n in added)


def _differences(larger: Shape, smaller: Shape) -> Iterator[tuple[Extent, Dim]]:
    """Give the axes of one tensor with the sizes of a smaller one as lower bounds."""
    for extent, inside in zip(larger.spatial, smaller.spatial):
        if type(inside.base) is int:
            yield extent, inside.base
        else:
            whole = sympy.sympify(extent.value) - inside.value
            yield normal(whole, 0, 1), 0


def _side_of(extent: Extent, found: Iterable[sympy.Symbol]) -> sympy.Symbol | None:
    """Return the x of an extent ⌊(a·x + c)/s⌋, whatever a, c and s are."""
    base = sympy.sympify(extent.base)
    for side in base.free_symbols.intersection(found):
        if base == side or (base / side).is_Integer:
            return side
    return None


def _is_never_empty(relation: Boolean, axes: set[Extent]) -> bool:
    """Say whether a size is large enough because each axis in it has a position.

    Products of axes are, and sums of products, such as h·w + 1 tokens. The number of
    channels that a width multiplier gives does not depend on the input's size.
    """
    over = relation.lhs - relation.rhs if relation.args else sympy.S.Zero
    if not all(symbol.is_integer for symbol in over.free_symbols):
        return True
    sizes = {*over.atoms(sympy.floor), *over.free_symbols}
    shifts = {
        size: 1 + sympy.Dummy(nonnegative=True)
        for size in sizes
        if size.is_Symbol or normal(size, 0, 1) in axes
    }
    return bool(expand(over.xreplace(shifts)).is_nonnegative)

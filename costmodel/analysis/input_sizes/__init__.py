"""Which input sizes a network takes: the admissible ones, and those that fit exactly.

Every extent is ⌊(H + c)/s⌋, and what code asks of a size is a condition on floors, so
both questions are about remainders and bounds of H; no size is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.integer_sets.periodic_set import PeriodicSet
from costmodel.algebra.symbols import Dim, M, as_int
from costmodel.analysis.input_sizes.exact_fit import (
    Condition,
    evened,
    exact_fit,
    left_over,
    window_of,
)
from costmodel.analysis.input_sizes.requirements import Limits, limits
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.network.requirement import Requirement
from costmodel.network.shape import AXES, names_of


@dataclass(frozen=True, slots=True)
class Side:
    """What is known of one side of the input, in the symbol that it has."""

    symbol: sympy.Symbol
    admissible: PeriodicSet
    """The values that leave every axis a position and meet every constraint."""
    smallest: int
    """The least admissible value."""
    needed_by: str
    """Who asks for it: the node whose map is empty below, or whose constraint fails."""
    exact: PeriodicSet
    """The values at which no stride leaves a remainder."""
    conflict: tuple[Condition, ...] = ()
    """The conditions that no value meets together; none, where there are values."""

    def is_legal(self, value: int) -> bool:
        """Say whether the network can be made and run at a value."""
        return value in self.admissible

    def is_exact(self, value: int) -> bool:
        """Say whether it can, and every stride divides what it steps over."""
        return self.is_legal(value) and value in self.exact

    @property
    def first_exact(self) -> int | None:
        """The least admissible value that fits exactly, if there is any."""
        return (self.admissible & self.exact).first

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


def input_sizes(network: Network) -> tuple[Side, ...]:
    """Return what is known of the height and of the width that a network takes.

    Of a volume there are depth, height and width, of a row of one axis its length.

    Admissible is H ≥ s − c for every extent ⌊(H + c)/s⌋, and what the network's
    constraints ask of H alone; those that involve both sides are
    :func:`joint_conditions`. It fits exactly where, for every window, S divides
    n + before + after − R: then S·s divides H + c', and all such congruences are joined
    by the Chinese remainder theorem. A layer in ceil_mode fits where rounding up and
    down agree. Pooling to a fixed size asks for nothing.

    **Errors**: a side that is a number already; constraints that no size meets.

    >>> from costmodel.network.registry import load
    >>> height, _ = input_sizes(load("inception_v3"))
    >>> str(height.admissible), height.needed_by, str(height.exact), 299 in height.exact
    ('H ≥ 75', 'mixed_7a.conv2', 'H ≡ 11 (mod 32)', True)
    """
    symbols = [extent.line[0] for extent in _sample(network)]
    found, _ = limits(network, symbols)
    return tuple(
        _side(network, [a for a, s in enumerate(symbols) if s == symbol], found[symbol])
        for symbol in symbols
    )


def sides_by_name(network: Network) -> dict[str, Side]:
    """Return the sides that a network takes by their axes, such as height and width."""
    sides = input_sizes(network)
    return dict(zip(AXES[len(sides)], sides, strict=True))


def joint_conditions(network: Network) -> tuple[Requirement, ...]:
    """Return the conditions that :func:`input_sizes` does not answer side by side.

    Those that involve both sides or the batch, and those that cannot be decided.

    >>> from costmodel.algebra.symbols import H, W
    >>> from costmodel.network.build import image, network, relu
    >>> from costmodel.network.constraint import Constraint
    >>> square = Constraint(sympy.Eq(H, W), "attention", "one table for both axes")
    >>> net = network(relu(image()))
    >>> net = Network.from_graph(net.graph, constraints=[square])
    >>> print(*joint_conditions(net))
    "attention" needs H = W (one table for both axes)
    """
    symbols = [extent.line[0] for extent in _sample(network)]
    return limits(network, symbols)[1]


def remainders(network: Network) -> tuple[Remainder, ...]:
    """Return what strides leave over in a bound network, node by node.

    >>> from costmodel.network.registry import load
    >>> remainders(load("alexnet", variant="torchvision", resolution=224))[0]
    Remainder(name='features.conv1', axis='height', rows=1, lost=0)
    """
    found = []
    for node in network.nodes:
        if len(node.inputs) != 1:
            continue
        x = network.shapes_into(node)[0]
        names = AXES.get(len(x.spatial)) or names_of(x)[1:]
        for number, (axis, extent) in enumerate(zip(names, x.spatial, strict=True)):
            window = window_of(node, number)
            if window is None:
                continue
            over = left_over(extent, evened(node, window))
            if type(over) is not int or type(window.stride) is not int:
                raise CostModelError(f'remainders: "{network.name}" has symbols')
            rows = over % window.stride
            if rows:
                lost = max(0, rows - as_int(window.after))
                found.append(Remainder(node.name, axis, rows, lost))
    return tuple(found)


def admissible(build: Callable[[Dim], object], modulus: int = 32) -> PeriodicSet:
    """Return the remainders of a side for which an architecture can be built.

    Branches may fit for some sizes only. ``build`` makes the network of a side, and is
    called with the sides modulus·M + r, which stand for all of one remainder.

    >>> from costmodel.network.build import concat, conv, image, max_pool
    >>> def halved(side: Dim) -> object:
    ...     x = image(3, side, side)
    ...     return concat(conv(x, 8, 3, stride=2), max_pool(x, 2))
    >>> print(admissible(halved))
    H even
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
    return PeriodicSet.of(modulus, fitting)


def _sample(network: Network) -> tuple[Extent, ...]:
    """Return the extents of the one input, if they are open."""
    shapes = [node.output for node in network.inputs]
    if len(shapes) != 1 or len(shapes[0].spatial) not in AXES:
        raise CostModelError(f'input_sizes: "{network.name}" does not take one image')
    spatial = shapes[0].spatial
    for extent, axis in zip(spatial, AXES[len(spatial)], strict=True):
        if type(extent.base) is int:
            raise CostModelError(
                f'input_sizes: the {axis} of "{network.name}" is {extent} already; '
                "ask a network without a resolution"
            )
    return spatial


def _side(network: Network, axes: list[int], asked: Limits) -> Side:
    """Return what all nodes ask of one symbol, along the axes whose side it is."""
    admissible = asked.admissible
    first = admissible.first
    if first is None:
        reasons = " and ".join(f'"{name}" needs {needs}' for name, needs in asked.more)
        raise CostModelError(
            f'input_sizes: no {asked.symbol} fits "{network.name}" of at least '
            f"{asked.smallest}: {reasons}"
        )
    who = asked.needed_by
    if first > asked.smallest:
        who = next(name for name, needs in asked.more if first - 1 not in needs)
    exact, conflict = exact_fit(network, axes, asked.symbol)
    return Side(asked.symbol, admissible, first, who, exact, conflict)

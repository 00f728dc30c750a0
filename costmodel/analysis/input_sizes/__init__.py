"""The input sizes that a network accepts, and those at which all strides fit exactly.

Every extent is ⌊(H + c)/s⌋, and the constraints of code are conditions on floors, so
both sets are given by bounds and remainders of H; no size is tried.
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
    """The legal values of the symbol of one side of the input."""

    symbol: sympy.Symbol
    admissible: PeriodicSet
    """The values at which no axis is empty and every constraint holds."""
    smallest: int
    """The least admissible value."""
    needed_by: str
    """The node that is empty below the least value, or whose constraint fails there."""
    exact: PeriodicSet
    """The values at which no stride leaves a remainder."""
    conflict: tuple[Condition, ...] = ()
    """Conditions that no value satisfies together, if none fits exactly."""

    def is_legal(self, value: int) -> bool:
        """Say whether the network can be built and run at a value."""
        return value in self.admissible

    def is_exact(self, value: int) -> bool:
        """Say whether it can, and no stride leaves a remainder."""
        return self.is_legal(value) and value in self.exact

    @property
    def first_exact(self) -> int | None:
        """The least admissible value that fits exactly, if there is any."""
        return (self.admissible & self.exact).first

    @property
    def why(self) -> str:
        """The conflict as text; empty if there is none."""
        if len(self.conflict) == 1:
            return f'"{self.conflict[0][0]}" leaves a remainder at every size'
        return " and ".join(f'"{name}" needs {needs}' for name, needs in self.conflict)


@dataclass(frozen=True, slots=True)
class Remainder:
    """The remainder of a window's stride at the end of an axis."""

    name: str
    axis: str
    rows: int
    """Unused rows or columns, padding included: (n + before + after − R) mod S."""
    lost: int
    """How many of them are pixels, not padding, which no window reaches."""


def input_sizes(network: Network) -> tuple[Side, ...]:
    """Return the legal heights and widths of a network's input.

    For a volume these are depth, height and width, for a sequence its length.

    H is admissible if H ≥ s − c for every extent ⌊(H + c)/s⌋, and all constraints on H
    alone hold; those that involve both sides are
    :func:`joint_conditions`. It fits exactly if, for every window, S divides
    n + before + after − R: then S·s divides H + c', and all such congruences are solved
    by the Chinese remainder theorem. A layer with ceil_mode fits if rounding up and
    down agree. Pooling to a fixed size requires nothing.

    **Errors**: a side that is bound already; constraints that no size satisfies.

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
    """Return :func:`input_sizes` by the names of axes, such as height and width."""
    sides = input_sizes(network)
    return dict(zip(AXES[len(sides)], sides, strict=True))


def joint_conditions(network: Network) -> tuple[Requirement, ...]:
    """Return the conditions that :func:`input_sizes` does not cover.

    These involve both sides or the batch, or cannot be decided.

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
    """Return the remainders of strides in a bound network, node by node.

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
    """Return the residue classes of a side for which an architecture can be built.

    Branches may have equal sizes for some sides only. ``build`` makes the network of a
    side, and is called with the sides modulus·M + r, one for each remainder r.

    >>> from costmodel.network.build import concat, conv, image, max_pool
    >>> def halved(side: Dim) -> object:
    ...     x = image(3, side, side)
    ...     return concat(conv(x, 8, 3, stride=2), max_pool(x, 2))
    >>> print(admissible(halved))
    H even
    """
    if not callable(build):
        raise CostModelError(f"admissible: {build!r} is no function of a side")
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
    """Return the extents of the single input, if they are symbols."""
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
    """Return the legal values of one symbol, along the axes whose side it is."""
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

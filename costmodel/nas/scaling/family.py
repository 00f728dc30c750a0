"""How a network grows: the options that are its depth, its width and its resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import Any

import sympy

from costmodel.algebra.parse import exact
from costmodel.algebra.questions.legal_step import step_of
from costmodel.algebra.symbols import Dim, H, W, alpha, as_dim
from costmodel.analysis.cost import cost
from costmodel.analysis.input_sizes.tensor_sizes import tensor_sizes
from costmodel.errors import CostModelError, near
from costmodel.nas.scaling.compound import AXES
from costmodel.network.graph import Network
from costmodel.network.registry import Architecture, architectures, find, load
from costmodel.network.widen import widen


DEPTHS = ("depth", "repeats", "n", "blocks", "layers", "cells")
"""Options that are a network's depth, the first that it has."""

WIDTHS = ("width", "widening", "growth_rate")
"""Options that are a network's width."""

USUAL_SIDE = 224
"""Pixels of a side of an own network's input, if nobody says."""


@dataclass(frozen=True, slots=True)
class Point:
    """A member of a family: multiples of the base's depth and width, and its side."""

    depth: Fraction
    width: Fraction
    resolution: int


@dataclass(frozen=True)
class Family:
    """A network that grows along some of depth, width and resolution."""

    name: str
    kind: str
    """The family that its paper's constants go by; empty for an own network."""
    side: int
    """Pixels of a side of the base's input."""
    options: Mapping[str, Any]
    """The base's options of depth and width, by axis: name and value."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    own: Network | None = None
    """The network that is widened, if it is not registered."""
    _allowed: dict[int, bool] = field(default_factory=dict, compare=False, repr=False)

    @property
    def axes(self) -> tuple[str, ...]:
        """What can vary."""
        found = {*self.options}
        if self.own is None or H in self.own.free_symbols:
            found.add("resolution")
        return tuple(axis for axis in AXES if axis in found)

    def depth_of(self, multiple: Fraction) -> Any:
        """Return the value of the option of depth; numbers of blocks are rounded up."""
        if "depth" not in self.options:
            return None
        name, base = self.options["depth"]
        if name == "depth":
            return as_dim(Fraction(base) * multiple)
        if isinstance(base, tuple):
            return tuple(ceil(number * multiple) for number in base)
        return ceil(base * multiple)

    def width_of(self, multiple: Fraction) -> Dim | None:
        """Return the value of the option of width."""
        if "width" not in self.options:
            return None
        return as_dim(Fraction(self.options["width"][1]) * multiple)

    def settings(self, point: Point) -> dict[str, Any]:
        """Return a member's options, as ``load`` takes them."""
        values = {
            "depth": self.depth_of(point.depth),
            "width": self.width_of(point.width),
        }
        found = {self.options[axis][0]: values[axis] for axis in self.options}
        return {**self.fixed, **found, "resolution": point.resolution}

    def network(self, point: Point) -> Network:
        """Return a member with all sizes as numbers, for one sample."""
        settings = self.settings(point)
        if self.own is None:
            return load(self.name, batch=1, **settings)
        net = self._widened(settings.get("width", 1))
        return _bound(net, dict.fromkeys({H, W} & net.free_symbols, point.resolution))

    def symbolic(self, depth: Any) -> Network:
        """Return the members of one depth: width and height are symbols, W = H."""
        if self.own is None:
            given = dict(self.fixed)
            if "depth" in self.options:
                given[self.options["depth"][0]] = depth
            if self.width is not None:
                given[self.options["width"][0]] = self.width
            return load(self.name, batch=1, resolution=H, **given)
        net = self._widened(self.width if self.width is not None else 1)
        return _bound(net, {W: H} if W in net.free_symbols else {})

    @property
    def width(self) -> sympy.Symbol | None:
        """The symbol of the width, if it can vary."""
        if "width" not in self.options:
            return None
        if self.own is not None:
            return alpha
        found: sympy.Symbol = find(self.name).options[self.options["width"][0]].symbol
        return found

    @cached_property
    def base(self) -> Network:
        """The members of the base's depth."""
        return self.symbolic(self.depth_of(Fraction(1)))

    @cached_property
    def pace(self) -> Fraction | None:
        """The number of which legal widths are multiples; None if all are legal."""
        if self.width is None:
            return None
        if self.width.is_integer:
            return Fraction(1)
        groups = [getattr(node.operator, "groups", 1) for node in self.base.nodes]
        sizes = dict.fromkeys([*tensor_sizes(self.base), *groups])
        return step_of("scale", list(map(sympy.sympify, sizes)), self.width)

    @cached_property
    def least_side(self) -> int:
        """The fewest pixels of a side that the base can take."""
        return int(self.base.smallest(H)[0]) if H in self.base.free_symbols else 1

    def allows(self, side: int) -> bool:
        """Say whether a side meets what the network's own code asks of it."""
        if side not in self._allowed:
            self._allowed[side] = True
            if self.base.constraints and H in self.base.free_symbols:
                try:
                    self.base.bind({H: side})
                except CostModelError:
                    self._allowed[side] = False
        return self._allowed[side]

    @cached_property
    def divisor(self) -> int:
        """What an own network's channels are rounded to: at width 1 it is the same."""
        base = cost(self.own).parameters if self.own is not None else 0
        for step in (8, 4, 2):
            if self.own and cost(widen(self.own, 1, divisor=step)).parameters == base:
                return step
        return 1

    def _widened(self, width: Dim) -> Network:
        if self.own is None:
            raise CostModelError(f"{self.name}: is loaded, not widened")
        if "width" not in self.options or width == 1:
            return self.own
        return widen(self.own, width, divisor=self.divisor)


def _bound(network: Network, sides: Mapping[Any, Any]) -> Network:
    """Return a network of one sample, with its input's sides."""
    batch = {} if isinstance(network.batch, int) else {network.batch: 1}
    values = {**batch, **sides}
    return network.bind(values) if values else network


def family_of(network: object, options: Mapping[str, Any]) -> Family:
    """Return the family of a registered name, of a family's name, or of a network."""
    given = dict(options)
    if "batch" in given:
        raise CostModelError("scale: budgets are of one sample; batch is no option")
    side = given.pop("resolution", None)
    if isinstance(network, Network):
        if given:
            raise CostModelError(
                f"scale: {network.name} is no registered network and has no option "
                f"{', '.join(given)}"
            )
        if side is not None and H not in network.free_symbols:
            raise CostModelError(
                f"scale: {network.name}: resolution {side}: its input's size is "
                f"{network.inputs[0].output}, and no symbol"
            )
        _check_symbols(network)
        start = _side(network.name, USUAL_SIDE if side is None else side)
        return Family(network.name, "", start, {"width": ("width", 1)}, {}, network)
    chosen = registered(network)
    start = _side(chosen.name, chosen.resolution if side is None else side)
    grown = {}
    for axis, names in (("depth", DEPTHS), ("width", WIDTHS)):
        if name := next((name for name in names if name in chosen.options), None):
            option = chosen.options[name]
            value = option.read(chosen.name, given.pop(name, option.default))
            grown[axis] = (name, value)
            _check_number(chosen.name, name, value)
    for name in given.keys() & chosen.options.keys():
        value = chosen.options[name].read(chosen.name, given[name])
        _check_number(chosen.name, name, value)
    return Family(chosen.name, chosen.family, start, grown, given)


def _check_symbols(network: Network) -> None:
    """Refuse a network of other symbols than batch, height and width."""
    known = {H, W} | sympy.sympify(network.batch).free_symbols
    if others := sorted(map(str, network.free_symbols - known)):
        raise CostModelError(
            f"scale: {network.name} depends on {', '.join(others)} as well; bind a "
            "number first, or name a registered network"
        )


def registered(name: object) -> Architecture:
    """Return a registered network; a family's name is that of its first member."""
    known = architectures()
    members = {one.family: one for one in reversed(known.values())}
    if isinstance(name, str) and name not in known and name in members:
        return members[name]
    if not isinstance(name, str):
        raise CostModelError(
            f"scale: needs a name or a costmodel.Network, got {type(name).__name__}"
        )
    return find(name)


def _side(name: str, value: object) -> int:
    side = exact(value, f"scale: {name}: resolution")
    if type(side) is not int or side < 1:
        raise CostModelError(
            f"scale: {name}: resolution {value} is no number of pixels: the base's "
            "input is a square"
        )
    return side


def _check_number(name: str, option: str, value: Any) -> None:
    """Refuse symbols: members are numbers."""
    for part in value if isinstance(value, tuple) else (value,):
        if getattr(part, "free_symbols", None):
            raise CostModelError(f"scale: {name}: {option} = {part} is not a number")


def axes_of(family: Family, over: object) -> tuple[str, ...]:
    """Return the axes that vary: those that are asked for, or all that there are.

    **Errors**: an unknown axis; one that the network lacks, with those that it has.
    """
    if over is None:
        return family.axes
    asked = (over,) if isinstance(over, str) else over
    if not isinstance(asked, (tuple, list)) or not asked:
        raise CostModelError(f"scale: over {over!r} names none of {', '.join(AXES)}")
    for axis in asked:
        if axis not in AXES:
            hint = near(axis, AXES)
            raise CostModelError(
                f'scale: over "{axis}" is none of {", ".join(AXES)}; {hint}'.rstrip(
                    "; "
                )
            )
        if axis not in family.axes:
            raise CostModelError(_lacking(family, axis))
    return tuple(axis for axis in AXES if axis in asked)


def _lacking(family: Family, axis: str) -> str:
    has = ", ".join(family.axes) or "nothing that varies"
    text = f"scale: {family.name} has no {axis} to vary; it has {has}"
    if family.own is None:
        return text
    if axis == "depth":
        return f"{text}: the depth of a network without options cannot vary"
    return f"{text}: its input's size is a number, trace it with H and W as symbols"

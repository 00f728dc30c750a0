"""Scaling to a budget: the largest network of a family that costs no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostModelError
from costmodel.nas.scaling.budgets import MEASURED, SHOWN, measured, read_budgets, uses
from costmodel.nas.scaling.compound import Compound, compound
from costmodel.nas.scaling.family import Family, Point, axes_of, family_of
from costmodel.nas.scaling.formulas import SOURCES, Formulas, network_counts
from costmodel.nas.scaling.lattice import best_near
from costmodel.nas.scaling.ray import Members, largest_on_ray, shown
from costmodel.network.graph import Network


if TYPE_CHECKING:
    from costmodel.runtime.profile import Profile


@dataclass(frozen=True, slots=True)
class Law:
    """The textbook's answer: φ at which depth · width² · resolution² is the ratio."""

    phi: float
    network: Network = field(repr=False)
    options: Mapping[str, Any]
    cost: Mapping[str, Any]
    """What its network really costs, by metric."""
    overshoot: Fraction
    """By which part it is above the budget; negative if it is below."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """The largest network of a family within its budgets, and the textbook's."""

    network: Network = field(repr=False)
    name: str
    options: Mapping[str, Any]
    """Depth, width and resolution as used: what ``load`` takes."""
    phi: float
    """The compound coefficient of the ray's largest member within the budgets."""
    cost: Mapping[str, Any]
    """Exact counts by metric; seconds are exact fractions."""
    budget: Mapping[str, Any]
    utilisation: Fraction
    """The largest part of a budget that is used; at most 1."""
    compound: Compound
    """What the axes were multiplied by as φ grew, and the source of it."""
    law: Law | None
    """None where nothing that varies is in the law of any budget."""

    def table(self) -> list[list[str]]:
        """Return both answers as rows of text, the names of the columns first."""
        head = ["", *self.options, "phi", *self.cost, "of the budget"]
        cells = _cells(self.options, self.phi, self.cost, self.utilisation)
        rows = [head, ["scaled", *cells]]
        if law := self.law:
            cells = _cells(law.options, law.phi, law.cost, 1 + law.overshoot)
            rows.append(["law", *cells])
        return rows

    def __str__(self) -> str:
        """Write both answers, a line each."""
        rows = self.table()
        widths = [max(map(len, column)) for column in zip(*rows)]
        limits = ", ".join(f"{m} ≤ {shown(v)}" for m, v in self.budget.items())
        lines = [
            "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths))
            for row in rows
        ]
        return "\n".join([f"{self.name}, {limits}", *lines])


def _cells(
    options: Mapping[str, Any], phi: float, cost: Mapping[str, Any], used: Fraction
) -> list[str]:
    values = [_setting(value) for value in options.values()]
    counts = [shown(value) for value in cost.values()]
    return [*values, f"{phi:.3f}", *counts, f"{float(used):.2%}"]


def _setting(value: Any) -> str:
    """Write a setting exactly: as decimals if it has few, else as a fraction."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    short = f"{float(value):.6g}"
    return short if Fraction(short) == Fraction(value) else str(value)


def scale(
    network: str | Network, budget: Mapping[str, Any], *,
    over: Iterable[str] | str | None = None, device: str | Profile | None = None,
    **options: Any,
) -> Scaled:  # fmt: skip
    """Return the largest network of a family within every budget, on exact counts.

    ``network`` is a registered name, a family's name for its first member, or a
    network, whose widths are multiplied (:func:`costmodel.widen`) and whose input is
    bound. ``budget`` maps metrics to limits: those of :func:`costmodel.cost`,
    ``"latency"`` on a ``device``, or ``"peak_memory"``. ``over`` names what varies of
    depth, width and resolution; by default all that the network has. ``options`` are
    those of the base, such as ``resolution=224`` or ``classes=10``.

    Depth, width and resolution are multiplied by α^φ, β^φ and γ^φ. The largest φ within
    the budgets is bisected, and of the members near it the one that uses most is
    returned. It never exceeds a budget. φ begins at −4, a sixteenth of the base.

    **Units**: those of the metric, for one sample; latency in seconds, peak memory in
    bytes of activations in float32.
    **Errors**: an unknown name, metric or axis; a budget that is not positive or that
    the smallest member exceeds; a latency without a device.
    **Source**: Tan & Le 2019, section 3.3, for φ.

    >>> found = scale("efficientnet_b0", {"macs": 600e6})
    >>> found.cost["macs"] <= 600_000_000, float(found.utilisation) > 0.99
    (True, True)
    """
    limits = read_budgets(budget, device)
    family = family_of(network, options)
    axes = axes_of(family, over)
    if not axes:
        raise CostModelError(f"scale: {family.name} has nothing that varies")
    growth = compound(family.kind, axes)
    profile = _profile(device)
    for source in SOURCES:
        formulas = _formulas(family, source)
        members = Members(family, formulas, growth, limits, profile)
        if found := _scaled(members):
            return found
    raise CostModelError(
        f"scale: {family.name}: its formula and its network count differently"
    )


def _profile(device: str | Profile | None) -> Profile | None:
    if device is None:
        return None
    from costmodel.runtime.profile import load_profile

    return load_profile(device)


_FORMULAS: dict[tuple[str, str, str], Formulas] = {}
"""Formulas of registered families, which every later question takes again."""


def _formulas(family: Family, source: str) -> Formulas:
    """Return formulas of a family, those of an earlier question if there are any."""
    if family.own is not None:
        return Formulas(family, source)
    text = f"{sorted(family.options.items())} {sorted(family.fixed.items())}"
    key = (family.name, text, source)
    if key not in _FORMULAS:
        _FORMULAS[key] = Formulas(family, source)
    return _FORMULAS[key]


def _scaled(members: Members) -> Scaled | None:
    """Return the answer, or None if its network does not cost what its formula says."""
    phi = largest_on_ray(members)
    point = best_near(members, members.at(phi))
    network = members.family.network(point)
    cost = _costs(members, network)
    if any(cost[name] != members.cost(name, point) for name in members.budgets):
        return None
    return Scaled(
        network, members.family.name, _options(members, point), phi, cost,
        members.budgets, uses(cost, members.budgets)[0], members.compound,
        _law(members),
    )  # fmt: skip


def _costs(members: Members, network: Network) -> dict[str, Any]:
    """Return every cost of a network that is shown: the usual ones, and budgeted."""
    names = dict.fromkeys([*SHOWN, *members.budgets])
    counts = network_counts(network, (name for name in names if name not in MEASURED))
    seconds = {
        name: measured(network, name, members.device)
        for name in names if name in MEASURED
    }  # fmt: skip
    return {name: (counts | seconds)[name] for name in names}


def _options(members: Members, point: Point) -> dict[str, Any]:
    """Return the options of depth and width, and the resolution."""
    settings = members.family.settings(point)
    names = [name for name, _ in members.family.options.values()]
    if "resolution" in members.family.axes:
        names.append("resolution")
    return {name: settings[name] for name in names}


def _law(members: Members) -> Law | None:
    """Return the textbook's answer: the least φ of those of the budgets."""
    start = Point(Fraction(1), Fraction(1), members.family.side)
    found = []
    for metric, limit in members.budgets.items():
        ratio = float(Fraction(limit) / Fraction(members.cost(metric, start)))
        if (phi := members.compound.law(metric, ratio)) is not None:
            found.append(phi)
    if not found:
        return None
    point = members.at(min(found))
    try:
        network = members.family.network(point)
    except CostModelError:  # the law knows no smallest input
        return None
    cost = _costs(members, network)
    used = uses(cost, members.budgets)[0]
    return Law(min(found), network, _options(members, point), cost, used - 1)

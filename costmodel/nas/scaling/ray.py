"""The largest member of a family on its compound ray, by bisection on φ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError
from costmodel.nas.scaling.budgets import MEASURED, measured
from costmodel.nas.scaling.compound import Compound
from costmodel.nas.scaling.family import Family, Point
from costmodel.nas.scaling.formulas import Formulas


if TYPE_CHECKING:
    from costmodel.runtime.profile import Profile

STEPS = 64
"""Steps of φ from one whole number to the next."""

LEAST, MOST = -4, 64
"""φ of the smallest member, and one that no budget reaches."""


@dataclass(frozen=True)
class Members:
    """The members of a family, what they cost, and which are within the budgets."""

    family: Family
    formulas: Formulas
    compound: Compound
    budgets: Mapping[str, Any]
    device: Profile | None
    known: dict[tuple[str, Point], Dim] = field(default_factory=dict)

    def at(self, phi: float) -> Point:
        """Return the member at φ: the nearest legal width, whole pixels that are legal.

        Every rounding rises with φ.
        """
        multiples = self.compound.multiples(phi)
        side = round(self.family.side * multiples["resolution"])
        least = self.family.least_side
        below = (s for s in range(side, least - 1, -1) if self.family.allows(s))
        return Point(
            self.formulas.legal_depth(multiples["depth"]),
            self.legal_width(multiples["width"]),
            next(below, least),
        )

    def legal_width(self, multiple: Fraction) -> Fraction:
        """Return the nearest multiple at which every size of a tensor is whole."""
        pace = self.pace
        return multiple if pace is None else max(1, round(multiple / pace)) * pace

    @property
    def pace(self) -> Fraction | None:
        """The step of legal multiples of the base's width; None if all are legal."""
        if self.family.pace is None:
            return None
        return self.family.pace / Fraction(self.family.options["width"][1])

    def cost(self, metric: str, point: Point) -> Any:
        """Return what a member costs, exactly."""
        if metric not in MEASURED:
            return self.formulas.count(metric, point)
        key = (metric, point)
        if key not in self.known:
            network = self.family.network(point)
            self.known[key] = measured(network, metric, self.device)
        return self.known[key]

    def fit(self, point: Point) -> bool:
        """Say whether a member is within every budget; one that is illegal is not."""
        order = sorted(self.budgets, key=lambda name: name in MEASURED)
        try:
            return all(self.cost(n, point) <= self.budgets[n] for n in order)
        except CostModelError:
            return False


def largest_on_ray(members: Members) -> float:
    """Return the largest φ whose member is within the budgets, in steps of 1/64.

    Bisection needs costs that do not fall as φ grows. Where those that it saw did,
    as seconds may, every sixteenth of φ is tried instead, from the top.

    **Errors**: the smallest member is above a budget.
    """
    low, high = LEAST * STEPS, 0
    seen = {}

    def fits(step: int) -> bool:
        seen[step] = members.at(step / STEPS)
        return members.fit(seen[step])

    if not fits(low):
        raise _too_small(members, seen[low])
    while fits(high):
        low, high = high, max(2 * high, STEPS)
        if high > MOST * STEPS:
            raise _too_large(members)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    if not _rises(members, [seen[step] for step in sorted(seen) if step <= high]):
        tried = range(high + STEPS, LEAST * STEPS, -STEPS // 16)
        low = next((step for step in tried if fits(step)), low)
    return low / STEPS


def _rises(members: Members, points: list[Point]) -> bool:
    """Say whether every budgeted cost rises along some members."""
    for metric in members.budgets:
        values = [
            members.cost(metric, p) for p in points
            if metric not in MEASURED or (metric, p) in members.known
        ]  # fmt: skip
        if any(one > other for one, other in pairwise(values)):
            return False
    return True


def _too_large(members: Members) -> CostModelError:
    """Return the error that no member uses the budget up."""
    limits = ", ".join(f"{name} {shown(v)}" for name, v in members.budgets.items())
    return CostModelError(
        f"scale: {members.family.name}: {limits} is not reached at phi = {MOST}; "
        f"does it grow with {', '.join(members.compound.factors)}?"
    )


def _too_small(members: Members, point: Point) -> CostModelError:
    """Return the error that even the smallest member is above a budget."""
    name, over = members.family.name, []
    for metric, limit in members.budgets.items():
        value = members.cost(metric, point)
        if value > limit:
            over.append(f"{metric} {shown(value)} above {shown(limit)}")
    chosen = members.family.settings(point)
    text = ", ".join(f"{key} {value}" for key, value in chosen.items())
    return CostModelError(
        f"scale: no member of {name} is within the budget; the smallest, {text}, has "
        + " and ".join(over)
    )


def shown(value: Any) -> str:
    """Write a count exactly, seconds in four digits."""
    return f"{value:,}" if isinstance(value, int) else f"{float(value):.4g}"

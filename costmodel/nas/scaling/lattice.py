"""Members near a point of the ray: the one that uses most of the budget."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise, product
from math import ceil, floor, inf, log

import sympy

from costmodel.algebra.rounding import rounded
from costmodel.nas.scaling.budgets import MEASURED, uses
from costmodel.nas.scaling.family import Point
from costmodel.nas.scaling.ray import Members


REACH = {"depth": Fraction(5, 100), "width": Fraction(4, 100),
         "resolution": Fraction(6, 100)}  # fmt: skip
"""How far members are from the ray's, as parts of it."""

_MOST_MEASURED = {"depth": 2, "width": 5}
"""Settings that are tried where a budget is no formula: the nearest ones."""

_PARTS = 32
"""Widths that are tried where legal ones are of no step and of no rounding."""


ENOUGH = Fraction(98, 100)
"""Utilisation below which members farther from the ray are tried."""

_STRETCHES = (1, 2, 4, 8)
"""How many times as far they may be."""


def best_near(members: Members, ray: Point) -> Point:
    """Return the member of highest utilisation near a point that is within budget.

    All distinct roundings are tried: depth ± 5 %, width ± 4 %, and of each the largest
    side of ± 6 % that is within the budgets; up to 8 times as far while that uses less
    than 98 %. Of equal ones that which uses more of the other budgets wins, and then
    the nearest to the ray.
    """
    best = ray
    is_measured = not MEASURED.keys().isdisjoint(members.budgets)
    for stretch in _STRETCHES[: 1 if is_measured else None]:
        best = _best(members, ray, best, stretch)
        if _used(members, best)[0] >= ENOUGH:
            break
    return best


def _best(members: Members, ray: Point, best: Point, stretch: int) -> Point:
    """Return the best member of a window around the ray's, or the one known."""
    score = (_used(members, best), -inf)
    pairs = product(depths(members, ray, stretch), widths(members, ray, stretch))
    for depth, width in pairs:
        near = Point(depth, width, ray.resolution)
        point = _largest_side(members, near, score[0], stretch)
        if point is None:
            continue
        found = (_used(members, point), -_distance(point, ray))
        if found > score:
            best, score = point, found
    return best


def _used(members: Members, point: Point) -> list[Fraction]:
    cost = {name: members.cost(name, point) for name in members.budgets}
    return uses(cost, members.budgets)


def _distance(point: Point, ray: Point) -> float:
    """Return how far a member is from the ray's, in powers of all three."""
    ratios = (
        point.depth / ray.depth,
        point.width / ray.width,
        Fraction(point.resolution, ray.resolution),
    )
    return sum(log(ratio) ** 2 for ratio in ratios)


def _largest_side(
    members: Members, point: Point, least: list[Fraction], stretch: int
) -> Point | None:
    """Return the member of the largest side within budget, if it uses enough of it."""
    sides = [point.resolution]
    if "resolution" in members.compound.factors:
        low, high = _window(point.resolution, "resolution", stretch)
        tried = range(max(members.family.least_side, ceil(low)), floor(high) + 1)
        sides = [side for side in tried if members.family.allows(side)] or sides
    at = [Point(point.depth, point.width, side) for side in sides]
    low_index = _last_within(members, at)
    if low_index is None:
        return None
    found = at[low_index]
    used = _used(members, found)
    if used < least:
        return None
    while found.resolution > point.resolution and low_index:
        low_index -= 1  # towards the ray, where it costs the same
        if _used(members, at[low_index]) != used:
            break
        found = at[low_index]
    return found


def _last_within(members: Members, points: list[Point]) -> int | None:
    """Return the place of the last member within budget; costs rise along them."""
    if not members.fit(points[0]):
        return None
    low, over = 0, len(points)
    if members.fit(points[-1]):
        return over - 1
    while over - low > 1:
        middle = (low + over) // 2
        low, over = (middle, over) if members.fit(points[middle]) else (low, middle)
    return low


def _window(
    value: Fraction | int, axis: str, stretch: int
) -> tuple[Fraction, Fraction]:
    reach = stretch * REACH[axis]
    return value * (1 - reach), value * (1 + reach)


def depths(members: Members, ray: Point, stretch: int) -> list[Fraction]:
    """Return the depths near the ray's that differ in some number of blocks.

    Numbers of blocks are rounded up, so that they change only above multiples of 1/n.
    """
    family = members.family
    if "depth" not in members.compound.factors:
        return [ray.depth]
    name, base = family.options["depth"]
    low, high = _window(ray.depth, "depth", stretch)
    if name == "depth":
        counts = [count for count, _ in members.formulas.stages.values()] or [1, 2, 3]
        numbers = [Fraction(count) * Fraction(base) for count in counts]
    else:
        numbers = [Fraction(n) for n in (base if isinstance(base, tuple) else (base,))]
    ends = {k / n for n in numbers for k in range(ceil(low * n), floor(high * n) + 1)}
    return _nearest(
        members, _between({low, high, *ends}, ray.depth), ray.depth, "depth"
    )


def widths(members: Members, ray: Point, stretch: int) -> list[Fraction]:
    """Return the widths near the ray's at which some channels differ."""
    if "width" not in members.compound.factors:
        return [ray.width]
    low, high = _window(ray.width, "width", stretch)
    if pace := members.pace:
        steps = range(ceil(low / pace), floor(high / pace) + 1)
        found = [step * pace for step in steps if step]
    else:
        base = Fraction(members.family.options["width"][1])
        ends = _ends(members, low * base, high * base, base)
        found = _between({low, high, *ends}, ray.width)
    return _nearest(members, found, ray.width, "width")


def _ends(
    members: Members, low: Fraction, high: Fraction, base: Fraction
) -> Iterable[Fraction]:
    """Give the multiples of width at which channels are rounded to others."""
    symbol = members.family.width
    formula = sympy.sympify(members.formulas.costs(members.family.depth_of(
        Fraction(1))).macs)  # fmt: skip
    for part in sorted(formula.atoms(sympy.Function), key=str):
        found = rounded(part)
        if found is None or found.law.free_symbols != {symbol}:
            continue
        slope = found.law / symbol
        if not slope.is_Rational:
            yield from ((low + (high - low) * k / _PARTS) / base for k in range(_PARTS))
            continue
        for unit in found.units:
            step = Fraction(sympy.Rational(unit / slope))
            for k in range(ceil(low / step), floor(high / step) + 1):
                yield k * step / base


def _between(ends: Iterable[Fraction], ray: Fraction) -> list[Fraction]:
    """Return a short number between each two neighbours, and the ray's if it is one."""
    ordered = sorted(set(ends))
    found = [_short(low, high, ray) for low, high in pairwise(ordered)]
    return [*found, ray] if ray in ordered else found


def _short(low: Fraction, high: Fraction, ray: Fraction) -> Fraction:
    """Return a number between two, of as few decimals as can be.

    It is near a third number where that is between them, else near their middle.

    >>> _short(Fraction(10, 9), Fraction(9, 8), Fraction(1))
    Fraction(28, 25)
    """
    near = ray if low < ray < high else (low + high) / 2
    for digits in range(1, 9):
        found = Fraction(round(near * 10**digits), 10**digits)
        if low < found < high:
            return found
    return near


def _nearest(
    members: Members, found: Iterable[Fraction], ray: Fraction, axis: str
) -> list[Fraction]:
    """Return settings by their distance to the ray's; few if each takes a network."""
    ordered = sorted(found, key=lambda value: (abs(value - ray), value))
    return ordered[: _MOST_MEASURED[axis]] if _is_slow(members) else ordered


def _is_slow(members: Members) -> bool:
    """Say whether every member takes a network of its own."""
    is_measured = not MEASURED.keys().isdisjoint(members.budgets)
    return is_measured or members.formulas.source == "member"

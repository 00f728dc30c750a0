"""Exact costs of a family's members, fast: one formula in depth, width and side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from fractions import Fraction
from math import ceil
from typing import Any

import sympy

from costmodel.algebra.symbols import Dim, H
from costmodel.analysis.cost import Cost, cost
from costmodel.errors import CostModelError
from costmodel.nas.scaling.family import Family, Point
from costmodel.nas.scaling.whole_numbers import whole_function
from costmodel.network.graph import Network


_DEEPER = 2
"""How many times as deep the network is of which repeated blocks are learned."""


class Formulas:
    """Counts of members, as exact functions of depth, width and side.

    Where a stage repeats one block, count = base + Σ (nᵢ − bᵢ)·blockᵢ, so that two
    networks give those of every depth. Where it does not (dense blocks), each depth
    has a formula of its own. ``source`` is ``"block"``, ``"depth"`` for the latter, or
    ``"member"``, which counts each member's network.
    """

    def __init__(self, family: Family, source: str = "block") -> None:
        """Keep the family; formulas are derived on first use."""
        self.family, self.source = family, source
        self.width = family.width or sympy.Dummy()
        self._costs: dict[Any, Cost] = {}
        self._functions: dict[Any, Callable[..., Dim]] = {}
        self._known: dict[Any, Dim] = {}
        is_repeated = source == "block" and "depth" in family.options
        self.stages = _stages(self) if is_repeated else {}
        self._counts = [sympy.Symbol(f"n{i}", integer=True, positive=True)
                        for i, _ in enumerate(self.stages)]  # fmt: skip

    def count(self, metric: str, point: Point) -> Dim:
        """Return a metric of a member, exactly."""
        depth = self.family.depth_of(point.depth)
        counts = self.blocks(depth)
        key = (metric, counts or depth, point.width, point.resolution)
        if key not in self._known and self.source == "member":
            self._known[key] = cost(self.family.network(point)).metric(metric)
        elif key not in self._known:
            width = self.family.width_of(point.width) or 1
            function = self._function(metric, depth)
            self._known[key] = function(Fraction(width), point.resolution, *counts)
        return self._known[key]

    def blocks(self, depth: Any) -> tuple[int, ...]:
        """Return the number of blocks of each stage; nothing if they are unlike."""
        if not self.stages or isinstance(depth, tuple):
            return depth if self.stages else ()
        if self.family.options["depth"][0] != "depth":
            return (depth,) * len(self.stages)
        counts = (count for count, _ in self.stages.values())
        return tuple(ceil(count * Fraction(depth)) for count in counts)

    def legal_depth(self, multiple: Fraction) -> Fraction:
        """Return the largest multiple up to one at which a network can be made.

        Some architectures allow few numbers of layers, such as 3n + 4.
        """
        name, base = self.family.options.get("depth", ("depth", 1))
        if name == "depth" or isinstance(base, tuple) or self.stages:
            return multiple
        for number in range(self.family.depth_of(multiple), 0, -1):
            with suppress(CostModelError):
                self.costs(number)
                return (
                    multiple
                    if ceil(base * multiple) == number
                    else Fraction(number, base)
                )
        return multiple

    def costs(self, depth: Any) -> Cost:
        """Return the costs of one depth, in the symbols of width and side."""
        if depth not in self._costs:
            self._costs[depth] = cost(self.family.symbolic(depth))
        return self._costs[depth]

    def _function(self, metric: str, depth: Any) -> Callable[..., Dim]:
        key = metric if self.stages else (metric, depth)
        if key not in self._functions:
            formula = self._formula(metric, depth)
            self._functions[key] = whole_function(
                formula, self.width, self.family.pace, [H, *self._counts]
            )
        return self._functions[key]

    def _formula(self, metric: str, depth: Any) -> sympy.Expr:
        if not self.stages:
            return sympy.sympify(self.costs(depth).metric(metric))
        shallow, deep = reference_depths(self.family)
        terms = [sympy.sympify(self.costs(shallow).metric(metric))]
        for symbol, (count, block) in zip(self._counts, self.stages.values()):
            terms.append((symbol - count) * self.costs(deep).of(block).metric(metric))
        return sympy.Add(*terms)


def reference_depths(family: Family) -> tuple[Any, Any]:
    """Return the depths of the two networks of which repeated blocks are learned."""
    name, base = family.options["depth"]
    unit = Fraction(1) / Fraction(base) if name == "depth" else Fraction(1)
    return family.depth_of(unit), family.depth_of(_DEEPER * unit)


def _stages(formulas: Formulas) -> dict[str, tuple[int, str]]:
    """Return each stage's blocks in the base and the name of one that is repeated.

    It is empty unless blocks explain the deeper network's counts exactly.
    """
    depths = reference_depths(formulas.family)
    try:
        shallow, deep = map(formulas.costs, depths)
    except CostModelError:
        return {}
    before, after = (_children(row.name for row in c.rows) for c in (shallow, deep))
    found: dict[str, tuple[int, str]] = {}
    added = []
    for parent, children in after.items():
        if parent not in before or not (new := children.keys() - before[parent].keys()):
            continue
        block = next(name for name in children if name in new)
        like = [c for c in before[parent] if c.rstrip("0123456789") ==
                block.rstrip("0123456789")]  # fmt: skip
        found[parent] = (len(like), f"{parent}.{block}")
        added.append(len(new))
    is_same = _explains(depths, found, added) and _adds_up(shallow, deep, found, added)
    return found if is_same else {}


def _children(names: Iterable[str]) -> dict[str, dict[str, None]]:
    """Return what stands in each scope, in order."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for name in names:
        parts = name.split(".")
        for level in range(1, len(parts)):
            found[".".join(parts[:level])][parts[level]] = None
    return found


def _explains(
    depths: tuple[Any, Any], found: dict[str, tuple[int, str]], added: list[int]
) -> bool:
    """Say whether stages have as many blocks as the option of depth says."""
    counts = [count for count, _ in found.values()]
    if not found:
        return False
    if isinstance(depths[0], tuple):
        return list(depths[0]) == counts and list(depths[1]) == [
            count + more for count, more in zip(counts, added)
        ]
    return added == counts


def _adds_up(
    shallow: Cost, deep: Cost, found: dict[str, tuple[int, str]], added: list[int]
) -> bool:
    """Say whether the macs of the base and of added blocks are the deeper network's.

    The network that is chosen is counted once more, in every metric.
    """
    terms = [sympy.sympify(shallow.macs)]
    for (_, block), more in zip(found.values(), added):
        terms.append(more * deep.of(block).macs)
    return bool(sympy.expand(sympy.Add(*terms) - deep.macs) == 0)


def network_counts(network: Network, metrics: Iterable[str]) -> dict[str, Dim]:
    """Return counts of a network whose sizes are numbers."""
    totals = cost(network)
    return {metric: totals.metric(metric) for metric in metrics}


SOURCES = ("block", "depth", "member")
"""What formulas are of: each is right where the one before it is not."""

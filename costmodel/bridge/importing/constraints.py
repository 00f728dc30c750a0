"""Constraints of a network from the conditions that its code evaluated on sizes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

import sympy

from costmodel.algebra.integer_sets.periodic_set import PeriodicSet
from costmodel.algebra.integer_sets.solve import decided
from costmodel.algebra.polynomial import Size
from costmodel.bridge.importing.symbolic_int import HOLDS, Record
from costmodel.network.constraint import Constraint


RELATIONS = {"==": sympy.Eq, "!=": sympy.Ne, ">=": sympy.Ge, "<": sympy.Lt}


@lru_cache(maxsize=4096)
def always(relation: str, difference: Size) -> bool:
    """Say whether a relation of a size to 0 holds at every size of the input.

    Undecidable relations are not assumed to hold.
    """
    if difference.constant is not None:
        return bool(RELATIONS[relation](difference.constant, 0))
    sides = decided(RELATIONS[relation](sympy.sympify(difference.value), 0))
    return isinstance(sides, PeriodicSet) and sides.is_always


def admits(
    record: Record, values: Mapping[sympy.Symbol, int], demands: Collection[Size] = ()
) -> bool:
    """Say whether all conditions that held for the sample hold at other sizes.

    That given sizes be 0 is not asked.
    """
    return all(
        HOLDS[relation](difference.at(values), 0)
        for relation, difference in record.guards
        if difference not in demands
    )


def constraints(
    record: Record, demands: dict[Size, tuple[str, str]]
) -> tuple[Constraint, ...]:
    """Return the conditions under which the code runs as it did for the sample."""
    found = []
    for (relation, difference), where in record.guards.items():
        if always(relation, difference):
            continue
        node, why = demands.get(difference, (where, "its code asks for the size"))
        value = sympy.sympify(difference.value)
        made = RELATIONS[relation](value, 0)
        found.append(Constraint(made, node or "forward", why))
    return tuple(found)

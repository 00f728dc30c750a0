"""Counts that several claims need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from costmodel.algebra.symbols import Dim
from costmodel.analysis.cost import Cost, cost
from costmodel.network.build import Value, image, network
from costmodel.network.graph import Network
from costmodel.network.registry import architectures, find, load


def costs(name: str, **options: Any) -> Cost:
    """Return the cost of a network for one sample of its published resolution."""
    return cost(built(name, **options))


def built(name: str, **options: Any) -> Network:
    """Return a network for one sample of its published resolution."""
    options.setdefault("resolution", find(name).resolution)
    return load(name, batch=1, **options)


def costs_of(
    block: Callable[[Value], Value], channels: Dim, side: Dim | None = None
) -> Cost:
    """Return the cost of a block on a feature map of some channels, of one sample."""
    x = image(channels) if side is None else image(channels, side, side)
    return cost(network(block(x), batch=1))


def count(net: Network, kind: str, **attributes: object) -> int:
    """Count the operators of a kind, and with given attributes."""
    return sum(
        all(getattr(operator, key) == value for key, value in attributes.items())
        for operator in (node.operator for node in net.nodes)
        if operator.kind == kind
    )


def members(family: str) -> list[str]:
    """Return the names of a family's networks."""
    return [name for name, a in architectures().items() if a.family == family]


def ratio(one: Dim, other: Dim) -> Dim:
    """Return one count over another, exactly."""
    return sympy.sympify(one) / other

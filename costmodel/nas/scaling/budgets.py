"""Budgets: what a network may cost at most, by metric, and how far they are used."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy

from costmodel.algebra.parse import exact
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.analysis.cost import METRICS
from costmodel.errors import CostModelError, known_are
from costmodel.network.graph import Network


if TYPE_CHECKING:
    from costmodel.runtime.profile import Profile

SHOWN = ("macs", "parameters", "activations")
"""The metrics that every answer gives."""

MEASURED = {
    "latency": "seconds per batch of one sample, on a device's profile",
    "peak_memory": "bytes of activations alive at once, float32, weights apart",
}
"""Metrics that are no sum over layers, with their units."""

UNITS = {**METRICS, **MEASURED}
"""Every metric that a budget may bound, with its unit."""


def read_budgets(budget: object, device: object) -> dict[str, Dim]:
    """Return budgets as exact positive numbers, whole ones for counts.

    **Errors**: no budget, an unknown metric, a value that is no positive number, a
    latency without a device.
    """
    if not isinstance(budget, Mapping) or not budget:
        raise CostModelError(
            f"scale: budget {budget!r} maps no metric to a number, as "
            '{"macs": 600e6} does'
        )
    found = {_known(name): _positive(name, value) for name, value in budget.items()}
    if "latency" in found and device is None:
        raise CostModelError(
            "scale: a budget of latency needs a device, the name of a profile; see "
            "costmodel.profiles()"
        )
    if device is not None and "latency" not in found:
        raise CostModelError(f"scale: device {device} has no budget of latency")
    return found


def _known(name: object) -> str:
    if not isinstance(name, str) or name not in UNITS:
        hint = known_are(name, UNITS)
        raise CostModelError(f'scale: unknown metric "{name}"; {hint}')
    return name


def _positive(name: str, value: object) -> Dim:
    """Return a positive number; counts and bytes are whole."""
    number = exact(value, f"scale: budget of {name}")
    if not sympy.sympify(number).is_Rational or not number > 0:
        raise CostModelError(f"scale: budget of {name} {value} is not positive")
    if name != "latency" and type(number) is not int:
        raise CostModelError(f"scale: budget of {name} {value} is not a whole number")
    return number


def measured(network: Network, metric: str, device: Profile | None) -> Dim:
    """Return seconds or bytes of a network whose sizes are numbers."""
    if metric == "peak_memory":
        from costmodel.analysis.memory import memory

        return memory(network).peak_activation_bytes
    from costmodel.runtime.predict import predict

    if device is None:
        raise CostModelError("scale: latency without a device")
    return as_dim(predict(network, device).factored)


def uses(cost: Mapping[str, Any], budgets: Mapping[str, Any]) -> list[Fraction]:
    """Return the part of each budget that is used, the largest first: 1 is all of it.

    >>> uses({"macs": 3, "parameters": 9}, {"macs": 4, "parameters": 10})
    [Fraction(9, 10), Fraction(3, 4)]
    """
    parts = (Fraction(cost[m]) / Fraction(limit) for m, limit in budgets.items())
    return sorted(parts, reverse=True)

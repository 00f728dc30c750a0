"""Static metrics of a network, by name: what a search may minimize or hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from costmodel.algebra.symbols import Dim
from costmodel.analysis.conventions import CONVENTIONS
from costmodel.analysis.cost import METRICS, Cost, cost
from costmodel.errors import CostModelError, known_are
from costmodel.network.graph import Network


USUAL = ("macs", "parameters", "activations")

FLOPS = "flops:"
"""Before the name of a convention: ``flops:fvcore`` is what fvcore prints."""

SHAPED = {
    "layers": "convolutions and fully connected layers on the longest path",
    "peak_activation_bytes": "most bytes of activations alive at once, float32",
    "receptive_field": "pixels that a position of the last feature map sees, a side",
}
"""Metrics that are no sum over layers."""

UNITS = {**METRICS, **SHAPED}


def unit(metric: str) -> str:
    """Return what a metric counts.

    **Errors**: a metric that is not known.
    """
    if metric in UNITS:
        return UNITS[metric]
    convention = metric.removeprefix(FLOPS)
    if convention == metric or convention not in CONVENTIONS:
        names = [*UNITS, *(FLOPS + name for name in CONVENTIONS)]
        raise CostModelError(f'unknown metric "{metric}"; {known_are(metric, names)}')
    return f"floating-point operations per batch, as {convention} counts"


def is_sum(metric: str) -> bool:
    """Say whether a metric is a sum over layers."""
    unit(metric)
    return metric not in SHAPED


def measured(network: Network, metric: str) -> int:
    """Return a metric of a network whose sizes are numbers.

    **Errors**: an unknown metric; sizes that are symbols.

    >>> from costmodel.network.build import conv, image, network
    >>> net = network(conv(image(3, 8, 8), 8, kernel=3), batch=1)
    >>> measured(net, "macs"), measured(net, "flops:torch"), measured(net, "layers")
    (13824, 27648, 1)
    """
    return all_measured(network, (metric,))[0]


def all_measured(network: Network, metrics: Sequence[str]) -> tuple[int, ...]:
    """Return several metrics of one network, whose costs are added once."""
    asked = _Asked(network)
    return tuple(_whole(network, metric, asked.value(metric)) for metric in metrics)


class _Asked:
    """A network whose metrics are asked for."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @cached_property
    def cost(self) -> Cost:
        return cost(self.network)

    def value(self, metric: str) -> Dim:
        """Return a metric's formula."""
        unit(metric)
        if metric in SHAPED:
            return _shaped(self.network, metric)
        if metric in METRICS:
            return self.cost.metric(metric)
        return self.cost.flops(metric.removeprefix(FLOPS))


def _shaped(network: Network, metric: str) -> Dim:
    """Return a metric that is no sum over layers."""
    if metric == "layers":
        from costmodel.analysis.cost.depth import depth

        return depth(network)
    if metric == "peak_activation_bytes":
        from costmodel.analysis.memory import memory

        return memory(network).peak_activation_bytes
    from costmodel.analysis.receptive_field import receptive_field

    return max(receptive_field(network).size, key=float)


def _whole(network: Network, metric: str, value: Dim) -> int:
    """Return a count as an integer."""
    if type(value) is not int:
        raise CostModelError(
            f"{network.name}: {metric} is {value}; a search compares numbers: give "
            "the batch and the resolution"
        )
    return value

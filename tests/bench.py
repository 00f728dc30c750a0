"""How long all formulas of a network take, as a share of one fvcore count.

Run by ``nox -s bench``; ratios are taken within one process, imports and the building
of PyTorch modules left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

from sympy.core.cache import clear_cache

from costmodel.algebra import extent
from costmodel.algebra.tally import KINDS
from costmodel.analysis.cost import METRICS, cost
from costmodel.bridge.compile import compile  # noqa: A004
from costmodel.bridge.oracles import fvcore_macs
from costmodel.network import registry
from costmodel.network.registry import find, load


NAMES = ("lenet5", "alexnet", "vgg16", "resnet50", "resnet152", "mobilenet_v1")


def derive(name: str) -> None:
    """Load a network afresh, and derive every cost of it in N, H and W."""
    registry._build.cache_clear()
    for cached in (extent.normal, extent._formula, extent._atom):
        cached.cache_clear()
    clear_cache()
    costs = cost(load(name))
    for metric in METRICS:
        costs.metric(metric)
    assert all(getattr(costs.tally, kind) is not None for kind in KINDS)


def seconds(work: Callable[[], object], times: int) -> float:
    """Return the median time of some runs."""
    taken = []
    for _ in range(times):
        start = perf_counter()
        work()
        taken.append(perf_counter() - start)
    return median(taken)


def main(names: tuple[str, ...]) -> None:
    """Print a table."""
    sys.stdout.write(f"{'network':<14}{'derive':>10}{'fvcore':>10}{'ratio':>8}\n")
    for name in names:
        side = find(name).resolution
        size = (1, find(name).channels, side, side)
        module = compile(load(name, resolution=side), device="meta")
        real = module.to_empty(device="cpu")
        fvcore = seconds(lambda m=real, s=size: fvcore_macs(m, s), times=3)
        ours = seconds(lambda n=name: derive(n), times=5)
        line = f"{name:<14}{ours * 1e3:>7.0f} ms{fvcore * 1e3:>7.0f} ms"
        sys.stdout.write(f"{line}{ours / fvcore:>8.3f}\n")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or NAMES)

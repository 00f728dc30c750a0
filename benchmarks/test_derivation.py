"""From ``load`` to every symbolic total, beside one count by fvcore and by PyTorch.

A network is derived for the first time in the process; the counters get a module that
is already built, and the better of two runs.
"""

from __future__ import annotations

from typing import Any

import pytest

import costmodel as cm
from costmodel.algebra.tally import KINDS
from costmodel.analysis.cost import METRICS
from costmodel.bridge import oracles
from costmodel.network import registry


def derive(name: str) -> list[object]:
    """Load a network, symbolic in N, H and W, and derive every total of it."""
    costs = cm.cost(cm.load(name))
    tally = costs.tally
    return [costs.metric(m) for m in METRICS] + [getattr(tally, k) for k in KINDS]


@pytest.fixture(autouse=True, scope="module")
def warm() -> None:
    """Import what a running process has imported."""
    derive("lenet5")
    registry._build.cache_clear()


@pytest.fixture(params=list(cm.architectures()))
def architecture(request: pytest.FixtureRequest, benchmark: Any) -> Any:
    """Group what is measured by the network."""
    benchmark.group = request.param
    return cm.architectures()[request.param]


def size(architecture: Any) -> tuple[int, int, int, int]:
    """Return the shape of one published sample."""
    side = architecture.resolution
    return 1, architecture.input_channels, side, side


def test_formulas(benchmark: Any, architecture: Any) -> None:
    assert benchmark.pedantic(derive, (architecture.name,), rounds=1)


def test_fvcore(benchmark: Any, architecture: Any) -> None:
    net = cm.load(architecture.name, resolution=architecture.resolution)
    module = cm.compile(net, device="meta").to_empty(device="cpu").eval()
    work = (module, size(architecture))
    assert benchmark.pedantic(oracles.fvcore_macs, work, rounds=2)


def test_flop_counter_mode(benchmark: Any, architecture: Any) -> None:
    net = cm.load(architecture.name, resolution=architecture.resolution)
    module = cm.compile(net, device="meta").eval()
    work = (module, size(architecture))
    assert benchmark.pedantic(oracles.flop_counter_macs, work, rounds=2)

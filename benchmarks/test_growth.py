"""Time per node, from a hundred nodes to ten thousand: it does not grow."""

from __future__ import annotations

import random
from typing import Any

import pytest

import costmodel as cm
from costmodel.network.build import Value, add, conv_bn_relu, image, max_pool, network


def generated(nodes: int) -> Any:
    """Build a network of random layers with about so many nodes."""
    choose = random.Random(nodes)
    x = conv_bn_relu(image(), 16, kernel=3)
    while len(x.builder.nodes) < nodes:
        x = layer(x, choose)
    return network(x)


def layer(x: Value, choose: random.Random) -> Value:
    """Append a convolution, a residual block, or rarely a pool."""
    kernel = choose.choice([1, 3, 5])
    kind = choose.random()
    if kind < 0.5:
        return conv_bn_relu(x, 8 * choose.randint(1, 32), kernel)
    if kind < 0.995:
        return add(x, conv_bn_relu(x, x.channels, kernel))
    return max_pool(x, 3, 1, padding=1)


@pytest.mark.benchmark(group="nodes")
@pytest.mark.parametrize("nodes", [100, 1_000, 10_000])
def test_derivation_grows_with_the_nodes(benchmark: Any, nodes: int) -> None:
    def derive() -> object:
        cost = cm.cost(generated(nodes))
        return cost.macs, cost.parameters, cost.activations

    assert benchmark.pedantic(derive, rounds=3)
    benchmark.extra_info["nodes"] = nodes

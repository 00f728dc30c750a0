"""The graph that runs: as many kernels as PyTorch's profiler sees, in every mode."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given, settings

import costmodel as cm
from costmodel.network.build import (
    channel_shuffle,
    conv,
    image,
    network,
    select_channels,
    zeros,
)
from costmodel.network.graph import Network
from tests.drawn import bound_networks
from tests.runtime.profiled import foretold, seen


SMALL = (
    ("mobilenet_v2", 64), ("efficientnet_b0", 64), ("googlenet", 64),
    ("densenet121", 64), ("shufflenet_v1", 64), ("resnet18", 64), ("vgg11", 64),
    ("lenet5", 32),
)  # fmt: skip


def fused(module: Any) -> Any:
    """Return the module with its batch norms folded, as torch.fx does it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecated calls
        from torch.fx.experimental.optimization import fuse
    return fuse(module.eval())


def small(name: str, side: int) -> Network:
    return cm.load(name, resolution=side, batch=1)


@pytest.mark.parametrize(("name", "side"), SMALL)
def test_every_kernel_of_a_published_network_is_seen_by_the_profiler(
    name: str, side: int
) -> None:
    net = small(name, side)
    assert foretold(net) == seen(cm.compile(net), net)


@settings(max_examples=max(60, settings().max_examples))
@given(bound_networks())
def test_every_kernel_of_a_drawn_network_is_seen_by_the_profiler(net: Network) -> None:
    assert foretold(net) == seen(cm.compile(net), net)


def test_channels_of_zeros_are_in_any_order_without_a_copy() -> None:
    x = image(3, 8, 8)
    for y in (zeros(x, 4), conv(x, 4, 1)):
        net = network(channel_shuffle(select_channels(y, 0, 4), 2), batch=1)
        assert foretold(net) == seen(cm.compile(net), net)


@pytest.mark.parametrize(("name", "side"), SMALL)
def test_folding_batch_norms_leaves_the_kernels_that_fx_leaves(
    name: str, side: int
) -> None:
    net = small(name, side)
    assert foretold(net, "folded") == seen(fused(cm.compile(net)), net)

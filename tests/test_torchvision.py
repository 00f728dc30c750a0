"""Every torchvision variant is torchvision's network, to the last integer."""

from __future__ import annotations

from collections import Counter

import pytest

from costmodel.analysis.cost import cost
from costmodel.bridge import oracles
from costmodel.network.graph import parameters_by_name
from costmodel.network.registry import architectures, load
from tests.zoo import torchvision_network


NAMES = [
    name
    for name, architecture in architectures().items()
    if "variant" in architecture.options
    and "torchvision" in (architecture.options["variant"].choices or ())
]

SIZES = [(224, 224), (97, 129), (161, 111)]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_stored_tensors_are_equal(name: str) -> None:
    net = load(name, variant="torchvision")
    theirs = torchvision_network(name)
    assert oracles.learnable(theirs) == cost(net).parameters
    expected = Counter(oracles.stored_shapes(theirs).values())
    assert expected == Counter(parameters_by_name(net).values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_macs_are_equal_by_both_counters(name: str, size: tuple[int, int]) -> None:
    net = load(name, variant="torchvision", resolution=size, batch=1)
    theirs = torchvision_network(name)
    ours = {kind: sums.macs for kind, sums in cost(net).by_operator().items()}
    flops = oracles.flop_counter_macs(theirs, (1, 3, *size))
    assert flops == {"aten.convolution": ours["conv"], "aten.addmm": ours["linear"]}
    fvcore = oracles.fvcore_macs(theirs.to_empty(device="cpu"), (1, 3, *size))
    assert (fvcore["conv"], fvcore["linear"]) == (ours["conv"], ours["linear"])


def test_every_family_with_a_torchvision_network_is_compared() -> None:
    expected = {
        *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
        *(f"vgg{depth}{bn}" for depth in (11, 13, 16, 19) for bn in ("", "_bn")),
        *(f"densenet{depth}" for depth in (121, 161, 169, 201)),
        *(f"resnext{name}" for name in ("50_32x4d", "101_32x8d", "101_64x4d")),
        *(f"efficientnet_b{number}" for number in range(8)),
        *("wide_resnet50_2", "wide_resnet101_2", "mobilenet_v2"),
        *("mobilenet_v3_small", "mobilenet_v3_large"),
        *("alexnet", "googlenet", "inception_v3"),
    }
    assert expected == set(NAMES)

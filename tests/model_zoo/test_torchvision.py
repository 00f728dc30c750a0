"""Every torchvision variant is torchvision's network, to the last integer."""

from __future__ import annotations

from collections import Counter

import pytest

from costmodel.analysis.cost import cost
from costmodel.bridge import oracles
from costmodel.network.graph import parameters_by_name
from costmodel.network.registry import architectures, find, load
from tests.zoo import torchvision_network


NAMES = [
    name
    for name, architecture in architectures().items()
    if "variant" in architecture.options
    and "torchvision" in (architecture.options["variant"].choices or ())
]

ODD_SIZES = [(97, 129), (161, 111)]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_stored_tensors_are_equal(name: str) -> None:
    net = load(name, variant="torchvision")
    theirs = torchvision_network(name)
    assert oracles.learnable(theirs) == cost(net).parameters
    expected = Counter(oracles.stored_shapes(theirs).values())
    assert expected == Counter(parameters_by_name(net).values())


@pytest.mark.parametrize("name", NAMES)
def test_macs_and_activations_are_equal_at_every_size(name: str) -> None:
    default = find(name).resolution
    theirs = torchvision_network(name)
    for size in [(default, default), *ODD_SIZES]:
        ours = cost(load(name, variant="torchvision", resolution=size, batch=1))
        kinds = {kind: sums.macs for kind, sums in ours.by_operator().items()}
        flops = {"aten.convolution": kinds["conv"]}
        linear = kinds.get("linear", 0)
        flops |= {"aten.addmm": linear} if linear else {}
        shape = (1, 3, *size)
        assert flops == oracles.flop_counter_macs(theirs, shape)
        assert ours.activations == oracles.executed_activations(theirs, shape)


@pytest.mark.parametrize("name", NAMES)
def test_fvcore_counts_the_same_macs(name: str) -> None:
    size = ODD_SIZES[0]
    ours = cost(load(name, variant="torchvision", resolution=size, batch=1))
    theirs = torchvision_network(name).to_empty(device="cpu")
    fvcore = oracles.fvcore_macs(theirs, (1, 3, *size))
    kinds = {kind: sums.macs for kind, sums in ours.by_operator().items()}
    assert fvcore["conv"] == kinds["conv"]
    linear = kinds.get("linear", 0)
    assert fvcore.get("linear", 0) == linear


def test_every_family_with_a_torchvision_network_is_compared() -> None:
    expected = {
        *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
        *(f"vgg{depth}{bn}" for depth in (11, 13, 16, 19) for bn in ("", "_bn")),
        *(f"densenet{depth}" for depth in (121, 161, 169, 201)),
        *(f"resnext{name}" for name in ("50_32x4d", "101_32x8d", "101_64x4d")),
        *(f"efficientnet_b{number}" for number in range(8)),
        *("wide_resnet50_2", "wide_resnet101_2", "mobilenet_v2"),
        *("mobilenet_v3_small", "mobilenet_v3_large"),
        *("squeezenet1_0", "squeezenet1_1"),
        *(f"mnasnet{width}" for width in ("0_5", "0_75", "1_0", "1_3")),
        *(f"shufflenet_v2_x{width}" for width in ("0_5", "1_0", "1_5", "2_0")),
        *(
            f"regnet_{letter}_{size}"
            for letter in "xy"
            for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")
        ),
        "regnet_y_128gf",
        *("alexnet", "googlenet", "inception_v3"),
        *(f"convnext_{size}" for size in ("tiny", "small", "base", "large")),
    }
    assert expected == set(NAMES)

"""Networks that timm has as their papers or authors do: equal to the last integer."""

from __future__ import annotations

import warnings
from collections import Counter
from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import nn

from costmodel.analysis.cost import cost
from costmodel.bridge import oracles
from costmodel.bridge.model_zoo import timm_network_and_scalars
from costmodel.network.graph import parameters_by_name
from costmodel.network.registry import find, load
from costmodel.runtime.validate import timm_results
from tests.bridge.trace.chosen import spread
from tests.zoo import timm


#           ours                          timm's, our options
RELEASED = {"variant": "released"}
PAIRS: dict[str, tuple[str, dict[str, str]]] = {
    "inception_v4": ("inception_v4", {}),
    "inception_resnet_v2": ("inception_resnet_v2", RELEASED),
    "xception": ("legacy_xception", {}),
    "nasnet_a_large": ("nasnetalarge", {}),
    "pnasnet5_large": ("pnasnet5large", {}),
    "senet154": ("legacy_senet154", {}),
    **{f"se_resnet{n}": (f"legacy_seresnet{n}", RELEASED)
       for n in (18, 34, 50, 101, 152)},
    "se_resnext50_32x4d": ("legacy_seresnext50_32x4d", RELEASED),
    "se_resnext101_32x4d": ("legacy_seresnext101_32x4d", RELEASED),
    "preact_resnet18": ("resnetv2_18", {}),
    "preact_resnet34": ("resnetv2_34", {}),
    "preact_resnet50": ("resnetv2_50", RELEASED),
    "preact_resnet101": ("resnetv2_101", RELEASED),
    "preact_resnet152": ("resnetv2_152", RELEASED),
}  # fmt: skip

CONVOLVED = "resnetv2"
"""timm's networks whose classifier is a 1×1 convolution, where ours is a layer."""


@lru_cache(maxsize=1)
def theirs(name: str) -> nn.Module:
    """Return one of timm's networks in evaluation mode, without memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm's own deprecated calls
        with torch.device("meta"):
            return timm().create_model(name, pretrained=False).eval()


@pytest.mark.parametrize("name", PAIRS)
def test_parameters_and_stored_tensors_are_equal(name: str) -> None:
    other, options = PAIRS[name]
    net = load(name, **options)
    assert oracles.learnable(theirs(other)) == cost(net).parameters
    alike = squeezed if other.startswith(CONVOLVED) else tuple
    stored = oracles.stored_shapes(theirs(other)).values()
    ours = parameters_by_name(net).values()
    assert Counter(map(alike, stored)) == Counter(map(alike, ours))


@pytest.mark.parametrize("name", PAIRS)
def test_macs_and_activations_are_equal_at_every_size(name: str) -> None:
    other, options = PAIRS[name]
    default = find(name).resolution
    for size in [(default, default), (97, 129), (161, 111)]:
        ours = cost(load(name, resolution=size, batch=1, **options))
        counted = oracles.flop_counter_macs(theirs(other), (1, 3, *size))
        assert sum(counted.values()) == ours.macs
        if not other.startswith(CONVOLVED):
            parts = ours.by_operator()
            assert counted == {
                "aten.convolution": parts["conv"].macs,
                "aten.addmm": parts["linear"].macs,
            }
        executed = oracles.executed_activations(theirs(other), (1, 3, *size))
        assert executed == ours.activations


def squeezed(shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a shape without ones: a 1×1 convolution is a fully connected layer."""
    return tuple(size for size in shape if size != 1)


@pytest.mark.parametrize("name", spread(sorted(timm_results.REGISTERED), 8))
def test_registered_networks_are_the_ones_of_that_name(name: str) -> None:
    timm()
    ours, _ = timm_results.registered(name)
    theirs, _, _ = timm_network_and_scalars(name)
    for quantity in ("parameters", "macs", "activations"):
        sizes = {"N": 1, "H": 299, "W": 299}
        counts = [cost(net.bind(sizes)).metric(quantity) for net in (ours, theirs)]
        assert counts[0] == counts[1]

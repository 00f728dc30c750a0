"""torchvision's networks of videos: counts of the traced networks are the oracles'."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

import costmodel as cm
from costmodel import D, H, N, Network, W
from costmodel.bridge import oracles
from tests.zoo import torchvision_models


PARAMETERS = {
    "r3d_18": 33_371_472,
    "mc3_18": 11_695_440,
    "r2plus1d_18": 31_505_325,
    "s3d": 8_320_048,
}
"""What torchvision 0.28 documents of each network's weights, ``num_params``."""

GFLOPS = {"r3d_18": 40.697, "mc3_18": 43.343, "r2plus1d_18": 40.519, "s3d": 17.979}
"""What it documents of each at 16 frames of 112 × 112, of ``s3d`` at 224 × 224."""

SMALL = dict.fromkeys(PARAMETERS, (2, 3, 9, 65, 71)) | {"s3d": (1, 3, 17, 225, 231)}
"""Batch, channels, depth, height and width: odd ones."""

FIELDS = {
    # Depth: 3, four layers of stride 1, then 1·2 + 3·4, 1·4 + 3·8, 1·8 + 3·16.
    "r3d_18": (3 + 8 + 14 + 28 + 56, 7 + 16 + 28 + 56 + 112, 7 + 16 + 28 + 56 + 112),
    # Behind its first four layers kernels are one frame deep.
    "mc3_18": (3 + 8, 219, 219),
}


def theirs(name: str) -> Any:
    """Return torchvision's network, without memory."""
    with torch.device("meta"):
        return getattr(torchvision_models().video, name)().eval()


@cache
def traced(name: str) -> Network:
    """Return the network of a video, all of whose sides are symbols."""
    return cm.trace(theirs(name), (3, D, H, W))


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_and_multiply_accumulates_are_torchvisions_own(name: str) -> None:
    side = 224 if name == "s3d" else 112
    cost = cm.cost(traced(name).bind({N: 1, D: 16, H: side, W: side}))
    assert cost.parameters == PARAMETERS[name]
    assert round(int(cost.macs) / 1e9, 3) == GFLOPS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_counts_are_flop_counter_modes_and_fvcores(name: str) -> None:
    size = SMALL[name]
    batch, _, *sides = size
    cost = cm.cost(traced(name).bind(dict(zip((N, D, H, W), (batch, *sides)))))
    kinds = {kind: sums.macs for kind, sums in cost.by_operator().items()}
    counted = oracles.flop_counter_macs(theirs(name), size)
    assert kinds["conv"] == counted["aten.convolution"]
    assert kinds.get("linear", 0) == counted.get("aten.addmm", 0)
    assert cost.macs == sum(counted.values())
    fvcore = oracles.fvcore_macs(theirs(name).to_empty(device="cpu"), size)
    assert kinds["conv"] == fvcore["conv"]
    assert cost.flops("fvcore") == sum(fvcore.values())


@pytest.mark.parametrize("name", PARAMETERS)
def test_shapes_are_the_executed_ones(name: str) -> None:
    batch, channels, *sides = SMALL[name]
    net = traced(name).bind(dict(zip((N, D, H, W), (batch, *sides))))
    module = cm.compile(net, device="meta")
    executed = oracles.executed_shapes(module, (batch, channels, *sides))
    assert executed == {n.name: (batch, *n.output.sizes) for n in net.nodes}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_triples(name: str) -> None:
    assert cm.receptive_field(traced(name)).size == FIELDS[name]


def test_sides_that_s3d_takes() -> None:
    # Its last pooling looks at 2 frames of 7 × 7, behind strides of 8 and 32.
    depth, height, width = cm.input_sizes(traced("s3d"))
    assert str(depth.admissible) == "D ≥ 13"
    assert [str(s.admissible) for s in (height, width)] == ["H ≥ 209", "W ≥ 209"]
    module = theirs("s3d")
    assert module(torch.empty(1, 3, 13, 209, 209, device="meta")).shape == (1, 400)
    for sides in ((12, 209, 209), (13, 208, 209)):
        with pytest.raises(RuntimeError, match=r"too small|smaller than"):
            module(torch.empty(1, 3, *sides, device="meta"))


@pytest.mark.parametrize("name", PARAMETERS)
def test_memory_and_training_are_derived(name: str) -> None:
    net = traced(name)
    at = {N: 1, D: 16, H: 224, W: 224}
    peak = cm.memory(net.bind(at), training=True).peak_activation_bytes
    assert cm.memory(net, training=True).peak(at).bytes == peak
    training, cost = cm.training_cost(net.bind(at)), cm.cost(net.bind(at))
    assert training.forward == training.backward_weight == cost.macs

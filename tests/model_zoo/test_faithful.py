"""Networks of torchvision and timm, traced and compiled, are the modules again."""

from __future__ import annotations

import pytest

import costmodel as cm
from costmodel.bridge.trace import trace
from tests.bridge.trace.faithful import filled, is_faithful
from tests.model_zoo.test_trace_zoo import ONE_SIZE, timm_network
from tests.zoo import torchvision_network


FAMILIES = [
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet",
    "inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small",
    "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t",
    "vit_b_16",
]  # fmt: skip
"""One of each family of torchvision's, the smallest or nearly so."""

NOT_COMPARED = {"maxvit_t", "swin_t"}
"""Networks with biases of positions that are looked up, which no trace records."""


@pytest.mark.parametrize("name", FAMILIES)
def test_torchvisions_networks_come_back(name: str) -> None:
    module = filled(torchvision_network(name, device="cpu"))
    if name in ONE_SIZE:
        compares = is_faithful(module, (3, 224, 224), [(224, 224)])
    else:
        compares = is_faithful(module, sizes=[(96, 112), (75, 97), (128, 96)])
    assert compares is (name not in NOT_COMPARED)


@pytest.mark.parametrize(
    ("name", "side"),
    [("beit_base_patch16_224", 224), ("eva02_tiny_patch14_224", 224),
     ("swinv2_tiny_window8_256", 256)],
)  # fmt: skip
def test_transformers_whose_biases_are_joined_keep_their_weights(
    name: str, side: int
) -> None:
    module = timm_network(name)
    learned = sum(p.numel() for p in module.parameters())
    assert cm.cost(trace(module, (3, side, side))).parameters == learned

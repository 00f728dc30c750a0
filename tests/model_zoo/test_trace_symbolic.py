"""The formulas of traced networks against those of PyTorch's own symbolic shapes.

``FlopCounterMode`` under a shape environment derives them with none of our code.
"""

from __future__ import annotations

import random

import pytest
from torch import nn
from torch._dispatch.python import enable_python_dispatcher

import costmodel as cm
from costmodel.algebra.symbols import H, N, W
from costmodel.bridge import oracles
from costmodel.bridge.trace import trace
from tests.bridge.trace.chosen import either
from tests.bridge.trace.modules import Tokens, UNet, padded, resized
from tests.zoo import torchvision_network


OWN = {
    "unet_padded": UNet(padded),
    "unet_resized": UNet(resized),
    "tokens": Tokens(positions=False),
}
NETWORKS = [
    "alexnet", "resnet18", "squeezenet1_1", "mobilenet_v2", "shufflenet_v2_x0_5",
    "googlenet", "densenet121", "efficientnet_b0", "convnext_tiny", "regnet_y_400mf",
    "mobilenet_v3_small", *OWN,
]  # fmt: skip
PROBES = 8


@pytest.mark.parametrize(
    "name", either(NETWORKS, ["resnet18", "squeezenet1_1", "unet_padded", "tokens"])
)
def test_formulas_are_those_of_pytorchs_symbolic_shapes(name: str) -> None:
    module: nn.Module = OWN.get(name) or torchvision_network(name)
    ours = cm.lambdify(cm.cost(trace(module)).macs, (N, H, W))
    # Without it PyTorch's padding and interpolation take numbers only.
    with enable_python_dispatcher():
        theirs = oracles.symbolic_macs(module.to("meta"), 3)
    drawn = random.Random(name)  # noqa: S311 - nothing is kept secret
    sides = [drawn.sample(range(64, 800), 2) for _ in range(PROBES)]
    probes = [(drawn.randint(2, 9), height, width) for height, width in sides]
    answers = {probe: theirs(*probe) for probe in probes}
    answered = {probe: macs for probe, macs in answers.items() if macs is not None}
    assert len(answered) >= PROBES // 4
    assert answered == {probe: ours(*probe) for probe in answered}

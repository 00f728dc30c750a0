"""From any module to every symbolic total, beside one count by fvcore.

A module is traced for the first time in the process, and checked by a second run at
another size; fvcore gets the same module in memory, one size, and the better of two
runs.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn

import costmodel as cm
from costmodel.algebra.tally import KINDS
from costmodel.analysis.cost import METRICS
from costmodel.bridge import oracles
from costmodel.bridge.trace import trace
from tests.zoo import timm, torchvision_models, torchvision_network


SIDE = 224

TOO_LARGE = {"regnet_y_128gf", "vit_h_14"}
"""Networks of torchvision's that fvcore needs gigabytes for."""

TIMM = [
    "resnet26", "ecaresnet50t", "resnest14d", "seresnext26d_32x4d", "resnetaa50d",
    "res2net50_26w_8s", "skresnet50", "resnetv2_50", "legacy_senet154", "tresnet_l",
    "dpn92", "dla34", "hrnet_w18", "densenet121", "cspresnet50", "ese_vovnet39b",
    "selecsls60", "hgnetv2_b0", "repvgg_a2", "mobileone_s0", "nasnetalarge",
    "pnasnet5large", "inception_v4", "inception_resnet_v2", "legacy_xception",
    "tf_efficientnet_b0", "mixnet_l", "ghostnet_130", "mobilenetv4_conv_small",
    "rexnet_100", "dm_nfnet_f0", "convnextv2_atto",
]  # fmt: skip


def timm_network(name: str) -> nn.Module:
    """Return one of timm's networks, without memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm's own deprecated calls
        with torch.device("meta"):
            return timm().create_model(name, pretrained=False).eval()


def names() -> list[str]:
    """Return the networks' names, those of timm's after their library."""
    models = torchvision_models()
    found = [n for n in models.list_models(module=models) if n not in TOO_LARGE]
    return [*sorted(found), *(f"timm/{name}" for name in TIMM)]


@pytest.fixture(params=names())
def module(request: pytest.FixtureRequest, benchmark: Any) -> nn.Module:
    """Build a network, and group what is measured by its name."""
    benchmark.group = f"tracing {request.param}"
    library, _, name = request.param.rpartition("/")
    return timm_network(name) if library else torchvision_network(name)


@pytest.fixture(autouse=True, scope="module")
def warm() -> None:
    """Import what a running process has imported."""
    derive(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()))


def derive(module: nn.Module) -> list[object]:
    """Trace a module, check it, and derive every total of it."""
    costs = cm.cost(trace(module))
    tally = costs.tally
    return [costs.metric(m) for m in METRICS] + [getattr(tally, k) for k in KINDS]


def test_traced(benchmark: Any, module: nn.Module) -> None:
    assert benchmark.pedantic(derive, (module,), rounds=1)


def test_counted_by_fvcore(benchmark: Any, module: nn.Module) -> None:
    work = (in_memory(module), (1, 3, SIDE, SIDE))
    assert benchmark.pedantic(oracles.fvcore_macs, work, rounds=2)


def in_memory(module: nn.Module) -> nn.Module:
    """Return a module with zeros for weights: tables of indices have to be legal."""
    module.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.zero_()
    return module

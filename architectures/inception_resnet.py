"""Inception-ResNet. Szegedy et al. 2016, arXiv:1602.07261, Figures 10 to 19."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, add, conv, relu, scope
from costmodel.network.registry import architecture
from costmodel.zoo.inception_blocks import (
    ACROSS,
    DOWN,
    HALVE,
    Branch,
    Gate,
    Module,
    chain,
    head,
    inception,
)
from costmodel.zoo.inception_v3 import STEM as STEM_V3
from costmodel.zoo.inception_v4 import AVERAGE, STEM, reduction_a


def reduction_b(first: int, second: int, third: int) -> Module:
    """Figures 12 and 18: to 8×8."""
    return [[HALVE], [(256, 1), (384, 3, 2)], [(256, 1), (first, 3, 2)],
            [(256, 1), (second, 3), (third, 3, 2)]]  # fmt: skip


# Figure 14, and what precedes the residual modules as released
STEM_V1: Branch = [*STEM_V3[:-1], (256, 3, 2)]
RELEASED: Branch = [*STEM_V3, [[(96, 1)], [(48, 1), (64, 5)], [AVERAGE, (64, 1)],
                               [(64, 1), (96, 3), (96, 3)]]]  # fmt: skip

# Figures 10, 7, 11, 12 and 13; below, 16, 7, 17, 18 and 19
V1: dict[str, Module] = {
    "a": [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (32, 3), (32, 3)]],
    "reduction_a": reduction_a(192, 192, 256, 384),
    "b": [[(128, 1)], [(128, 1), (128, ACROSS), (128, DOWN)]],
    "reduction_b": reduction_b(256, 256, 256),
    "c": [[(192, 1)], [(192, 1), (192, (1, 3)), (192, (3, 1))]],
}
V2: dict[str, Module] = {
    "a": [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]],
    "reduction_a": reduction_a(256, 256, 384, 384),
    "b": [[(192, 1)], [(128, 1), (160, ACROSS), (192, DOWN)]],
    "reduction_b": reduction_b(288, 288, 320),
    "c": [[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]],
}

PUBLISHED = """
    name                 variant   resolution  parameters  macs       top1  source
    inception_resnet_v2  released  299         55,843,464  -          -     timm 1.0, inception_resnet_v2
    inception_resnet_v2  released  299         56M         13G        80.1  arXiv:1905.11946, Table 2
    inception_resnet_v2  released  299         55.8M       13.2G      -     arXiv:1802.01548, Table 2
    inception_resnet_v2  released  299         -           11.75G[1]  -     arXiv:1709.01507, Table 2
"""

DEPARTURES = [
    "Not reproduced: 13.16G as released, and 9.26G as drawn with half the modules; "
    "section 3.2 gives the network the cost of Inception v4, here 12.25G.",
    "Figures 17 and 19 print 1×1 convolutions to 1154 and 2048 maps, which are added "
    "to the 1152 and 2144 that the reductions give; they have as many here.",
    "The scaling of residuals by 0.1 to 0.3 (section 3.3) is left out; it is no MAC.",
]


def residual(x: Value, module: Module, width: Dim, gate: Gate) -> Value:
    """Add a linear 1×1 of the branches, with biases and without normalization."""
    return add(x, gate(conv(inception(x, module, width), x.channels, 1)))


def features(
    x: Value, version: int, variant: str, width: Dim, gate: Gate = lambda y: y
) -> Value:
    """Build all that precedes the classifier (Figure 15); residuals pass a gate."""
    is_paper = variant == "paper"
    stem = STEM_V1 if version == 1 else STEM if is_paper else RELEASED
    repeats = {"a": 5, "b": 10, "c": 5} if is_paper else {"a": 10, "b": 20, "c": 10}
    with scope("stem"):
        x = chain(x, stem, width)
    for name, module in (V1 if version == 1 else V2).items():
        for number in range(1, repeats.get(name, 0) + 1):
            with scope(f"{name}{number}"):
                x = residual(x, module, width, gate)
                x = x if (name, number) == ("c", 10) else relu(x)  # as released
        if name not in repeats:
            with scope(name):
                x = inception(x, module, width)
    with scope("last"):
        return x if is_paper else chain(x, [(1536, 1)], width)


@architecture(
    paper="arXiv:1602.07261",
    year=2016,
    resolution=299,
    published=PUBLISHED,
    departures=DEPARTURES,
    members={
        "inception_resnet_v1": {"version": 1, "variant": "paper"},
        "inception_resnet_v2": {"version": 2},
    },
    idea="Inception modules as residuals, widened again by 1×1 before they are added",
    ancestors={
        "inception_v4": "its stem and reductions, proposed beside it",
        "resnet": "shortcuts around every module",
    },
)
def inception_resnet(
    x: Value,
    *,
    version: int,
    variant: Literal["paper", "released"] = "paper",
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """Inception-ResNet: cheap Inception modules, each a residual beside a shortcut."""
    return head(features(x, version, variant, width), classes, 20)

"""SE-Net. Hu, Shen, Albanie, Sun, Wu 2017, arXiv:1709.01507, Tables 2 and 10."""

from __future__ import annotations

from typing import Any

from architectures.blocks import squeeze_excite
from architectures.resnet import (
    BASIC,
    BOTTLENECK,
    basic,
    bottleneck,
    head,
    stages,
    stem,
)
from architectures.resnext import grouped
from costmodel.algebra.symbols import Dim, floor
from costmodel.network.build import Value
from costmodel.network.registry import architecture


CHANNELS: tuple[Dim, ...] = (64, 128, 256, 512)

PUBLISHED = """
    name          reduction  resolution  layers  parameters  macs    source
    se_resnet50   16         224         50      28.1M       3.87G   Tables 2 and 10
    se_resnet50   2          224         -       45.7M       -       Table 10
    se_resnet50   4          224         -       35.7M       -       Table 10
    se_resnet50   8          224         -       30.7M[1]    -       Table 10
    se_resnet50   32         224         -       26.9M       -       Table 10
    se_resnet101  16         224         101     -           7.6G    Table 2
"""


PUBLISHED_RESNEXT = """
    name                 resolution  layers  macs      source
    se_resnext50_32x4d   224         -       4.25G[2]  Table 2
    se_resnext101_32x4d  224         -       8.0G      Table 2
"""


DEPARTURES = [
    "25.56M and (2/r)·ΣN·C² are 30.59M at r = 8, by the same formula that gives the "
    "other rows; with biases in both layers they would be 30.60M.",
    "Not reproduced: that table is 0.25 % above the count of convolutions and classifier "
    "for ResNeXts, with and without squeeze and excitation, and equal for its ResNets.",
]


def excited(y: Value, reduction: Dim) -> Value:
    """Gate a residual before it is added (Figure 3); the layers have no biases."""
    return squeeze_excite(y, floor(y.channels / reduction), bias=False)


@architecture(
    paper="arXiv:1709.01507",
    year=2017,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    members={
        **{f"se_resnet{d}": {"block": "basic", "repeats": r} for d, r in BASIC.items()},
        **{
            f"se_resnet{d}": {"block": "bottleneck", "repeats": r}
            for d, r in BOTTLENECK.items()
        },
    },
)
def se_resnet(
    x: Value,
    *,
    block: str,
    repeats: tuple[int, ...],
    reduction: Dim = 16,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """SE-ResNet: maps of every residual gated by what all of them say."""
    plain = basic if block == "basic" else bottleneck

    def branch(x: Value, maps: Any, stride: int) -> Value:
        return excited(plain(x, maps, stride), reduction)

    widths = [maps * width for maps in CHANNELS]
    return head(stages(stem(x, widths[0]), widths, repeats, branch), classes)


@architecture(
    paper="arXiv:1709.01507",
    year=2017,
    resolution=224,
    published=PUBLISHED_RESNEXT,
    departures=DEPARTURES,
    members={f"se_resnext{d}_32x4d": {"repeats": BOTTLENECK[d]} for d in (50, 101)},
)
def se_resnext(
    x: Value,
    *,
    repeats: tuple[int, ...],
    reduction: Dim = 16,
    cardinality: Dim = 32,
    bottleneck_width: Dim = 4,
    classes: Dim = 1000,
) -> Value:
    """SE-ResNeXt: squeeze and excitation after grouped convolutions."""

    def branch(x: Value, maps: Any, stride: int) -> Value:
        return excited(grouped(x, maps, stride, cardinality=cardinality), reduction)

    inner = cardinality * bottleneck_width
    widths = [(inner * 2**stage, 256 * 2**stage) for stage in range(4)]
    return head(stages(stem(x, 64), widths, repeats, branch), classes)

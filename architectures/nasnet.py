"""NASNet-A. Zoph, Vasudevan, Shlens, Le 2017, arXiv:1707.07012, Figures 2 and 4."""

from __future__ import annotations

from typing import Any

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    avg_pool,
    batch_norm,
    conv,
    global_average_pool,
    linear,
    relu,
    scope,
)
from costmodel.network.cells.genotype import Genotype
from costmodel.network.registry import Default, architecture
from costmodel.zoo.searched import cifar_stem, head, imagenet_stem, stages


# Figure 4. State 0 is the output of the last cell, 1 that of the one before it.
NORMAL = Genotype([
    [("sep_conv_5x5", 0), ("sep_conv_3x3", 1)],
    [("sep_conv_5x5", 1), ("sep_conv_3x3", 1)],
    [("avg_pool_3x3", 0), ("identity", 1)],
    [("avg_pool_3x3", 1), ("avg_pool_3x3", 1)],
    [("sep_conv_3x3", 0), ("identity", 0)],
], output=[1, 2, 3, 4, 5, 6], name="NASNet-A, normal")  # fmt: skip
REDUCTION = Genotype([
    [("sep_conv_5x5", 0), ("sep_conv_7x7", 1)],
    [("max_pool_3x3", 0), ("sep_conv_7x7", 1)],
    [("avg_pool_3x3", 0), ("sep_conv_5x5", 1)],
    [("identity", 3), ("avg_pool_3x3", 2)],
    [("sep_conv_3x3", 2), ("max_pool_3x3", 0)],
], output=[3, 4, 5, 6], name="NASNet-A, reduction")  # fmt: skip

# N @ P in the paper is N cells per stage, and filters of P/24 in the first one.
MEMBERS: dict[str, dict[str, Any]] = {
    "nasnet_a_mobile": {"cells": Default(4), "filters": Default(44), "stem": 32,
                        "covered": 4, "skips": False},
    "nasnet_a_large": {"cells": Default(6), "filters": Default(168), "stem": 96,
                       "covered": 6, "skips": True},
    "nasnet_a_cifar": {"cells": Default(6), "filters": Default(32), "stem": None,
                       "covered": 4, "skips": False, "classes": Default(10)},
}  # fmt: skip

PUBLISHED = """
    name             cells  filters  resolution  aux    parameters  macs      top1  source
    nasnet_a_mobile  4      44       224         False  5.3M        564M      74.0  Table 3
    nasnet_a_large   6      168      331         False  88.9M[1]    23.8G     82.7  Table 2
    nasnet_a_large   7      80       299         False  22.6M[2]    4.93G[2]  80.8  Table 2
    nasnet_a_cifar   6      32       32          False  3.3M        -         -     Table 1
    nasnet_a_cifar   7      96       32          False  27.6M[2]    -         -     Table 1
    nasnet_a_mobile  4      44       224         True   7.7M        -         -     Keras Applications
    nasnet_a_large   6      168      331         True   93.5M[1]    -         -     Keras Applications
    nasnet_a_large   6      168      331         False  88,753,150  -         -     timm 1.0
"""

DEPARTURES = [
    "These count the running statistics of batch normalization too, 0.20M.",
    "Not reproduced: 4 @ 1056, 6 @ 4032 and 6 @ 768 were released. Built like them, "
    "7 @ 1920 has 24.6M and 5.37G, and 7 @ 2304 has 32.6M.",
    "Where a stride meets an even side the release pads one end; here both ends are "
    "padded. Sizes, parameters and operations are equal.",
]


def auxiliary(x: Value, covered: int, width: Dim, classes: Dim) -> Value:
    """Classify two thirds of the way up, to train the lower cells (appendix A.7).

    ``covered`` is the side of the remaining feature map, which one convolution covers.
    """
    x = batch_norm(conv(avg_pool(relu(x), 5, 3), 128 * width, 1, bias=False))
    x = batch_norm(conv(relu(x), 768 * width, covered, padding=0, bias=False))
    return linear(global_average_pool(relu(x)), classes)


@architecture(
    paper="arXiv:1707.07012",
    year=2017,
    resolution={"nasnet_a_mobile": 224, "nasnet_a_large": 331, "nasnet_a_cifar": 32},
    published=PUBLISHED,
    departures=DEPARTURES,
    members=MEMBERS,
    idea="a cell searched for on small images, then repeated to any depth and width",
    ancestors={
        "architecture_search": "layers that a controller chooses, trained by reward",
        "googlenet": "modules of many branches, stacked by channels",
        "resnet": "one block repeated, sides halved and channels doubled by stages",
        "separable_convolution": "every convolution of a cell, applied twice",
        "inception_v3": "strided branches that halve the sides; an early classifier",
    },
)
def nasnet(
    x: Value,
    *,
    stem: int | None,
    covered: int,
    skips: bool,
    cells: int = 6,
    filters: Dim = 168,
    aux: bool = False,
    width: Dim = 1,
    classes: Dim = 1000,
) -> list[Value]:
    """NASNet-A: one cell found by search on small images, stacked for large ones."""
    maps = filters * width
    x, before = (
        cifar_stem(x, maps) if stem is None
        else imagenet_stem(x, REDUCTION, stem * width, maps)
    )  # fmt: skip
    ends = stages(x, before, NORMAL, REDUCTION, cells, maps, skips=skips)
    early = []
    if aux:
        with scope("aux"):
            early = [auxiliary(ends[1], covered, width, classes)]
    return [head(ends[-1], classes), *early]

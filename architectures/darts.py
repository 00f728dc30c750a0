"""DARTS. Liu, Simonyan, Yang 2018, arXiv:1806.09055, Figures 4 and 5."""

from __future__ import annotations

from typing import Any

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    batch_norm,
    conv,
    global_average_pool,
    linear,
    relu,
    scope,
)
from costmodel.network.cells.cell import cell, factorized_reduction, relu_conv_bn, share
from costmodel.network.cells.genotype import Genotype
from costmodel.network.registry import Default, architecture


# The cells of second order ("V2" in the release). State 0 is the output of the last
# cell, 1 that of the one before it; the release numbers these two the other way round.
NORMAL = Genotype([
    [("sep_conv_3x3", 1), ("sep_conv_3x3", 0)],
    [("sep_conv_3x3", 1), ("sep_conv_3x3", 0)],
    [("sep_conv_3x3", 0), ("skip_connect", 1)],
    [("skip_connect", 1), ("dil_conv_3x3", 2)],
], output=[2, 3, 4, 5], name="DARTS, normal")  # fmt: skip
REDUCTION = Genotype([
    [("max_pool_3x3", 1), ("max_pool_3x3", 0)],
    [("skip_connect", 2), ("max_pool_3x3", 0)],
    [("max_pool_3x3", 1), ("skip_connect", 2)],
    [("skip_connect", 2), ("max_pool_3x3", 0)],
], output=[2, 3, 4, 5], name="DARTS, reduction")  # fmt: skip

MEMBERS: dict[str, dict[str, Any]] = {
    "darts_cifar": {"cells": Default(20), "channels": Default(36), "imagenet": False,
                    "classes": Default(10)},
    "darts_imagenet": {"cells": Default(14), "channels": Default(48), "imagenet": True},
}  # fmt: skip

PUBLISHED = """
    name            resolution  parameters  macs     source
    darts_cifar     32          3.3M        -        Table 1
    darts_cifar     32          3.349M      -        quark0/darts, README
    darts_imagenet  224         4.7M        574M[1]  Table 3
    darts_imagenet  224         4.719M      -        quark0/darts, README
"""

DEPARTURES = [
    "Not reproduced: the released network has 529.9M; others who counted it did not find "
    "574M either (quark0/darts, issue 46)."
]


def searched(
    genotype: Genotype, x: Value, previous: Value, channels: Dim, stride: int
) -> Value:
    """Bring both inputs to the cell's channels, always by 1×1, then build it."""
    if previous.shape.spatial != x.shape.spatial:
        before = factorized_reduction(relu(previous), channels)
    else:
        before = relu_conv_bn(previous, channels)
    h = relu_conv_bn(x, channels)
    return cell(genotype, h, before, channels=channels, stride=stride)


def imagenet_stem(x: Value, channels: Dim) -> tuple[Value, Value]:
    """Reduce the feature map to an eighth by three 3×3 convolutions, as released."""
    before = batch_norm(conv(x, share(channels, 1, 2), 3, stride=2, bias=False))
    before = relu_conv_bn(before, channels, kernel=3, stride=2)
    return relu_conv_bn(before, channels, kernel=3, stride=2), before


@architecture(
    paper="arXiv:1806.09055",
    year=2018,
    resolution={"darts_cifar": 32, "darts_imagenet": 224},
    published=PUBLISHED,
    departures=DEPARTURES,
    members=MEMBERS,
    idea="a cell found by gradients, every choice of operation being a mixture first",
    ancestors={"nasnet": "cells of two inputs, separable convolutions applied twice"},
)
def darts(
    x: Value,
    *,
    imagenet: bool,
    cells: int = 20,
    channels: Dim = 36,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """DARTS: cells whose operations and connections were learned by gradients."""
    maps = channels * width
    with scope("stem"):
        if imagenet:
            x, previous = imagenet_stem(x, maps)
        else:
            x = previous = batch_norm(conv(x, 3 * maps, 3, bias=False))
    for number in range(cells):
        is_reduction = number in (cells // 3, 2 * cells // 3)
        genotype, stride = (REDUCTION, 2) if is_reduction else (NORMAL, 1)
        maps = stride * maps
        with scope(f"cell_{number}"):
            x, previous = searched(genotype, x, previous, maps, stride), x
    with scope("head"):
        return linear(global_average_pool(x), classes)

"""AmoebaNet-A. Real, Aggarwal, Huang, Le 2018, arXiv:1802.01548, Tables 1 and 2."""

from __future__ import annotations

from typing import Any

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value
from costmodel.network.cells.genotype import Genotype
from costmodel.network.registry import Default, architecture
from costmodel.zoo.searched import cifar_stem, head, imagenet_stem, stages


# As released. State 0 is the output of the last cell, 1 that of the one before it.
NORMAL = Genotype([
    [("avg_pool_3x3", 0), ("max_pool_3x3", 0)],
    [("sep_conv_3x3", 1), ("identity", 1)],
    [("identity", 0), ("avg_pool_3x3", 1)],
    [("sep_conv_3x3", 0), ("sep_conv_5x5", 2)],
    [("avg_pool_3x3", 5), ("sep_conv_3x3", 0)],
], output=[1, 3, 4, 6], name="AmoebaNet-A, normal")  # fmt: skip
REDUCTION = Genotype([
    [("sep_conv_3x3", 1), ("avg_pool_3x3", 0)],
    [("max_pool_3x3", 0), ("sep_conv_7x7", 2)],
    [("max_pool_3x3", 1), ("max_pool_3x3", 0)],
    [("sep_conv_3x3", 4), ("conv_1x7_7x1", 0)],
    [("avg_pool_3x3", 1), ("sep_conv_7x7", 0)],
], output=[2, 3, 4, 5, 6], name="AmoebaNet-A, reduction")  # fmt: skip

# N and F
MEMBERS: dict[str, dict[str, Any]] = {
    "amoebanet_a_mobile": {"cells": Default(4), "filters": Default(50), "stem": 32},
    "amoebanet_a_large": {"cells": Default(6), "filters": Default(190), "stem": 32},
    "amoebanet_a_cifar": {"cells": Default(6), "filters": Default(36), "stem": None,
                          "classes": Default(10)},
}  # fmt: skip

PUBLISHED = """
    name                cells  filters  resolution  parameters  macs     top1  source
    amoebanet_a_cifar   6      32       32          2.6M        -        -     Table 1
    amoebanet_a_cifar   6      36       32          3.2M        -        -     Table 1
    amoebanet_a_mobile  4      50       224         5.1M        555M     -     arXiv:1806.09055, Table 3
    amoebanet_a_large   6      190      331         86.7M       23.1G    82.8  Table 2
    amoebanet_a_large   6      448      331         469M        104G[1]  83.9  Table 2
"""

DEPARTURES = [
    "Table 2 prints no input size. F = 190 has 23.1G at 331, where F = 448 has 126.5G; "
    "at 299 it has 103.9G."
]


@architecture(
    paper="arXiv:1802.01548",
    year=2018,
    resolution={
        "amoebanet_a_mobile": 224, "amoebanet_a_large": 331, "amoebanet_a_cifar": 32,
    },
    published=PUBLISHED,
    departures=DEPARTURES,
    members=MEMBERS,
    idea="cells evolved: the oldest of the population dies, not the worst",
    ancestors={"nasnet": "the space that is searched, and how cells are stacked"},
)  # fmt: skip
def amoebanet(
    x: Value,
    *,
    stem: int | None,
    cells: int = 6,
    filters: Dim = 190,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """AmoebaNet-A: NASNet's stack of cells, which evolution found."""
    maps = filters * width
    x, previous = (
        cifar_stem(x, maps) if stem is None
        else imagenet_stem(x, REDUCTION, stem * width, maps)
    )  # fmt: skip
    return head(stages(x, previous, NORMAL, REDUCTION, cells, maps)[-1], classes)

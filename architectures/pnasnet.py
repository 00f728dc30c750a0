"""PNASNet-5. Liu et al. 2017, arXiv:1712.00559, Figure 1."""

from __future__ import annotations

from typing import Any

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, scope
from costmodel.network.cells.genotype import Genotype
from costmodel.network.registry import Default, architecture
from costmodel.zoo.searched import cifar_stem, head, imagenet_stem, searched


# Figure 1. State 0 is the output of the last cell, 1 that of the one before it.
CELL = Genotype([
    [("sep_conv_5x5", 1), ("max_pool_3x3", 1)],
    [("sep_conv_7x7", 0), ("max_pool_3x3", 0)],
    [("sep_conv_5x5", 0), ("sep_conv_3x3", 0)],
    [("sep_conv_3x3", 4), ("max_pool_3x3", 0)],
    [("sep_conv_3x3", 1), ("identity", 0)],
], output=[2, 3, 4, 5, 6], name="PNASNet-5")  # fmt: skip

MEMBERS: dict[str, dict[str, Any]] = {
    "pnasnet5_mobile": {"cells": Default(3), "filters": Default(54), "stem": 32},
    "pnasnet5_large": {"cells": Default(4), "filters": Default(216), "stem": 96},
    "pnasnet5_cifar": {"cells": Default(3), "filters": Default(48), "stem": None,
                       "classes": Default(10)},
}  # fmt: skip

PUBLISHED = """
    name             resolution  parameters  macs   top1  source
    pnasnet5_mobile  224         5.1M        588M   -     arXiv:1806.09055, Table 3
    pnasnet5_large   331         86.1M       25.0G  82.9  arXiv:1802.01548, Table 2
    pnasnet5_cifar   32          3.2M        -      -     arXiv:1806.09055, Table 1
    pnasnet5_large   331         86,057,668  -      -     timm 1.0
"""


@architecture(
    paper="arXiv:1712.00559",
    year=2017,
    resolution={"pnasnet5_mobile": 224, "pnasnet5_large": 331, "pnasnet5_cifar": 32},
    published=PUBLISHED,
    members=MEMBERS,
    idea="cells searched from simple to complex, a learned guess ruling out most",
    ancestors={"nasnet": "blocks that add two operations, and how cells are stacked"},
)
def pnasnet(
    x: Value,
    *,
    stem: int | None,
    cells: int = 4,
    filters: Dim = 216,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """PNASNet-5: a single searched cell, strided where the feature map is halved."""
    maps = filters * width
    x, previous = (
        cifar_stem(x, maps) if stem is None
        else imagenet_stem(x, CELL, stem * width, maps)
    )  # fmt: skip
    for number in range(3 * cells):
        stage, place = divmod(number, cells)
        stride = 2 if stage and place == 0 else 1
        with scope(f"cell_{number}"):
            x, previous = searched(CELL, x, previous, 2**stage * maps, stride), x
    return head(x, classes)

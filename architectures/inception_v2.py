"""Inception v2. Szegedy et al. 2015, arXiv:1512.00567, Table 1 and Figures 5 to 10."""

from __future__ import annotations

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, scope
from costmodel.network.registry import architecture
from costmodel.zoo.inception_blocks import HALVE, Branch, Module, chain, head, modules
from costmodel.zoo.inception_v3 import (
    EXPANDED,
    REDUCTION_A,
    REDUCTION_B,
    factorized_5,
    factorized_7,
)


# Table 1, down to 35×35×288
STEM: Branch = [(32, 3, 2), (32, 3, 1), (64, 3), HALVE,
                (80, 3, 1), (192, 3, 2), (288, 3)]  # fmt: skip

TABLE: dict[str, Module] = {
    **{f"figure5_{number}": factorized_5(3, 64) for number in (1, 2, 3)},
    "reduction1": REDUCTION_A,  # to 17×17×768
    **{f"figure6_{number}": factorized_7(maps)
       for number, maps in enumerate((128, 160, 160, 160, 192), start=1)},
    "reduction2": REDUCTION_B,  # to 8×8×1280, then 8×8×2048
    **{f"figure7_{number}": EXPANDED for number in (1, 2)},
}  # fmt: skip

PUBLISHED = """
    resolution  layers  macs     top1  source
    299         42[1]   -        -     section 6
    299         -       4.8G[2]  78.4  Table 3
"""

DEPARTURES = [
    "54 on the longest path: 6 in the stem, 3 in a module of Figure 5 or 7, 5 in one of "
    "Figure 6, 3 and 4 in the reductions, and the classifier. 42 is 6, and 3 for each of "
    "the twelve modules, reductions included.",
    "Not reproduced: 6.35G, of which the stem of Table 1 is 1.63G; 5.71G as released "
    "under the name Inception v3.",
    "The paper leaves the maps inside modules open, beyond those that come out. They "
    "are the released Inception v3's; that has four modules of Figure 6, of 128, 160, "
    "160 and 192 maps, of which a fifth here repeats 160.",
]


@architecture(
    paper="arXiv:1512.00567",
    year=2015,
    resolution=299,
    published=PUBLISHED,
    departures=DEPARTURES,
    idea="large kernels factorized: 5×5 into 3×3s, n×n into 1×n and n×1",
    ancestors={
        "bn_inception": "two 3×3 in place of 5×5, strided branches beside a pool",
        "vgg": "stacks of 3×3 see as much as one large kernel, and cost less",
        "batch_normalization": "normalization after every convolution",
    },
)
def inception_v2(x: Value, *, width: Dim = 1, classes: Dim = 1000) -> Value:
    """Inception v2: no kernel above 3×3 but those of 1×7 and 7×1."""
    with scope("stem"):
        x = chain(x, STEM, width)
    return head(modules(x, TABLE, width), classes)

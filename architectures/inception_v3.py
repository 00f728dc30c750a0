"""Inception v3. Szegedy et al. 2015, arXiv:1512.00567, Table 3, Figures 5 to 10."""

from __future__ import annotations

from functools import partial
from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    avg_pool,
    conv_bn_relu,
    global_average_pool,
    linear,
    scope,
)
from costmodel.network.registry import architecture
from costmodel.zoo.inception_blocks import (
    ACROSS,
    DOWN,
    HALVE,
    Branch,
    Module,
    chain,
    head,
    inception,
)


AVERAGE = partial(avg_pool, kernel=3, stride=1, padding=1)

# The first Inception's 7×7 as 3×3s.
STEM: Branch = [(32, 3, 2), (32, 3, 1), (64, 3), HALVE, (80, 1), (192, 3, 1), HALVE]

# Figure 10: the grid halved by strided branches beside a pool.
REDUCTION_A: Module = [[(384, 3, 2)], [(64, 1), (96, 3), (96, 3, 2)], [HALVE]]
REDUCTION_B: Module = [[(192, 1), (320, 3, 2)], [HALVE],
                       [(192, 1), (192, ACROSS), (192, DOWN), (192, 3, 2)]]  # fmt: skip

# Figure 7: filter banks expanded, 1×3 beside 3×1.
FORK: Module = [[(384, (1, 3))], [(384, (3, 1))]]
EXPANDED: Module = [[(320, 1)], [(384, 1), FORK], [(448, 1), (384, 3), FORK],
                    [AVERAGE, (192, 1)]]  # fmt: skip


def factorized_5(kernel: int, projection: int) -> Module:
    """Figure 5, or with the 5×5 that it factorizes, beside two 3×3."""
    return [[(64, 1)], [(48, 1), (64, kernel)], [(64, 1), (96, 3), (96, 3)],
            [AVERAGE, (projection, 1)]]  # fmt: skip


def factorized_7(maps: int) -> Module:
    """Figure 6: n×n as 1×n and n×1, once and twice, with n = 7."""
    return [[(192, 1)], [(maps, 1), (maps, ACROSS), (192, DOWN)],
            [(maps, 1), (maps, DOWN), (maps, ACROSS), (maps, DOWN), (192, ACROSS)],
            [AVERAGE, (192, 1)]]  # fmt: skip


MODULES: dict[str, Module] = {
    "5b": factorized_5(5, 32), "5c": factorized_5(5, 64), "5d": factorized_5(5, 64),
    "6a": REDUCTION_A, "6b": factorized_7(128), "6c": factorized_7(160),
    "6d": factorized_7(160), "6e": factorized_7(192), "7a": REDUCTION_B,
    "7b": EXPANDED, "7c": EXPANDED}  # fmt: skip

PUBLISHED = """
    variant      aux    resolution  parameters     macs     top1    source
    paper        False  299         -              5G       -       abstract
    paper        False  299         -              4.8G[1]  78.8    Table 3
    paper        False  299         23,626,728[2]  -        -       arXiv:1610.02357, Table 3
    paper        False  299         24M            5.7G     78.8    arXiv:1905.11946, Table 2
    torchvision  False  299         -              5.713G   77.294  torchvision 0.28, IMAGENET1K_V1
    torchvision  True   299         27,161,264     -        -       torchvision 0.28
"""

DEPARTURES = [
    "Not reproduced: 5.71G as released, 6.35G by the paper's Table 1 (inception_v2).",
    "Not reproduced: 23,834,568 as released, or 23,817,352 without the scales of batch "
    "normalization, which the authors' release leaves out.",
]


def auxiliary(x: Value, classes: Dim, width: Dim) -> Value:
    """Figure 8: classify the 17×17 grid early; a regularizer."""
    x = conv_bn_relu(avg_pool(x, 5, 3), 128 * width, 1)
    x = conv_bn_relu(x, 768 * width, 5, padding=0)
    return linear(global_average_pool(x), classes)


@architecture(
    paper="arXiv:1512.00567",
    year=2015,
    resolution=299,
    published=PUBLISHED,
    departures=DEPARTURES,
    idea="label smoothing and a normalized early classifier on Inception v2's modules",
    ancestors={
        "bn_inception": "normalization of every layer, here of early classifiers too",
        "inception_v2": "modules of factorized kernels, and its reductions of the grid",
    },
    written={
        "torchvision": {
            "relu": "function",
            "avg_pool": "function",
            "mixed_6a.max_pool1": "function",
            "mixed_7a.max_pool1": "function",
        }
    },
)
def inception_v3(
    x: Value,
    *,
    variant: Literal["paper", "torchvision"] = "paper",
    aux: bool = False,
    width: Dim = 1,
    classes: Dim = 1000,
) -> list[Value]:
    """Inception v3: large kernels factorized into small and one-sided ones."""
    del variant  # the network as released; torchvision's is the same
    early = []
    with scope("stem"):
        x = chain(x, STEM, width)
    for name, module in MODULES.items():
        with scope(f"mixed_{name}"):
            x = inception(x, module, width)
        if aux and name == "6e":
            with scope("aux"):
                early = [auxiliary(x, classes, width)]
    return [head(x, classes, 50), *early]

"""Inception v4. Szegedy et al. 2016, arXiv:1602.07261, Figures 3 to 9."""

from __future__ import annotations

from functools import partial

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, avg_pool, scope
from costmodel.network.registry import architecture
from costmodel.zoo.inception_blocks import (
    ACROSS,
    DOWN,
    HALVE,
    Branch,
    Module,
    chain,
    head,
    modules,
)


AVERAGE = partial(avg_pool, kernel=3, stride=1, padding=1, count_include_pad=False)

# Figure 3: to 35×35×384
STEM: Branch = [
    (32, 3, 2), (32, 3, 1), (64, 3), [[HALVE], [(96, 3, 2)]],
    [[(64, 1), (96, 3, 1)], [(64, 1), (64, DOWN), (64, ACROSS), (96, 3, 1)]],
    [[(192, 3, 2)], [HALVE]],
]  # fmt: skip

# Figure 4
A: Module = [
    [AVERAGE, (96, 1)], [(96, 1)], [(64, 1), (96, 3)], [(64, 1), (96, 3), (96, 3)],
]  # fmt: skip

# Figure 5
B: Module = [
    [AVERAGE, (128, 1)], [(384, 1)], [(192, 1), (224, ACROSS), (256, DOWN)],
    [(192, 1), (192, DOWN), (224, ACROSS), (224, DOWN), (256, ACROSS)],
]  # fmt: skip

# Figure 6
FORK: Module = [[(256, (1, 3))], [(256, (3, 1))]]
C: Module = [
    [AVERAGE, (256, 1)], [(256, 1)], [(384, 1), FORK],
    [(384, 1), (448, (3, 1)), (512, (1, 3)), FORK],
]  # fmt: skip

# Figure 8: to 8×8×1536
REDUCTION_B: Module = [
    [HALVE], [(192, 1), (192, 3, 2)],
    [(256, 1), (256, ACROSS), (320, DOWN), (320, 3, 2)],
]  # fmt: skip


def reduction_a(k: int, ell: int, m: int, n: int) -> Module:
    """Figure 7: to 17×17, with the k, l, m and n of Table 1."""
    return [[HALVE], [(n, 3, 2)], [(k, 1), (ell, 3), (m, 3, 2)]]


# Figure 9
BODY: dict[str, Module] = {
    **{f"a{number}": A for number in range(1, 5)},
    "reduction_a": reduction_a(192, 224, 256, 384),
    **{f"b{number}": B for number in range(1, 8)},
    "reduction_b": REDUCTION_B,
    **{f"c{number}": C for number in range(1, 4)},
}

PUBLISHED = """
    resolution  parameters  macs      top1  source
    299         48M[1]      13G       80.0  arXiv:1905.11946, Table 2
    299         42,679,816  -         -     timm 1.0, inception_v4
"""

DEPARTURES = [
    "Not reproduced: the paper's figures give 42.68M, here as in timm.",
    "Whether 1×n or n×1 comes first is as in the authors' release; it costs the same.",
]


@architecture(
    paper="arXiv:1602.07261",
    year=2016,
    resolution=299,
    published=PUBLISHED,
    departures=DEPARTURES,
    idea="one uniform module per stage, more of them, and a stem of branches",
    ancestors={
        "inception_v3": "factorized kernels, and reductions beside a pool",
        "batch_normalization": "normalization after every convolution",
    },
)
def inception_v4(x: Value, *, width: Dim = 1, classes: Dim = 1000) -> Value:
    """Inception v4: deeper, wider and more uniform than its ancestors."""
    with scope("stem"):
        x = chain(x, STEM, width)
    return head(modules(x, BODY, width), classes, 20)

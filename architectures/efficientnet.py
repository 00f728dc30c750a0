"""EfficientNet. Tan & Le 2019, arXiv:1905.11946, Table 1 and section 3.3."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import Dim, Rational, floor
from costmodel.network.build import (
    Value,
    dropout,
    global_average_pool,
    linear,
    require,
    scope,
)
from costmodel.network.registry import Default, architecture
from costmodel.zoo.mnasnet import conv_bn, mbconv


#        kernel, channels, layers, stride, expansion
BODY = [(3, 16, 1, 1, 1), (3, 24, 2, 2, 6), (5, 40, 2, 2, 6), (3, 80, 3, 2, 6),
        (5, 112, 3, 1, 6), (5, 192, 4, 2, 6), (3, 320, 1, 1, 6)]  # fmt: skip

#               width, depth, dropped %, resolution      the released coefficients
MEMBERS = {"b0": ("1", "1", 20, 224), "b1": ("1", "1.1", 20, 240),
           "b2": ("1.1", "1.2", 30, 260), "b3": ("1.2", "1.4", 30, 300),
           "b4": ("1.4", "1.8", 40, 380), "b5": ("1.6", "2.2", 40, 456),
           "b6": ("1.8", "2.6", 50, 528), "b7": ("2", "3.1", 50, 600)}  # fmt: skip

PUBLISHED = """
    name             variant      resolution  parameters  macs      top1    source
    efficientnet_b0  paper        224         5.3M        0.39G     76.3    Table 2
    efficientnet_b1  paper        240         7.8M        0.70G[1]  78.8    Table 2
    efficientnet_b2  paper        260         9.2M        1.0G      79.8    Table 2
    efficientnet_b3  paper        300         12M         1.8G      81.1    Table 2
    efficientnet_b4  paper        380         19M         4.2G[1]   82.6    Table 2
    efficientnet_b5  paper        456         30M         9.9G[1]   83.3    Table 2
    efficientnet_b6  paper        528         43M         19G       84.0    Table 2
    efficientnet_b7  paper        600         66M         37G       84.4    Table 2
    efficientnet_b0  torchvision  224         5,288,548   0.386G    77.692  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b1  torchvision  240         7,794,184   0.687G    78.642  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b2  torchvision  288         9,109,994   1.088G    80.608  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b3  torchvision  300         12,233,232  1.827G    82.008  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b4  torchvision  380         19,341,616  4.394G    83.384  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b5  torchvision  456         30,389,784  10.266G   83.444  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b6  torchvision  528         43,040,704  19.068G   84.008  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b7  torchvision  600         66,347,960  37.746G   84.122  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "Not reproduced: the released coefficients and resolution give 0.687G, 4.39G and "
    "10.27G for B1, B4 and B5, here and in torchvision.",
    "Section 3.3's powers, rounded, are B2 at φ = 1 and B3 at φ = 2, but φ = 7 would "
    "be 3.58 times as deep as B0, where B7 is 3.1 times: its φ is 6.2 by depth alone.",
]


def compound_scaling(phi: Dim) -> dict[str, Dim]:
    """Return B0's options at φ: depth 1.2^φ, width 1.1^φ, resolution 224·1.15^φ.

    They are exact; with φ a number, the resolution is rounded to whole pixels.

    >>> compound_scaling(1)
    {'depth': 6/5, 'width': 11/10, 'resolution': 258}
    """
    symbolic = bool(getattr(phi, "free_symbols", ()))
    known = type(phi) is int and phi >= 0
    require(known or symbolic, f"phi = {phi!r} is neither 0, 1, 2, … nor a symbol")
    depth, width, side = (Rational(base) ** phi for base in ("1.2", "1.1", "1.15"))
    side = 224 * side if symbolic else floor(224 * side + Rational(1, 2))
    return {"depth": depth, "width": width, "resolution": side}


@architecture(
    paper="arXiv:1905.11946",
    year=2019,
    resolution={f"efficientnet_{name}": side for name, (*_, side) in MEMBERS.items()},
    published=PUBLISHED,
    departures=DEPARTURES,
    members={
        f"efficientnet_{name}": {
            "width": Default(Rational(width)),
            "depth": Default(Rational(depth)),
            "dropped": dropped,
        }
        for name, (width, depth, dropped, _) in MEMBERS.items()
    },
    idea="one coefficient that grows depth, width and resolution in balance",
    ancestors={
        "mnasnet": "the search, and its gated inverted residuals",
        "se_resnet": "squeeze and excitation in every block",
    },
)
def efficientnet(
    x: Value,
    *,
    dropped: int,
    variant: Literal["paper", "torchvision"] = "paper",
    width: Dim = 1,
    depth: Rational = 1,
    reduction: Dim = 4,
    classes: Dim = 1000,
) -> Value:
    """EfficientNet: width, depth and resolution grown together."""
    del variant  # torchvision's network is the paper's
    with scope("stem"):
        x = conv_bn(x, make_divisible(32, width, 8), 3, 2, "silu")
    for stage, (kernel, channels, layers, stride, expansion) in enumerate(BODY, 1):
        count = -floor(-(layers * depth))  # rounded up, as the reference code does
        maps = make_divisible(channels, width, 8)
        for number in range(1, int(count) + 1):
            step = stride if number == 1 else 1
            with scope(f"stage{stage}"), scope(f"block{number}"):
                x = mbconv(x, maps, kernel, step, expansion, reduction, "silu")
    with scope("head"):
        x = conv_bn(x, 4 * make_divisible(320, width, 8), 1, 1, "silu")
        return linear(dropout(global_average_pool(x), dropped), classes)

"""DenseNet. Huang, Liu, van der Maaten, Weinberger 2016, arXiv:1608.06993, Table 1."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim, Rational
from costmodel.network.build import Value, conv_bn_relu, max_pool, scope
from costmodel.network.registry import Default, architecture
from costmodel.zoo.dense_blocks import dense_blocks
from costmodel.zoo.residual import head


#              layers in each dense block, growth rate k
MEMBERS = {"densenet121": ((6, 12, 24, 16), 32), "densenet169": ((6, 12, 32, 32), 32),
           "densenet201": ((6, 12, 48, 32), 32), "densenet264": ((6, 12, 64, 48), 32),
           "densenet161": ((6, 12, 36, 24), 48)}  # fmt: skip

PUBLISHED = """
    name         variant      resolution  layers  parameters  macs    top1    source
    densenet121  paper        224         121     -           -       -       Table 1
    densenet169  paper        224         169     -           -       -       Table 1
    densenet201  paper        224         201     -           -       -       Table 1
    densenet264  paper        224         264[1]  -           -       -       Table 1
    densenet121  torchvision  224         -       7,978,856   2.834G  74.434  torchvision 0.28, IMAGENET1K_V1
    densenet161  torchvision  224         -       28,681,000  7.728G  77.138  torchvision 0.28, IMAGENET1K_V1
    densenet169  torchvision  224         -       14,149,480  3.360G  75.600  torchvision 0.28, IMAGENET1K_V1
    densenet201  torchvision  224         -       20,013,928  4.291G  76.896  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "The printed blocks (6, 12, 64, 48) have 1 + 2·130 + 3 + 1 = 265 layers, counted as "
    "those that give 121, 169 and 201.",
    "densenet161 (k = 48) is the authors' later release, as torchvision's.",
]

HALF = Rational(1, 2)


@architecture(
    paper="arXiv:1608.06993",
    year=2016,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    members={
        name: {
            "blocks": Default(blocks),
            "growth_rate": Default(growth_rate),
            # torchvision does not have this one.
            **({"variant": "paper"} if name == "densenet264" else {}),
        }
        for name, (blocks, growth_rate) in MEMBERS.items()
    },
    idea="every layer reads all earlier ones of its block, so few channels each suffice",
    ancestors={
        "resnet": "layers that see past the one before; 1×1 bottlenecks",
        "preact_resnet": "normalization and activation before convolution",
        "googlenet": "concatenated feature maps",
    },
    written={
        "torchvision": {"adaptive_avg_pool": "function", "head.relu1": "function"}
    },
)
def densenet(
    x: Value,
    *,
    blocks: tuple[int, ...],
    variant: Literal["paper", "torchvision"] = "paper",
    growth_rate: Dim = 32,
    compression: Dim = HALF,
    bottleneck: Dim = 4,
    classes: Dim = 1000,
) -> Value:
    """DenseNet: every layer reads all earlier ones of its block, and adds k channels."""
    del variant  # torchvision's network is the paper's
    with scope("stem"):
        x = conv_bn_relu(x, 2 * growth_rate, kernel=7, stride=2)
        x = max_pool(x, kernel=3, stride=2, padding=1)
    x = dense_blocks(x, blocks, growth_rate, compression, bottleneck)
    return head(x, classes)

"""ResNet for CIFAR-10. He, Zhang, Ren, Sun 2015, arXiv:1512.03385, section 4.2."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, conv_bn_relu, scope
from costmodel.network.registry import Default, architecture
from costmodel.zoo.residual import head, stages
from costmodel.zoo.resnet import basic


PUBLISHED = """
    name             n    resolution  layers  parameters  source
    resnet20_cifar   -    32          20      0.27M       Table 6
    resnet32_cifar   -    32          32      0.46M       Table 6
    resnet44_cifar   -    32          44      0.66M       Table 6
    resnet56_cifar   -    32          56      0.85M       Table 6
    resnet110_cifar  -    32          110     1.7M        Table 6
    resnet110_cifar  200  32          1202    19.4M       Table 6
"""


@architecture(
    paper="arXiv:1512.03385",
    year=2015,
    resolution=32,
    published=PUBLISHED,
    members={f"resnet{6 * n + 2}_cifar": {"n": Default(n)} for n in (3, 5, 7, 9, 18)},
    idea="residual networks for small images, whose depth is one number n",
    ancestors={"resnet": "blocks of two 3×3 convolutions with identity shortcuts"},
)
def resnet_cifar(
    x: Value,
    *,
    n: int,
    shortcut: Literal["A", "B", "none"] = "A",
    channels: tuple[Dim, ...] = (16, 32, 64),
    width: Dim = 1,
    classes: Dim = 10,
) -> Value:
    """ResNet for CIFAR-10: 6n+2 layers, of sides 32, 16 and 8 (section 4.2)."""
    widths = [maps * width for maps in channels]
    with scope("stem"):
        x = conv_bn_relu(x, widths[0], kernel=3)
    return head(stages(x, widths, [n] * len(widths), basic, shortcut), classes)

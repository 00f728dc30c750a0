"""Pre-activation ResNet for CIFAR-10. He et al. 2016, arXiv:1603.05027, Table 4."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, conv_bn_relu, scope
from costmodel.network.registry import Default, architecture
from costmodel.zoo.preact_resnet import basic, bottleneck, preactivated
from costmodel.zoo.residual import head


MEMBERS: dict[str, dict[str, Any]] = {
    "preact_resnet110_cifar": {
        "block": "basic",
        "expansion": 1,
        "n": Default(18),
        "shortcut": Default("A"),
    },
    "preact_resnet164_cifar": {"block": "bottleneck", "n": Default(18)},
    "preact_resnet1001_cifar": {"block": "bottleneck", "n": Default(111)},
}

PUBLISHED = """
    name                     shortcut  classes  resolution  layers  parameters  source
    preact_resnet110_cifar   A         10       32          110     1.7M        arXiv:1605.07146, Table 5
    preact_resnet164_cifar   B         10       32          164     1.7M        Table 4
    preact_resnet1001_cifar  B         10       32          1001    10.2M[1]    Table 4
    preact_resnet110_cifar   B         10       32          -       1,730,522   osmr/imgclsmob, pytorch/README
    preact_resnet164_cifar   B         100      32          -       1,726,388   osmr/imgclsmob, pytorch/README
"""

DEPARTURES = [
    "Without the scales and shifts of batch normalization there are 10.18M parameters; "
    "with them 10.33M."
]


@architecture(
    paper="arXiv:1603.05027",
    year=2016,
    resolution=32,
    published=PUBLISHED,
    departures=DEPARTURES,
    members=MEMBERS,
    idea="a thousand layers that train, on small images",
    ancestors={
        "preact_resnet": "normalization and activation before convolution",
        "resnet_cifar": "three stages of n blocks, of sides 32, 16 and 8",
    },
)
def preact_resnet_cifar(
    x: Value,
    *,
    block: str,
    n: int,
    shortcut: Literal["A", "B"] = "B",
    channels: tuple[Dim, ...] = (16, 32, 64),
    expansion: Dim = 4,
    width: Dim = 1,
    classes: Dim = 10,
) -> Value:
    """Pre-activation ResNet for CIFAR-10: 6n+2 layers, or 9n+2 with bottlenecks."""
    widths = [maps * width for maps in channels]
    with scope("stem"):
        x = conv_bn_relu(x, widths[0], kernel=3)
    branch = partial(basic if block == "basic" else bottleneck, expansion=expansion)
    x = preactivated(x, widths, [n] * len(widths), branch, shortcut)
    return head(x, classes)

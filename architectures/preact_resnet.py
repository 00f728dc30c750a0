"""Pre-activation ResNet. He, Zhang, Ren, Sun 2016, arXiv:1603.05027, Figure 4e."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, add, batch_norm, conv, conv_bn_relu, relu
from costmodel.network.registry import Default, architecture
from costmodel.zoo.residual import Branch, changes, head, padded, stack, stem
from costmodel.zoo.resnet import BASIC, BOTTLENECK, CHANNELS


PLAIN = {"block": "basic", "expansion": 1, "variant": "paper"}
MEMBERS: dict[str, dict[str, Any]] = {
    **{f"preact_resnet{d}": {**PLAIN, "repeats": Default(r)} for d, r in BASIC.items()},
    **{f"preact_resnet{d}": {"block": "bottleneck", "repeats": Default(r)}
       # 16 blocks more than 152 has, at 28×28 (section 5)
       for d, r in {**BOTTLENECK, 200: (3, 24, 36, 3)}.items()},
}  # fmt: skip

PUBLISHED = """
    name              variant   resolution  layers  parameters  error  source
    preact_resnet152  paper     320         152     -           21.1   Table 5
    preact_resnet200  paper     320         200     -           20.7   Table 5
    preact_resnet200  released  224         -       64.7M       -      arXiv:1605.07146, Table 8
"""


def basic(x: Value, channels: Dim, stride: int, expansion: Dim = 1) -> Value:
    """3×3, 3×3 of an activated input."""
    y = conv_bn_relu(x, channels, kernel=3, stride=stride)
    return conv(y, expansion * channels, kernel=3, bias=False)


def bottleneck(
    x: Value, channels: Dim, stride: int, expansion: Dim = 4, *, late: bool = False
) -> Value:
    """1×1, 3×3, 1×1; ``late`` puts the stride on the 3×3."""
    first, second = (1, stride) if late else (stride, 1)
    y = conv_bn_relu(x, channels, kernel=1, stride=first)
    y = conv_bn_relu(y, channels, kernel=3, stride=second)
    return conv(y, expansion * channels, kernel=1, bias=False)


def preactivated(
    x: Value,
    widths: Sequence[Any],
    repeats: Sequence[int],
    branch: Branch,
    shortcut: str = "B",
) -> Value:
    """Stack blocks that normalize and activate first, and only add last."""
    start = x

    def block(x: Value, width: Any, stride: int) -> Value:
        # The stem is activated before the paths part, and a projection sees the
        # activated values too (appendix).
        active = x if x is start else relu(batch_norm(x))
        y = branch(active, width, stride)
        if changes(x, y.channels, stride):
            if shortcut == "A":
                x = padded(x, y.channels, stride)
            else:
                x = conv(active, y.channels, kernel=1, stride=stride, bias=False)
        return add(y, x)

    return relu(batch_norm(stack(x, widths, repeats, block)))


@architecture(
    paper="arXiv:1603.05027",
    year=2016,
    resolution=224,
    published=PUBLISHED,
    members=MEMBERS,
    idea="a clean path of additions through the network: activation inside the residuals",
    ancestors={"resnet": "residual blocks, their stages and shortcuts"},
)
def preact_resnet(
    x: Value,
    *,
    block: str,
    repeats: tuple[int, ...],
    variant: Literal["paper", "released"] = "paper",
    channels: tuple[Dim, ...] = CHANNELS,
    expansion: Dim = 4,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """Pre-activation ResNet: activation comes first, so that shortcuts stay clean."""
    late = variant == "released"  # the released ResNet-200 strides on the 3×3
    unit = basic if block == "basic" else partial(bottleneck, late=late)
    widths = [maps * width for maps in channels]
    branch = partial(unit, expansion=expansion)
    return head(preactivated(stem(x, widths[0]), widths, repeats, branch), classes)

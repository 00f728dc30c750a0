"""SE-Net. Hu, Shen, Albanie, Sun, Wu 2017, arXiv:1709.01507, Tables 2 and 10."""

from __future__ import annotations

from typing import Any, Literal

from costmodel.algebra.symbols import Dim, floor_div, is_equal
from costmodel.network.build import Value, require
from costmodel.network.registry import Default, architecture
from costmodel.zoo.blocks import squeeze_excite
from costmodel.zoo.residual import Branch, head, stages, stem
from costmodel.zoo.resnet import BASIC, BOTTLENECK, CHANNELS, basic, bottleneck


PUBLISHED = """
    name          variant   reduction  resolution  layers  parameters  macs       source
    se_resnet50   paper     16         224         50      28.1M       3.87G      Tables 2 and 10
    se_resnet50   paper     2          224         -       45.7M       -          Table 10
    se_resnet50   paper     4          224         -       35.7M       -          Table 10
    se_resnet50   paper     8          224         -       30.7M[1]    -          Table 10
    se_resnet50   paper     32         224         -       26.9M       -          Table 10
    se_resnet101  paper     16         224         101     -           7.6G       Table 2
    se_resnet152  paper     16         224         152     -           11.32G[2]  Table 2
    se_resnet18   released  16         224         -       11,778,592  -          timm 1.0, legacy_seresnet18
    se_resnet34   released  16         224         -       21,958,868  -          timm 1.0, legacy_seresnet34
    se_resnet50   released  16         224         -       28,088,024  -          timm 1.0, legacy_seresnet50
    se_resnet101  released  16         224         -       49,326,872  -          timm 1.0, legacy_seresnet101
    se_resnet152  released  16         224         -       66,821,848  -          timm 1.0, legacy_seresnet152
"""

DEPARTURES = [
    "Table 10 also counts the running means and variances of batch normalization: with "
    "these 53,120 there are 30.64M; the learnable ones are 30.59M.",
    "Convolutions and fully connected layers are 11.289G. Every figure of Table 2 comes "
    "out with one more operation for each normalized element, here 11.311G.",
    "The released networks have biases in both layers of the gates, and pool the stem's "
    "map without padding, in ceil mode.",
]


def excited(y: Value, reduction: Dim, *, bias: bool = False) -> Value:
    """Gate a residual before it is added (Figure 3); the layers have no biases."""
    squeezed = floor_div(y.channels, reduction)
    require(
        not is_equal(squeezed, 0),
        f"option reduction = {reduction}: none of {y.channels} channels is left",
    )
    return squeeze_excite(y, squeezed, bias=bias)


def gated(branch: Branch, reduction: Dim, *, bias: bool) -> Branch:
    """Return the branch with its result gated: squeeze and excitation fit any block."""

    def gate(x: Value, widths: Any, stride: int) -> Value:
        return excited(branch(x, widths, stride), reduction, bias=bias)

    return gate


@architecture(
    paper="arXiv:1709.01507",
    year=2017,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    members={
        f"se_resnet{d}": {"block": block, "repeats": Default(r)}
        for block, depths in (("basic", BASIC), ("bottleneck", BOTTLENECK))
        for d, r in depths.items()
    },
    idea="channels of every block gated by the means of all its channels",
    ancestors={
        "resnet": "the network whose blocks are gated",
        "highway": "gates that depend on the input, here one per channel",
    },
)
def se_resnet(
    x: Value,
    *,
    block: str,
    repeats: tuple[int, ...],
    variant: Literal["paper", "released"] = "paper",
    reduction: Dim = 16,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """SE-ResNet: channels of every residual gated by the means of all of them."""
    released = variant == "released"
    plain = basic if block == "basic" else bottleneck
    widths = [maps * width for maps in CHANNELS]
    x = stem(x, widths[0], ceil_mode=released)
    branch = gated(plain, reduction, bias=released)
    return head(stages(x, widths, repeats, branch), classes)

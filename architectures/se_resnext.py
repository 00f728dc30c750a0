"""SE-ResNeXt. Hu, Shen, Albanie, Sun, Wu 2017, arXiv:1709.01507, Table 2."""

from __future__ import annotations

from functools import partial
from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value
from costmodel.network.registry import Default, architecture
from costmodel.zoo.residual import doubled, head, stages, stem
from costmodel.zoo.resnet import BOTTLENECK
from costmodel.zoo.resnext import grouped
from costmodel.zoo.senet import gated


PUBLISHED = """
    name                 variant   repeats   resolution  parameters  macs      source
    se_resnext50_32x4d   paper     3,4,6,3   224         -           4.25G[1]  Table 2
    se_resnext101_32x4d  paper     3,4,23,3  224         -           8.0G      Table 2
    se_resnext50_32x4d   released  2,2,2,2   224         16,790,280  -         timm 1.0, legacy_seresnext26_32x4d
    se_resnext50_32x4d   released  3,4,6,3   224         27,559,896  -         timm 1.0, legacy_seresnext50_32x4d
    se_resnext101_32x4d  released  3,4,23,3  224         48,955,416  -         timm 1.0, legacy_seresnext101_32x4d
"""

DEPARTURES = [
    "Convolutions and fully connected layers are 4.233G. Every figure of Table 2 comes "
    "out with one more operation for each normalized element, here 4.247G."
]


@architecture(
    paper="arXiv:1709.01507",
    year=2017,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    members={
        f"se_resnext{d}_32x4d": {"repeats": Default(BOTTLENECK[d])} for d in (50, 101)
    },
    idea="squeeze and excitation after grouped convolutions",
    ancestors={
        "resnext": "the network whose blocks are gated",
        "se_resnet": "the gates",
    },
)
def se_resnext(
    x: Value,
    *,
    repeats: tuple[int, ...],
    variant: Literal["paper", "released"] = "paper",
    reduction: Dim = 16,
    cardinality: Dim = 32,
    bottleneck_width: Dim = 4,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """SE-ResNeXt: squeeze and excitation after grouped convolutions."""
    released = variant == "released"
    widths = doubled(cardinality * bottleneck_width * width, 256 * width)
    plain = partial(grouped, cardinality=cardinality)
    branch = gated(plain, reduction, bias=released)
    x = stem(x, 64 * width, ceil_mode=released)
    return head(stages(x, widths, repeats, branch), classes)

"""SE-Inception. Hu, Shen, Albanie, Sun, Wu 2017, arXiv:1709.01507, Table 2."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value
from costmodel.network.registry import architecture
from costmodel.zoo import bn_inception, inception_resnet
from costmodel.zoo.inception_blocks import head
from costmodel.zoo.senet import excited


PUBLISHED = """
    variant  reduction  resolution  macs   source
    caffe    16         224         2.04G  Table 2
"""

PUBLISHED_RESNET = """
    variant   reduction  resolution  macs       source
    released  16         299         11.76G[1]  Table 2
"""

DEPARTURES = [
    "The gates are 8.5M: 0.01G, as printed. But what is printed without them, 11.75G, "
    "is not reproduced (inception_resnet_v2)."
]


@architecture(
    paper="arXiv:1709.01507",
    year=2017,
    resolution=224,
    published=PUBLISHED,
    idea="channels of every Inception module gated by the means of all of them",
    ancestors={
        "bn_inception": "the modules, each of them gated as a whole",
        "se_resnet": "squeeze and excitation, proposed with it",
    },
)
def se_bn_inception(
    x: Value,
    *,
    variant: Literal["caffe", "paper"] = "caffe",
    reduction: Dim = 16,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """SE-BN-Inception: squeeze and excitation after every module (Figure 2)."""

    def gate(y: Value) -> Value:  # as released: with biases, unlike residual networks'
        return excited(y, reduction, bias=True)

    return head(bn_inception.features(x, variant, width, gate), classes)


@architecture(
    paper="arXiv:1709.01507",
    year=2017,
    resolution=299,
    published=PUBLISHED_RESNET,
    departures=DEPARTURES,
    idea="residuals of Inception modules gated before they are added",
    ancestors={
        "inception_resnet": "modules that are residuals",
        "se_resnet": "squeeze and excitation of residuals",
    },
)
def se_inception_resnet_v2(
    x: Value,
    *,
    variant: Literal["released", "paper"] = "released",
    reduction: Dim = 16,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """SE-Inception-ResNet-v2: squeeze and excitation of every residual (Figure 3)."""

    def gate(y: Value) -> Value:
        return excited(y, reduction)

    return head(inception_resnet.features(x, 2, variant, width, gate), classes, 20)

"""Inception v3. Szegedy et al. 2015, arXiv:1512.00567, Table 1 and Figures 5 to 10."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    avg_pool,
    concat,
    conv_bn_relu,
    dropout,
    flatten,
    global_average_pool,
    linear,
    max_pool,
    scope,
)
from costmodel.network.registry import architecture


PUBLISHED = """
    variant      aux    resolution  parameters  macs    top1    source
    paper        -      299         -           5G      -       section 1
    torchvision  False  299         -           5.713G  77.294  torchvision 0.28, IMAGENET1K_V1
    torchvision  True   299         27,161,264  -       -       torchvision 0.28
"""

ACROSS, DOWN = (1, 7), (7, 1)


def factorized_5(x: Value, projection: Dim) -> Value:
    """Figure 5: the 5×5 beside two 3×3."""
    five = conv_bn_relu(conv_bn_relu(x, 48, 1), 64, 5)
    three = conv_bn_relu(conv_bn_relu(conv_bn_relu(x, 64, 1), 96, 3), 96, 3)
    return concat(conv_bn_relu(x, 64, 1), five, three, pooled(x, projection))


def factorized_7(x: Value, maps: Dim) -> Value:
    """Figure 6: n×n as 1×n and n×1, once and twice, with n = 7."""
    once = conv_bn_relu(x, maps, 1)
    once = conv_bn_relu(conv_bn_relu(once, maps, ACROSS), 192, DOWN)
    twice = conv_bn_relu(conv_bn_relu(x, maps, 1), maps, DOWN)
    twice = conv_bn_relu(conv_bn_relu(twice, maps, ACROSS), maps, DOWN)
    twice = conv_bn_relu(twice, 192, ACROSS)
    return concat(conv_bn_relu(x, 192, 1), once, twice, pooled(x, 192))


def expanded(x: Value) -> Value:
    """Figure 7: filter banks expanded, 1×3 beside 3×1."""
    three = fork(conv_bn_relu(x, 384, 1))
    double = fork(conv_bn_relu(conv_bn_relu(x, 448, 1), 384, 3))
    return concat(conv_bn_relu(x, 320, 1), three, double, pooled(x, 192))


def fork(x: Value) -> Value:
    return concat(conv_bn_relu(x, 384, (1, 3)), conv_bn_relu(x, 384, (3, 1)))


def pooled(x: Value, channels: Dim) -> Value:
    return conv_bn_relu(avg_pool(x, 3, stride=1, padding=1), channels, 1)


def reduction_a(x: Value) -> Value:
    """Figure 10: the grid halved by strided branches beside a pool."""
    double = conv_bn_relu(conv_bn_relu(x, 64, 1), 96, 3)
    double = conv_bn_relu(double, 96, 3, stride=2, padding=0)
    three = conv_bn_relu(x, 384, 3, stride=2, padding=0)
    return concat(three, double, max_pool(x, 3, 2))


def reduction_b(x: Value) -> Value:
    """Halve the 17×17 grid the same way."""
    three = conv_bn_relu(conv_bn_relu(x, 192, 1), 320, 3, stride=2, padding=0)
    seven = conv_bn_relu(conv_bn_relu(x, 192, 1), 192, ACROSS)
    seven = conv_bn_relu(seven, 192, DOWN)
    seven = conv_bn_relu(seven, 192, 3, stride=2, padding=0)
    return concat(three, seven, max_pool(x, 3, 2))


def stem(x: Value) -> Value:
    """Write the first Inception's 7×7 as 3×3s, without padding as nothing later is."""
    x = conv_bn_relu(x, 32, 3, stride=2, padding=0)
    x = conv_bn_relu(conv_bn_relu(x, 32, 3, padding=0), 64, 3)
    x = conv_bn_relu(max_pool(x, 3, 2), 80, 1)
    return max_pool(conv_bn_relu(x, 192, 3, padding=0), 3, 2)


def auxiliary(x: Value, classes: Dim) -> Value:
    """Figure 8: classify the 17×17 grid early; a regularizer."""
    x = conv_bn_relu(conv_bn_relu(avg_pool(x, 5, 3), 128, 1), 768, 5, padding=0)
    return linear(global_average_pool(x), classes)


@architecture(paper="arXiv:1512.00567", year=2015, resolution=299, published=PUBLISHED)
def inception_v3(
    x: Value,
    *,
    variant: Literal["paper", "torchvision"] = "paper",
    aux: bool = False,
    classes: Dim = 1000,
) -> list[Value]:
    """Inception v3: large kernels factorized into small and one-sided ones."""
    del variant  # the network as released; torchvision's is the same
    with scope("stem"):
        x = stem(x)
    for name, projection in (("5b", 32), ("5c", 64), ("5d", 64)):
        with scope(f"mixed_{name}"):
            x = factorized_5(x, projection)
    with scope("mixed_6a"):
        x = reduction_a(x)
    for name, maps in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        with scope(f"mixed_{name}"):
            x = factorized_7(x, maps)
    early = []
    if aux:
        with scope("aux"):
            early = [auxiliary(x, classes)]
    with scope("mixed_7a"):
        x = reduction_b(x)
    for name in ("7b", "7c"):
        with scope(f"mixed_{name}"):
            x = expanded(x)
    with scope("head"):
        x = linear(flatten(dropout(global_average_pool(x))), classes)
    return [x, *early]

"""DenseNet for CIFAR-10. Huang et al. 2016, arXiv:1608.06993, section 3 and Table 2."""

from __future__ import annotations

from costmodel.algebra.symbols import Dim, is_equal
from costmodel.network.build import Value, conv, require, scope
from costmodel.network.registry import architecture
from costmodel.zoo.dense_blocks import dense_blocks
from costmodel.zoo.residual import head


# L, k, and B and C of DenseNet-BC; the last three are Wide-DenseNet-BC.
PUBLISHED = """
    layers  growth_rate  bottleneck  compression  resolution  parameters  source
    40      12           False       1            32          1.0M        Table 2
    100     12           False       1            32          7.0M        Table 2
    100     24           False       1            32          27.2M       Table 2
    100     12           True        1/2          32          0.8M        Table 2
    250     24           True        1/2          32          15.3M       Table 2
    190     40           True        1/2          32          25.6M       Table 2
    40      36           True        1/2          32          1.5M        liuzhuang13/DenseNet, README
    40      48           True        1/2          32          2.7M        liuzhuang13/DenseNet, README
    40      60           True        1/2          32          4.3M        liuzhuang13/DenseNet, README
    100     12           True        1/2          32          769,162     osmr/imgclsmob, pytorch/README
"""


@architecture(
    paper="arXiv:1608.06993",
    year=2016,
    resolution=32,
    published=PUBLISHED,
    idea="three dense blocks of equal depth, for small images",
    ancestors={
        "densenet": "layers that read all earlier ones, and transitions",
        "resnet_cifar": "three stages of sides 32, 16 and 8, and one number for depth",
    },
)
def densenet_cifar(
    x: Value,
    *,
    layers: int = 40,
    growth_rate: Dim = 12,
    bottleneck: bool = False,
    compression: Dim = 1,
    classes: Dim = 10,
) -> Value:
    """DenseNet for CIFAR-10: L layers of k channels; B and C are options (section 3)."""
    each = 2 if bottleneck else 1
    count, rest = divmod(layers - 4, 3 * each)
    require(
        count >= 1 and rest == 0,
        f"option layers = {layers}: three equal blocks make {3 * each}n+4 layers, "
        f"such as {max(count, 1) * 3 * each + 4} or {max(count + 1, 2) * 3 * each + 4}",
    )
    # DenseNet-BC, with both, starts from twice the growth rate.
    is_bc = bottleneck and not is_equal(compression, 1)
    with scope("stem"):
        x = conv(x, 2 * growth_rate if is_bc else 16, kernel=3, bias=False)
    reduced = 4 if bottleneck else None
    x = dense_blocks(x, [count] * 3, growth_rate, compression, reduced)
    return head(x, classes)

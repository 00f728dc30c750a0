"""RegNet. Radosavovic et al. 2020, arXiv:2003.13678, equations 2 to 4 and section 4."""

from __future__ import annotations

from typing import Any, Literal

from costmodel.algebra.symbols import Dim, Rational, as_dim, exact_div, floor_div
from costmodel.network.build import Value, batch_norm, conv, conv_bn_relu, scope
from costmodel.network.registry import Default, architecture
from costmodel.zoo.blocks import squeeze_excite
from costmodel.zoo.design_space import fit, widths
from costmodel.zoo.residual import close, head


PUBLISHED = """
    name            variant      blocks  initial  slope   factor  group_width  resolution  parameters   macs      activations  top1    source
    regnet_x_200mf  paper        13      24       36.44   2.49    8            224         2,684,792    0.2G      2,164,056    -       facebookresearch/pycls, model zoo
    regnet_x_400mf  paper        22      24       24.48   2.54    16           224         5,157,512    0.4G      3,143,272    -       facebookresearch/pycls, model zoo
    regnet_x_600mf  paper        16      48       36.97   2.24    24           224         6,196,040    0.6G      3,975,096    -       facebookresearch/pycls, model zoo
    regnet_x_800mf  paper        16      56       35.73   2.28    16           224         7,259,656    0.8G      5,148,744    75.212  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_x_1_6gf  paper        18      80       34.01   2.25    24           224         9,190,136    1.6G      7,933,512    77.040  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_x_3_2gf  paper        25      88       26.31   2.25    48           224         15,296,552   3.2G      11,367,432   78.364  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_x_4gf    paper        23      96       38.65   2.43    40           224         22,118,248   4.0G      12,201,608   -       facebookresearch/pycls, model zoo
    regnet_x_6_4gf  paper        17      184      60.83   2.07    56           224         26,209,256   6.5G      16,369,744   -       facebookresearch/pycls, model zoo
    regnet_x_8gf    paper        23      80       49.56   2.88    120          224         39,572,648   8.0G      14,059,688   79.344  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_x_12gf   paper        19      168      73.36   2.37    112          224         46,106,056   12.1G     21,366,568   -       facebookresearch/pycls, model zoo
    regnet_x_16gf   paper        22      216      55.59   2.1     128          224         54,278,536   15.9G     25,515,496   80.058  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_x_32gf   paper        23      320      69.86   2       168          224         107,811,560  31.7G     36,302,160   80.622  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_y_200mf  paper        13      24       36.44   2.49    8            224         3,162,996    0.2G      2,168,052    -       facebookresearch/pycls, model zoo
    regnet_y_400mf  paper        16      48       27.89   2.09    8            224         4,344,144    0.4G      3,892,496    74.046  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_y_600mf  paper        15      48       32.54   2.32    16           224         6,055,160    0.6G      4,334,296    -       facebookresearch/pycls, model zoo
    regnet_y_800mf  paper        14      56       38.84   2.4     16           224         6,263,168    0.8G      5,249,888    -       facebookresearch/pycls, model zoo
    regnet_y_1_6gf  paper        27      48       20.71   2.65    24           224         11,202,430   1.6G      8,044,814    77.950  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_y_3_2gf  paper        21      80       42.63   2.66    24           224         19,436,338   3.2G      11,263,418   78.948  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_y_4gf    paper        22      96       31.41   2.24    64           224         20,646,656   4.0G      12,287,200   -       facebookresearch/pycls, model zoo
    regnet_y_6_4gf  paper        25      112      33.22   2.27    72           224         30,583,252   6.4G      16,407,188   -       facebookresearch/pycls, model zoo
    regnet_y_8gf    paper        17      192      76.82   2.19    56           224         39,180,068   8.0G      17,968,916   -       facebookresearch/pycls, model zoo
    regnet_y_12gf   paper        19      168      73.36   2.37    112          224         51,822,544   12.1G     21,384,496   -       facebookresearch/pycls, model zoo
    regnet_y_16gf   paper        18      200      106.23  2.48    112          224         83,590,140   15.9G     23,041,228   80.424  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_y_32gf   paper        20      232      115.89  2.53    232          224         145,046,770  32.3G     30,261,570   80.878  facebookresearch/pycls, model zoo; top1 of torchvision 0.28, IMAGENET1K_V1
    regnet_x_400mf  torchvision  -       -        -       -       -            224         5,495,976    0.414G    -            72.834  torchvision 0.28, IMAGENET1K_V1
    regnet_y_800mf  torchvision  -       -        -       -       -            224         6,432,512    0.834G    -            76.420  torchvision 0.28, IMAGENET1K_V1
    regnet_y_8gf    torchvision  -       -        -       -       -            224         39,381,472   8.473G    -            80.032  torchvision 0.28, IMAGENET1K_V1
    regnet_y_128gf  torchvision  27      456      160.83  2.52    264          224         644,812,894  127.518G  -            86.068  torchvision 0.28, IMAGENET1K_SWAG_LINEAR_V1
"""

DEPARTURES = [
    "Where a group width does not divide a width, the authors take the nearest multiple, "
    "torchvision one that is no 10 % thinner: X-400MF, Y-800MF and Y-8GF differ."
]


def members() -> dict[str, dict[str, Any]]:
    """Read the design of each network off the table; Y's blocks have gates."""
    header, *lines = (line.split() for line in PUBLISHED.strip().splitlines())
    shipped = {line[0] for line in lines if "torchvision" in line}
    return {
        line[0]: {
            **{
                key: Default(as_dim(Rational(n)))
                for key, n in zip(header[2:7], line[2:7])
            },
            "reduction": Default(4) if "_y_" in line[0] else None,
            **({} if line[0] in shipped else {"variant": "paper"}),
        }
        for line in lines
        if line[2] != "-"
    }


def bottleneck(x: Value, maps: Dim, stride: int, group: int, reduction: Any) -> Value:
    """1×1, grouped 3×3, 1×1, all as wide as the block; in Y gates before the last."""
    y = conv_bn_relu(x, maps, kernel=1)
    y = conv_bn_relu(y, maps, kernel=3, stride=stride, groups=exact_div(maps, group))
    if reduction is not None:
        y = squeeze_excite(y, floor_div(x.channels, reduction))
    return batch_norm(conv(y, maps, kernel=1, bias=False))


@architecture(
    paper="arXiv:2003.13678",
    year=2020,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    members=members(),
    idea="a design space: widths grow along a line, rounded to a few stages",
    ancestors={
        "resnext": "grouped bottlenecks, here as wide inside as outside",
        "se_resnet": "squeeze and excitation, in Y",
    },
)
def regnet(
    x: Value,
    *,
    blocks: int,
    initial: int,
    slope: Rational,
    factor: Rational,
    group_width: int,
    reduction: Dim | None,
    variant: Literal["paper", "torchvision"] = "paper",
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """RegNet: four numbers give every stage its depth and its width."""
    with scope("stem"):
        x = conv_bn_relu(x, 32 * width, kernel=3, stride=2)
    stages = widths(blocks, initial, slope, factor).items()
    for stage, (size, count) in enumerate(stages, start=1):
        group = min(group_width, size)
        maps = fit(size, group, nearest=variant == "paper") * width
        for number in range(1, count + 1):
            stride = 2 if number == 1 else 1
            with scope(f"stage{stage}"), scope(f"block{number}"):
                x = close(x, bottleneck(x, maps, stride, group, reduction), stride)
    return head(x, classes)

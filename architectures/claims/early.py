"""Claims about LeNet, AlexNet and VGG."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

from costmodel.algebra.symbols import Rational, symbol
from costmodel.algebra.window import Window
from costmodel.analysis.cost.depth import depth
from costmodel.analysis.evidence.claims import Evidence, claim
from costmodel.network.build import Value, conv, relu
from costmodel.zoo.claims.counted import built, costs, costs_of, count, members, ratio


CS231N = "Stanford CS231n, lecture 9"

C = symbol("C")
THREE = Window(size=3, before=1, after=1)


def stacked(x: Value, kernels: list[int]) -> Value:
    """Convolutions that keep the channels, each with its ReLU."""
    for kernel in kernels:
        x = relu(conv(x, x.channels, kernel, bias=False))
    return x


@claim(
    says="LeNet-5 contains 340,908 connections, but only 60,000 trainable parameters.",
    source="LeCun et al. 1998, section II.B",
    about=["lenet5"],
    convention="a connection is an input of a unit, or its bias",
    verdict="holds",
)
def lenet_shares_weights() -> Iterator[Evidence]:
    lenet = costs("lenet5")
    yield Evidence("connections of a sample", "340,908", lenet.connections)
    yield Evidence("parameters", "60,000", lenet.parameters)


@claim(
    says="AlexNet has 8 layers.",
    source=f"Krizhevsky et al. 2012, section 3.5; {CS231N}",
    about=["alexnet"],
    convention="convolutions and fully connected layers on the longest path",
    verdict="holds",
)
def alexnet_has_8_layers() -> Iterator[Evidence]:
    net = built("alexnet")
    yield Evidence("layers", 8, depth(net))
    yield Evidence("convolutions", 5, count(net, "conv"))
    yield Evidence("fully connected layers", 3, count(net, "linear"))


@claim(
    says="AlexNet uses ReLU and dropout, and is spread over 2 GPUs.",
    source=f"Krizhevsky et al. 2012, sections 3.1, 3.2 and 4.2; {CS231N}",
    about=["alexnet"],
    convention="layers of the network as published",
    verdict="holds",
    because="What the two GPUs do not exchange is a convolution in two groups.",
)
def alexnet_brings_relu_dropout_and_two_towers() -> Iterator[Evidence]:
    net = built("alexnet")
    yield Evidence("ReLUs, one after each hidden layer", 7, count(net, "relu"))
    yield Evidence("hyperbolic tangents", 0, count(net, "tanh"))
    yield Evidence("dropouts", 2, count(net, "dropout"))
    yield Evidence("convolutions in two groups", 3, count(net, "conv", groups=2))


@claim(
    says="Most parameters of AlexNet and VGG are in their fully connected layers.",
    source=CS231N,
    about=["alexnet", "vgg"],
    convention="more than half of the learnable scalars",
    verdict="holds",
)
def fully_connected_layers_hold_the_parameters() -> Iterator[Evidence]:
    for name in ("alexnet", "vgg16", "vgg19"):
        all_layers = costs(name)
        share = ratio(
            all_layers.by_operator()["linear"].parameters, all_layers.parameters
        )
        yield Evidence(f"their share in {name}", Rational(1, 2), share, ">")


@claim(
    says="VGG has only 3×3 convolutions of stride 1 and 2×2 max pooling of stride 2.",
    source=f"Simonyan & Zisserman 2014, section 2.1; {CS231N}",
    about=["vgg"],
    convention="every convolution and pooling of configurations A, B, D and E",
    verdict="holds",
    because="Configuration C, which has 1×1 convolutions, is not among these.",
)
def vgg_has_only_small_windows() -> Iterator[Evidence]:
    for name in members("vgg"):
        net = built(name)
        three = count(net, "conv", kernel=(3, 3), stride=(1, 1), padding=(1, 1))
        two = count(net, "max_pool", kernel=(2, 2), stride=(2, 2))
        yield Evidence(f"such convolutions in {name}", count(net, "conv"), three)
        yield Evidence(f"such poolings in {name}", count(net, "max_pool"), two)
        yield Evidence(f"poolings in {name}", 5, count(net, "max_pool"))


@claim(
    says="VGG doubles its feature maps when the spatial extent halves.",
    source=CS231N,
    about=["vgg"],
    convention="channels after a pooling, over those before it",
    verdict="depends",
    because="The last pooling but one leaves 512 maps at 512.",
)
def vgg_doubles_maps_where_it_halves_extents() -> Iterator[Evidence]:
    convs = [n for n in built("vgg16").nodes if n.operator.kind == "conv"]
    for before, after in pairwise(convs):
        if before.output.spatial != after.output.spatial:
            height = after.output.spatial[0]
            grown = ratio(after.output.channels, before.output.channels)
            yield Evidence(f"growth of maps at {height}×{height}", 2, grown)


@claim(
    says="Two stacked 3×3 convolutions see 5×5, three see 7×7.",
    source=f"Simonyan & Zisserman 2014, section 2.3; {CS231N}",
    about=["vgg"],
    convention="theoretical receptive field, stride 1",
    verdict="holds",
)
def stacked_3x3_see_as_far() -> Iterator[Evidence]:
    yield Evidence("pixels seen by two", 5, THREE.then(THREE).size)
    yield Evidence("pixels seen by three", 7, THREE.then(THREE).then(THREE).size)


@claim(
    says="Stacked 3×3 convolutions have more non-linearities than one large one.",
    source=f"Simonyan & Zisserman 2014, section 2.3; {CS231N}",
    about=["vgg"],
    convention="ReLUs, one after each convolution",
    verdict="holds",
)
def stacked_3x3_are_less_linear() -> Iterator[Evidence]:
    for kernels, kernel in (([3, 3], 5), ([3, 3, 3], 7)):
        many = costs_of(partial(stacked, kernels=kernels), C)
        one = costs_of(partial(stacked, kernels=[kernel]), C)
        of_many, of_one = (
            sum(row.kind == "relu" for row in c.rows) for c in (many, one)
        )
        yield Evidence(f"against {kernel}×{kernel}", of_one, of_many, ">")


@claim(
    says="Stacked 3×3 convolutions have fewer parameters than one large one.",
    source=f"Simonyan & Zisserman 2014, section 2.3; {CS231N}",
    about=["vgg"],
    convention="weights alone; over those of one convolution from the same input",
    verdict="depends",
    because="True where channels stay the same; from an image's 3 channels to 64, the "
    "second convolution reads 64 and costs more than is saved.",
)
def stacked_3x3_have_fewer_parameters() -> Iterator[Evidence]:
    for kernels, kernel, paper in (
        ([3, 3], 5, Rational(18, 25)),
        ([3, 3, 3], 7, Rational(27, 49)),
    ):
        many = costs_of(partial(stacked, kernels=kernels), C).parameters
        one = costs_of(partial(stacked, kernels=[kernel]), C).parameters
        what = f"{len(kernels)} of them over {kernel}×{kernel}, C channels throughout"
        yield Evidence(what, paper, ratio(many, one))
    many = costs_of(lambda x: stacked(conv(x, 64, 3, bias=False), [3]), 3).parameters
    one = costs_of(lambda x: conv(x, 64, 5, bias=False), 3).parameters
    yield Evidence("2 of them over 5×5, 3 channels to 64", 1, ratio(many, one), "<")

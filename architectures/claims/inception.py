"""Claims about GoogLeNet and the Inceptions after it."""

from __future__ import annotations

from collections.abc import Iterator

from costmodel.algebra.symbols import Dim, Rational, symbol
from costmodel.analysis.cost.depth import depth
from costmodel.analysis.evidence.claims import Evidence, claim
from costmodel.network.build import Value, avg_pool, conv
from costmodel.zoo import googlenet
from costmodel.zoo.claims.counted import built, costs, costs_of, count, ratio
from costmodel.zoo.claims.early import CS231N


PAPER = "Szegedy et al. 2014"
RETHINKING = "Szegedy et al. 2015"

C, n, k = symbol("C"), symbol("n"), symbol("k")

#          #1×1  #3×3 reduce  #3×3  #5×5 reduce  #5×5  pool proj
EXAMPLE: tuple[Dim, ...] = (128, 64, 192, 64, 96, 64)


def example(*, naive: bool) -> Dim:
    """Multiply-accumulates of the lecture's module, on 28×28×256."""

    def module(x: Value) -> Value:
        return googlenet.inception(x, EXAMPLE, googlenet.conv_relu, 5, naive=naive)

    return costs_of(module, 256, 28).macs


@claim(
    says="GoogLeNet has 22 layers.",
    source=f"{PAPER}, section 5; {CS231N}",
    about=["googlenet"],
    convention="convolutions and fully connected layers on the longest path",
    verdict="holds",
    because="All its convolutions are 57; 27 layers count the poolings too.",
)
def googlenet_has_22_layers() -> Iterator[Evidence]:
    yield Evidence("layers", 22, depth(built("googlenet")))


@claim(
    says="GoogLeNet has no fully connected layer.",
    source=CS231N,
    about=["googlenet"],
    convention="without the auxiliary classifiers, which are for training",
    verdict="depends",
    because="None is hidden; the classifier is one.",
)
def googlenet_has_no_fully_connected_layer() -> Iterator[Evidence]:
    linear = count(built("googlenet"), "linear")
    yield Evidence("fully connected layers", 0, linear)
    yield Evidence("those before the classifier", 0, linear - 1)


@claim(
    says="GoogLeNet has 12× fewer parameters than AlexNet.",
    source=f"{PAPER}, section 1; {CS231N}",
    about=["googlenet", "alexnet"],
    convention="learnable scalars",
    verdict="does not hold",
    because="12 needs the 5 million of the lecture, which no count of Table 1 gives.",
)
def googlenet_has_12_times_fewer_parameters() -> Iterator[Evidence]:
    def over(alexnet: Dim, googlenet: Dim) -> Dim:
        return ratio(alexnet, googlenet)

    paper, grouped = costs("googlenet"), costs("alexnet").parameters
    theirs = {"variant": "torchvision"}
    whole = costs("alexnet", **theirs).parameters
    yield Evidence("times, as published", "12", over(grouped, paper.parameters))
    released = costs("googlenet", **theirs).parameters
    yield Evidence("times, as in torchvision", "12", over(whole, released))
    headless = paper.parameters - paper.of("linear").parameters
    yield Evidence(
        "times, without GoogLeNet's classifier", "12", over(grouped, headless)
    )
    yield Evidence("parameters of GoogLeNet", "5M", paper.parameters)


@claim(
    says="GoogLeNet is deeper than the networks before it, with fewer parameters.",
    source=f"{PAPER}, section 1; {CS231N}",
    about=["googlenet", "vgg", "alexnet"],
    convention="layers on the longest path; learnable scalars",
    verdict="holds",
)
def googlenet_is_deeper_and_smaller() -> Iterator[Evidence]:
    net, cost = built("googlenet"), costs("googlenet")
    for name in ("alexnet", "vgg16", "vgg19"):
        layers, parameters = depth(built(name)), costs(name).parameters
        yield Evidence(f"layers, against {name}", layers, depth(net), ">")
        yield Evidence(f"parameters, against {name}", parameters, cost.parameters, "<")


@claim(
    says="Inception networks repeat one module of parallel branches with bottlenecks.",
    source=CS231N,
    about=["googlenet"],
    convention="modules by their inputs; a bottleneck is a 1×1 convolution before a "
    "larger one",
    verdict="holds",
)
def inception_repeats_one_module() -> Iterator[Evidence]:
    net = built("googlenet")
    joins = [node for node in net.nodes if node.operator.kind == "concat"]
    yield Evidence("modules", 9, len(joins))
    yield Evidence("branches of all modules", 4 * 9, sum(len(j.inputs) for j in joins))
    inside = {node.name: node for node in net.nodes if "inception" in node.name}
    large = [x for x in inside.values() if x.operator.kind == "conv"
             and getattr(x.operator, "kernel", None) in ((3, 3), (5, 5))]  # fmt: skip
    narrowed = sum(
        getattr(inside[inside[x.inputs[0]].inputs[0]].operator, "kernel", 0) == (1, 1)
        for x in large
    )
    yield Evidence("larger convolutions after a bottleneck", len(large), narrowed)


@claim(
    says="1×1 bottlenecks save operations in an inception module.",
    source=f"{PAPER}, section 4; {CS231N}",
    about=["googlenet"],
    convention="multiply-accumulates with the bottlenecks, over those without",
    verdict="holds",
)
def bottlenecks_save_operations() -> Iterator[Evidence]:
    what = "the lecture's module"
    yield Evidence(what, 1, ratio(example(naive=False), example(naive=True)), "<")
    naive, reduced = costs("googlenet", naive=True), costs("googlenet")
    for name in googlenet.TABLE:
        with_it, without = (c.of(f"inception_{name}").macs for c in (reduced, naive))
        yield Evidence(f"inception {name}", 1, ratio(with_it, without), "<")


@claim(
    says="Bottlenecks reduce the module's operations from 854M to 358M.",
    source=CS231N,
    about=["googlenet"],
    convention="multiply-accumulates on a 28×28×256 input",
    verdict="depends",
    because="358M counts the 3×3 term of 86.7M twice; the terms listed add up to "
    "271.4M, so the saving is 3.1× and not 2.4×.",
)
def bottlenecks_save_from_854m_to_358m() -> Iterator[Evidence]:
    yield Evidence("naive module", "854M", example(naive=True))
    yield Evidence("module with bottlenecks", "358M", example(naive=False))


@claim(
    says="n×n as 1×n and n×1 costs 2/n of it: 33 % less for n = 3.",
    source=f"{RETHINKING}, section 3.2",
    about=["inception_v3"],
    convention="multiply-accumulates, as many maps between as at both ends",
    verdict="holds",
)
def one_sided_convolutions_cost_2_over_n() -> Iterator[Evidence]:
    def one_sided(x: Value) -> Value:
        x = conv(x, C, (1, n), padding=((0, (n - 1) / 2)), bias=False)
        return conv(x, C, (n, 1), padding=(((n - 1) / 2, 0)), bias=False)

    both = costs_of(one_sided, C).parameters
    square = costs_of(lambda x: conv(x, C, n, padding=(n - 1) / 2, bias=False), C)
    yield Evidence("ratio, for any n", 2 / n, ratio(both, square.parameters))
    saving = 100 * (1 - ratio(both, square.parameters).subs(n, 3))  # type: ignore[union-attr]
    yield Evidence("percent saved by 1×3 and 3×1", "33", saving)


@claim(
    says="Two 3×3 in place of 5×5 are 28 % cheaper.",
    source=f"{RETHINKING}, section 3.1",
    about=["inception_v3"],
    convention="multiply-accumulates, C maps throughout",
    verdict="holds",
)
def two_3x3_save_28_percent() -> Iterator[Evidence]:
    two = costs_of(lambda x: conv(conv(x, C, 3, bias=False), C, 3, bias=False), C)
    five = costs_of(lambda x: conv(x, C, 5, bias=False), C)
    yield Evidence("percent saved", "28", 100 * (1 - ratio(two.macs, five.macs)))


@claim(
    says="Pooling before the expansion to 2k maps costs a quarter of pooling after it, "
    "2k²d² multiplications; and the branches of Figure 10 need no bottleneck for that.",
    source=f"{RETHINKING}, section 4",
    about=["inception_v3"],
    convention="1×1 convolution from k to 2k maps on d×d, d even",
    verdict="holds",
)
def reducing_the_grid_first_costs_a_quarter() -> Iterator[Evidence]:
    half = symbol("m")
    side = 2 * half
    after = costs_of(lambda x: avg_pool(conv(x, 2 * k, 1), 2), k, side).macs
    before = costs_of(lambda x: conv(avg_pool(x, 2), 2 * k, 1), k, side).macs
    yield Evidence("operations with the pooling after", 2 * k**2 * side**2, after)
    yield Evidence("pooling first, over that", Rational(1, 4), ratio(before, after))

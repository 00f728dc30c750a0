"""Claims about ResNet, ResNeXt, DenseNet and SE-Net."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import networkx as nx
import sympy

from costmodel.algebra.questions.asymptotics import relax
from costmodel.algebra.symbols import Dim, symbol
from costmodel.analysis.cost import cost
from costmodel.analysis.cost.depth import depth
from costmodel.analysis.evidence.claims import Evidence, claim
from costmodel.network.graph import Network
from costmodel.network.registry import load
from costmodel.zoo.claims.counted import built, costs, costs_of, count, members, ratio
from costmodel.zoo.claims.early import CS231N
from costmodel.zoo.resnet import basic, bottleneck
from costmodel.zoo.resnext import grouped


RESNET = "He et al. 2015"
RESNEXT = "Xie et al. 2016"
DENSENET = "Huang et al. 2016"
SENET = "Hu et al. 2017"

C, d = symbol("C"), symbol("d")


@claim(
    says="ResNet has 152 layers.",
    source=f"{RESNET}, Table 1; {CS231N}",
    about=["resnet"],
    convention="convolutions and fully connected layers on the longest path; "
    "projections run beside it",
    verdict="holds",
    because="155 convolutions and a classifier if the four projections count.",
)
def resnet_has_152_layers() -> Iterator[Evidence]:
    yield Evidence("layers", 152, depth(built("resnet152")))


@claim(
    says="Identity shortcuts add neither parameters nor multiply-accumulates.",
    source=f"{RESNET}, section 3.2",
    about=["resnet"],
    convention='against the plain network; option A, shortcut="A"',
    verdict="holds",
    because="What they add is one addition per element; option B has projections.",
)
def identity_shortcuts_are_free() -> Iterator[Evidence]:
    for layers in (18, 34):
        plain = costs(f"plain{layers}")
        residual = costs(f"resnet{layers}", shortcut="A")
        what = f"of resnet{layers}, against plain{layers}"
        yield Evidence(f"parameters {what}", plain.parameters, residual.parameters)
        yield Evidence(f"MACs {what}", plain.macs, residual.macs)


@claim(
    says="A residual block adds its input to two 3×3 convolutions of it.",
    source=f"{RESNET}, Figure 2; {CS231N}",
    about=["resnet"],
    convention="ResNet-34 with identity shortcuts",
    verdict="holds",
)
def residual_blocks_add_their_input() -> Iterator[Evidence]:
    net = built("resnet34", shortcut="A")
    blocks = count(net, "add")
    yield Evidence("blocks", 3 + 4 + 6 + 3, blocks)
    yield Evidence("3×3 convolutions", 2 * blocks, count(net, "conv", kernel=(3, 3)))


@claim(
    says="ResNet normalizes after every convolution.",
    source=f"{RESNET}, section 3.4; {CS231N}",
    about=["resnet"],
    convention="convolutions that a batch normalization reads",
    verdict="holds",
)
def resnet_normalizes_every_convolution() -> Iterator[Evidence]:
    for name in members("resnet"):
        net = built(name)
        kinds = {node.name: node.operator.kind for node in net.nodes}
        normalized = sum(
            kinds[node.inputs[0]] == "conv"
            for node in net.nodes
            if node.operator.kind == "batch_norm"
        )
        yield Evidence(f"in {name}", count(net, "conv"), normalized)


@claim(
    says="ResNet doubles its filters where it halves the extent with stride 2.",
    source=f"{RESNET}, section 3.3; {CS231N}",
    about=["resnet"],
    convention="output channels of a stage, over those of the one before",
    verdict="holds",
)
def resnet_doubles_filters_where_it_halves_extents() -> Iterator[Evidence]:
    for name in ("resnet34", "resnet152"):
        adds = [n.output for n in built(name).nodes if n.operator.kind == "add"]
        for before, after in pairwise(adds):
            if before.spatial != after.spatial:
                what = f"growth of maps at {after.spatial[0]}×{after.spatial[1]}"
                grown = ratio(after.channels, before.channels)
                yield Evidence(f"{what} in {name}", 2, grown)


@claim(
    says="A bottleneck block on 256 maps costs what a basic block on 64 costs.",
    source=f"{RESNET}, Figure 5; {CS231N}",
    about=["resnet"],
    convention="weights of the convolutions",
    verdict="approximately",
    because="69,632 against 73,728 weights, and four times as many maps.",
)
def bottleneck_costs_what_basic_costs() -> Iterator[Evidence]:
    narrow = costs_of(lambda x: basic(x, 64, 1), 64).by_operator()["conv"]
    wide = costs_of(lambda x: bottleneck(x, 64, 1), 256).by_operator()["conv"]
    yield Evidence("over the basic block", 1, ratio(wide.macs, narrow.macs))


@claim(
    says="ResNeXt's cardinality grows at constant complexity.",
    source=f"{RESNEXT}, Table 2 and equation 4",
    about=["resnext"],
    convention="weights of the template on 256 maps, C paths of width d",
    verdict="approximately",
    because="Whole widths do not hit 70K exactly: C = 8 with d = 14 is 71.5K.",
)
def cardinality_grows_at_constant_complexity() -> Iterator[Evidence]:
    template = costs_of(lambda x: grouped(x, (C * d, 256), 1, cardinality=C), 256)
    weights = template.by_operator()["conv"].parameters
    yield Evidence("weights", C * (256 * d + 3 * 3 * d * d + d * 256), weights)
    for paths, width in ((1, 64), (2, 40), (4, 24), (8, 14), (32, 4)):
        value = sympy.sympify(weights).subs({C: paths, d: width})
        yield Evidence(f"weights for C = {paths}, d = {width}", "70K", value)
    for metric in ("parameters", "macs"):
        ours, theirs = (
            costs(name, variant="torchvision").metric(metric)
            for name in ("resnext50_32x4d", "resnet50")
        )
        yield Evidence(f"{metric} of resnext50 over resnet50", 1, ratio(ours, theirs))


@claim(
    says="Every layer of a dense block sees all earlier ones: L(L+1)/2 connections.",
    source=f"{DENSENET}, section 1; {CS231N}",
    about=["densenet"],
    convention="a layer's input and the layers before it, counted in the graph",
    verdict="holds",
)
def dense_layers_see_all_earlier_ones() -> Iterator[Evidence]:
    net = built("densenet121")
    for stage, layers in enumerate((6, 12, 24, 16), start=1):
        seen = _connections(net, f"stage{stage}.")
        yield Evidence(
            f"in block {stage}, L = {layers}", layers * (layers + 1) // 2, seen
        )


def _connections(net: Network, stage: str) -> int:
    """Count the tensors that are concatenated as the input of each layer of a block."""
    concats = {n.name for n in net.nodes if n.operator.kind == "concat"}
    # Only concatenations pass on their operands: all else is a new feature map.
    passed = nx.DiGraph(
        (a, b) for a, b in net.graph.edges if b in concats or a in concats
    )
    firsts = [n for n in net.nodes
              if n.name.startswith(stage) and n.operator.kind == "batch_norm"
              and n.name.endswith("bn1")]  # fmt: skip
    total = 0
    for first in firsts:
        (source,) = first.inputs
        behind = nx.ancestors(passed, source) if source in concats else {source}
        total += len(behind - concats)
    return total


@claim(
    says="DenseNet needs fewer parameters than ResNet for the same accuracy.",
    source=f"{DENSENET}, section 4.4; {CS231N}",
    about=["densenet", "resnet"],
    convention="DenseNet-201 (76.9 % top-1) over ResNet-101 (77.4 %) and ResNet-50 "
    "(76.1 %), torchvision's weights",
    verdict="depends",
    because="True of parameters and operations. It moves more bytes than ResNet-101 "
    "does, as every layer reads all earlier ones.",
)
def densenet_is_parameter_efficient() -> Iterator[Evidence]:
    dense = costs("densenet201", variant="torchvision")
    for name in ("resnet50", "resnet101"):
        other = costs(name, variant="torchvision")
        for metric in ("parameters", "macs", "bytes_written", "bytes_read"):
            if name == "resnet101" or metric == "parameters":
                share = ratio(dense.metric(metric), other.metric(metric))
                what = metric.replace("_", " ").replace("macs", "MACs")
                yield Evidence(f"{what} over {name}", 1, share, "<")


@claim(
    says="Squeeze and excitation adds less than 1 % operations and about 10 % "
    "parameters to ResNet-50.",
    source=f"{SENET}, section 3.2",
    about=["se_resnet"],
    convention="percent of ResNet-50's, reduction 16",
    verdict="holds",
)
def squeeze_and_excitation_is_cheap() -> Iterator[Evidence]:
    plain, gated = costs("resnet50"), costs("se_resnet50")
    yield Evidence("MACs", 1, 100 * (ratio(gated.macs, plain.macs) - 1), "<")
    more = 100 * (ratio(gated.parameters, plain.parameters) - 1)
    yield Evidence("parameters", "10", more)


@claim(
    says="Squeeze and excitation adds (2/r)·Σ Nₛ·Cₛ² parameters.",
    source=f"{SENET}, equation 5",
    about=["se_resnet"],
    convention="Nₛ blocks with Cₛ output channels in stage s; layers without biases; "
    "r divides every Cₛ",
    verdict="holds",
)
def squeeze_and_excitation_follows_its_formula() -> Iterator[Evidence]:
    r = symbol("r")
    repeats = {256: 3, 512: 4, 1024: 6, 2048: 3}
    formula = 2 * sum(blocks * maps**2 for maps, blocks in repeats.items()) / r
    more = (
        cost(load("se_resnet50", reduction=r)).parameters - costs("resnet50").parameters
    )
    for value in (2, 4, 8, 16, 32):
        numbers: list[Dim] = [sympy.sympify(e).subs(r, value) for e in (formula, more)]
        yield Evidence(f"parameters added at r = {value}", numbers[0], numbers[1])
    yield Evidence("at any r, rounding dropped", formula, relax(more))

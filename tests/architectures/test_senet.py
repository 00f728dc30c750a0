"""Squeeze and excitation: what a gate costs, around any block and in whole networks."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import pytest
import sympy

import costmodel as cm
from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError
from costmodel.network.build import Value, image, network
from costmodel.network.graph import Network
from costmodel.network.registry import find
from costmodel.network.registry.printed_figures import Published
from costmodel.zoo import senet154
from costmodel.zoo.residual import Branch, close, doubled, head, stack
from costmodel.zoo.resnet import basic, bottleneck
from costmodel.zoo.resnext import grouped
from costmodel.zoo.senet import excited, gated


C, d, r = (cm.symbol(letter) for letter in "Cdr")

BLOCKS = {"resnet18": {64: 2, 128: 2, 256: 2, 512: 2},
          "resnet34": {64: 3, 128: 4, 256: 6, 512: 3},
          "resnet50": {256: 3, 512: 4, 1024: 6, 2048: 3},
          "resnet101": {256: 3, 512: 4, 1024: 23, 2048: 3},
          "resnet152": {256: 3, 512: 8, 1024: 36, 2048: 3},
          "resnext50_32x4d": {256: 3, 512: 4, 1024: 6, 2048: 3},
          "resnext101_32x4d": {256: 3, 512: 4, 1024: 23, 2048: 3}}  # fmt: skip
"""Blocks by the maps that they put out."""


def gates(name: str, reduction: Dim) -> sympy.Expr:
    """Count the weights of all gates: 2·C·⌊C/r⌋ each, without biases."""
    return sympy.Add(*(
        2 * maps * sympy.floor(sympy.sympify(maps) / reduction) * blocks
        for maps, blocks in BLOCKS[name].items()
    ))  # fmt: skip


# A gate around any block


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("branch", "widths", "maps"),
    [(basic, 64, 64), (bottleneck, 64, 256), (partial(bottleneck, late=True), 48, 192),
     (partial(grouped, cardinality=32), (128, 256), 256)],
)  # fmt: skip
def test_a_gate_costs_the_same_around_any_block(
    branch: Branch, widths: Any, maps: int, *, bias: bool
) -> None:
    plain, wrapped = (
        cm.cost(network(unit(image(maps, 56, 56), widths, 2), batch=1))
        for unit in (branch, gated(branch, r, bias=bias))
    )
    squeezed = sympy.floor(maps / r)
    more = 2 * maps * squeezed + (maps + squeezed if bias else 0)
    assert sympy.expand(more) == sympy.expand(wrapped.parameters - plain.parameters)
    macs = wrapped.macs - plain.macs
    assert sympy.expand(2 * maps * squeezed) == sympy.expand(macs)


def test_a_gated_map_keeps_its_shape() -> None:
    def gate(x: Value) -> Value:
        return excited(x, 16)

    x = image(64)
    assert x.shape == gate(x).shape


@pytest.mark.parametrize("reduction", [1, 3, 16, 64, "3/2"])
def test_squeezed_maps_are_rounded_down(reduction: object) -> None:
    net = cm.load("se_resnet18", reduction=reduction)
    at = sympy.Rational(str(reduction))
    assert sympy.floor(512 / at) == net["stage4.block1.conv3"].output.channels
    assert gates("resnet18", at) == (
        cm.cost(net).parameters - cm.cost(cm.load("resnet18")).parameters
    )


# Whole networks


@pytest.mark.parametrize("name", BLOCKS)
def test_gates_add_what_equation_5_says(name: str) -> None:
    more = (
        cm.cost(cm.load(f"se_{name}", reduction=r)).parameters
        - cm.cost(cm.load(name)).parameters
    )
    assert gates(name, r) == sympy.expand(more)
    squares = sum(blocks * maps**2 for maps, blocks in BLOCKS[name].items())
    assert cm.relax(more) == sympy.Integer(2) * squares / r


@pytest.mark.parametrize("name", BLOCKS)
def test_gates_add_as_many_multiplications_as_weights(name: str) -> None:
    plain, gated_one = (
        cm.cost(cm.load(each, resolution=224, batch=1)) for each in (name, f"se_{name}")
    )
    assert gates(name, 16) == gated_one.macs - plain.macs


@pytest.mark.parametrize("name", BLOCKS)
def test_the_released_networks_add_biases_to_their_gates(name: str) -> None:
    paper, released = (
        cm.cost(cm.load(f"se_{name}", variant=variant, resolution=224, batch=1))
        for variant in ("paper", "released")
    )
    biases = sum(blocks * (maps + maps // 16) for maps, blocks in BLOCKS[name].items())
    assert biases == released.parameters - paper.parameters
    assert paper.macs == released.macs


def test_the_released_stem_sees_one_row_less_of_some_images() -> None:
    for side, padded, released in ((224, 56, 56), (97, 25, 24), (161, 41, 40)):
        for variant, expected in (("paper", padded), ("released", released)):
            net = cm.load("se_resnet50", variant=variant, resolution=side)
            assert (64, expected, expected) == net["stem.max_pool1"].output.sizes


@pytest.mark.parametrize(
    ("name", "layers"),
    [("se_resnet18", 18), ("se_resnet50", 50), ("se_resnet152", 152),
     ("se_resnext101_32x4d", 101), ("senet154", 154)],
)  # fmt: skip
def test_gates_run_beside_the_layers_that_are_counted(name: str, layers: int) -> None:
    assert layers == cm.depth(cm.load(name))


# What the paper counts


SOURCE = {True: "Table 2", False: "arXiv:1709.01507, Table 2"}
"""How the paper's table is named beside its own networks, and beside others."""


def normalized(net: Network) -> int:
    """Count the elements that batch normalization puts out."""
    return sum(
        prod(node.output.sizes)
        for node in net.nodes
        if node.operator.kind == "batch_norm"
    )


TABLE_2 = [
    (name, row)
    for name in (*BLOCKS, *(f"se_{name}" for name in BLOCKS))
    for row in find(name).published
    # SE-ResNet-50's 3.87G stands in Table 10 as well.
    if row.source in (SOURCE[name.startswith("se_")], "Tables 2 and 10")
    and row.quantity == "macs"
]


@pytest.mark.parametrize(("name", "row"), TABLE_2)
def test_table_2_counts_normalized_elements_once(name: str, row: Published) -> None:
    net = cm.load(name, resolution=224, batch=1)
    macs = cm.cost(net).macs
    assert row.agrees(macs + normalized(net))
    assert row.agrees(macs) == (row.departure is None)


def test_five_pairs_of_table_2_are_here() -> None:
    depths = (
        "resnet50",
        "resnet101",
        "resnet152",
        "resnext50_32x4d",
        "resnext101_32x4d",
    )
    expected = {*depths, *(f"se_{name}" for name in depths)}
    assert expected == {name for name, _ in TABLE_2}


@pytest.mark.parametrize(
    ("reduction", "printed"),
    [(2, "45.7M"), (4, "35.7M"), (8, "30.7M"), (16, "28.1M"), (32, "26.9M")],
)
def test_table_10_counts_running_statistics_too(reduction: int, printed: str) -> None:
    net = cm.load("se_resnet50", reduction=reduction)
    statistics = sum(
        weight.numel
        for node in net.nodes
        for name, weight in net.weights_of(node).items()
        if name.startswith("running_")
    )
    assert statistics == 53_120  # two for each of 26,560 maps
    (row,) = (row for row in find("se_resnet50").published if row.printed == printed)
    learnable = cm.cost(net).parameters
    assert row.agrees(learnable + statistics)
    assert row.agrees(learnable) == (row.departure is None)


# SENet-154


def test_senet_154_has_the_released_ones_parameters() -> None:
    cost = cm.cost(cm.load("senet154", resolution=224, batch=1))
    assert cost.parameters == 115_088_984
    assert {"stem", "stage1", "stage2", "stage3", "stage4", "head"} <= set(
        cost.by_scope()
    )


def test_senet_154_projects_by_3x3_where_it_strides() -> None:
    net = cm.load("senet154")
    kernels = []
    for stage in (1, 2, 3, 4):
        last = net[f"stage{stage}.block1.add1"]
        projection = net[net[last.inputs[1]].inputs[0]].operator
        kernels.append((projection.kernel, projection.stride))
    strided = ((3, 3), (2, 2))
    assert kernels == [((1, 1), (1, 1)), strided, strided, strided]


@pytest.mark.parametrize(
    ("paths", "width", "reduction"), [(64, 4, 16), (32, 4, 16), (2, 40, 8), (1, 64, 4)]
)
def test_senet_154s_formula_holds(paths: int, width: int, reduction: int) -> None:
    repeats = (2, 2, 2, 2)
    symbolic = cm.load(
        "senet154", repeats=repeats, cardinality=C, bottleneck_width=d, reduction=r
    )
    numeric = cm.load(
        "senet154",
        repeats=repeats,
        cardinality=paths,
        bottleneck_width=width,
        reduction=reduction,
    )
    for metric in ("parameters", "macs"):
        formula = sympy.sympify(cm.cost(symbolic).metric(metric))
        expected = cm.cost(numeric).metric(metric)
        at = {C: paths, d: width, r: reduction}
        assert sympy.expand(formula.subs(at) - expected) == 0


def test_senet_154_with_full_1x1s_is_not_what_was_printed_either() -> None:
    def unit(x: Value, widths: Any, stride: int) -> Value:
        y = excited(grouped(x, widths, stride, cardinality=64), 16, bias=True)
        return close(x, y, stride, kernel=3 if stride > 1 else 1)

    x = senet154.stem(image(3, 320, 320), 128)
    x = stack(x, doubled(256, 256), (3, 8, 36, 3), unit)
    cost = cm.cost(network(head(x, 1000), batch=1))
    assert cost.parameters == 143_757_144
    assert cost.macs == 54_696_779_776
    printed = [row for row in find("senet154").published if row.resolution == "320"]
    assert [
        (row.quantity, row.agrees(cost.metric(row.quantity))) for row in printed
    ] == [("parameters", False), ("macs", False)]


# Wrong options


@pytest.mark.parametrize(
    ("problem", "name", "options"),
    [
        ("se_resnet50: option reduction = 0 is not positive",
         "se_resnet50", {"reduction": 0}),
        ("se_resnet50: option reduction = 1000: none of 256 channels is left",
         "se_resnet50", {"reduction": 1000}),
        ("senet154: option reduction = 257: none of 256 channels is left",
         "senet154", {"reduction": 257}),
        ("se_resnet50: option variant = 'caffe'; allowed are paper, released",
         "se_resnet50", {"variant": "caffe"}),
        ("senet154, cardinality = 3, bottleneck_width = 5: cardinality · "
             "bottleneck_width = 15 is odd; its half is needed",
         "senet154", {"cardinality": 3, "bottleneck_width": 5}),
        ("senet154: option repeats = 0 is not positive",
         "senet154", {"repeats": (3, 8, 36, 0)}),
        ('se_resnext50_32x4d, width = 1/64, reduction = 1: conv at '
         '"stage1.block1.conv2": groups 32 '
         "do not divide the 2 input channels",
         "se_resnext50_32x4d", {"width": "1/64", "reduction": 1}),
    ],
)  # fmt: skip
def test_wrong_options_name_themselves(
    problem: str, name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(CostModelError) as caught:
        cm.load(name, **options)
    assert problem == str(caught.value)

"""Residual networks: closed forms, options as symbols, and what the papers count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError
from costmodel.network.build import Value, image, network
from costmodel.network.graph import Network
from costmodel.network.registry import find
from costmodel.zoo import preact_resnet
from costmodel.zoo.resnet import basic, bottleneck
from costmodel.zoo.resnext import grouped


C, d, n, alpha = cm.symbol("C"), cm.symbol("d"), cm.symbol("n"), cm.alpha


def block(branch: Callable[[Value], Value], channels: Dim) -> Any:
    """Return what a block on 56×56 positions costs."""
    return cm.cost(network(branch(image(channels, 56, 56)), batch=1))


def weights(net: Network) -> Counter[tuple[Dim, ...]]:
    """Return the shapes of all convolutions and fully connected layers."""
    return Counter(
        tuple(net.weights_of(node)["weight"].shape)
        for node in net.nodes
        if node.operator.kind in ("conv", "linear")
    )


def count(net: Network, kind: str) -> int:
    return sum(node.operator.kind == kind for node in net.nodes)


# Blocks


def test_a_basic_block_has_two_full_convolutions() -> None:
    cost = block(lambda x: basic(x, C, 1), C)
    # 2 · 9·C² weights, and a scale and a shift for each of 2 · C maps
    assert sympy.expand(18 * C**2 + 4 * C) == sympy.expand(cost.parameters)


def test_a_bottleneck_costs_seventeen_times_its_width_squared() -> None:
    cost = block(lambda x: bottleneck(x, C, 1), 4 * C)
    # 4·C² + 9·C² + 4·C² weights, and normalization of C + C + 4·C maps
    assert sympy.expand(17 * C**2 + 12 * C) == sympy.expand(cost.parameters)


def test_a_template_of_paths_costs_what_equation_4_says() -> None:
    cost = block(lambda x: grouped(x, (C * d, 256), 1, cardinality=C), 256)
    equation = C * (256 * d + 3 * 3 * d * d + d * 256)
    convolutions = cost.by_operator()["conv"]
    assert sympy.expand(equation) == sympy.expand(convolutions.parameters)
    assert sympy.expand(equation * 56 * 56) == sympy.expand(convolutions.macs)


PATHS = {1: 64, 2: 40, 4: 24, 8: 14, 32: 4}
"""Cardinality C and bottleneck width d (Xie et al. 2016, Table 2)."""


def nearest_width(cost: sympy.Expr, cardinality: int, budget: int) -> int:
    """Return the whole d whose cost is nearest to a budget: costs grow with d."""
    at = sympy.lambdify(d, cost.subs(C, cardinality))
    above = next(width for width in range(1, 1000) if at(width) >= budget)
    return min((above - 1, above), key=lambda width: abs(at(width) - budget))


@pytest.mark.parametrize("metric", ["parameters", "macs"])
@pytest.mark.parametrize("cardinality", PATHS)
def test_the_width_of_so_many_paths_at_equal_cost_is_the_papers(
    metric: str, cardinality: int
) -> None:
    template = block(lambda x: grouped(x, (C * d, 256), 1, cardinality=C), 256)
    cost = sympy.sympify(template.by_operator()["conv"].metric(metric))
    budget = cost.subs({C: 1, d: 64})  # of the bottleneck: 69,632 weights
    assert PATHS[cardinality] == nearest_width(cost, cardinality, budget)


@pytest.mark.parametrize(("cardinality", "width"), PATHS.items())
def test_templates_of_equal_cost_have_about_70_thousand_weights(
    cardinality: int, width: int
) -> None:
    template = partial(grouped, cardinality=cardinality)
    cost = block(lambda x: template(x, (cardinality * width, 256), 1), 256)
    # 71,456 = 8 · (512·14 + 9·14²) is the largest.
    assert 69_632 <= cost.by_operator()["conv"].parameters <= 71_456
    # "0.22 billion": weights times positions
    assert round(cost.macs / 10**9, 2) == 0.22


# Depth as an option


DEEPER = [
    ("resnet18", "resnet34", (3, 4, 6, 3)),
    ("plain18", "plain34", (3, 4, 6, 3)),
    ("resnet50", "resnet101", (3, 4, 23, 3)),
    ("resnet101", "resnet152", (3, 8, 36, 3)),
    ("resnext50_32x4d", "resnext101_32x4d", (3, 4, 23, 3)),
    ("wide_resnet18_2", "wide_resnet34_2", (3, 4, 6, 3)),
    ("wide_resnet50_2", "wide_resnet101_2", (3, 4, 23, 3)),
    ("preact_resnet18", "preact_resnet34", (3, 4, 6, 3)),
    ("preact_resnet152", "preact_resnet200", (3, 24, 36, 3)),
    ("se_resnet34", "se_resnet18", (2, 2, 2, 2)),
    ("se_resnet50", "se_resnet152", (3, 8, 36, 3)),
    ("se_resnext50_32x4d", "se_resnext101_32x4d", (3, 4, 23, 3)),
]


@pytest.mark.parametrize(("name", "deeper", "repeats"), DEEPER)
def test_repeats_make_a_deeper_member_of_the_family(
    name: str, deeper: str, repeats: tuple[int, ...]
) -> None:
    assert cm.load(deeper).nodes == cm.load(name, repeats=repeats).nodes
    assert repeats == find(deeper).options["repeats"].default


@pytest.mark.parametrize(
    ("name", "deeper", "number"),
    [
        ("resnet20_cifar", "resnet56_cifar", 9),
        ("preact_resnet164_cifar", "preact_resnet1001_cifar", 111),
    ],
)
def test_n_makes_a_deeper_network_for_small_images(
    name: str, deeper: str, number: int
) -> None:
    assert cm.load(deeper).nodes == cm.load(name, n=number).nodes


@given(repeats=st.tuples(*[st.integers(1, 6)] * 4))
@settings(max_examples=15, deadline=None)
def test_depth_and_cost_are_linear_in_every_number_of_repeats(
    repeats: tuple[int, ...],
) -> None:
    for name, each in (("resnet18", 2), ("resnet50", 3), ("preact_resnet50", 3)):
        base = cm.cost(cm.load(name, repeats=(1, 1, 1, 1)))
        expected = base.parameters
        for stage, number in enumerate(repeats):
            two = tuple(2 if s == stage else 1 for s in range(4))
            more = cm.cost(cm.load(name, repeats=two)).parameters - base.parameters
            expected += (number - 1) * more
        net = cm.load(name, repeats=repeats)
        assert expected == cm.cost(net).parameters
        # the stem, the blocks and the classifier
        assert 1 + each * sum(repeats) + 1 == cm.depth(net)


def small_resnet(number: int, width: Dim) -> Dim:
    """Count the parameters of a ResNet of 6n+2 layers by hand, shortcuts of option A.

    A stage of C maps has 2n convolutions of 9·C² weights, the first of which reads
    C/2 maps except in the first stage, and normalizes 2n times C maps.
    """
    first, *_ = widths = [maps * width for maps in (16, 32, 64)]
    stem = 27 * first + 2 * first
    stages = sum(
        (2 * number - (0 if maps == first else sympy.Rational(1, 2))) * 9 * maps**2
        + 2 * number * 2 * maps
        for maps in widths
    )
    return sympy.expand(stem + stages + 10 * widths[-1] + 10)


@pytest.mark.parametrize("number", [1, 2, 3, 18])
def test_a_small_resnet_costs_what_is_counted_by_hand(number: int) -> None:
    net = cm.load("resnet20_cifar", n=number, width=alpha)
    assert small_resnet(number, alpha) == sympy.expand(cm.cost(net).parameters)


def test_resnet_20_has_the_known_counts_with_both_shortcuts() -> None:
    assert small_resnet(3, 1) == 269_722
    for name, shortcut, expected in (
        ("resnet20_cifar", "A", 269_722),
        ("resnet20_cifar", "B", 272_474),
        ("resnet56_cifar", "A", 853_018),
        ("resnet56_cifar", "B", 855_770),
    ):
        net = cm.load(name, shortcut=shortcut)
        assert expected == cm.cost(net).parameters


# One network is another


@pytest.mark.parametrize(
    ("name", "options", "same", "others"),
    [
        # one path of width 64, and a widening by 1, are ResNet's bottleneck
        ("resnext50_32x4d", {"cardinality": 1, "bottleneck_width": 64},
         "resnet50", {"variant": "torchvision"}),
        ("wide_resnet50_2", {"widening": 1}, "resnet50", {"variant": "torchvision"}),
        ("wide_resnet34_2", {"widening": 1}, "resnet34", {}),
        ("wide_resnet40_4_cifar", {"widening": 1},
         "preact_resnet110_cifar", {"n": 6, "shortcut": "B"}),
    ],
)  # fmt: skip
def test_an_option_at_one_gives_the_network_it_comes_from(
    name: str, options: dict[str, Any], same: str, others: dict[str, Any]
) -> None:
    assert cm.load(same, **others).nodes == cm.load(name, **options).nodes


@pytest.mark.parametrize("layers", [18, 34, 50, 101, 152])
def test_preactivation_moves_normalization_but_no_convolution(layers: int) -> None:
    before = cm.load(f"preact_resnet{layers}", width=alpha)
    after = cm.load(f"resnet{layers}", width=alpha)
    assert weights(after) == weights(before)
    assert cm.cost(after).macs == cm.cost(before).macs


# The order of layers


PREACTIVATED = ["preact_resnet18", "preact_resnet50", "preact_resnet110_cifar",
                "preact_resnet164_cifar", "wide_resnet16_8_cifar"]  # fmt: skip


@pytest.mark.parametrize("name", PREACTIVATED)
def test_every_convolution_but_the_first_reads_an_activation(name: str) -> None:
    net = cm.load(name)
    kinds = {node.name: node.operator.kind for node in net.nodes}
    convolutions = [node for node in net.nodes if node.operator.kind == "conv"]
    read = [net[conv.inputs[0]] for conv in convolutions]
    assert {"input"} == {node.name for node in read if kinds[node.name] == "input"}
    assert {"relu", "max_pool", "input"} >= {kinds[node.name] for node in read}
    for node in read:
        if kinds[node.name] == "relu":
            assert kinds[node.inputs[0]] == "batch_norm"


@pytest.mark.parametrize("name", PREACTIVATED)
def test_a_clean_path_of_additions_leads_through_the_network(name: str) -> None:
    net = cm.load(name)
    additions = [node for node in net.nodes if node.operator.kind == "add"]
    for before, after in pairwise(additions):
        residual, shortcut = (net[source] for source in after.inputs)
        assert residual.operator.kind == "conv"
        if shortcut != before:  # the shape changes: a projection, or a padded copy
            assert shortcut.operator.kind in ("conv", "pad")
    (classifier,) = (node for node in net.nodes if node.operator.kind == "linear")
    head = [net[additions[-1].name]]
    readers = {node.inputs[0]: node for node in net.nodes if node.inputs}
    while head[-1] != classifier:
        head.append(readers[head[-1].name])
    kinds = [node.operator.kind for node in head]
    assert kinds == [
        "add", "batch_norm", "relu", "adaptive_avg_pool", "flatten", "linear",
    ]  # fmt: skip


def test_the_first_block_adds_to_the_activated_stem() -> None:
    net = cm.load("preact_resnet110_cifar")
    first = next(node for node in net.nodes if node.operator.kind == "add")
    assert first.inputs[1] == "stem.relu1"


def test_a_projection_reads_the_activation_that_the_residual_reads() -> None:
    net = cm.load("preact_resnet50")
    for stage in (2, 3, 4):
        scope = f"stage{stage}.block1"
        assert net[f"{scope}.conv1"].inputs == (f"{scope}.relu1",)
        assert net[f"{scope}.conv4"].inputs == (f"{scope}.relu1",)


# Symbols


@pytest.mark.parametrize(("paths", "width"), [(1, 64), (2, 40), (8, 14), (32, 4)])
def test_resnexts_formula_in_cardinality_and_width_holds(
    paths: int, width: int
) -> None:
    symbolic = cm.load("resnext50_32x4d", cardinality=C, bottleneck_width=d)
    numeric = cm.load("resnext50_32x4d", cardinality=paths, bottleneck_width=width)
    for metric in ("parameters", "macs"):
        formula = sympy.sympify(cm.cost(symbolic).metric(metric))
        expected = cm.cost(numeric).metric(metric)
        assert formula.subs({C: paths, d: width}) == expected


@pytest.mark.parametrize(("paths", "width"), [(1, 64), (8, 64), (16, 64), (32, 4)])
def test_the_small_resnexts_formula_holds(paths: int, width: int) -> None:
    symbolic = cm.load("resnext29_8x64d_cifar", cardinality=C, bottleneck_width=d)
    formula = sympy.sympify(cm.cost(symbolic).parameters)
    numeric = cm.load(
        "resnext29_8x64d_cifar", cardinality=paths, bottleneck_width=width
    )
    expected = cm.cost(numeric).parameters
    assert formula.subs({C: paths, d: width}) == expected


@pytest.mark.parametrize("number", [2, 4, 6])
def test_a_wide_networks_formula_is_quadratic_in_its_widening(number: int) -> None:
    k = cm.symbol("k")
    net = cm.load("wide_resnet28_10_cifar", n=number, widening=k)
    formula = sympy.sympify(cm.cost(net).parameters)
    assert sympy.degree(formula, k) == 2
    for widening in (2, 4, 10, 12):
        wide = cm.load("wide_resnet28_10_cifar", n=number, widening=widening)
        assert formula.subs(k, widening) == cm.cost(wide).parameters
    # At k = 1 the first block keeps its shape, and needs no projection of 16 to 16.
    thin = cm.load("wide_resnet28_10_cifar", n=number, widening=1)
    assert formula.subs(k, 1) - 16 * 16 == cm.cost(thin).parameters


@pytest.mark.parametrize("name", ["wide_resnet18_2", "wide_resnet50_2"])
def test_a_widenings_formula_holds(name: str) -> None:
    k = cm.symbol("k")
    formula = sympy.sympify(cm.cost(cm.load(name, widening=k)).macs)
    for widening in (2, 3, 8):
        assert (
            formula.subs(k, widening) == cm.cost(cm.load(name, widening=widening)).macs
        )


# What departs, and why


def test_resnet_1001_is_printed_without_normalization() -> None:
    cost = cm.cost(cm.load("preact_resnet1001_cifar"))
    normalization = cost.by_operator()["batch_norm"].parameters
    assert cost.parameters == 10_327_706
    assert cost.parameters - normalization == 10_178_490
    (row,) = (r for r in find("preact_resnet1001_cifar").published if r.departure)
    assert row.agrees(cost.parameters - normalization)
    # The paper's ResNet-164 comes out either way.
    small = cm.cost(cm.load("preact_resnet164_cifar"))
    without = small.parameters - small.by_operator()["batch_norm"].parameters
    (row,) = (
        r for r in find("preact_resnet164_cifar").published if r.printed == "1.7M"
    )
    assert row.agrees(small.parameters)
    assert row.agrees(without)


@pytest.mark.parametrize(
    ("name", "layers"),
    [("wide_resnet16_8_cifar", 16), ("wide_resnet28_10_cifar", 28),
     ("wide_resnet40_4_cifar", 40)],
)  # fmt: skip
def test_a_wide_networks_number_counts_its_convolutions(name: str, layers: int) -> None:
    net = cm.load(name)
    assert layers == count(net, "conv")
    # a stem, n blocks of two in each of 3 stages, and 3 projections
    assert layers == 1 + 3 * 2 * find(name).options["n"].default + 3
    assert layers - 3 + 1 == cm.depth(net)


def test_a_wide_resnets_stem_stays_thin() -> None:
    wide = cm.cost(cm.load("wide_resnet18_2", widening=3)).parameters
    all_wide = cm.cost(cm.load("resnet18", width=3)).parameters
    (row,) = (r for r in find("wide_resnet18_2").published if r.printed == "101.8M")
    assert row.agrees(wide)
    assert not row.agrees(all_wide)


def test_the_released_strides_cost_more() -> None:
    for name in ("preact_resnet50", "preact_resnet200"):
        paper = cm.cost(cm.load(name, resolution=224, batch=1))
        released = cm.cost(cm.load(name, variant="released", resolution=224, batch=1))
        assert paper.parameters == released.parameters
        # The 1×1s from 2C to C maps see four times the positions; the 3×3s do not.
        more = [
            (side * side - side * side // 4) * 2 * maps * maps
            for side, maps in ((56, 128), (28, 256), (14, 512))
        ]
        assert sum(more) == released.macs - paper.macs


# Wrong options


@pytest.mark.parametrize(
    ("problem", "name", "options"),
    [
        ("resnet50: option repeats = 0 is not positive",
         "resnet50", {"repeats": (3, 0, 6, 3)}),
        ("resnet50: option repeats = -1 is not positive",
         "resnet50", {"repeats": "3,4,6,-1"}),
        ("resnet50: option repeats = (3, 4, 6); give 4 numbers, such as 3,4,6,3",
         "resnet50", {"repeats": (3, 4, 6)}),
        ("resnet50: option repeats = 3/2 is not a whole number",
         "resnet50", {"repeats": ("3/2", 4, 6, 3)}),
        ("resnet50: option repeats = n: a number is needed, it decides which layers "
         "there are", "resnet50", {"repeats": (n, 4, 6, 3)}),
        ("resnet20_cifar: option n = 0 is not positive", "resnet20_cifar", {"n": 0}),
        ("preact_resnet164_cifar: option n = n: a number is needed, it decides which "
         "layers there are", "preact_resnet164_cifar", {"n": "n"}),
        ('resnext50_32x4d, width = 1/64: conv at "stage1.block1.conv2": groups 32 do '
         "not divide the 2 input channels", "resnext50_32x4d", {"width": "1/64"}),
        ("wide_resnet28_10_cifar, widening = 1/3: bind: widening = 1/3 is not a "
         "positive integer", "wide_resnet28_10_cifar", {"widening": "1/3"}),
        ("preact_resnet50: option variant = 'torchvision'; allowed are paper, released",
         "preact_resnet50", {"variant": "torchvision"}),
        ('preact_resnet18: unknown option "variant"; options are repeats, channels, '
         "width, classes, input_channels, resolution, batch, trained",
         "preact_resnet18", {"variant": "paper"}),
    ],
)  # fmt: skip
def test_wrong_options_name_themselves(
    problem: str, name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(CostModelError) as caught:
        cm.load(name, **options)
    assert problem == str(caught.value)


def test_the_residuals_of_both_orders_differ_in_their_last_normalization() -> None:
    for after, before, maps in (
        (basic, preact_resnet.basic, 64),
        (bottleneck, preact_resnet.bottleneck, 256),
    ):
        with_one = block(lambda x, b=after: b(x, 64, 1), maps).parameters
        without = block(lambda x, b=before: b(x, 64, 1), maps).parameters
        assert 2 * maps == with_one - without

"""The Inception family: grids as printed, factorized kernels, gates, thin networks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import Dim
from costmodel.analysis.cost.depth import depth
from costmodel.bridge import oracles
from costmodel.network.build import image, network
from costmodel.zoo import inception_v3
from costmodel.zoo.inception_blocks import Branch, Module, chain, inception


C, r = cm.symbol("C"), cm.symbol("r")

THIN = ["bn_inception", "inception_v2", "inception_v3", "inception_v4",
        "inception_resnet_v1", "inception_resnet_v2"]  # fmt: skip

Grid = tuple[int, int, int]


def executed(name: str, size: tuple[int, int], **options: Any) -> dict[str, Grid]:
    """Return the shapes that really came out of a network's layers."""
    module = cm.compile(cm.load(name, **options), device="meta")
    shapes = oracles.executed_shapes(module, (2, 3, *size))
    assert {shape[0] for shape in shapes.values()} == {2}
    return {layer: shape[1:] for layer, shape in shapes.items()}  # type: ignore[misc]


def grids(name: str, side: int, **options: Any) -> dict[str, Grid]:
    """Return what each block of a network gives, as maps × height × width."""
    shapes = executed(name, (side, side), **options)
    return {layer.partition(".")[0]: shape for layer, shape in shapes.items()}


def square(channels: int, side: int) -> Grid:
    return (channels, side, side)


def test_bn_inceptions_grids_are_those_of_figure_5() -> None:
    shapes = grids("bn_inception", 224)
    printed = {"stem": square(192, 28), "inception_3a": square(256, 28),
               "inception_3b": square(320, 28), "inception_4a": square(576, 14),
               "inception_4b": square(576, 14), "inception_4c": square(576, 14),
               "inception_4d": square(576, 14), "inception_5a": square(1024, 7),
               "inception_5b": square(1024, 7)}  # fmt: skip
    # Printed are the sizes before the stride: 28×28×576 and 14×14×1024.
    strided = {"inception_3c": square(576, 14), "inception_4e": square(1024, 7)}
    assert printed | strided == {key: shapes[key] for key in printed | strided}


def test_caffes_projections_of_4c_and_4d_are_wider_than_the_printed_sizes() -> None:
    shapes = grids("bn_inception", 224, variant="caffe")
    names = ("inception_4c", "inception_4d", "inception_4e", "inception_5a")
    channels = [shapes[name][0] for name in names]
    assert channels == [576 + 32, 576 + 32, 1024 + 32, 1024]


def test_inception_v2s_grids_are_the_input_sizes_of_table_1() -> None:
    stem = [
        shape for name, shape in executed("inception_v2", (299, 299)).items()
        if name.startswith("stem.") and ("relu" in name or "pool" in name)
    ]  # fmt: skip
    assert stem == [
        square(32, 149), square(32, 147), square(64, 147), square(64, 73),
        square(80, 71), square(192, 35), square(288, 35)]  # fmt: skip
    shapes = grids("inception_v2", 299)
    assert list(shapes.values())[2:-1] == [
        *[square(288, 35)] * 3, *[square(768, 17)] * 6, square(1280, 8),
        *[square(2048, 8)] * 2]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options", "printed"),
    [
        ("inception_v3", {}, {"mixed_5d": (288, 35), "mixed_6e": (768, 17),
                              "mixed_7a": (1280, 8), "mixed_7c": (2048, 8)}),
        ("inception_v4", {}, {"stem": (384, 35), "a4": (384, 35),
                              "reduction_a": (1024, 17), "b7": (1024, 17),
                              "reduction_b": (1536, 8), "c3": (1536, 8)}),
        ("inception_resnet_v1", {}, {"stem": (256, 35), "a5": (256, 35),
                                     "reduction_a": (896, 17), "b10": (896, 17),
                                     "reduction_b": (1792, 8), "c5": (1792, 8)}),
        # 1154 and 2048 are printed for what is added to 1152 and 2144 maps.
        ("inception_resnet_v2", {}, {"stem": (384, 35), "a5": (384, 35),
                                     "reduction_a": (1152, 17), "b10": (1152, 17),
                                     "reduction_b": (2144, 8), "c5": (2144, 8)}),
        ("inception_resnet_v2", {"variant": "released"},
         {"stem": (320, 35), "a10": (320, 35), "b20": (1088, 17), "c10": (2080, 8),
          "last": (1536, 8)}),
    ],
)  # fmt: skip
def test_grids_at_299_are_the_printed_ones(
    name: str, options: dict[str, str], printed: dict[str, tuple[int, int]]
) -> None:
    shapes = grids(name, 299, **options)
    expected = {key: square(*maps_and_side) for key, maps_and_side in printed.items()}
    assert expected == {key: shapes[key] for key in expected}


@pytest.mark.parametrize("name", [*THIN, "se_bn_inception", "se_inception_resnet_v2"])
@pytest.mark.parametrize("size", [(97, 129), (160, 111)], ids=str)
def test_shapes_at_odd_sizes_are_the_executed_ones(
    name: str, size: tuple[int, int]
) -> None:
    net = cm.load(name, resolution=size)
    expected = {node.name: node.output.sizes for node in net.nodes}
    assert expected == executed(name, size)


def parameters_of(branch: Branch) -> Dim:
    """Return the weights of a chain of layers, each from C to C maps."""
    net = network(chain(image(C), branch, C))
    return cm.cost(net).by_operator()["conv"].parameters


def test_two_3x3_are_18_over_25_of_the_5x5_they_replace() -> None:
    assert 25 * parameters_of([(1, 3), (1, 3)]) == 18 * parameters_of([(1, 5)])


@given(st.integers(0, 20))
def test_1xn_and_nx1_are_2_over_n_of_nxn(half: int) -> None:
    side = 2 * half + 1
    factorized = parameters_of([(1, (1, side)), (1, (side, 1))])
    assert side * factorized == 2 * parameters_of([(1, side)])


@pytest.mark.parametrize("maps", [128, 160, 192])
def test_figure_6_costs_a_fraction_of_what_it_factorizes(maps: int) -> None:
    factorized = inception_v3.factorized_7(maps)
    one, once, twice, pooled = factorized
    # The same with 7×7 kernels, between the same maps at both ends of a pair
    square: Module = [one, [once[0], (192, 7)], [twice[0], (maps, 7), (192, 7)], pooled]
    costs = [
        cm.cost(network(inception(image(768), module, 1))).by_operator()["conv"]
        for module in (factorized, square)
    ]
    pointwise = 768 * (192 + 2 * maps + 192)
    assert costs[0].parameters - pointwise == 7 * (4 * maps**2 + 2 * maps * 192)
    assert costs[1].parameters - pointwise == 49 * (maps**2 + 2 * maps * 192)


def test_bn_inceptions_first_layer_is_the_one_that_googlenets_table_prints() -> None:
    cost = cm.cost(cm.load("bn_inception", resolution=224, batch=1))
    layers = [cost.of("stem.conv1"), cost.of("stem.conv2")]
    assert sum(layer.parameters for layer in layers) == 2712  # 2.7K
    assert sum(layer.macs for layer in layers) == 34_019_328  # 34M


def slim(name: str) -> Dim:
    """Return a network's tensors in TF-slim: no classifier, and 3 a normalized map."""
    cost = cm.cost(cm.load(name))
    scales_and_shifts = cost.by_operator()["batch_norm"].parameters
    return cost.parameters - cost.of("head").parameters + scales_and_shifts // 2


def test_bn_inception_is_the_authors_to_the_last_parameter() -> None:
    # inception_v2_test.py of TF-slim; its first layer has biases, not normalization.
    assert slim("bn_inception") - 3 * 64 + 64 == 10_173_112


def test_inception_v3_is_the_authors_to_the_last_parameter() -> None:
    assert slim("inception_v3") == 21_802_784  # inception_v3_test.py of TF-slim


def test_inception_v3_without_scales_is_still_not_what_xceptions_paper_prints() -> None:
    cost = cm.cost(cm.load("inception_v3"))
    scales = cost.by_operator()["batch_norm"].parameters // 2
    assert cost.parameters - scales == 23_817_352


def test_42_layers_count_three_in_each_of_twelve_modules() -> None:
    net = cm.load("inception_v2")
    names = {node.scope[0] for node in net.nodes if node.scope}
    modules = names - {"stem", "head"}
    assert (len(modules), 6 + 3 * len(modules)) == (12, 42)
    longest = 6 + 3 * 3 + 3 + 5 * 5 + 4 + 2 * 3 + 1
    assert (longest, depth(net)) == (54, 54)


def test_gates_after_every_module_cost_what_their_formula_says() -> None:
    gated = cm.cost(cm.load("se_bn_inception", reduction=r, resolution=224, batch=1))
    plain = cm.cost(cm.load("bn_inception", variant="caffe", resolution=224, batch=1))
    maps = [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]
    # Equation 5 of the paper; the notation's division is exact there.
    squared = 2 * sum(m**2 for m in maps) / r
    assert cm.relax(gated.macs - plain.macs) == squared
    biases = sum(maps) + sum(maps) / r
    assert cm.relax(gated.parameters - plain.parameters) == squared + biases


def test_gates_of_residuals_add_the_hundredth_that_is_printed() -> None:
    gated, plain = (
        cm.cost(cm.load(name, variant="released", resolution=299, batch=1)).macs
        for name in ("se_inception_resnet_v2", "inception_resnet_v2")
    )
    blocks = {320: 10, 1088: 20, 2080: 10}
    expected = sum(2 * count * maps * (maps // 16) for maps, count in blocks.items())
    assert (expected, round(expected / 10**9, 2)) == (gated - plain, 0.01)


def test_se_bn_inceptions_released_file_has_46_mebibytes() -> None:
    cost = cm.cost(cm.load("se_bn_inception"))
    # Caffe also stores a mean and a variance a map: as many as scales and shifts.
    tensors = cost.parameters + cost.by_operator()["batch_norm"].parameters
    assert round(4 * tensors / 2**20) == 46


@pytest.mark.parametrize(
    ("residual", "options", "plain"),
    [
        ("inception_resnet_v1", {}, "inception_v3"),
        ("inception_resnet_v2", {"variant": "released"}, "inception_v4"),
    ],
)
def test_residual_inceptions_cost_a_tenth_more_than_plain_ones_at_most(
    residual: str, options: dict[str, str], plain: str
) -> None:
    costs = [
        cm.cost(cm.load(name, resolution=299, batch=1, **chosen)).macs
        for name, chosen in ((residual, options), (plain, {}))
    ]
    assert costs[1] < costs[0] < costs[1] * 11 // 10


@pytest.mark.parametrize("name", ["se_bn_inception", "se_inception_resnet_v2"])
@pytest.mark.parametrize("reduction", [1, 2, 7, 16, 32])
def test_a_symbolic_reduction_gives_every_number(name: str, reduction: int) -> None:
    symbolic = cm.load(name, reduction=r, resolution=299, batch=1)
    built = cm.load(name, reduction=reduction, resolution=299, batch=1)
    one, other = cm.cost(symbolic.bind(r=reduction)), cm.cost(built)
    assert (one.parameters, one.macs) == (other.parameters, other.macs)


@pytest.mark.parametrize("name", THIN)
@pytest.mark.parametrize("width", ["1/4", "1/2", "2"])
def test_a_symbolic_width_gives_every_number(name: str, width: str) -> None:
    symbolic = cm.cost(cm.load(name, width=cm.alpha, resolution=224, batch=1))
    built = cm.cost(cm.load(name, width=width, resolution=224, batch=1))
    for formula, number in (
        (symbolic.parameters, built.parameters),
        (symbolic.macs, built.macs),
        (symbolic.activations, built.activations),
    ):
        assert formula.subs(cm.alpha, width) == number


@pytest.mark.parametrize("name", ["inception_v3", "inception_v4"])
def test_only_the_ends_of_a_network_are_linear_in_its_width(name: str) -> None:
    net = cm.load(name, width=cm.alpha, resolution=299, batch=1)
    stem, head = 3 * 32 * 9 * 149**2, net.nodes[-2].output.channels * 1000
    assert cm.cost(net).macs.coeff(cm.alpha, 1) * cm.alpha == stem * cm.alpha + head


@pytest.mark.parametrize(
    ("name", "option", "value", "problem"),
    [
        ("bn_inception", "variant", "torchvision",
         "bn_inception: option variant = 'torchvision'; allowed are paper, caffe"),
        ("inception_resnet_v2", "variant", "timm",
         "inception_resnet_v2: option variant = 'timm'; allowed are paper, released"),
        ("inception_resnet_v1", "variant", "released",
         'inception_resnet_v1: unknown option "variant"; '),
        ("se_bn_inception", "reduction", 257,
         "se_bn_inception: option reduction = 257: none of 256 channels is left"),
        ("inception_v4", "width", "1/3", "inception_v4, width = 1/3: "),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_clear_error(
    name: str, option: str, value: Any, problem: str
) -> None:
    with pytest.raises(cm.CostModelError) as caught:
        cm.load(name, **{option: value})
    assert str(caught.value).startswith(problem)

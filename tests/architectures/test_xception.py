"""Xception, and the spectrum of towers between convolution and separable one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.analysis.cost.depth import depth
from costmodel.bridge import oracles
from costmodel.network.build import (
    Value,
    conv_bn_relu,
    depthwise_bn_relu,
    image,
    network,
)


T, C = cm.symbol("T"), cm.symbol("C")
DIVISORS = [d for d in range(1, 289) if 288 % d == 0]


def test_grids_are_those_of_figure_5() -> None:
    module = cm.compile(cm.load("xception"), device="meta")
    shapes = oracles.executed_shapes(module, (1, 3, 299, 299))
    blocks = {name.partition(".")[0]: shape[1:] for name, shape in shapes.items()}
    expected = [(64, 147, 147), (128, 74, 74), (256, 37, 37), (728, 19, 19),
                *[(728, 19, 19)] * 8, (1024, 10, 10), (2048, 10, 10)]  # fmt: skip
    assert expected == list(blocks.values())[1:-1]


@pytest.mark.parametrize("size", [(97, 129), (160, 111), (299, 224)], ids=str)
def test_shapes_at_odd_sizes_are_the_executed_ones(size: tuple[int, int]) -> None:
    net = cm.load("xception", resolution=size, batch=1)
    module = cm.compile(net, device="meta")
    expected = {node.name: (1, *node.output.sizes) for node in net.nodes}
    assert expected == oracles.executed_shapes(module, (1, 3, *size))


def test_36_layers_count_a_separable_convolution_once() -> None:
    net = cm.load("xception")
    kernels = [node.operator.kernel for node in net.nodes
               if node.operator.kind == "conv"]  # fmt: skip
    assert kernels.count((3, 3)) == 36  # 2 full ones, and 34 on each map by itself
    assert depth(net) == 2 + 2 * 34 + 1


def test_a_middle_block_costs_nine_products_a_map_and_one_for_each_pair() -> None:
    cost = cm.cost(cm.load("xception", resolution=299, batch=1))
    expected = 3 * (9 * 728 + 728**2) * 19**2
    assert [expected] * 8 == [cost.of(f"block{k}").macs for k in range(4, 12)]


@pytest.mark.parametrize("width", ["1/4", "1/2", "2"])
def test_a_symbolic_width_gives_every_number(width: str) -> None:
    symbolic = cm.cost(cm.load("xception", width=cm.alpha, resolution=299, batch=1))
    built = cm.cost(cm.load("xception", width=width, resolution=299, batch=1))
    assert symbolic.macs.subs(cm.alpha, width) == built.macs
    assert symbolic.parameters.subs(cm.alpha, width) == built.parameters


def test_towers_divide_the_spatial_cost_and_leave_the_pointwise_one() -> None:
    net = cm.load("extreme_inception", towers=T, maps=C, resolution=35, batch=1)
    cost = cm.cost(net)
    assert cm.relax(cost.macs - 35**2 * (288 * C + 9 * C**2 / T)) == 0
    # Weights, and a scale and a shift for each map of both layers.
    assert cm.relax(cost.parameters - (288 * C + 9 * C**2 / T + 4 * C)) == 0


@pytest.mark.parametrize("towers", DIVISORS)
def test_symbolic_towers_give_every_number(towers: int) -> None:
    symbolic = cm.load("extreme_inception", towers=T, resolution=35, batch=1)
    built = cm.load("extreme_inception", towers=towers, resolution=35, batch=1)
    one, other = cm.cost(symbolic.bind(T=towers)), cm.cost(built)
    assert (one.parameters, one.macs) == (other.parameters, other.macs)
    theirs = oracles.flop_counter_macs(
        cm.compile(built, device="meta"), (1, 288, 35, 35)
    )
    assert theirs == {"aten.convolution": other.macs}


@given(st.integers(1, 12), st.integers(1, 12))
def test_each_tower_reads_its_own_segment(towers: int, segment: int) -> None:
    maps = towers * segment
    net = cm.load("extreme_inception", maps=maps, towers=towers)
    module = cm.compile(net, device="meta")
    weights = oracles.stored_shapes(module)["conv2.weight"]
    assert weights == (maps, segment, 3, 3)


def test_the_ends_of_the_spectrum_are_full_and_depthwise_convolutions() -> None:
    def pointwise() -> Value:
        return conv_bn_relu(image(288), 288, 1)

    one, all_of_them = (
        conv_bn_relu(pointwise(), 288, 3),
        depthwise_bn_relu(pointwise(), 3),
    )
    for towers, end in ((1, one), (288, all_of_them)):
        cost = cm.cost(cm.load("extreme_inception", towers=towers))
        expected = cm.cost(network(end))
        assert (expected.macs, expected.parameters) == (cost.macs, cost.parameters)


@pytest.mark.parametrize("towers", [7, 289])
def test_towers_that_do_not_fit_are_one_clear_error(towers: int) -> None:
    match = f"groups {towers} do not divide the 288 input channels$"
    with pytest.raises(cm.CostModelError, match=match):
        cm.load("extreme_inception", towers=towers)

"""Costs add up, commute with binding, and equal numbers that are known elsewhere."""

from collections.abc import Iterable

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.parse import parse
from costmodel.algebra.symbols import Dim, H, M, N, W, alpha, is_equal
from costmodel.algebra.tally import KINDS, Tally, total_tally
from costmodel.analysis.cost import METRICS, Totals
from costmodel.errors import CostModelError
from costmodel.network.build import (
    add,
    batch_norm,
    conv,
    conv_bn_relu,
    dropout,
    flatten,
    global_average_pool,
    image,
    linear,
    network,
    relu,
    scope,
)
from costmodel.network.graph import Network
from costmodel.testing import input_sizes, networks


def check(expected: Totals, parts: Iterable[Totals]) -> None:
    """Every quantity is the sum of the parts' quantities."""
    parts = list(parts)
    for metric in METRICS:
        added = sum((part.metric(metric) for part in parts), 0)
        assert is_equal(expected.metric(metric), added)
    tally = total_tally(part.tally for part in parts)
    for kind in KINDS:
        assert is_equal(getattr(expected.tally, kind), getattr(tally, kind))


def counts(sums: Totals) -> dict[str, Dim]:
    """Return every quantity and every kind of operation by name."""
    operations = {kind: getattr(sums.tally, kind) for kind in KINDS}
    return operations | {metric: sums.metric(metric) for metric in METRICS}


@given(networks())
def test_totals_are_the_sums_of_rows_scopes_and_operators(net: Network) -> None:
    cost = cm.cost(net)
    check(cost, cost.rows)
    check(cost, cost.by_operator().values())
    for depth in (1, 2):
        check(cost, cost.by_scope(depth).values())


@given(networks(), networks(height=9, width=12))
def test_the_operations_are_the_macs_of_the_tally(one: Network, two: Network) -> None:
    for net in (one, two):
        cost = cm.cost(net)
        assert cost.macs == cost.tally.mac


@given(networks(), st.data())
def test_binding_commutes_with_analysis(net: Network, data: st.DataObject) -> None:
    height, width = data.draw(input_sizes(net))
    values = {H: height, W: width, N: data.draw(st.integers(1, 5))}
    bound = counts(cm.cost(net.bind(values)))
    assert {int} == set(map(type, bound.values()))
    late = {name: sympy.sympify(value).subs(values) for name, value in
            counts(cm.cost(net)).items()}  # fmt: skip
    assert late == bound


@given(networks(), st.data())
def test_a_formula_on_a_grid_is_the_cost_at_every_point(
    net: Network, data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(input_sizes(net), min_size=1, max_size=3))
    cost = cm.cost(net)
    formulas = [cost.macs, cost.activations, cost.bytes_read, cost.tally.compare]
    grid = cm.lambdify(formulas, [N, H, W])(
        2, np.array([h for h, _ in sizes]), np.array([w for _, w in sizes])
    )
    for point, (height, width) in enumerate(sizes):
        there = cm.cost(net.bind(N=2, H=height, W=width))
        expected = [
            there.macs,
            there.activations,
            there.bytes_read,
            there.tally.compare,
        ]
        assert expected == [int(values[point]) for values in grid]


@given(networks())
def test_work_is_linear_in_the_batch_and_weights_do_not_depend_on_it(
    net: Network,
) -> None:
    one, three = counts(cm.cost(net.bind(N=1))), counts(cm.cost(net.bind(N=3)))
    weights = cm.cost(net).bytes_read
    per_sample = sympy.diff(weights, N) if isinstance(weights, sympy.Expr) else 0
    for name, count in one.items():
        if name in ("parameters", "buffers"):
            assert three[name] == count
        elif name == "bytes_read":
            assert is_equal(three[name] - count, 2 * per_sample)
        else:
            assert is_equal(three[name], 3 * count)


@given(networks())
def test_no_count_is_negative(net: Network) -> None:
    least = {H: net.smallest(H)[0], W: net.smallest(W)[0], N: 1}
    assert all(count >= 0 for count in counts(cm.cost(net.bind(least))).values())


def tiny() -> Network:
    """Return a net whose every byte can be counted by hand."""
    x = image(2, 4, 4)
    with scope("body"):
        x = relu(batch_norm(conv(x, 3, kernel=3, bias=False)))
    with scope("head"):
        return network(linear(dropout(flatten(x)), 5), batch=1)


def test_a_tiny_network_by_hand() -> None:
    cost = cm.cost(tiny())
    assert cost.parameters == 3 * 2 * 9 + 2 * 3 + 5 * 48 + 5  # conv, γ and β, linear
    assert (
        cost.buffers == 2 * 3 + 1
    )  # mean and variance, and how many batches were seen
    assert cost.macs == 54 * 16 + 5 * 48  # weights · positions, weights
    assert cost.activations == 48 + 5  # 3·4·4 and 5
    assert cost.connections == 54 * 16 + 5 * 49  # with the bias of the linear layer
    # batch norm: 48 of both; ReLU: 48; the linear layer's bias: 5
    assert cost.tally == Tally(mac=54 * 16 + 240, mul=48, add=48 + 5, compare=48)


def test_the_bytes_of_a_tiny_network_by_hand() -> None:
    elements_read = (
        32 + 54  # conv: 2·4·4 and its weights
        + 48 + 12  # batch norm: γ, β, mean, variance, not the batches seen
        + 48  # ReLU
        + 48 + 245  # linear; flatten and dropout are views
    )  # fmt: skip
    elements_written = 48 + 48 + 48 + 5
    for width in (1, 2, 4):
        cost = cm.cost(tiny(), bytes_per_element=width)
        assert cost.bytes_read == width * elements_read
        assert cost.bytes_written == width * elements_written


@pytest.mark.parametrize("width", [0, -4, 1.5, True, "4", None])
def test_an_element_has_whole_bytes(width: object) -> None:
    with pytest.raises(
        CostModelError, match=r"^bytes_per_element .* is not a whole number$"
    ):
        cm.cost(tiny(), bytes_per_element=width)  # type: ignore[arg-type]


def test_scopes_are_summed_to_a_depth() -> None:
    cost = cm.cost(tiny())
    assert list(cost.by_scope()) == ["input", "body", "head"]
    assert list(cost.by_scope(2))[:3] == ["input", "body.conv1", "body.bn1"]
    assert cost.by_scope()["head"].parameters == 5 * 48 + 5
    assert cost.of("body").parameters == cost.by_scope()["body"].parameters
    assert cost.of("body.conv1").macs == 54 * 16
    with pytest.raises(
        CostModelError, match=r"^by_scope: depth 0 is not an integer ≥ 1"
    ):
        cost.by_scope(0)
    with pytest.raises(CostModelError, match=r'^no layer or scope "bod"$'):
        cost.of("bod")
    with pytest.raises(
        CostModelError, match=r'^unknown metric "flops"; known are param'
    ):
        cost.metric("flops")


def test_a_front_page_in_one_line() -> None:
    net = cm.load("mobilenet_v1", width=alpha, resolution=32 * M, batch=1)
    cost = cm.cost(net)
    macs = "11010048*alpha**2*M**2 + 576000*alpha*M**2 + 1024000*alpha"
    assert parse(macs) == cost.macs
    assert parse("3139584*alpha**2 + 1091392*alpha + 1000") == cost.parameters
    # at α = 1, M = 7: 11,010,048·49 + 576,000·49 + 1,024,000
    assert cm.cost(net.bind(alpha=1, M=7)).macs == 568_740_352


@pytest.mark.parametrize(
    ("name", "parameters", "macs", "activations"),
    [
        # fvcore and torchvision 0.28 give these
        ("resnet50", 25_557_032, 4_089_184_256, 11_114_984),
        ("vgg16", 138_357_544, 15_470_264_320, None),
    ],
)
def test_torchvisions_networks_have_its_counts(
    name: str, parameters: int, macs: int, activations: int | None
) -> None:
    cost = cm.cost(cm.load(name, variant="torchvision", resolution=224, batch=1))
    assert (parameters, macs) == (cost.parameters, cost.macs)
    assert activations in (None, cost.activations)


def test_a_convolution_by_its_formula() -> None:
    cost = cm.cost(network(conv(image(), 8, kernel=3, stride=2)))
    # C_out · C_in · k² · positions = 8·3·9
    assert 216 * N * sympy.floor((H + 1) / 2) * sympy.floor((W + 1) / 2) == cost.macs
    assert cost.parameters == 8 * 3 * 9 + 8


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        (8, "alexnet"), (16, "vgg16"), (18, "resnet18"), (152, "resnet152"),
        (110, "resnet110_cifar"), (28, "mobilenet_v1"), (5, "lenet5"),
        (50, "se_resnet50"),
    ],
)  # fmt: skip
def test_depth_is_as_the_papers_count_it(expected: int, name: str) -> None:
    assert expected == cm.depth(cm.load(name))


def test_depth_is_that_of_the_longest_path() -> None:
    x = image(8)
    y = conv_bn_relu(conv_bn_relu(x, 8, kernel=3), 8, kernel=3)
    x = add(conv(x, 8, kernel=1), y)
    net = network(linear(global_average_pool(x), 10))
    assert cm.depth(net) == 3  # two convolutions and the classifier, not the shortcut


def test_equal_layers_are_counted_each() -> None:
    x = image(8, 4, 4)
    for _ in range(5):
        x = conv(x, 8, kernel=1, bias=False)
    cost = cm.cost(network(x, batch=1))
    assert cost.parameters == 5 * 64  # 8·8
    assert cost.macs == 5 * 64 * 16


def test_one_networks_symbols_do_not_touch_anothers_costs() -> None:
    first = network(conv(image(), 8, 3, stride=2))
    before = cm.cost(first).macs
    other = sympy.Symbol("H")  # another symbol that prints alike
    cm.cost(network(conv(image(3, other, other), 8, 3, stride=2)))
    assert before == cm.cost(first).macs
    assert {N, H, W} == sympy.sympify(before).free_symbols

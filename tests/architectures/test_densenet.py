"""DenseNet: costs in closed form, and dense connections counted in the graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import Dim, H, W, theta
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.network.registry import find


k, j, n = (cm.symbol(letter) for letter in "kjn")

HALF = sympy.Rational(1, 2)
BC: dict[str, Any] = {"bottleneck": True, "compression": "1/2"}


def parameters(layers: int, growth_rate: Dim, **options: Any) -> sympy.Expr:
    net = cm.load("densenet_cifar", layers=layers, growth_rate=growth_rate, **options)
    return sympy.expand(cm.cost(net).parameters)


# Cost as a polynomial


def by_hand(number: Dim, rate: Dim) -> sympy.Expr:
    """Count the parameters of a plain network of 3n+4 layers.

    The i-th layer of a block on m maps normalizes m + ik of them, and reads them under
    a 3×3; transitions keep all maps; the classifier sees the maps of the last block.
    """
    i = sympy.Symbol("i")
    maps, total = sympy.Integer(16), sympy.Integer(3 * 9 * 16)
    for stage in (1, 2, 3):
        each = 2 * (maps + i * rate) + 9 * (maps + i * rate) * rate
        total += sympy.summation(sympy.expand(each), (i, 0, number - 1))
        maps += number * rate
        total += 2 * maps + (maps**2 if stage < 3 else 10 * maps + 10)
    return sympy.expand(total)


@pytest.mark.parametrize(
    ("layers", "rate", "expected"),
    [(40, 12, 1_019_722), (100, 12, 6_979_642), (100, 24, 27_249_082)],
)
def test_the_count_by_hand_is_the_networks(
    layers: int, rate: int, expected: int
) -> None:
    assert expected == by_hand((layers - 4) // 3, rate)
    assert expected == parameters(layers, rate)


@pytest.mark.parametrize("number", [1, 2, 5, 12])
def test_the_formula_in_the_growth_rate_is_the_one_by_hand(number: int) -> None:
    assert by_hand(number, k) == parameters(3 * number + 4, k)


def test_the_formula_in_depth_and_growth_rate_follows_from_three_networks() -> None:
    known = [(number, parameters(3 * number + 4, k)) for number in (1, 2, 3)]
    formula = sympy.expand(sympy.interpolate(known, n))
    assert formula == by_hand(n, k)
    assert sympy.Poly(formula, n, k).degree_list() == (2, 2)
    for number in (4, 7, 12, 32):
        assert formula.subs(n, number) == parameters(3 * number + 4, k)
    for layers, rate in ((40, 12), (100, 12), (100, 24), (46, 5)):
        at = {n: (layers - 4) // 3, k: rate}
        assert formula.subs(at) == parameters(layers, rate)


def test_operations_are_a_polynomial_in_depth_too() -> None:
    def macs(number: int) -> sympy.Expr:
        net = cm.load("densenet_cifar", layers=3 * number + 4, growth_rate=k)
        return sympy.expand(cm.cost(net.bind(N=1, H=32, W=32)).macs)

    formula = sympy.interpolate([(number, macs(number)) for number in (1, 2, 3)], n)
    for number in (4, 12, 32):
        assert sympy.expand(formula.subs(n, number)) == macs(number)


@pytest.mark.parametrize("compression", ["1/2", 1])
def test_the_formula_of_bottlenecks_holds(compression: object) -> None:
    """Half of the maps is a whole number where the growth rate is a multiple of 4."""
    for layers in (10, 16, 22):
        options = {"bottleneck": True, "compression": compression}
        formula = parameters(layers, 4 * j, **options)
        assert sympy.degree(formula, j) == 2
        for rate in (4, 12, 24, 40):
            expected = parameters(layers, rate, **options)
            assert expected == formula.subs(j, sympy.Rational(rate, 4))


def test_the_formula_of_compression_holds() -> None:
    formula = parameters(22, 12, bottleneck=True, compression=theta)
    for compression in (HALF, sympy.Rational(1, 3), sympy.Rational(3, 4)):
        expected = parameters(22, 12, bottleneck=True, compression=compression)
        assert expected == formula.subs(theta, compression)


@given(
    number=st.integers(1, 4),
    rate=st.integers(1, 40),
    bottleneck=st.booleans(),
    compression=st.sampled_from([1, HALF, sympy.Rational(2, 3)]),
)
@settings(max_examples=20, deadline=None)
def test_every_option_is_what_the_paper_says(
    number: int, rate: int, *, bottleneck: bool, compression: Dim
) -> None:
    layers = 3 * number * (1 + bottleneck) + 4
    options = {"bottleneck": bottleneck, "compression": compression}
    net = cm.load("densenet_cifar", layers=layers, growth_rate=rate, **options)
    assert layers == cm.depth(net)
    is_bc = bottleneck and compression != 1
    maps = 2 * rate if is_bc else 16
    assert maps == net["stem.conv1"].output.channels
    for stage in (1, 2, 3):
        maps += number * rate
        assert maps == net[f"stage{stage}.layer{number}.concat1"].output.channels
        if stage < 3:
            maps = sympy.floor(maps * sympy.sympify(compression))
            assert maps == net[f"transition{stage}.conv1"].output.channels


# Depth is an option


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("densenet169", (6, 12, 32, 32)), ("densenet201", (6, 12, 48, 32))],
)
def test_blocks_make_a_deeper_member_of_the_family(
    name: str, blocks: tuple[int, ...]
) -> None:
    assert cm.load(name).nodes == cm.load("densenet121", blocks=blocks).nodes
    assert blocks == find(name).options["blocks"].default


@given(blocks=st.tuples(*[st.integers(1, 5)] * 4))
@settings(max_examples=15, deadline=None)
def test_depth_is_two_layers_for_each_dense_layer(blocks: tuple[int, ...]) -> None:
    net = cm.load("densenet121", blocks=blocks)
    # a stem, 1×1 and 3×3 in each layer, three transitions and a classifier
    assert 1 + 2 * sum(blocks) + 3 + 1 == cm.depth(net)


def test_a_formula_in_the_growth_rate_holds_on_large_images() -> None:
    # The growth rates of the paper, and maps that transitions halve exactly.
    formula = sympy.sympify(cm.cost(cm.load("densenet121", growth_rate=8 * j)).macs)
    for rate in (8, 32, 48):
        expected = cm.cost(cm.load("densenet121", growth_rate=rate))
        value = formula.subs(j, rate // 8)
        assert sympy.simplify(value - expected.macs) == 0


# The graph


def passed_on(net: Network, name: str) -> Iterator[str]:
    """Give what a node's value is a concatenation of; any other node is one itself."""
    if net.graph.nodes[name]["operator"].kind != "concat":
        yield name
        return
    for source in net.graph.nodes[name]["inputs"]:
        yield from passed_on(net, source)


def layers_of(net: Network, block: str) -> list[list[str]]:
    """Return the nodes of each layer of a dense block, its concatenation left out."""
    layers: dict[str, list[str]] = {}
    for node in net.graph.nodes:
        scope = net.graph.nodes[node]["scope"]
        if scope and scope[0] == block:
            layers.setdefault(scope[1], [])
            if net.graph.nodes[node]["operator"].kind != "concat":
                layers[scope[1]].append(node)
    return list(layers.values())


DENSE = [
    ("densenet_cifar", {"layers": 40}, (12, 12, 12)),
    ("densenet_cifar", {"layers": 7}, (1, 1, 1)),
    ("densenet_cifar", {"layers": 13, "growth_rate": k}, (3, 3, 3)),
    ("densenet_cifar", {"layers": 100, **BC}, (16, 16, 16)),
    ("densenet_cifar", {"layers": 22, "bottleneck": True}, (3, 3, 3)),
    ("densenet121", {}, (6, 12, 24, 16)),
    ("densenet121", {"blocks": (2, 1, 4, 3)}, (2, 1, 4, 3)),
]


@pytest.mark.parametrize(("name", "options", "counts"), DENSE)
def test_a_dense_block_of_l_layers_has_l_times_l_plus_1_halves_connections(
    name: str, options: dict[str, Any], counts: tuple[int, ...]
) -> None:
    net = cm.load(name, **options)
    for stage, count in enumerate(counts, start=1):
        layers = layers_of(net, f"stage{stage}")
        assert count == len(layers)
        (start,) = net.graph.nodes[layers[0][0]]["inputs"]
        outputs = [layer[-1] for layer in layers]
        connections = 0
        for number, layer in enumerate(layers):
            (source,) = net.graph.nodes[layer[0]]["inputs"]
            seen = list(passed_on(net, source))
            # all earlier layers of the block and what entered it, each once
            assert [start, *outputs[:number]] == seen
            connections += len(seen)
        assert count * (count + 1) // 2 == connections


@pytest.mark.parametrize(("name", "options", "counts"), DENSE)
def test_nothing_but_the_next_transition_reads_all_of_a_block(
    name: str, options: dict[str, Any], counts: tuple[int, ...]
) -> None:
    net = cm.load(name, **options)
    for stage, count in enumerate(counts, start=1):
        last = f"stage{stage}.layer{count}.concat1"
        (reader,) = net.graph.successors(last)
        after = f"transition{stage}" if stage < len(counts) else "head"
        assert f"{after}.bn1" == reader
        layers = layers_of(net, f"stage{stage}")
        assert count + 1 == len(list(passed_on(net, last)))
        for layer in layers:
            # A layer adds k maps, whatever it reads.
            shape = net.graph.nodes[layer[-1]]["shape"]
            assert net[layers[0][-1]].output == shape


# Wrong options


WHY = "option compression = 2: no more than 1, all maps, is kept"


@pytest.mark.parametrize(
    ("problem", "name", "options"),
    [
        ("densenet_cifar: option layers = 41: three equal blocks make 3n+4 layers, "
         "such as 40 or 43", "densenet_cifar", {"layers": 41}),
        ("densenet_cifar: option layers = 43: three equal blocks make 6n+4 layers, "
         "such as 40 or 46", "densenet_cifar", {"layers": 43, "bottleneck": True}),
        ("densenet_cifar: option layers = 4: three equal blocks make 3n+4 layers, "
         "such as 7 or 10", "densenet_cifar", {"layers": 4}),
        ("densenet_cifar: option layers = 1: three equal blocks make 6n+4 layers, "
         "such as 10 or 16", "densenet_cifar", {"layers": 1, **BC}),
        ("densenet_cifar: option layers = 0 is not positive",
         "densenet_cifar", {"layers": 0}),
        ("densenet_cifar: option layers = 81/2 is not a whole number",
         "densenet_cifar", {"layers": "40.5"}),
        ("densenet_cifar: option layers = L: a number is needed, it decides which "
         "layers there are", "densenet_cifar", {"layers": "L"}),
        (f"densenet_cifar: {WHY}", "densenet_cifar", {"compression": 2}),
        (f"densenet121: {WHY}", "densenet121", {"compression": 2}),
        ('densenet_cifar, compression = 1/1000: conv at "transition1.conv1": '
         "channels 0 is below 1, with theta = 1/1000",
         "densenet_cifar", {"compression": "1/1000"}),
        ("densenet_cifar, growth_rate = 3/2: bind: k = 3/2 is not a positive integer",
         "densenet_cifar", {"growth_rate": "3/2"}),
        ("densenet121, growth_rate = 3/2: bind: k = 3/2 is not a positive integer",
         "densenet121", {"growth_rate": 1.5}),
        ("densenet121: option growth_rate = -12 is not positive",
         "densenet121", {"growth_rate": -12}),
        ("densenet121: option blocks = (6, 12); give 4 numbers, such as 6,12,24,16",
         "densenet121", {"blocks": (6, 12)}),
        ("densenet121: option blocks = 0 is not positive",
         "densenet121", {"blocks": (6, 12, 24, 0)}),
    ],
)  # fmt: skip
def test_wrong_options_name_themselves(
    problem: str, name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(CostModelError) as caught:
        cm.load(name, **options)
    assert problem == str(caught.value)


@pytest.mark.parametrize("layers", [*range(1, 60)])
@pytest.mark.parametrize("bottleneck", [False, True])
def test_the_depths_that_an_error_offers_fit(layers: int, *, bottleneck: bool) -> None:
    each = 6 if bottleneck else 3
    fits = layers > 4 and (layers - 4) % each == 0
    try:
        cm.load("densenet_cifar", layers=layers, bottleneck=bottleneck)
    except CostModelError as error:
        assert not fits
        offered = [int(word) for word in str(error).split() if word.isdigit()][-2:]
        for depth in offered:
            net = cm.load("densenet_cifar", layers=depth, bottleneck=bottleneck)
            assert depth == cm.depth(net)
        if layers > 10:
            assert offered[0] < layers < offered[1]
    else:
        assert fits


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 40)])
def test_the_formula_in_the_image_size_holds(size: tuple[int, int]) -> None:
    options = {"layers": 40, **BC}
    formula = sympy.sympify(cm.cost(cm.load("densenet_cifar", **options)).macs)
    bound = cm.load("densenet_cifar", resolution=size, **options)
    at = dict(zip((H, W), size, strict=True))
    assert formula.subs(at) == cm.cost(bound).macs

"""Conventions: what other tools count, to the unit, and where the differences are."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from functools import cache
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.code.source_code import javascript, python
from costmodel.algebra.parse import parse
from costmodel.algebra.rounding import counted_in_doubles
from costmodel.algebra.symbols import Dim, H, N, W, is_equal
from costmodel.analysis.conventions import CONVENTIONS, Convention, Rule
from costmodel.analysis.cost import Cost
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import conv, image, network, pad, relu, subsample
from costmodel.network.graph import Network
from costmodel.testing import input_sizes, networks
from tests.drawn import bound_networks
from tests.model_zoo.test_torchvision import NAMES
from tests.peers.networks import COUNTED, KNOWN, PYCLS, UNCOUNTED, in_modules, known
from tests.peers.record import RECORD
from tests.peers.tools import COUNTERS
from tests.zoo import torchvision_models, torchvision_network


FEWER = settings(max_examples=settings().max_examples // 2)
COUNTS = json.loads(RECORD.read_text(encoding="utf-8"))["counts"]


def ours(net: Network, tool: str) -> Dim:
    """Return what we say that a tool counts; calflops and DeepSpeed count alike."""
    return costs(net).flops({"calflops": "deepspeed"}.get(tool, tool))


@cache
def costs(net: Network) -> Cost:
    """Return the costs of a network, derived once."""
    return cm.cost(net)


@pytest.mark.parametrize("kind", sorted(op.OPERATORS.keys() - {"opaque"}))
@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_every_operator_has_a_rule_or_a_written_zero(
    convention: Convention, kind: str
) -> None:
    bases = [base.kind for base in op.OPERATORS[kind].__mro__ if hasattr(base, "kind")]
    assert not convention.by_kind.keys().isdisjoint(bases)


@pytest.mark.parametrize("function", op.FUNCTIONS)
@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_every_function_has_a_rule_or_a_written_zero(
    convention: Convention, function: str
) -> None:
    assert convention.kind_of(op.Pointwise(function)) in convention.by_kind


@pytest.mark.parametrize("tool", COUNTS)
@pytest.mark.parametrize("name", KNOWN)
def test_torchvisions_networks_have_the_recorded_numbers(tool: str, name: str) -> None:
    assert COUNTS[tool][name]["compiled"] == ours(in_modules(known(name)), tool)


def test_the_recorded_networks_have_every_operator() -> None:
    operators = {node.operator for net in COUNTED.values() for node in net.nodes}
    assert set(op.OPERATORS) - UNCOUNTED == {type(o).kind for o in operators}
    functions = {o.function for o in operators if isinstance(o, op.Pointwise)}
    assert op.FUNCTIONS.keys() - {"clamp"} == functions


@pytest.mark.parametrize("tool", COUNTS)
@pytest.mark.parametrize("name", COUNTED)
def test_networks_of_every_operator_have_the_recorded_numbers(
    tool: str, name: str
) -> None:
    assert COUNTS[tool][name]["compiled"] == ours(COUNTED[name], tool)


@pytest.mark.parametrize("name", PYCLS)
def test_pyclss_own_networks_have_the_recorded_numbers(name: str) -> None:
    assert PYCLS[name][0] == ours(known(name), "pycls")


def test_what_is_recorded_is_every_tool_that_counts_modules() -> None:
    assert set(COUNTS) == set(COUNTERS)


@pytest.mark.parametrize("name", ["mnasnet0_5", "shufflenet_v2_x0_5"])
def test_means_in_arithmetic_are_not_seen(name: str) -> None:
    net = cm.load(name, variant="torchvision", resolution=(97, 129), batch=1)
    module = torchvision_network(name).to_empty(device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fvcore and PyTorch warn of each other
        theirs = COUNTERS["fvcore"](module, (1, 3, 97, 129))
    assert theirs == ours(net, "fvcore")
    assert theirs < ours(in_modules(net), "fvcore")


# Totals that were measured, and the quantities that they are made of.
RESNET50 = {
    "fvcore": "C + 2*B + A",
    "torch": "2*C",
    "ptflops": "C + 1000 + 2*B + 2*(R + M + A)",
    "ptflops-aten": "C + 1000",
    "thop": "C + 4*B + (49 + 1)*2048",
    "torchinfo": "C + 53120 + 1000",
    "deepspeed": "2*C + 2*B + R + M + A",
    "torchvision": "C",
}


@pytest.mark.parametrize("tool", RESNET50)
def test_resnet50_reconciles(tool: str) -> None:
    net = known("resnet50")
    read: Counter[str] = Counter()
    for node in net.nodes:
        for x in net.shapes_into(node)[:1]:
            read[node.operator.kind] += prod(map(int, x.sizes))
    values = {
        "C": 4_089_184_256, "B": read["batch_norm"], "R": read["relu"],
        "M": read["max_pool"], "A": read["adaptive_avg_pool"],
    }  # fmt: skip
    measured = [11_113_984, 9_608_704, 802_816, 100_352]
    assert measured == [values[letter] for letter in "BRMA"]
    total = sympy.sympify(parse(RESNET50[tool]))
    symbols = {cm.symbol(letter): value for letter, value in values.items()}
    assert total.subs(symbols) == ours(net, tool)


@pytest.mark.parametrize("name", NAMES)
def test_torchvision_prints_these_operations_with_its_weights(name: str) -> None:
    weights = torchvision_models().get_model_weights(name)
    for entry in weights:
        side = entry.transforms.keywords["crop_size"]
        net = cm.load(name, variant="torchvision", resolution=side, batch=1)
        operations = cm.cost(net).flops("torchvision")
        assert round(operations / 10**9, 3) == entry.meta["_ops"]


@given(networks(), st.data())
def test_binding_commutes_with_counting(net: Network, data: st.DataObject) -> None:
    height, width = data.draw(input_sizes(net))
    values = {H: height, W: width, N: data.draw(st.integers(1, 5))}
    bound = cm.cost(net.bind(values))
    for name in CONVENTIONS:
        early, late = bound.flops(name), sympy.sympify(ours(net, name)).subs(values)
        assert type(early) is int
        assert early == late


@FEWER
@given(networks(), st.data())
def test_formulas_are_evaluated_on_grids_and_read_back(
    net: Network, data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(input_sizes(net), min_size=1, max_size=3))
    formulas = [ours(net, name) for name in ("thop", "xla", "ptflops")]
    heights, widths = (np.array(axis) for axis in zip(*sizes, strict=True))
    grid = cm.lambdify(formulas, [N, H, W])(2, heights, widths)
    for formula, values in zip(formulas, grid, strict=True):
        read = sympy.sympify(parse(str(formula)))
        points = [{N: 2, H: h, W: w} for h, w in sizes]
        assert [int(v) for v in values] == [read.subs(point) for point in points]


def taps_inside(net: Network) -> int:
    """Return the MACs that fall on the input, by convolving ones with ones."""
    found = 0
    for node in net.nodes:
        if isinstance(node.operator, op.Conv):
            size = (int(net.batch), *map(int, net.shapes_into(node)[0].sizes))
            owner = net.shared.get(node.name, node.name)
            layer = cm.compile(net).get_submodule(owner).double()
            with torch.no_grad():
                layer.weight.fill_(1)
                if layer.bias is not None:
                    layer.bias.fill_(0)
                found += int(layer(torch.ones(size, dtype=torch.float64)).sum())
    return found


@FEWER
@given(bound_networks())
def test_xla_counts_the_taps_that_fall_on_the_input(net: Network) -> None:
    kinds = cm.cost(net).by_operator()
    others = sum(kinds[kind].macs for kind in ("table_conv", "linear")
                 if kind in kinds)  # fmt: skip
    assert ours(net, "xla") == 2 * (taps_inside(net) + others)


@FEWER
@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 6), st.integers(1, 3))
def test_taps_on_padding_are_exact_at_every_side(
    kernel: int, stride: int, padding: int, dilation: int
) -> None:
    x = pad(subsample(image(1)), (1, 1), (0, 0))  # ⌊H/2⌋ + 1 positions
    net = network(conv(x, 1, kernel, stride, padding, dilation), batch=1)

    def taps(side: int) -> int:
        read = side // 2 + 1
        windows = (read + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        return sum(
            0 <= i * stride + u * dilation - padding < read
            for i, u in product(range(windows), range(kernel))
        )

    least = net.smallest(H)[0]
    sides = np.arange(least, least + 20)
    formula = cm.lambdify(cm.cost(net).flops("xla"), [H, W])
    expected = [2 * taps(side) * taps(least + 3) for side in sides.tolist()]
    assert expected == formula(sides, least + 3).tolist()


def test_taps_on_padding_need_known_windows() -> None:
    k = cm.symbol("k")
    net = network(conv(image(), 8, kernel=k, padding=1))
    with pytest.raises(CostModelError, match=r"^xla .* bind k, 1, 1 and 1$"):
        cm.cost(net).flops("xla")
    assert cm.cost(net).flops("torch") == 2 * cm.cost(net).macs


@given(networks())
def test_all_is_every_operation(net: Network) -> None:
    tally = cm.cost(net).tally
    once = (tally.add, tally.mul, tally.div, tally.exp, tally.compare)
    assert is_equal(ours(net, "all"), sympy.Add(2 * tally.mac, *once))


SMALL_COUNTS = st.integers(1, 12)


@given(*[SMALL_COUNTS] * 5)
def test_doubles_lose_what_pytorchs_lose(
    height: int, width: int, rows: int, columns: int, maps: int
) -> None:
    window = torch.div(
        torch.DoubleTensor([height, width]), torch.DoubleTensor([rows, columns])
    )
    outputs = maps * rows * columns
    theirs = int((torch.prod(window) + 1) * outputs)
    assert theirs == counted_in_doubles(height, width, rows, columns, outputs)
    h, w = sympy.symbols("h w", positive=True, integer=True)
    formula = counted_in_doubles(h, w, rows, columns, outputs)
    assert theirs == formula.subs({h: height, w: width})
    assert theirs == cm.lambdify(formula, [h, w])(height, width)
    namespace: dict[str, Any] = {}
    exec(python(formula, "count"), namespace)  # noqa: S102 - what we print runs
    assert theirs == namespace["count"](h=height, w=width)


def test_doubles_are_doubles_in_javascript() -> None:
    formula = counted_in_doubles(H, W, 3, 2, 6 * N)
    expected = "Math.trunc(((H)/(3)*((W)/(2)) + 1)*(6*N))"
    assert expected in javascript(formula, "count")


def test_a_batch_is_the_tools_own() -> None:
    net = network(relu(conv(image(3, 8, 8), 2, kernel=1)))
    macs, elements = 3 * 2 * 64, 2 * 64
    expected = {
        "fvcore": macs * N,
        "torch": 2 * macs * N,
        # hooks on modules see the mean over the batch, patched functions all of it
        "ptflops": macs + 2 * elements + elements * N,
        "ptflops-aten": (macs + elements) * N,
        "thop": macs * N,
        "torchinfo": (macs + elements) * N,
        "deepspeed": (2 * macs + 2 * elements) * N,
        "xla": 2 * macs * N,
        "torchvision": macs,
        "pycls": macs + 2,
        "all": (2 * macs + 2 * elements) * N,
    }
    assert expected == {name: ours(net, name) for name in CONVENTIONS}


def test_an_operator_without_a_rule_is_an_error() -> None:
    partial = Convention("partial", "none", "MAC", (Rule("conv", "macs", "MACs"),), "")
    with pytest.raises(
        CostModelError, match=r'^convention "partial" has no rule for relu$'
    ):
        partial.of(op.Pointwise("relu"))
    with pytest.raises(CostModelError, match=r"^partial: relu has a rule, and is zero"):
        Convention("partial", "", "MAC", (Rule("relu", "inputs", ""),), "relu")
    with pytest.raises(CostModelError, match=r"^partial: no operators called swish$"):
        Convention("partial", "", "MAC", (), "relu swish")

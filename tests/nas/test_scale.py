"""Scaling: never above the budget, close to it, and what exhaustion finds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, log
from pathlib import Path
from typing import Any

import pytest
import sympy
from click.testing import CliRunner, Result

import costmodel as cm
from costmodel.cli import main
from costmodel.nas.scaling import Scaled, scale
from costmodel.nas.scaling.compound import compound
from costmodel.nas.scaling.family import Point, family_of
from costmodel.nas.scaling.formulas import Formulas
from costmodel.nas.scaling.ray import Members
from costmodel.network.build import (
    Value,
    add,
    conv_bn_relu,
    global_average_pool,
    image,
    linear,
    network,
)


#      width, depth, resolution, macs, parameters     timm 1.0.31, tf_efficientnet_b*
B_SERIES = [
    ("1", "1", 224, 385_814_752, 5_288_548),
    ("1", "1.1", 240, 686_802_832, 7_794_184),
    ("1.1", "1.2", 260, 993_561_872, 9_109_994),
    ("1.2", "1.4", 300, 1_827_141_392, 12_233_232),
    ("1.4", "1.8", 380, 4_393_771_024, 19_341_616),
    ("1.6", "2.2", 456, 10_266_384_752, 30_389_784),
    ("1.8", "2.6", 528, 19_067_593_536, 43_040_704),
    ("2", "3.1", 600, 37_745_884_192, 66_347_960),
]  # fmt: skip


def members(name: str, budget: Mapping[str, int] | None = None) -> Members:
    """Return the members of a family whose axes all vary."""
    family = family_of(name, {})
    growth = compound(family.kind, family.axes)
    return Members(family, Formulas(family), growth, budget or {}, None)


def mine() -> cm.Network:
    """Return a small network that is not registered."""
    x = conv_bn_relu(image(), 16, kernel=3, stride=2)
    x: Value = add(x, conv_bn_relu(x, 16, kernel=3))
    return network(linear(global_average_pool(x), 10), name="mine")


def check(name: str, found: Scaled, **options: Any) -> None:
    """Ask the registry for the network, and count it anew."""
    net = cm.load(name, batch=1, **found.options, **options)
    cost = cm.cost(net)
    assert found.cost == {metric: cost.metric(metric) for metric in found.cost}
    assert all(cost.metric(m) <= limit for m, limit in found.budget.items())
    used = max(Fraction(cost.metric(m), v) for m, v in found.budget.items())
    assert found.utilisation == used


@pytest.mark.parametrize("step", range(20))
def test_twenty_budgets_are_used_to_98_percent_and_never_exceeded(step: int) -> None:
    budget = 500_000_000 + step * 19_500_000_000 // 19
    found = scale("efficientnet_b0", {"macs": budget})
    check("efficientnet_b0", found)
    assert Fraction(98, 100) <= found.utilisation <= 1
    assert found.law is not None
    assert found.law.overshoot == Fraction(found.law.cost["macs"], budget) - 1


def test_the_formula_gives_the_b_series_at_its_coefficients() -> None:
    formulas = members("efficientnet_b0").formulas
    assert [count for count, _ in formulas.stages.values()] == [1, 2, 2, 3, 3, 4, 1]
    points = [Point(Fraction(d), Fraction(w), side) for w, d, side, _, _ in B_SERIES]
    assert [row[3] for row in B_SERIES] == [formulas.count("macs", p) for p in points]
    assert [row[4] for row in B_SERIES] == [
        formulas.count("parameters", p) for p in points
    ]


def test_the_b_series_is_near_the_ray() -> None:
    # Its authors rounded; the whole numbers are those of the paper's section 3.3.
    growth = compound("efficientnet", ("depth", "width", "resolution"))
    for phi, (width, depth, side, _, _) in zip((1, 2), B_SERIES[2:4]):
        at = growth.multiples(phi)
        assert abs(at["depth"] / Fraction(depth) - 1) <= Fraction(3, 100)
        assert abs(at["width"] / Fraction(width) - 1) <= Fraction(1, 100)
        assert abs(at["resolution"] * 224 / side - 1) <= Fraction(2, 100)


def test_budgets_of_the_b_series_give_networks_like_it() -> None:
    answers = [scale("efficientnet", {"macs": row[3]}) for row in B_SERIES[::2]]
    assert all(one.phi < other.phi for one, other in pairwise(answers))
    for found, (width, depth, side, _, _) in zip(answers, B_SERIES[::2]):
        assert found.utilisation >= Fraction(98, 100)
        for name, value in zip(("width", "depth", "resolution"), (width, depth, side)):
            ratio = Fraction(found.options[name]) / Fraction(value)
            assert abs(ratio - 1) <= Fraction(1, 6)


@pytest.mark.parametrize("name", ["efficientnet_b0", "resnet50", "mobilenet_v2"])
def test_costs_never_fall_along_the_ray(name: str) -> None:
    ray = members(name)
    points = [ray.at(step / 32) for step in range(-128, 257)]
    for metric in ("macs", "parameters", "activations"):
        costs = [ray.cost(metric, point) for point in points]
        assert costs == sorted(costs)


@pytest.mark.parametrize("name", ["resnet18", "resnet20_cifar"])
def test_two_networks_give_the_formulas_of_every_depth(name: str) -> None:
    family = family_of(name, {})
    quick, slow = Formulas(family), Formulas(family, "depth")
    assert quick.stages
    assert not slow.stages
    for depth, width, side in ((1, 1, 64), ("1.7", "3/2", 75), ("0.6", "5/4", 96)):
        point = Point(Fraction(depth), Fraction(width), side)
        for metric in ("macs", "parameters", "activations", "bytes_written"):
            assert slow.count(metric, point) == quick.count(metric, point)


BUDGETS = [
    ("resnet50", {"macs": 8e9}, {"variant": "torchvision"}),
    ("resnet50", {"parameters": 30e6, "macs": 5e9}, {}),
    ("mobilenet_v1", {"macs": 300e6}, {}),
    ("mobilenet_v3_large", {"activations": 8e6}, {"classes": 10}),
    ("densenet_cifar", {"macs": 5e8}, {}),
    ("regnet_x_200mf", {"macs": 5e8}, {}),
    ("squeezenet1_0", {"macs": 1e9}, {"input_channels": 1}),
    ("lenet5", {"parameters": 1e5}, {}),
    ("wide_resnet18_2", {"macs": 1.8e9}, {}),  # which has no projection at width 1
]


@pytest.mark.parametrize(("name", "budget", "options"), BUDGETS)
def test_any_architecture_is_scaled_within_all_budgets(
    name: str, budget: dict[str, float], options: dict[str, Any]
) -> None:
    found = scale(name, budget, **options)
    check(name, found, **options)
    assert found.utilisation > Fraction(9, 10)


@pytest.mark.parametrize("budget", [5 * 10**7, 10**8, 2 * 10**9])
def test_no_member_near_the_ray_uses_more(budget: int) -> None:
    found = scale("mobilenet_v1", {"macs": budget})
    ray = members("mobilenet_v1").compound.multiples(found.phi)
    law = cm.cost(
        cm.load("mobilenet_v1", width=cm.alpha, resolution=cm.H, batch=1)
    ).macs
    count = cm.lambdify(law, (cm.alpha, cm.H))  # multiples of 1/32 are exact in floats
    # Members farther away are tried while less than 98 % is used.
    for stretch in (1, 2, 4, 8):
        (least, most), (low, high) = (
            (middle * (1 - stretch * reach), middle * (1 + stretch * reach))
            for middle, reach in (
                (32 * ray["width"], Fraction(4, 100)),
                (round(224 * ray["resolution"]), Fraction(6, 100)),
            )
        )
        costs = [
            int(count(width / 32, side))
            for width in range(ceil(least), floor(most) + 1)
            for side in range(ceil(low), floor(high) + 1)
        ]
        best = max(cost for cost in costs if cost <= budget)
        if best >= Fraction(98, 100) * budget:
            break
    assert best == found.cost["macs"]


def test_a_budget_that_a_member_fits_exactly_gives_the_member() -> None:
    macs = cm.cost(cm.load("mobilenet_v2", resolution=224, batch=1)).macs
    found = scale("mobilenet_v2", {"macs": macs})
    assert (found.options, found.utilisation) == ({"width": 1, "resolution": 224}, 1)


def test_the_law_is_depth_times_width_squared_times_resolution_squared() -> None:
    found = scale("efficientnet_b0", {"macs": 600e6}).law
    assert found is not None
    ratio = 600e6 / 385_814_752
    assert found.phi == pytest.approx(log(ratio) / log(1.2 * 1.1**2 * 1.15**2))
    assert found.cost["macs"] == 812_280_640


def test_only_what_is_asked_for_varies() -> None:
    found = scale("efficientnet_b0", {"macs": 600e6}, over="resolution")
    assert found.options == {"depth": 1, "width": 1, "resolution": 272}
    assert found.compound.factors == {"resolution": 1.4142}


def test_own_networks_grow_in_width_and_resolution() -> None:
    net = mine()
    found = scale(net, {"macs": 10**8}, resolution=64)
    assert set(found.options) == {"width", "resolution"}
    assert cm.cost(found.network).macs == found.cost["macs"] <= 10**8
    wide = cm.widen(net, found.options["width"], divisor=8)
    side = found.options["resolution"]
    assert cm.cost(wide.bind(N=1, H=side, W=side)).macs == found.cost["macs"]


def test_a_bound_input_keeps_its_size() -> None:
    found = scale(mine().bind(H=32, W=48), {"macs": 10**7})
    assert set(found.options) == {"width"}
    assert str(found.network.inputs[0].output) == "3×32×48"
    assert found.utilisation > Fraction(8, 10)


def test_sides_meet_what_the_network_asks_for() -> None:
    halved = sympy.Eq(sympy.Mod(cm.H, 16), 0)
    net = mine()
    asked = cm.Network.assemble(
        [(n.name, n.operator, n.inputs, n.form) for n in net.nodes], net.outputs,
        net.name, net.batch, (cm.Constraint(halved, "mine"),),
    )  # fmt: skip
    found = scale(asked, {"macs": 10**8})
    assert found.options["resolution"] % 16 == 0
    assert found.cost["macs"] <= 10**8


def test_peak_memory_is_that_of_the_network() -> None:
    found = scale("resnet20_cifar", {"peak_memory": 10**6})
    peak = cm.memory(found.network).peak_activation_bytes
    assert peak == found.cost["peak_memory"] <= 10**6
    assert found.law is None


def test_latency_is_that_of_the_network_on_the_device() -> None:
    device = "intel-xeon-avx512-1-thread-float32"
    found = scale("resnet20_cifar", {"latency": 0.01, "macs": 10**9}, device=device)
    seconds = cm.predict(found.network, device).seconds
    assert seconds == found.cost["latency"] <= Fraction(1, 100)


def test_an_answer_prints_as_a_table() -> None:
    text = str(scale("mobilenet_v1", {"macs": 300e6}, over=["width"]))
    assert text.splitlines()[0] == "mobilenet_v1, macs ≤ 300,000,000"
    assert [line.split()[:3] for line in text.splitlines()[1:]] == [
        ["width", "resolution", "phi"],
        ["scaled", "0.71875", "224"],
        ["law", "0.71875", "224"],
    ]  # fmt: skip


REFUSED = [
    (("resnet19", {"macs": 1}), {}, "unknown architecture"),
    ((3, {"macs": 1}), {}, "needs a name or a costmodel.Network, got int"),
    (("resnet18", {}), {}, "maps no metric to a number"),
    (("resnet18", {"mac": 1}), {}, 'unknown metric "mac"'),
    (("resnet18", {"macs": 0}), {}, "macs 0 is not positive"),
    (("resnet18", {"macs": -1}), {}, "macs -1 is not positive"),
    (("resnet18", {"macs": float("nan")}), {}, "nan is not a finite number"),
    (("resnet18", {"macs": 1.5}), {}, "1.5 is not a whole number"),
    (("resnet18", {"macs": 1000}), {}, r"repeats .* has macs 136,147,718 above"),
    (("resnet18", {"macs": 10**40}), {}, "is not reached at phi = 64"),
    (("resnet18", {"latency": 1}), {}, "needs a device"),
    (("resnet18", {"macs": 1}), {"device": "x"}, "no budget of latency"),
    (("resnet18", {"macs": 1}), {"over": "hight"}, 'over "hight" is none of'),
    (("resnet18", {"macs": 1}), {"over": ()}, "names none of"),
    (("lenet5", {"macs": 1}), {"over": "depth"}, "no depth to vary; it has resolution"),
    (("resnet18", {"macs": 1e9}), {"widht": 2}, "did you mean width"),
    (("resnet18", {"macs": 1e9}), {"classes": "x"}, "classes = x is not a number"),
    (("resnet18", {"macs": 1e9}), {"batch": 3}, "budgets are of one sample"),
    (("resnet18", {"macs": 1}), {"width": cm.alpha}, "width = alpha is not a number"),
    (("resnet18", {"macs": 1}), {"resolution": "0"}, "no number of pixels"),
    ((mine(), {"macs": 1}), {"over": "depth"}, "without options cannot vary"),
    ((mine().bind(H=8, W=8), {"macs": 1}), {"over": "resolution"}, "as symbols"),
    ((mine().bind(H=8, W=8), {"macs": 1}), {"resolution": 9}, "and no symbol"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "named", "message"), REFUSED)
def test_bad_input_is_one_clear_line(
    given: tuple[Any, Any], named: dict[str, Any], message: str
) -> None:
    with pytest.raises(cm.CostModelError, match=message) as caught:
        scale(*given, **named)
    assert "\n" not in str(caught.value)


def test_a_network_of_other_symbols_is_refused() -> None:
    with pytest.raises(cm.CostModelError, match="depends on alpha as well"):
        scale(cm.load("resnet18", width=cm.alpha), {"macs": 10**9})


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["scale", *arguments])


def test_the_command_gives_the_same_answer() -> None:
    found = scale("mobilenet_v1", {"macs": 300e6, "parameters": 4e6}, over=["width"])
    asked = ("mobilenet_v1", "--macs", "300M", "--parameters", "4M", "--by", "width")
    result = run(*asked, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    answer = json.loads(result.stdout)
    assert answer["schema"] == "costmodel.scale/1"
    assert answer["cost"] == found.cost
    assert answer["options"] == {"width": "23/32", "resolution": 224}
    text = run("mobilenet_v1", "--macs", "300M", "--by", "width").stdout
    assert "299,724,592" in text
    assert "per phi: width × 1.4142" in text


def test_the_command_takes_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(mine().to_json(), encoding="utf-8")
    result = run(str(path), "--macs", "100M", "--resolution", "64", "--json")
    assert result.exit_code == 0, result.stderr
    found = scale(mine(), {"macs": 10**8}, resolution=64)
    assert json.loads(result.stdout)["cost"] == found.cost


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("resnet18",), 2),
        (("resnet19", "--macs", "1G"), 4),
        (("resnet18", "--macs", "0"), 4),
        (("resnet18", "--macs", "nan"), 4),
        (("resnet18", "--macs", "1K"), 4),
        (("resnet18", "--latency", "5ms"), 4),
        (("resnet18", "--latency", "5 weeks", "--device", "x"), 4),
        (("resnet18", "--peak-memory", "0.5B"), 4),
        (("lenet5", "--macs", "1G", "--by", "depth"), 4),
        (("resnet18", "--macs", "1G", "--set", "widht=1"), 4),
        (("resnet18", "--macs", "1G", "--input", "3x8x8"), 2),
    ],
)
def test_the_command_says_what_is_wrong(arguments: tuple[str, ...], code: int) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert code == 2 or result.stderr.count("\n") == 1

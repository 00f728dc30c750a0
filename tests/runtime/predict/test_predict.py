"""Predictions: laws of the formula on any device, questions to it, warnings, words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sympy
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.extent import Extent
from costmodel.algebra.parse import parse
from costmodel.algebra.symbols import H, N, W, alpha
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import conv, image, network, relu
from costmodel.network.graph import Network
from costmodel.network.shape import Shape
from costmodel.runtime.kernels import kernels
from costmodel.runtime.predict import Prediction, predict
from costmodel.runtime.profile import Coefficients, Profile
from costmodel.testing import input_sizes, networks, operators
from tests.runtime.drawn_devices import device


FEWER = settings(max_examples=settings().max_examples // 3)
MODES = ("eager", "folded", "compile")
DEVICES = st.builds(device, st.integers(0, 9), mode=st.sampled_from(MODES),
                    threads=st.sampled_from([1, 2]))  # fmt: skip


def classes(prediction: Prediction) -> list[Any]:
    """Return the class of each kernel that runs, and the part of it."""
    return [
        (row.kernel.kind, [values for values, _ in prediction._parts(row.kernel)])
        for row in prediction.rows
    ]


def bound_sizes(data: st.DataObject, net: Network) -> dict[sympy.Symbol, int]:
    """Draw a height and a width that fit a network, and a batch."""
    height, width = data.draw(input_sizes(net))
    return {H: height, W: width, N: data.draw(st.integers(1, 20))}


@FEWER
@given(net=networks(), profile=DEVICES, data=st.data())
def test_binding_commutes_with_predicting(
    net: Network, profile: Profile, data: st.DataObject
) -> None:
    values = bound_sizes(data, net)
    free, bound = predict(net, profile), predict(net.bind(values), profile)
    assert free.seconds.subs(values) == bound.seconds
    assert free.high.subs(values) == bound.high
    assert free.at(values).seconds == bound.seconds


@given(net=networks(), profile=DEVICES, data=st.data())
def test_a_prediction_is_positive_and_inside_its_interval(
    net: Network, profile: Profile, data: st.DataObject
) -> None:
    height, width = data.draw(input_sizes(net))
    found = predict(net.bind(H=height, W=width, N=2), profile)
    assume(found.rows)
    assert 0 < float(found.low) < float(found) < float(found.high)
    assert 0 <= float(found.unmodelled_share) <= 1


@given(net=networks(), profile=DEVICES, data=st.data())
@pytest.mark.parametrize("side", ["N", "H", "W"])
def test_what_grows_takes_longer_while_the_same_kernels_run(
    net: Network, profile: Profile, data: st.DataObject, side: str
) -> None:
    height, width = data.draw(input_sizes(net))
    values = {"H": height, "W": width, "N": data.draw(st.integers(1, 20))}
    more = values | {side: values[side] + data.draw(st.integers(1, 20))}
    one, other = (predict(net.bind(**given_), profile) for given_ in (values, more))
    assume(classes(one) == classes(other))
    # Adaptive windows overlap at some sizes and lie side by side at others: 3 outputs
    # read 4 of 2 rows, and 3 of 3.
    pools = [n.operator for n in net.nodes if n.operator.kind.startswith("adaptive")]
    assume(side == "N" or all(set(pool.attributes["size"]) <= {1} for pool in pools))
    assert one.seconds <= other.seconds


@FEWER
@given(profile=DEVICES, first=st.integers(1, 48), more=st.integers(1, 16))
@pytest.mark.parametrize("name", ["mobilenet_v1", "resnet50"])
def test_what_is_wider_takes_longer_while_the_same_kernels_run(
    name: str, profile: Profile, first: int, more: int
) -> None:
    net = cm.load(name, width=alpha, resolution=64, batch=1)
    one, other = (
        predict(net.bind({alpha: sympy.Rational(size, 32)}), profile)
        for size in (first, first + more)
    )
    assume(classes(one) == classes(other))
    assert one.seconds <= other.seconds


@given(profile=st.builds(device, st.integers(0, 9)), data=st.data())
def test_seconds_of_a_composition_are_the_sum(
    profile: Profile, data: st.DataObject
) -> None:
    layers, shape = [], Shape(data.draw(st.integers(1, 40)), (Extent(24), Extent(20)))
    shapes = [shape]
    for _ in range(data.draw(st.integers(2, 6))):
        layers.append(data.draw(operators(shapes[-1])))
        shapes.append(layers[-1].output(shapes[-1]))
    cut = data.draw(st.integers(1, len(layers) - 1))

    def seconds(start: Shape, part: list[op.Operator]) -> sympy.Expr:
        # A vector enters as its length.
        start = Shape(int(start.channels), start.spatial)
        rows = [("x", op.Input(start), ())]
        for number, layer in enumerate(part):
            rows.append((f"n{number}", layer, (rows[-1][0],)))
        return predict(Network.assemble(rows, batch=3), profile).seconds

    whole, before, after = (
        seconds(start, part)
        for start, part in ((shape, layers), (shape, layers[:cut]),
                            (shapes[cut], layers[cut:]))
    )  # fmt: skip
    assert whole == before + after


@FEWER
@given(net=networks(), profile=DEVICES)
def test_every_grouping_adds_up_to_the_whole(net: Network, profile: Profile) -> None:
    found = predict(net, profile)
    rows = [row.seconds for row in found.rows]
    groups = (found.by_kind(), found.by_scope(), found.by_scope(9), found.by_node())
    for parts in (rows, *(group.values() for group in groups)):
        assert sympy.expand(sympy.Add(*parts)) == found.seconds


@FEWER
@given(net=networks(), profile=DEVICES)
def test_the_formula_is_plain_and_read_back(net: Network, profile: Profile) -> None:
    seconds = predict(net, profile).seconds
    assert not seconds.atoms(sympy.Float, sympy.Dummy, sympy.Piecewise)
    assert seconds.free_symbols <= {N, H, W}
    assert parse(str(seconds)) == seconds


def test_equal_layers_are_asked_once() -> None:
    setting = device().setting
    counts = []
    for name in ("resnet101", "resnet152"):
        found = kernels(cm.load(name, resolution=224, batch=1), setting)
        # Numbers that were made once are one object.
        counts.append((len(found), len({id(k.activation_bytes) for k in found})))
    (few, distinct), (many, as_distinct) = counts
    assert few < many
    assert distinct == as_distinct


def test_the_widest_network_within_ten_milliseconds() -> None:
    found = predict(cm.load("mobilenet_v1", width=alpha), device())
    at = {"N": 1, "H": 224, "W": 224}
    budget = sympy.Rational(1, 100)
    answer = cm.largest(found, alpha, 10e-3, at=at)
    assert answer.cost == found.at(alpha=answer.value, **at).seconds <= budget
    assert answer.beyond_cost == found.at(alpha=answer.beyond, **at).seconds > budget
    assert answer.step == sympy.Rational(1, 32)
    assert cm.largest(found.seconds, alpha, 10e-3, at=at, whole=found.whole) == answer


def test_every_question_takes_a_prediction() -> None:
    found = predict(cm.load("mobilenet_v1", width=alpha), device())
    at = {"N": 1, "H": 224, "W": 224}
    bound = found.at(**at)
    most = cm.largest(bound, alpha, 10e-3)
    assert cm.smallest(bound, alpha, 10e-3).beyond == most.value
    assert cm.elasticity(bound, alpha) == cm.elasticity(bound.seconds, alpha)
    assert sum(cm.share(bound.by_kind()).values()).equals(1)
    assert not sympy.sympify(cm.relax(bound)).atoms(sympy.ceiling, sympy.floor)
    grid = {alpha: ["1/4", 1], H: [128, 224]}
    fast = cm.solutions(found, grid, 50e-3, at={N: 1, W: H})
    expected = [
        {alpha: a, H: h}
        for a in (sympy.Rational(1, 4), 1)
        for h in (128, 224)
        if float(found.at(alpha=a, N=1, H=h, W=h)) <= 50e-3
    ]
    assert fast == expected


@pytest.mark.parametrize("sizes", [(1, 224, 224), (2, 193, 160), (16, 64, 65)])
def test_a_prediction_becomes_a_function_of_numbers(
    sizes: tuple[int, int, int],
) -> None:
    found = predict(cm.load("resnet50"), device())
    function = cm.lambdify(found, [N, H, W])
    bound = found.at(dict(zip((N, H, W), sizes)))
    assert float(function(*sizes)) == pytest.approx(float(bound), rel=1e-12)


@FEWER
@given(net=networks(), profile=DEVICES, data=st.data())
def test_both_forms_become_functions_that_give_the_seconds(
    net: Network, profile: Profile, data: st.DataObject
) -> None:
    values = bound_sizes(data, net)
    found = predict(net, profile)
    assume(found.rows)
    told = float(found.at(values))
    for formula in (found.seconds, found.factored):
        function = cm.lambdify(formula, [*values])
        assert float(function(*values.values())) == pytest.approx(told)


def test_sympy_takes_a_prediction_for_its_formula() -> None:
    found = predict(cm.load("lenet5"), device())
    assert sympy.sympify(found) is found.seconds
    assert N * found == N * found.seconds


def predicted_kinds(net: Network) -> list[str]:
    """Return the class of each kernel that runs."""
    return [row.kernel.kind for row in predict(net, device()).rows]


def test_from_sixteen_samples_on_all_pointwise_convolutions_change() -> None:
    net = cm.load("resnet50", resolution=224)
    counts = [
        predicted_kinds(net.bind(N=size)).count("pointwise_conv")
        for size in (1, 15, 16)
    ]
    # Of 36, a first one and a shortcut's in each of three stages have a stride.
    assert counts == [6, 6, 36]


def test_what_has_no_class_is_guessed_and_said() -> None:
    net = cm.load("mobilenet_v1", resolution=224, batch=1)
    whole = predict(net, device(4))
    assert (whole.unmodelled_share, whole.warnings) == (0, ())
    found = predict(net, device(4, without=("depthwise_conv",)))
    share = float(found.unmodelled_share)
    assert share > 0.05
    kinds = {row.name: row.kernel.kind for row in found.rows}
    first = next(name for name in kinds if kinds[name] == "depthwise_conv")
    assert found.warnings == (
        f"{share:.1%} of the time is guessed, without a class of its own: "
        f"depthwise_conv, at {first} and 12 more",
    )
    assert float(found.high / found.seconds) > float(whole.high / whole.seconds)


def test_what_nobody_has_a_rule_for_is_guessed() -> None:
    x = op.Input(Shape(3, (Extent(8), Extent(8))))
    opaque = op.Opaque("aten::mystery", Shape(3, (Extent(8), Extent(8))))
    net = Network.assemble([("x", x, ()), ("what", opaque, ("x",))], batch=1)
    found = predict(net, device())
    assert float(found.unmodelled_share) == 1
    assert "100.0% of the time is guessed" in found.warnings[0]


def profile_of(box: dict[str, tuple[int, int]]) -> Profile:
    """Return a profile of rectifiers alone."""
    kinds = {"relu": Coefficients(1e-10, 0.0, 0.0, 1e-6)}
    return Profile("rectifiers", device().setting, kinds, {"relu": box})


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 192), ()),
        ((10, 100), ("relu: work 192 of relu1 is outside of the calibrated range "
                     "10 to 100: 1.92 times the most",)),
        ((384, 400), ("relu: work 192 of relu1 is outside of the calibrated range "
                      "384 to 400: 0.5 times the least",)),
    ],
)  # fmt: skip
def test_leaving_the_calibrated_box_is_said_with_its_reason(
    box: tuple[int, int], expected: tuple[str, ...]
) -> None:
    net = network(relu(image(3, 8, 8)), batch=1)
    assert predict(net, profile_of({"work": box})).warnings == expected


def test_a_network_in_symbols_says_that_its_range_is_not_known() -> None:
    net = network(relu(image()))
    assert predict(net, profile_of({"work": (1, 2)})).warnings == (
        "H, N, W are symbols: what is inside of the calibrated range is known once "
        "every size is a number",
    )


def test_seconds_of_symbols_are_no_float() -> None:
    found = predict(network(relu(image())), device())
    with pytest.raises(CostModelError, match=r"^prediction: H, N, W are still symbols"):
        float(found)


def test_a_coefficient_stands_in_the_formula_as_it_is_written() -> None:
    net = network(relu(image(1, 10, 10)), batch=N)
    found = predict(net, profile_of({}))
    assert str(found.seconds) == "N/100000000 + 1/1000000"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "drawn.json"
    path.write_text(device().to_json(), encoding="utf-8")
    return str(path)


def run(*arguments: str) -> Any:
    """Run the command line in this process."""
    return CliRunner().invoke(main, list(arguments))


def test_the_command_prints_time_interval_and_parts(file: str) -> None:
    result = run("predict", "mobilenet_v2", "--device", file)
    assert result.exit_code == 0
    found = predict(cm.load("mobilenet_v2", resolution=224, batch=1), file)
    assert f"{float(found) * 1e3:.4g} ms, 80 % interval" in result.output
    assert re.search(r"depthwise_conv +[\d.]+ +[\d.]+%", result.output)


@pytest.mark.parametrize("by", ["kind", "scope", "node"])
def test_json_adds_up(file: str, by: str) -> None:
    result = run("predict", "googlenet", "--device", file, "--by", by, "--json")
    found = json.loads(result.stdout)
    assert found["schema"] == "costmodel.predict/1"
    assert sum(found["parts"].values()) == pytest.approx(found["seconds"])
    assert found["low"] < found["seconds"] < found["high"]


def test_the_command_prints_a_formula_of_what_stays_a_symbol(file: str) -> None:
    kept = ("--symbols", "batch")
    result = run("predict", "resnet50", "--device", file, *kept, "--json")
    formula = parse(json.loads(result.stdout)["seconds"])
    net = cm.load("resnet50", resolution=224)
    assert formula == predict(net, file).seconds


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nothing", "--device", "x"), 4, 'unknown architecture "nothing"'),
        (("lenet5", "--device", "no-such"), 4, 'no device profile "no-such"'),
        (("lenet5",), 2, "Missing option '--device'"),
        (("lenet5", "--device", "pyproject.toml"), 4, "pyproject.toml: no JSON"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = run("predict", *arguments)
    assert result.exit_code == code
    assert message in result.output
    assert "Traceback" not in result.output


def test_predicting_needs_no_torch(file: str) -> None:
    code = (
        "import sys, costmodel as cm; "
        f"cm.predict(cm.load('resnet50'), {file!r}).low; "
        "heavy = {'torch', 'fvcore', 'torchvision', 'timm'}; "
        "print(*sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", "")


def test_a_drawn_device_times_convolutions() -> None:
    net = network(conv(image(3, 32, 32), 8, kernel=3), batch=1)
    (row,) = predict(net, device()).rows
    kernel = row.kernel
    assert (kernel.kind, kernel.when, row.is_modelled) == ("conv_native", 1, True)


def test_explaining_names_what_bounds_each_layer(file: str) -> None:
    arguments = ("predict", "vgg16", "--device", file, "--explain")
    found = json.loads(run(*arguments, "--json").stdout)
    bounds = {layer["layer"]: layer for layer in found["layers"]}
    layer = bounds["fc6"] if "fc6" in bounds else found["layers"][-1]
    assert layer["bound"] == "memory"
    assert layer["compute_bound_from_batch"] > 1
    nearer = run(
        *arguments, "--batch", str(layer["compute_bound_from_batch"]), "--json"
    )
    again = {one["layer"]: one for one in json.loads(nearer.stdout)["layers"]}
    assert again[layer["layer"]]["bound"] == "compute"
    predicted = sum(one["predicted_seconds"] for one in found["layers"])
    assert predicted == pytest.approx(found["seconds"])
    assert "compute from batch" in run(*arguments).output

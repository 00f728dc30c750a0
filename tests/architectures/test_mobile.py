"""Small networks: the laws of their units, and the figures of their releases."""

from __future__ import annotations

from itertools import pairwise

import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import Dim, H, Rational, W, symbol
from costmodel.bridge import oracles
from costmodel.errors import CostModelError
from costmodel.network.build import (
    Value,
    channel_shuffle,
    concat,
    conv,
    image,
    network,
    select_channels,
    split,
)
from costmodel.network.registry.printed_figures import Published
from costmodel.zoo import shufflenet_v1, shufflenet_v2, squeezenet
from costmodel.zoo.efficientnet import compound_scaling
from tests.zoo import torchvision_models


def macs(x: Value) -> Dim:
    return cm.cost(network(x, batch=1)).macs


def test_a_shufflenet_unit_costs_what_section_3_2_says() -> None:
    m, g = symbol("m"), symbol("g")
    c = 4 * m
    unit = shufflenet_v1.unit(image(c), c, 1, g, g, excited=False)
    assert sympy.expand(macs(unit) - H * W * (2 * c * m / g + 9 * m)) == 0
    # The same for a ResNet's and a ResNeXt's bottleneck, which cost more.
    for groups, middle in ((1, 9 * m**2), (g, 9 * m**2 / g)):
        y = conv(image(c), m, kernel=1, bias=False)
        y = conv(y, m, kernel=3, groups=groups, bias=False)
        y = conv(y, c, kernel=1, bias=False)
        assert sympy.expand(macs(y) - H * W * (2 * c * m + middle)) == 0


def test_a_shufflenet_v2_unit_convolves_half_the_channels() -> None:
    c = symbol("c")
    unit = shufflenet_v2.unit(image(2 * c), 2 * c, 1)
    assert sympy.expand(macs(unit) - H * W * (2 * c**2 + 9 * c)) == 0
    down = shufflenet_v2.unit(image(c, 2 * H, 2 * W), 2 * c, 2)
    # Both branches: 9c + c² on the quarter; before it, c² on the whole map.
    expected = H * W * (2 * (9 * c + c**2) + 4 * c**2)
    assert sympy.expand(macs(down) - expected) == 0


@given(st.integers(1, 6), st.integers(1, 6))
def test_a_shuffle_is_torchs_and_another_one_undoes_it(groups: int, each: int) -> None:
    channels = groups * each
    x = image(channels, 2, 3)
    module = cm.compile(network(channel_shuffle(channel_shuffle(x, groups), each)))
    sample = torch.arange(2.0 * channels * 6).reshape(2, channels, 2, 3)
    once = module.get_submodule("shuffle1")(sample)
    assert torch.equal(torch.nn.functional.channel_shuffle(sample, groups), once)
    assert torch.equal(sample, module(sample))
    vector = sample[:, :, 0, 0]
    assert torch.equal(vector, module(vector))


@given(st.integers(1, 5), st.integers(1, 5))
def test_the_parts_of_a_split_are_the_whole(parts: int, each: int) -> None:
    values = split(image(parts * each, 4, 4), parts)
    assert [each] * parts == [value.channels for value in values]
    if parts > 1:
        sample = torch.randn(1, parts * each, 4, 4)
        assert torch.equal(sample, cm.compile(network(concat(*values)))(sample))


def test_half_the_channels_pass_a_shufflenet_v2_unit_untouched() -> None:
    net = network(shufflenet_v2.unit(image(8, 4, 4), 8, 1))
    sample = torch.randn(1, 8, 4, 4)
    with torch.no_grad():
        output = cm.compile(net)(sample)
    assert torch.equal(sample[:, :4], output[:, ::2])


@pytest.mark.parametrize(
    ("problem", "make"),
    [
        ("split: 3 parts do not divide the 4 channels of ", lambda x: split(x, 3)),
        ("split: parts 0 is not a positive integer", lambda x: split(x, 0)),
        ("split: parts 1.5 is not a positive integer", lambda x: split(x, 1.5)),
        ("split: takes values that other verbs returned", lambda _: split(None)),
        (
            'slice at "split1": channels 3 to 4 are not all among',
            lambda x: select_channels(x, 3, 2),
        ),
        (
            'channel_shuffle at "shuffle1": groups 3 do not divide the 4 channels',
            lambda x: channel_shuffle(x, 3),
        ),
    ],
)
def test_channels_that_do_not_divide_are_an_error(problem: str, make: object) -> None:
    with pytest.raises(CostModelError) as caught:
        make(image(4))  # type: ignore[operator]
    assert str(caught.value).startswith(problem)


def test_table_1_of_shufflenet_counts_convolutions_alone() -> None:
    printed = {1: 143, 2: 140, 3: 137, 4: 133, 8: 137}
    for groups, millions in printed.items():
        cost = cm.cost(cm.load("shufflenet_v1", groups=groups, resolution=224, batch=1))
        convolutions = cost.by_operator()["conv"].macs
        assert millions == round(convolutions / 10**6)


def test_a_fire_module_stores_what_its_three_layers_do() -> None:
    c, maps = symbol("c"), symbol("e")
    s, p = symbol("alpha"), symbol("theta")  # real: the squeeze ratio, the 3×3 share
    x = squeezenet.fire(image(c), maps, s, p, "none")
    squeezed, narrow, wide = s * maps, (1 - p) * maps, p * maps
    expected = squeezed * (c + 1) + narrow * (squeezed + 1) + wide * (9 * squeezed + 1)
    assert sympy.expand(cm.cost(network(x)).parameters - expected) == 0


def test_squeezenet_has_fifty_times_fewer_parameters_than_alexnet() -> None:
    small = cm.cost(cm.load("squeezenet1_0")).parameters
    for options in ({}, {"variant": "torchvision"}):
        large = cm.cost(cm.load("alexnet", resolution=227, **options)).parameters
        assert round(large / small) == 49  # 48.8 and 48.9


def test_bypasses_of_squeezenet_cost_nothing_where_shapes_agree() -> None:
    costs = {
        bypass: cm.cost(cm.load("squeezenet1_0", bypass=bypass))
        for bypass in ("none", "simple", "complex")
    }
    assert costs["none"].parameters == costs["simple"].parameters
    # 1×1 past modules 2, 4, 6 and 8, with biases.
    pairs = ((96, 128), (128, 256), (256, 384), (384, 512))
    extra = sum((before + 1) * maps for before, maps in pairs)
    assert costs["complex"].parameters - costs["none"].parameters == extra
    added = {
        bypass: cost.by_operator().get("add") is not None
        for bypass, cost in costs.items()
    }
    assert added == {"none": False, "simple": True, "complex": True}


@pytest.mark.parametrize(
    ("width", "printed"),
    [("1.4", "6.06M"), ("1.3", "5.34M"), ("1", "3.47M"), ("0.75", "2.61M"),
     ("0.5", "1.95M"), ("0.35", "1.66M")],
)  # fmt: skip
def test_mobilenet_v2s_release_leaves_out_the_scales_and_shifts(
    width: str, printed: str
) -> None:
    cost = cm.cost(cm.load("mobilenet_v2", width=width))
    counted = cost.parameters - cost.by_operator()["batch_norm"].parameters
    row = Published("parameters", printed, (), None, None, "the release")
    assert row.agrees(counted)
    assert not row.agrees(cost.parameters)


def test_mobilenet_v3_keeps_its_features_at_every_width() -> None:
    # 356M and 7.5M at 5/4 are printed beside ShuffleNetV2+, in its release.
    wide = cm.load("mobilenet_v3_large", width="5/4", resolution=224, batch=1)
    cost = cm.cost(wide)
    assert Published("macs", "356M", (), None, None, "").agrees(cost.macs)
    assert Published("parameters", "7.5M", (), None, None, "").agrees(cost.parameters)
    assert [n.output.channels for n in wide.nodes if n.operator.kind == "linear"] == [
        1280, 1000,
    ]  # fmt: skip


@pytest.mark.parametrize("width", [0.35, 0.75, 1.25])
@pytest.mark.parametrize("size", ["large", "small"])
def test_mobilenet_v3_is_torchvisions_at_other_widths(size: str, width: float) -> None:
    name = f"mobilenet_v3_{size}"
    models = torchvision_models()
    rows, last = models.mobilenetv3._mobilenet_v3_conf(name, width_mult=width)
    with torch.device("meta"):
        theirs = models.MobileNetV3(rows, last).eval()
    net = cm.load(name, width=str(width), variant="torchvision", resolution=97, batch=1)
    cost = cm.cost(net)
    assert oracles.learnable(theirs) == cost.parameters
    flops = oracles.flop_counter_macs(theirs, (1, 3, 97, 97))
    assert sum(flops.values()) == cost.macs


SYMBOLIC = [
    ("mobilenet_v1", {}, ("1/2", "5/4")),
    ("mobilenet_v2", {}, ("0.35", "3/4", "1.4")),
    ("mobilenet_v3_large", {}, ("0.35", "3/4", "5/4")),
    ("mobilenet_v3_small", {"variant": "torchvision"}, ("0.35", "3/4", "5/4")),
    ("mnasnet_a1", {}, ("0.35", "3/4", "1.4")),
    ("mnasnet1_0", {}, ("1/2", "1.3")),
    ("shufflenet_v1", {}, ("1/4", "1/2", "3/2")),
    ("shufflenet_v1", {"groups": 1, "excited": True}, ("1/2", "2")),
    ("shufflenet_v2_x1_0", {}, ("1/2", "3/2", "2")),
    ("squeezenet1_1", {"bypass": "complex"}, ("1/4", "3/2")),
    ("efficientnet_b0", {}, ("0.3", "1.1", "2")),
]


@pytest.mark.parametrize(("name", "options", "widths"), SYMBOLIC)
def test_a_formula_in_the_width_is_every_networks_count(
    name: str, options: dict[str, object], widths: tuple[str, ...]
) -> None:
    options = {**options, "resolution": 96, "batch": 1}
    symbolic = cm.cost(cm.load(name, width=cm.alpha, **options))
    for width in widths:
        cost = cm.cost(cm.load(name, width=width, **options))
        at = {cm.alpha: Rational(width)}
        assert cost.parameters == symbolic.parameters.subs(at)
        assert cost.macs == symbolic.macs.subs(at)


def test_efficientnets_b2_and_b3_are_the_first_steps_of_compound_scaling() -> None:
    for phi, name in ((0, "b0"), (1, "b2"), (2, "b3")):
        scaled = cm.load("efficientnet_b0", **compound_scaling(phi))
        released = cm.load(f"efficientnet_{name}")
        assert cm.cost(scaled).parameters == cm.cost(released).parameters
    assert compound_scaling(7)["depth"] == Rational(12, 10) ** 7
    assert [int(compound_scaling(phi)["resolution"]) for phi in range(8)] == [
        224, 258, 296, 341, 392, 451, 518, 596,
    ]  # fmt: skip


def test_each_step_of_compound_scaling_about_doubles_the_operations() -> None:
    phi = cm.symbol("phi")
    step = compound_scaling(phi)
    law = step["depth"] * step["width"] ** 2 * (step["resolution"] / 224) ** 2
    # α·β²·γ² ≈ 2 (section 3.3): 1.2·1.1²·1.15² = 1.92.
    assert sympy.simplify(law - Rational("1.92027") ** phi) == 0
    counts = [
        cm.cost(cm.load("efficientnet_b0", **compound_scaling(phi), batch=1)).macs
        for phi in range(8)
    ]
    assert all(1.6 < after / before < 2.6 for before, after in pairwise(counts))
    assert abs(counts[-1] / counts[0] / float(law.subs(phi, 7)) - 1) < 0.1


@pytest.mark.parametrize("phi", [-1, 1.5, "1", Rational(1, 2), True])
def test_phi_is_a_whole_number_or_a_symbol(phi: object) -> None:
    with pytest.raises(CostModelError, match=r"^phi = .* is neither 0, 1, 2, …"):
        compound_scaling(phi)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        (
            "shufflenet_v1",
            {"groups": 5},
            "option groups = 5; allowed are 1, 2, 3, 4, 8",
        ),
        ("shufflenet_v1", {"width": "1/3"}, "width = 1/3: channel_shuffle at "),
        ("shufflenet_v1", {"variant": "torchvision"}, 'unknown option "variant"'),
        (
            "shufflenet_v2_x1_0",
            {"channels": (1, 2)},
            "option channels = (1, 2); give 4",
        ),
        ("shufflenet_v2_x0_5", {"width": "1/32"}, "width = 1/32: "),
        ("squeezenet1_0", {"bypass": "all"}, "option bypass = 'all'; allowed are none"),
        ("squeezenet1_0", {"share_3x3": 1}, 'conv at "fire2.expand1x1": channels 0 is'),
        ("mnasnet_a1", {"variant": "paper"}, 'unknown option "variant"'),
        ("mnasnet1_0", {"width": 0}, "option width = 0 is not positive"),
        ("mobilenet_v3_large", {"rows": []}, 'unknown option "rows"'),
        ("efficientnet_b0", {"phi": 1}, 'unknown option "phi"'),
    ],
)
def test_wrong_options_are_one_clear_error(
    name: str, options: dict[str, object], problem: str
) -> None:
    with pytest.raises(CostModelError) as caught:
        cm.load(name, **options)
    assert str(caught.value).startswith(name)
    assert f": {problem}" in str(caught.value) or f", {problem}" in str(caught.value)

"""Widths of any network: against the papers' own, and against wider modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sympy
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel.algebra.extent import Extent
from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import H, W, alpha, is_equal, symbol
from costmodel.bridge import oracles
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.axes import extents, rank
from costmodel.network.build import (
    Value,
    activation,
    add,
    batch_norm,
    channel_shuffle,
    concat,
    conv,
    depthwise,
    flatten,
    global_average_pool,
    image,
    linear,
    multiply,
    network,
    split,
)
from costmodel.network.building.builder import apply, sample
from costmodel.network.graph import Network
from costmodel.network.shape import Shape
from costmodel.network.widen import widen
from costmodel.testing import ROOMY, networks
from costmodel.testing.products import product_networks
from costmodel.testing.tensors import STEPS
from tests.network.test_operators import CASES
from tests.zoo import torchvision_models, torchvision_network


A, B = symbol("a"), symbol("b")


def headed(x: Value) -> Network:
    return network(linear(global_average_pool(x), 10))


def sizes(net: Network) -> dict[str, str]:
    return {node.name: str(node.output) for node in net.nodes}


# The papers' own widths.


@pytest.mark.parametrize("name", ["regnet_x_400mf", "mnasnet1_0", "mobilenet_v2"])
def test_where_the_paper_has_another_rule_the_law_is_another(name: str) -> None:
    at: dict[str, Any] = {"resolution": 224, "batch": 1}
    paper = cm.relax(cm.cost(cm.load(name, width=alpha, **at)).macs)
    found = cm.cost(widen(cm.load(name, **at), alpha)).macs
    assert not is_equal(paper, found)
    assert sympy.sympify(paper).subs(alpha, 1) == sympy.sympify(found).subs(alpha, 1)


def test_the_largest_width_of_a_widened_network_is_that_of_its_paper() -> None:
    at = {cm.N: 1, H: 224, W: 224}
    widened = widen(cm.load("mobilenet_v1"), alpha)
    found = cm.largest(cm.cost(widened).macs, alpha, 300e6, at=at)
    assert sympy.Rational(23, 32) == found.value


# Wider modules.


def wider_torchvision(name: str) -> Callable[[int], nn.Module]:
    """Return how torchvision builds a network of so many times the channels."""
    models = torchvision_models()
    if name == "mobilenet_v2":
        return lambda times: models.mobilenet_v2(width_mult=float(times))
    if name == "densenet":
        return lambda times: models.DenseNet(32 * times, (3, 6), 64 * times)
    if name == "shufflenet_v2":
        stages = (24, 116, 232, 464, 1024)
        return lambda times: models.ShuffleNetV2(
            [2, 3, 2], [channels * times for channels in stages]
        )
    block = models.convnext.CNBlockConfig
    return lambda times: models.ConvNeXt(
        [block(48 * times, 96 * times, 2), block(96 * times, None, 1)]
    )


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "densenet", "shufflenet_v2", "convnext"]
)
def test_a_widened_trace_is_the_trace_of_the_wider_module(name: str) -> None:
    build = wider_torchvision(name)
    with torch.device("meta"):
        traced, wide = (cm.trace(build(times).eval()) for times in (1, 2))
    assert wide == widen(traced, 2)
    assert wide == widen(traced, alpha).bind(alpha=2)


@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "vgg11_bn",
        "squeezenet1_1",
        "googlenet",
        "resnet18",
        "resnext50_32x4d",
        "mobilenet_v3_small",
        "efficientnet_b0",
        "mnasnet0_5",
        "regnet_y_400mf",
        "shufflenet_v2_x0_5",
    ],
)
def test_a_widened_trace_at_width_one_is_the_trace(name: str) -> None:
    traced = cm.trace(torchvision_network(name))
    widened = widen(traced, alpha)
    assert widened.bind(alpha=1) == traced
    assert widened[traced.outputs[0]].output == Shape(1000)
    law = sympy.Poly(cm.cost(widened).parameters, alpha)
    assert law.degree() == 2
    assert law.eval(0) == 1000  # the classifier's biases


def test_heads_of_a_traced_transformer_are_refused_by_name() -> None:
    traced = cm.trace(torchvision_network("vit_b_16"))
    problem = "splits 768 channels into 12×64; nothing says which grows"
    with pytest.raises(CostModelError, match=f'self_attention.reshape": {problem}'):
        widen(traced, alpha)


# Laws.


@st.composite
def headed_networks(draw: st.DrawFn) -> Network:
    """Draw convolutions, what moves their axes about, and a classifier of one axis."""
    x = sample(Shape(3, (Extent(H), Extent(W))))
    y = conv(x, draw(st.sampled_from([4, 6, 12])), kernel=3)
    if draw(st.booleans()):
        y = concat(y, conv(x, draw(st.integers(1, 6)), kernel=1))
    for _ in range(draw(st.integers(1, 4))):
        fitting = [step for step, fits in STEPS.items() if fits(y.shape)]
        y = draw(st.sampled_from(fitting))(draw, y)
    if rank(y.shape) > 1:
        kept = draw(st.integers(1, rank(y.shape)))
        taken = tuple(n for n in range(1, rank(y.shape) + 1) if n != kept)
        y = apply(op.Reduce, [y], None, "mean", taken, False, True)
    moved = network(y).bind(H=ROOMY, W=ROOMY + 2)
    layers = [(n.name, n.operator, n.inputs) for n in moved.nodes]
    return Network.assemble([*layers, ("head", op.Linear(5), (moved.outputs[0],))])


ANY = st.one_of(networks(), networks(), headed_networks(), product_networks())


def widened_or_refused(net: Network, width: Any) -> Network:
    """Return the wider network, and pass over one that is refused by name."""
    try:
        return widen(net, width)
    except CostModelError as error:
        if any(f'"{node.name}": ' in str(error) for node in net.nodes):
            assume(False)
        raise


@given(ANY)
def test_once_as_wide_is_the_network_itself(net: Network) -> None:
    assert net == widen(net, 1)
    widened = widened_or_refused(net, alpha)
    if alpha in widened.free_symbols:
        widened = widened.bind(alpha=1)
    assert net == widened


@given(ANY)
def test_widths_multiply(net: Network) -> None:
    assert widened_or_refused(net, A * B) == widen(widen(net, A), B)


@given(ANY)
def test_the_sample_and_the_outputs_stay(net: Network) -> None:
    widened = widened_or_refused(net, alpha)
    for name in (net.nodes[0].name, *net.outputs):
        assert net[name].output.same_as(widened[name].output)


@given(ANY)
def test_a_network_of_twice_the_channels_runs_and_has_the_shapes(net: Network) -> None:
    wide = widened_or_refused(net, 2)
    at = {H: ROOMY + 13, W: ROOMY + 15}

    def sizes_at(shape: Shape) -> tuple[int, ...]:
        return tuple(int(sympy.sympify(size).subs(at)) for size in shape.sizes)

    batch = net.batch if type(net.batch) is int else 2
    module = cm.compile(wide, device="meta")
    executed = oracles.executed_shapes(module, (batch, *sizes_at(net.nodes[0].output)))
    for node in wide.nodes:
        if node.name not in wide.unbatched:
            assert (batch, *sizes_at(node.output)) == executed[node.name]


@given(ANY, st.sampled_from([8, 3]))
def test_rounded_widths_that_are_accepted_give_a_network_that_runs(
    net: Network, divisor: int
) -> None:
    try:
        wide = widen(net, "3/2", divisor=divisor)
    except CostModelError:
        assume(False)
        raise
    assert cm.cost(wide).parameters == oracles.learnable(
        cm.compile(wide, device="meta")
    )


@given(ANY)
@example(headed(conv(conv(image(), 8, 3), 8, 3)))
def test_a_wider_network_costs_no_less(net: Network) -> None:
    wide = widened_or_refused(net, 2)
    assert cm.cost(wide).parameters >= cm.cost(net).parameters


# What follows what.


def test_every_operator_has_a_rule() -> None:
    """Every flow is read: nothing is refused but what is refused by name."""
    refused = {"einsum", "table_conv", "derived", "opaque"}
    for case in CASES:
        if not case.inputs:
            continue
        names = [f"x{number}" for number, _ in enumerate(case.inputs)]
        layers = [(n, op.Input(x), ()) for n, x in zip(names, case.inputs, strict=True)]
        net = Network.assemble([*layers, ("last", case.operator, tuple(names))])
        assert net == widen(net, 2) or case.operator.kind not in refused


def test_groups_follow_the_channels_of_a_depthwise_layer_and_stay_in_others() -> None:
    x = conv(image(), 32, 3)
    y = conv(depthwise(x, kernel=3), 64, 3, groups=4)
    wide = widen(headed(y), alpha)
    found = [wide[name].operator for name in ("conv2", "conv3")]
    assert [(32 * alpha, 32 * alpha), (64 * alpha, 4)] == [
        (layer.attributes["channels"], layer.attributes["groups"]) for layer in found
    ]


def test_a_depthwise_layer_of_several_maps_a_channel_keeps_how_many() -> None:
    x = conv(conv(image(), 8, 3), 24, 3, groups=8)
    wide = widen(headed(x), alpha)["conv2"].operator.attributes
    assert (24 * alpha, 8 * alpha) == (wide["channels"], wide["groups"])


def test_a_depthwise_layer_of_the_sample_stays() -> None:
    net = headed(conv(conv(image(), 6, 3, groups=3), 8, 1))
    assert net["conv1"].operator == widen(net, alpha)["conv1"].operator


def test_what_is_added_to_the_sample_stays() -> None:
    x = image(4)
    y = add(x, conv(conv(x, 8, 3), 4, 3))
    wide = widen(headed(y), alpha)
    assert [sizes(wide)[n] for n in ("conv1", "conv2")] == ["8*alpha×H×W", "4×H×W"]


def test_what_is_concatenated_with_the_sample_is_part_sample() -> None:
    x = image()
    both = concat(x, conv(x, 8, 3))
    wide = widen(headed(conv(both, 8, 1)), alpha)
    assert sizes(wide)["concat1"] == "(8*alpha + 3)×H×W"


def test_groups_of_part_of_the_sample_leave_everything_as_it_is() -> None:
    x = image()
    both = conv(concat(x, conv(x, 5, 3)), 8, 1, groups=2)
    wide = widen(headed(both), alpha)
    assert sizes(wide)["concat1"] == "8×H×W"


def test_gates_follow_the_channels_and_a_single_map_stays_single() -> None:
    x = conv(image(), 32, 3)
    squeezed = conv(global_average_pool(x), 8, 1)
    gated = multiply(x, activation(conv(squeezed, 32, 1), "sigmoid"))
    seen = multiply(gated, activation(conv(gated, 1, 1), "sigmoid"))
    wide = sizes(widen(headed(seen), alpha))
    assert [wide[name] for name in ("conv2", "conv3", "conv4", "multiply2")] == [
        "8*alpha×1×1",
        "32*alpha×1×1",
        "1×H×W",
        "32*alpha×H×W",
    ]


def test_parts_that_are_split_and_shuffled_are_in_proportion() -> None:
    kept, other = split(conv(image(), 58, 3), 2)
    x = channel_shuffle(concat(kept, batch_norm(conv(other, 87, 1))), 2)
    wide = widen(headed(x), alpha)
    found = [wide[name].operator for name in ("split1", "split2")]
    assert [(0, 29 * alpha), (29 * alpha, 29 * alpha)] == [
        (part.attributes["start"], part.attributes["length"]) for part in found
    ]
    assert sizes(wide)["shuffle1"] == "116*alpha×H×W"


def test_a_flattened_map_counts_all_its_positions() -> None:
    x = flatten(conv(image(3, 7, 7), 8, 3))
    wide = widen(network(linear(linear(x, 20), 10)), alpha)
    assert [sizes(wide)[name] for name in ("flatten1", "linear1", "linear2")] == [
        "392*alpha",
        "20*alpha",
        "10",
    ]


def assembled(*layers: tuple[str, op.Operator, str], **options: Any) -> Network:
    """Return a network of 3×16×12, each layer with the names that it reads."""
    first = ("input", op.Input(Shape(3, (Extent(16), Extent(12)))), ())
    rest = [(name, layer, tuple(reads.split())) for name, layer, reads in layers]
    return Network.assemble([first, *rest], **options)


CONV = ("conv", op.Conv(8, (1, 1)), "input")
POOL = op.AdaptiveAvgPool((1, 1))


def classified(*layers: tuple[str, op.Operator, str], **options: Any) -> Network:
    """Return a network that convolves, then these layers, then a classifier."""
    axes_left = rank(assembled(CONV, *layers)[layers[-1][0]].output)
    mean = op.Reduce("mean", axes=tuple(range(2, axes_left + 1)), keep=False)
    ends = [("mean", mean, layers[-1][0]), ("head", op.Linear(10), "mean")]
    return assembled(CONV, *layers, *ends, **options)


def shape(*sizes: int) -> Shape:
    return Shape(sizes[0], tuple(map(Extent, sizes[1:])))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([("x", op.GroupNorm(4), "conv")], "8*alpha×16×12"),
        ([("x", op.PReLU(8), "conv")], "8*alpha×16×12"),
        ([("x", op.Pad((4,), (4,)), "conv")], "16*alpha×16×12"),
        ([("x", op.Pad((0,), (8,)), "conv")], "16*alpha×16×12"),
        ([("x", op.Slice(1, start=2, end=1), "conv")], "5*alpha×16×12"),
        ([("x", op.Slice(1, 0, length=4), "conv")], "4*alpha×16×12"),
        ([("x", op.Crop(shape(6, 5, 5)), "conv")], "6*alpha×5×5"),
        ([("x", op.Repeat(shape(16, 16, 12)), "conv")], "16*alpha×16×12"),
        ([("x", op.Resize("nearest", shape=shape(8, 9, 9)), "conv")], "8*alpha×9×9"),
        ([("x", op.Reshape(shape(8, 4, 4, 12)), "conv")], "8*alpha×4×4×12"),
        ([("x", op.PixelUnshuffle(2), "conv")], "32*alpha×8×6"),
        ([("x", op.PixelShuffle(2), "conv")], "2*alpha×32×24"),
        ([("x", op.ConvTranspose(6, (2, 2)), "conv")], "6*alpha×17×13"),
        ([("p", op.Permute((2, 3, 1)), "conv"), ("n", op.LayerNorm(1), "p"),
          ("l", op.Linear(24), "n"), ("x", op.Permute((3, 1, 2)), "l")],
         "24*alpha×16×12"),
        ([("scale", op.Parameter(shape(8, 1, 1)), ""),
          ("x", op.Arithmetic("multiply"), "scale conv")], "8*alpha×16×12"),
        ([("g", POOL, "conv"), ("e", op.Expand(shape(8, 16, 12)), "g"),
          ("x", op.Arithmetic("add"), "e conv")], "8*alpha×16×12"),
        ([("v", op.Reshape(shape(2, 4, 16, 12)), "conv"),
          ("p", op.Permute((2, 1, 3, 4)), "v"),
          ("x", op.Reshape(shape(8, 16, 12)), "p")], "8*alpha×16×12"),
        ([("v", op.Reshape(shape(8, 192)), "conv"), ("t", op.Permute((2, 1)), "v"),
          ("x", op.MatMul(), "v t")], "8*alpha×8*alpha"),
    ],
)  # fmt: skip
def test_channels_are_followed_through(layers: list[Any], expected: str) -> None:
    wide = widen(classified(*layers), alpha)
    assert expected == sizes(wide)["x"]


def test_a_stored_scale_grows_with_what_it_scales() -> None:
    scale = ("scale", op.Parameter(shape(8, 1, 1)), "")
    net = classified(scale, ("x", op.Arithmetic("multiply"), "scale conv"))
    assert widen(net, 3)["scale"].operator == op.Parameter(shape(24, 1, 1))


def test_a_stored_tensor_that_meets_no_width_stays() -> None:
    scale = ("scale", op.Parameter(shape(16, 12)), "")
    net = classified(scale, ("x", op.Arithmetic("multiply"), "scale conv"))
    assert net["scale"].operator == widen(net, alpha)["scale"].operator


def test_channels_as_positions_of_a_small_convolution_are_followed() -> None:
    net = classified(
        ("pool", POOL, "conv"), ("row", op.Reshape(shape(1, 8)), "pool"),
        ("mix", op.Conv(1, (3,), padding=1), "row"),
        ("gate", op.Reshape(shape(8, 1, 1)), "mix"),
        ("x", op.Arithmetic("multiply"), "conv gate"),
    )  # fmt: skip
    wide = sizes(widen(net, alpha))
    assert [wide["mix"], wide["gate"]] == ["1×8*alpha", "8*alpha×1×1"]


def test_layers_that_share_weights_grow_together() -> None:
    layers = (
        ("one", op.Conv(3, (3, 3), padding=(1, 1)), "input"),
        ("two", op.Conv(3, (3, 3), padding=(1, 1)), "one"),
        ("conv", op.Conv(8, (1, 1)), "two"),
        ("mean", op.Reduce("mean", axes=(2, 3), keep=False), "conv"),
        ("head", op.Linear(10), "mean"),
    )
    apart, tied = assembled(*layers), assembled(*layers, shared={"two": "one"})
    assert sizes(widen(apart, alpha))["one"] == "3*alpha×16×12"
    assert sizes(widen(tied, alpha))["one"] == "3×16×12"
    assert widen(tied, alpha).shared == {"two": "one"}


def test_name_batch_and_constraints_are_kept() -> None:
    net = cm.load("resnet18")
    needs = cm.Constraint(sympy.Eq(H, W), "stem.conv1", "square")
    layers = [(n.name, n.operator, n.inputs) for n in net.nodes]
    asked = Network.assemble(layers, net.outputs, "mine", 7, [needs])
    wide = widen(asked, alpha)
    assert ("mine", 7, (needs,)) == (wide.name, wide.batch, wide.constraints)


# What is refused.


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        ([("x", op.Reshape(shape(2, 4, 192)), "conv")],
         'reshape at "x": splits 8 channels into 2×4; nothing says which grows'),
        ([("v", op.Reshape(shape(8, 192)), "conv"),
          ("x", op.Einsum("bcl,bdl->bcd"), "v v")],
         'einsum at "x": widths are not followed through the letters of an equation'),
        ([("x", op.Opaque("sort", shape(8, 4, 4)), "conv")],
         'opaque at "x": no rule says how widths go through it'),
        ([("x", op.TableConv2d(((0, 1), (2,)), (3, 3)), "conv")],
         'table_conv at "x": its table lists the maps that it reads'),
        ([("x", op.Slice(1, 0, length=4, step=2), "conv")],
         'slice at "x": takes channels in steps of 2'),
        ([("x", op.PadTo(shape(9, 16, 12)), "conv")],
         'pad_to at "x": pads channels up to 9'),
        ([("p", op.Permute((2, 1, 3)), "conv"),
          ("x", op.MaxPool((2, 2), (2, 2)), "p")],
         'max_pool at "x": a window slides over channels here'),
        ([("p", op.Permute((2, 1, 3)), "conv"), ("x", op.Resize(scale=(2, 2)), "p")],
         'resize at "x": the sides that it changes are channels here'),
        ([("t", op.Parameter(shape(30, 2)), ""),
          ("d", op.Derived(shape(8, 16, 12)), "t"),
          ("x", op.Arithmetic("add"), "conv d")],
         'derived at "d": how the tensors follow that it is computed from is not '
         "known"),
    ],
)  # fmt: skip
def test_a_width_that_is_tied_is_refused_with_the_reason(
    layers: list[Any], problem: str
) -> None:
    net = classified(*layers)
    with pytest.raises(CostModelError) as caught:
        widen(net, alpha)
    assert problem == str(caught.value)


def test_a_tie_of_what_stays_anyway_is_no_problem() -> None:
    table = ("listed", op.TableConv2d(((0, 1), (2,)), (3, 3)), "input")
    net = assembled(table, ("conv", op.Conv(8, (1, 1)), "listed"),
                    ("mean", op.Reduce("mean", (2, 3)), "conv"),
                    ("head", op.Linear(10), "mean"))  # fmt: skip
    wide = sizes(widen(net, alpha))
    assert [wide["listed"], wide["conv"]] == ["2×14×10", "8*alpha×14×10"]


@pytest.mark.parametrize(
    ("width", "problem"),
    [
        (0, "widen: width 0 is not positive"),
        (-1, "widen: width -1 is not positive"),
        (True, "widen: width True is not a number"),
        ("H", "widen: width H: H is a size of the input"),
        ("1/3", 'conv at "conv1": channels 8/3 is not an integer; width 1/3 is not '
         "legal here"),
    ],
)  # fmt: skip
def test_widths_that_mean_nothing_are_refused(width: object, problem: str) -> None:
    with pytest.raises(CostModelError) as caught:
        widen(headed(conv(image(), 8, 3)), width)
    assert problem == str(caught.value)


@pytest.mark.parametrize("divisor", [0, -8, "1/2", alpha])
def test_a_divisor_is_a_positive_number(divisor: object) -> None:
    with pytest.raises(CostModelError, match="is not a positive integer"):
        widen(headed(conv(image(), 8, 3)), 2, divisor=divisor)


# Rounded widths.


def test_each_count_is_rounded_as_mobilenet_rounds_it() -> None:
    net = cm.load("mobilenet_v2", variant="torchvision")
    wide = widen(net, alpha, divisor=8)
    for node in net.nodes[:-1]:
        for before, after in zip(
            extents(node.output), extents(wide[node.name].output), strict=True
        ):
            channels = before.value
            if before != after:
                assert after.value == make_divisible(channels, alpha, 8)


@pytest.mark.parametrize("width", ["1/2", "3/4", "7/5"])
def test_a_rounded_number_is_a_rounded_symbol_bound(width: str) -> None:
    net = cm.load("mobilenet_v2")
    symbolic = widen(net, alpha, divisor=8)
    assert widen(net, width, divisor=8) == symbolic.bind(alpha=width)


def test_parts_that_are_rounded_apart_are_put_back_as_they_are() -> None:
    net = cm.load("shufflenet_v2_x1_0")
    wide = widen(net, "1/2", divisor=8)
    assert cm.cost(wide).parameters == oracles.learnable(
        cm.compile(wide, device="meta")
    )


def test_rounded_channels_are_not_cut() -> None:
    kept, other = split(conv(image(), 24, 3), 2)
    net = headed(concat(kept, conv(other, 8, 1)))
    with pytest.raises(CostModelError, match=r"split1.*24 channels, which are rounded"):
        widen(net, alpha, divisor=8)

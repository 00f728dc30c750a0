"""ConvNeXt, and the verbs that it is written in."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest
import torch

import costmodel as cm
from costmodel.algebra.symbols import alpha, symbol
from costmodel.errors import CostModelError
from costmodel.network import build
from costmodel.network import operators as op
from costmodel.network.build import Value, image, network
from costmodel.network.operators import FUNCTIONS
from costmodel.network.registry import load
from costmodel.zoo.convnext import TABLE, drawn


SMALL = {"repeats": "1,2,1,1", "channels": "8,16,24,32", "classes": 5}


def operators(value: Value) -> list[op.Operator]:
    return [node.operator for node in network(value).nodes[1:]]


def test_tiny_by_hand() -> None:
    # a block of C channels: 49·C + C, 2·C, 4·C² + 4·C, 4·C² + C, C
    block = [49 * c + c + 2 * c + 8 * c * c + 5 * c + c for c in (96, 192, 384, 768)]
    stages = sum(n * each for n, each in zip((3, 3, 9, 3), block, strict=True))
    between = sum(2 * c + 4 * c * 2 * c + 2 * c for c in (96, 192, 384))
    ends = (48 * 96 + 96 + 2 * 96) + (2 * 768 + 768 * 1000 + 1000)
    assert cm.cost(load("convnext_tiny")).parameters == stages + between + ends
    assert stages + between + ends == 28589128


@pytest.mark.parametrize("variant", ["paper", "torchvision"])
def test_its_macs_are_those_that_fvcore_counts(variant: str) -> None:
    net = load("convnext_tiny", variant=variant, resolution=224, batch=1)
    assert cm.cost(net).macs == 4455531264


@pytest.mark.parametrize("name", TABLE)
def test_both_variants_cost_the_same_for_every_option(name: str) -> None:
    given = {"width": alpha, "expansion": "t", "input_channels": "C"}
    drawn, released = (
        cm.cost(load(f"convnext_{name}", variant=variant, **given))
        for variant in ("paper", "torchvision")
    )
    for metric in ("macs", "parameters", "activations"):
        assert drawn.metric(metric) == released.metric(metric)


def test_both_variants_compute_the_same() -> None:
    torch.manual_seed(0)
    one, other = (
        cm.compile(load("convnext_tiny", variant=variant, **SMALL))
        for variant in ("paper", "torchvision")
    )
    # 1×1 weights are out × in × 1 × 1, those of a linear layer out × in.
    with torch.no_grad():
        for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
            mine.copy_(torch.randn(theirs.shape).reshape(mine.shape) / 4)
            theirs.copy_(mine.reshape(theirs.shape))
        x = torch.randn(2, 3, 64, 96)
        assert torch.allclose(one(x), other(x), rtol=1e-3, atol=1e-4)
        assert not torch.allclose(one(x)[0], one(x)[1])


def test_it_is_widened_to_that_of_its_width() -> None:
    for variant in ("paper", "torchvision"):
        net = load("convnext_base", variant=variant)
        expected = load("convnext_base", variant=variant, width=alpha)
        assert expected == cm.widen(net, alpha)


def test_a_position_sees_through_the_depthwise_convolutions_alone() -> None:
    # (7 − 1)·(3·4 + 3·8 + 9·16 + 3·32) + 4 + 1·4 + 1·8 + 1·16
    assert cm.receptive_field(load("convnext_tiny")).size == (1688, 1688)


@pytest.mark.parametrize("kind", sorted(FUNCTIONS))
def test_every_function_is_an_activation_by_its_name(kind: str) -> None:
    assert operators(build.activation(image(), kind)) == [op.Pointwise(kind)]


@pytest.mark.parametrize("kind", ["pointwise", "softmax", "conv", "", 3, None, []])
def test_what_is_no_function_is_refused(kind: object) -> None:
    with pytest.raises(CostModelError, match=r"known are abs, ceil, celu"):
        build.activation(image(), kind)  # type: ignore[arg-type]


VERBS: list[tuple[Callable[[Value], Value], str, str]] = [
    (build.layer_norm, "layer norm", "16×4×6"),
    (lambda x: build.layer_norm(x, 3), "layer norm, 3 axes", "16×4×6"),
    (build.rms_norm, "rms norm", "16×4×6"),
    (lambda x: build.group_norm(x, 4), "group norm, 4", "16×4×6"),
    (build.instance_norm, "instance norm", "16×4×6"),
    (lambda x: build.permute(x, (3, 1, 2)), "permute to axes 3, 1, 2", "6×16×4"),
    (lambda x: build.reshape(x, (16, 24)), "reshape to 16×24", "16×24"),
    (lambda x: build.last_linear(x, 5), "linear, 5", "16×4×5"),
    (build.scale, "multiply", "16×4×6"),
    (lambda x: build.scale(x, 3), "multiply", "16×4×6"),
    (lambda x: build.matmul(x, build.permute(x, (1, 3, 2))), "matmul", "16×4×4"),
    (lambda x: build.attention(x, x, x), "attention", "16×4×6"),
    (
        lambda x: build.attention(x, x, x, build.parameter(x, (4, 4))),
        "attention",
        "16×4×6",
    ),
    (lambda x: build.softmax(x, 3), "softmax, axis 3", "16×4×6"),
]


@pytest.mark.parametrize(("verb", "text", "shape"), VERBS)
def test_a_verb_infers_its_shape_and_runs(
    verb: Callable[[Value], Value], text: str, shape: str
) -> None:
    value = verb(image(16, 4, 6))
    assert (text, shape) == (str(value.node.operator), str(value.shape))
    net = network(value)
    output = cm.compile(net)(torch.randn(2, 16, 4, 6))
    assert (2, *value.shape.sizes) == tuple(output.shape)
    assert net == cm.Network.from_json(net.to_json())


def test_a_scale_multiplies_along_its_axis() -> None:
    for axis, shape in ((1, (16, 1, 1)), (2, (1, 4, 1)), (3, (1, 1, 6))):
        net = network(build.scale(image(16, 4, 6), axis))
        module = cm.compile(net)
        (factors,) = module.parameters()
        assert shape == tuple(factors.shape)
        with torch.no_grad():
            factors.copy_(torch.randn(shape))
        x = torch.randn(2, 16, 4, 6)
        assert torch.equal(module(x), x * factors)
        assert cm.cost(net).parameters == max(shape)


def test_sizes_may_be_symbols() -> None:
    channels = symbol("C")
    value = build.scale(image(channels))
    assert cm.cost(network(value)).parameters == channels
    heads = build.reshape(image(channels, 7, 7), (3, channels / 3, 49))
    assert heads.shape.sizes == (3, channels / 3, 49)


@pytest.mark.parametrize(
    ("problem", "verb"),
    [
        (
            'layer_norm at "layer_norm1": the last 4 axes of 16×4×6, which has 3',
            lambda x: build.layer_norm(x, 4),
        ),
        (
            'group_norm at "group_norm1": groups 3 do not divide the 16 channels',
            lambda x: build.group_norm(x, 3),
        ),
        (
            'permute at "permute1": order (1, 2) does not name each axis of 16×4×6 '
            "once",
            lambda x: build.permute(x, (1, 2)),
        ),
        (
            'reshape at "reshape1": 16×4×6 has 384 elements, 16×25 has 400',
            lambda x: build.reshape(x, (16, 25)),
        ),
        (
            'reshape at "reshape1": channels 0 is below 1',
            lambda x: build.reshape(x, (0, 5)),
        ),
        (
            "reshape: size 1.5 is neither an integer nor an exact expression; a count "
            "is never a float",
            lambda x: build.reshape(x, (16, 1.5)),
        ),
        ("reshape: sizes 16 are not a tuple of sizes", lambda x: build.reshape(x, 16)),
        (
            "parameter: sizes () are not a tuple of sizes",
            lambda x: build.parameter(x, ()),
        ),
        (
            "scale: axis 4 is none of the axes 1 to 3 of input: 16×4×6",
            lambda x: build.scale(x, 4),
        ),
        ("scale: takes values that other verbs returned", lambda _: build.scale(3)),
        (
            'linear at "linear1": needs two axes or more, got the vector 384',
            lambda x: build.last_linear(build.flatten(x), 5),
        ),
        (
            'attention at "attention1": query, key and value do not fit: 16×4×6, '
            "16×6×4, 16×4×6",
            lambda x: build.attention(x, build.permute(x, (1, 3, 2)), x),
        ),
    ],
)
def test_what_does_not_fit_is_said_on_the_architectures_own_line(
    problem: str, verb: Callable[[Value], Value]
) -> None:
    with pytest.raises(CostModelError) as caught:
        verb(image(16, 4, 6))
    assert problem == str(caught.value)
    files = [
        frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)
    ]
    assert __file__ in files


def test_a_block_is_verbs_alone() -> None:
    kinds = [type(operator) for operator in operators(drawn(image(8), 8, 4))]
    assert kinds == [
        op.Conv, op.Permute, op.LayerNorm, op.Permute, op.Conv, op.Pointwise,
        op.Conv, op.Parameter, op.Arithmetic,
    ]  # fmt: skip

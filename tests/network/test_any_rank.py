"""Networks along one axis and along three: the laws that hold along two."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel import D, H, N, Network, W
from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import symbol
from costmodel.analysis.receptive_field.exact_support import support
from costmodel.bridge import oracles
from costmodel.bridge.onnx import read
from costmodel.bridge.oracles.checks import CONVOLUTIONS
from costmodel.bridge.oracles.input_gradients import gradient_support
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import (
    adaptive_avg_pool,
    avg_pool,
    batch_norm,
    conv,
    conv_transpose,
    global_average_pool,
    linear,
    max_pool,
    network,
    pad,
    sequence,
    upsample,
    volume,
)
from costmodel.network.building.builder import Value, sample
from costmodel.network.graph import parameters_by_name
from costmodel.network.node import Node
from costmodel.network.operators.resizing import modes_of
from costmodel.network.shape import Shape
from costmodel.testing import networks
from tests.drawn import input_size


L = symbol("L")
SIDES = {1: (L,), 3: (D, H, W)}
MORE = {1: 24, 3: 6}
"""How far above the least legal side is drawn: volumes grow with the third power."""

FEWER = settings(max_examples=settings().max_examples // 2)
RANKS = st.sampled_from([1, 3])


@st.composite
def drawn(draw: st.DrawFn, most: int = 6) -> Network:
    """Draw a network along one axis or three, all of whose sides are free."""
    return draw(networks(sides=SIDES[draw(RANKS)], most=most))


@st.composite
def legal(draw: st.DrawFn, net: Network) -> dict[sympy.Symbol, int]:
    """Draw legal sides of a network, odd and small ones too."""
    sides = SIDES[len(net.inputs[0].output.spatial)]
    most = MORE[len(sides)]
    return {s: net.smallest(s)[0] + draw(st.integers(0, most)) for s in sides}


@st.composite
def bound(draw: st.DrawFn, batch: int = 3) -> Network:
    """Draw such a network, bound to a legal size and a batch."""
    net = draw(drawn())
    values = draw(legal(net))
    return net.bind(values | {N: draw(st.integers(1, batch))})


@given(bound())
def test_extents_are_the_executed_shapes(net: Network) -> None:
    module = cm.compile(net, device="meta")
    executed = oracles.executed_shapes(module, input_size(net))
    assert executed == {n.name: (net.batch, *n.output.sizes) for n in net.nodes}


@given(drawn(), st.data())
def test_one_compiled_module_has_the_formulas_shapes_at_every_size(
    net: Network, data: st.DataObject
) -> None:
    module = cm.compile(net, device="meta")
    for _ in range(2):
        at = data.draw(legal(net))
        sides = [at[s] for s in SIDES[len(at)]]
        size = (2, int(net.inputs[0].output.channels), *sides)
        expected = {
            n.name: (2, *(int(sympy.sympify(s).subs(at)) for s in n.output.sizes))
            for n in net.nodes
        }
        assert expected == dict(oracles.executed_shapes(module, size))


@given(drawn())
def test_parameters_are_those_of_the_module_and_its_state_dict(net: Network) -> None:
    module, cost = cm.compile(net, device="meta"), cm.cost(net)
    stored = oracles.stored_shapes(module)
    assert parameters_by_name(net) == stored
    assert cost.parameters == oracles.learnable(module)
    assert cost.parameters + cost.buffers == sum(map(prod, stored.values()))


@given(bound())
def test_macs_are_flop_counter_modes_by_operator(net: Network) -> None:
    counted = oracles.flop_counter_macs(cm.compile(net, device="meta"), input_size(net))
    ours = {kind: sums.macs for kind, sums in cm.cost(net).by_operator().items()}
    convolutions = sum(ours.get(kind, 0) for kind in CONVOLUTIONS)
    assert convolutions == counted.get("aten.convolution", 0)
    linear_ = counted.get("aten.addmm", 0) + counted.get("aten.mm", 0)
    assert ours.get("linear", 0) == linear_
    assert cm.cost(net).flops("torch") == 2 * sum(counted.values())


@FEWER
@given(bound())
def test_fvcore_counts_what_its_convention_says(net: Network) -> None:
    counted = oracles.fvcore_macs(cm.compile(net), input_size(net))
    ours = {kind: sums.macs for kind, sums in cm.cost(net).by_operator().items()}
    assert ours.get("conv", 0) == counted.get("conv", 0)
    assert cm.cost(net).flops("fvcore") == sum(counted.values())


@given(drawn(), st.data())
def test_binding_commutes_with_the_costs(net: Network, data: st.DataObject) -> None:
    at = data.draw(legal(net)) | {N: 2}
    free, fixed = cm.cost(net), cm.cost(net.bind(at))
    for ask in (lambda c: c.macs, lambda c: c.flops("all"), lambda c: c.bytes_read):
        assert sympy.sympify(ask(free)).subs(at) == ask(fixed)


@given(drawn())
def test_json_gives_the_network_back(net: Network) -> None:
    assert net == Network.from_json(net.to_json())


@st.composite
def places(draw: st.DrawFn) -> tuple[Network, Node, tuple[int, ...] | None]:
    """Draw a bound network, a node, and a position of its map."""
    net = draw(bound(batch=1))
    node = draw(st.sampled_from(net.nodes))
    if not node.output.spatial:
        return net, node, None
    at = tuple(draw(st.integers(0, int(n) - 1)) for n in node.output.sizes[1:])
    return net, node, at


@FEWER
@given(places())
def test_gradients_reach_exactly_what_a_position_is_said_to_see(
    place: tuple[Network, Node, tuple[int, ...] | None],
) -> None:
    net, node, position = place
    reached = gradient_support(net, node.name, position).numpy()
    assert np.array_equal(support(net, node.name, position), reached)
    field = cm.receptive_field(net).of(node.name)
    if position is None or field.unbounded or not reached.any():
        return
    cropped = any(min(n.operator.attributes.get("before", (0,))) < 0
                  for n in net.nodes if isinstance(n.operator, op.Pad))  # fmt: skip
    region, sides = field.region(*position), net.inputs[0].output.sizes[1:]
    seen = reached.any(axis=0)
    axes = range(seen.ndim)
    spans = [
        np.flatnonzero(seen.any(axis=tuple(a for a in axes if a != axis)))
        for axis in axes
    ]
    ends = [(int(span[0]), int(span[-1])) for span in spans]
    for (start, end), (first, last) in zip(region, ends, strict=True):
        assert start <= first <= last <= end
    if not cropped and all(a >= 0 and b < n for (a, b), n in zip(region, sides)):
        assert list(region) == ends


@FEWER
@given(drawn())
def test_a_traced_network_is_what_was_compiled(net: Network) -> None:
    channels, *sides = net.inputs[0].output.sizes
    if any(isinstance(n.operator, op.Derived) for n in net.nodes):
        return
    again = cm.trace(cm.compile(net), (channels, *sides))
    assert cm.cost(again).macs == cm.cost(net).macs
    assert cm.cost(again).parameters == cm.cost(net).parameters
    assert again.nodes[-1].output.same_as(net.nodes[-1].output)


def row(channels: int, length: Any = L) -> Value:
    return sample(Shape(channels, (Extent(length),)))


def test_a_sequence_by_hand() -> None:
    net = network(conv(sequence(2), 8, 3, stride=2, padding=0, bias=False))
    # 2·3 products for each of 8 channels at ⌊(L − 1)/2⌋ positions
    at_99 = cm.cost(net.bind(L=99, N=1)).macs
    assert at_99 == 2 * 3 * 8 * 49
    assert str(net["conv1"].output) == "8×⌊(L-1)/2⌋"
    assert sequence().shape.sizes == (1, L)


def test_a_volume_by_hand() -> None:
    # 8·3·3·3·3 = 648 weights at 14·30·30 = 12600 positions.
    net = network(conv(volume(3, 16, 32, 32), 8, 3, padding=0, bias=False), batch=1)
    assert str(net["conv1"].operator) == "3×3×3 conv, 8"
    assert cm.cost(net).macs == 648 * 12600
    assert cm.cost(net).parameters == 648


def test_a_row_by_hand() -> None:
    # 8·3·5 = 120 weights at ⌊(100 + 4 − 5)/2⌋ + 1 = 50 positions.
    net = network(conv(row(3, 100), 8, 5, stride=2, bias=False), batch=1)
    assert str(net["conv1"].operator) == "5 conv of tokens, 8, /2"
    assert cm.cost(net).macs == 120 * 50


def test_a_field_has_as_many_numbers_as_axes() -> None:
    deep = cm.receptive_field(network(conv(conv(volume(), 8, (3, 5, 5), 2), 8, 3)))
    assert deep.size == (7, 9, 9)  # 3 + 2·2, 5 + 2·2
    assert deep.stride == (2, 2, 2)
    long = cm.receptive_field(network(max_pool(conv(row(2), 8, 3), 2)))
    assert long.size == (4,)
    assert long.region(3) == ((5, 8),)
    with pytest.raises(CostModelError, match=r"is not a \(depth, height, width\)"):
        deep.region(1, 2)


def test_sides_of_a_volume_are_told_apart() -> None:
    depth, height, width = cm.input_sizes(network(max_pool(volume(), (2, 4, 8))))
    assert (depth.symbol, height.symbol, width.symbol) == (D, H, W)
    assert [side.smallest for side in (depth, height, width)] == [2, 4, 8]
    assert str(width.exact) == "8 divides W"


def test_verbs_take_as_many_sizes_as_there_are_axes() -> None:
    x = batch_norm(conv(volume(3, 8, 16, 16), 4, (1, 3, 3)))
    assert str(avg_pool(x, 2).shape) == "4×4×8×8"
    assert str(pad(x, (0, 1, 1), 1).shape) == "4×9×18×18"
    assert str(conv_transpose(x, 2, 2, 2).shape) == "2×16×32×32"
    assert str(upsample(x, (1, 2, 2), "trilinear").shape) == "4×8×32×32"
    assert str(linear(global_average_pool(x), 5).shape) == "5"
    problem = r"kernel \(3, 3\) is not a \(depth, height, width\) triple"
    with pytest.raises(CostModelError, match=problem):
        conv(x, 4, (3, 3))


@pytest.mark.parametrize("axes", [1, 3])
def test_modes_of_other_axes_are_refused(axes: int) -> None:
    x = Shape(2, (Extent(4),) * axes)
    for mode in modes_of(2):
        layer = op.Resize(mode, scale=(2,) * axes)
        if mode in modes_of(axes):
            assert layer.output(x).sizes[1:] == (8,) * axes
        else:
            with pytest.raises(CostModelError, match=f"is for 2 axes, not {axes}"):
                layer.output(x)


ALONG = {
    1: nn.Sequential(
        nn.Conv1d(2, 8, 3, 2, padding=1), nn.BatchNorm1d(8), nn.ReLU(),
        nn.MaxPool1d(3, 2, 1), nn.ReplicationPad1d(2), nn.AvgPool1d(2),
        nn.ConvTranspose1d(8, 4, 2, 2), nn.InstanceNorm1d(4, affine=True),
        nn.Upsample(scale_factor=2, mode="linear"), nn.AdaptiveMaxPool1d(5),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3),
    ),
    3: nn.Sequential(
        nn.Conv3d(2, 8, 3, 2, padding=1), nn.BatchNorm3d(8), nn.ReLU(),
        nn.MaxPool3d(3, 2, 1), nn.ReplicationPad3d(2), nn.AvgPool3d(2),
        nn.ConvTranspose3d(8, 4, 2, 2), nn.InstanceNorm3d(4, affine=True),
        nn.Upsample(scale_factor=2, mode="trilinear"), nn.AdaptiveMaxPool3d(5),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3),
    ),
}  # fmt: skip
KINDS = [
    "input", "conv", "batch_norm", "relu", "max_pool", "pad", "avg_pool",
    "conv_transpose", "instance_norm", "resize", "adaptive_max_pool",
    "adaptive_avg_pool", "flatten", "linear",
]  # fmt: skip


@pytest.mark.parametrize("axes", ALONG)
def test_every_layer_of_torch_is_traced(axes: int) -> None:
    module = ALONG[axes].eval()
    net = cm.trace(module, (2, *SIDES[axes]))
    kinds = [node.operator.kind for node in net.nodes]
    assert kinds == [*KINDS[:-2], "reshape" if axes == 1 else "flatten", "linear"]
    size = (2, 2, *(17, 33, 29)[:axes])
    fixed = net.bind(dict(zip((N, *SIDES[axes]), (2, *size[2:]), strict=True)))
    assert fixed.nodes[-2].output.sizes == (4,)
    counted = oracles.flop_counter_macs(module, size)
    assert cm.cost(fixed).macs == sum(counted.values())
    assert cm.cost(fixed).parameters == oracles.learnable(module)
    executed = oracles.executed_shapes(cm.compile(fixed), size)
    assert executed == {n.name: (2, *n.output.sizes) for n in fixed.nodes}


@pytest.mark.parametrize("axes", ALONG)
def test_every_layer_of_torch_is_read_from_onnx(axes: int, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    module = ALONG[axes].eval()
    # ONNX has no pooling to a number of windows, other than one.
    module = nn.Sequential(*(m for m in module if "AdaptiveMax" not in str(m)))
    path, size = tmp_path / "net.onnx", (1, 2, *(24, 256, 320)[:axes])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch's own exporter
        torch.onnx.export(
            module, (torch.zeros(size),), str(path), dynamo=False, input_names=["x"],
            do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
            dynamic_axes={"x": [0, *range(2, 2 + axes)]},
        )  # fmt: skip
    net, traced = read(path), cm.trace(module, (2, *SIDES[axes]))
    sides = net.inputs[0].output.sizes[1:]
    assert axes == 1 or sides == (D, H, W)
    at = dict(zip(sides, size[2:], strict=True)) | {N: 3}
    there = dict(zip(SIDES[axes], size[2:], strict=True)) | {N: 3}
    ours, theirs = cm.cost(net.bind(at)), cm.cost(traced.bind(there))
    assert ours.macs == theirs.macs
    assert ours.parameters == theirs.parameters
    assert ours.flops("all") == theirs.flops("all")


@pytest.mark.parametrize(
    "layer",
    [
        lambda x: conv(x, 8, 3),
        lambda x: max_pool(x, 2, 2),
        lambda x: adaptive_avg_pool(x, 2),
        lambda x: upsample(x, 2),
    ],
    ids=["conv", "max_pool", "adaptive_avg_pool", "upsample"],
)
def test_seconds_of_volumes_are_marked_as_a_guess(
    layer: Callable[[Value], Value],
) -> None:
    net = network(layer(volume(3, 8, 16, 16)), batch=1)
    prediction = cm.predict(net, next(iter(cm.profiles())))
    assert [row.is_modelled for row in prediction.rows] == [False]
    assert "without a class of its own" in prediction.warnings[0]


def test_channels_of_a_volume_are_widened() -> None:
    net = network(conv(conv(volume(3, 8, 16, 16), 8, 3), 16, 3, groups=2))
    assert str(cm.widen(net, cm.alpha)["conv1"].output) == "8*alpha×8×16×16"


def test_a_volume_is_written_with_its_sizes() -> None:
    net = network(conv(volume(), 8, (1, 3, 3), stride=(1, 2, 2)))
    operator = json.loads(net.to_json())["nodes"][1]["operator"]
    assert operator["kernel"] == [1, 3, 3]
    assert operator["stride"] == [1, 2, 2]
    assert operator["dilation"] == [1, 1, 1]

"""Lifetimes to the byte: what PyTorch really holds, and its own trackers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import H, N, W
from costmodel.analysis.memory import Memory, autograd_saved
from costmodel.analysis.memory.gradient_flow import gradient_flow
from costmodel.bridge.oracles import memory_snapshot, memory_trackers
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import (
    Value,
    activation,
    adaptive_avg_pool,
    adaptive_max_pool,
    add,
    avg_pool,
    batch_norm,
    channel_shuffle,
    concat,
    conv,
    dropout,
    flatten,
    global_average_pool,
    identity,
    image,
    linear,
    local_response_norm,
    max_pool,
    multiply,
    network,
    pad,
    pad_channels,
    radial_basis,
    relu,
    select_channels,
    softmax,
    subsample,
    table_conv,
    zeros,
)
from costmodel.network.graph import Network
from costmodel.network.operators.reduction import REDUCTIONS
from costmodel.network.shape import Shape
from costmodel.testing.products import product_networks
from costmodel.testing.tensors import PAIRS, TRUTHS, put, tensor_networks
from tests.drawn import bound_networks, input_size


FLOATS = ("float64", "float32", "bfloat16", "float16")
REGISTERED = ("resnet50", "densenet121", "googlenet", "mobilenet_v2", "vgg16")


def executable(
    net: Network, memory: Memory, device: str = "meta"
) -> torch.fx.GraphModule:
    """Compile a network in the mode, the dtype and with the ReLUs of an analysis."""
    made = {tensor.node for tensor in memory.tensors if tensor.role == "result"}
    in_place = {n.name for n in net.nodes if n.name not in made}
    return memory_trackers.prepare(
        cm.compile(net, device=device),
        training=memory.training,
        dtype=memory.dtype,
        in_place=in_place,
    )


def check(net: Network, device: str = "meta", **options: Any) -> None:
    """Compare the bytes of every step, in order, with those that PyTorch holds."""
    memory = cm.memory(net, **options)
    module = executable(net, memory, device)
    executed = memory_snapshot.executed_lifetimes(module, input_size(net), memory.dtype)
    backward = [m.node for m in memory.timeline if m.step.stage == "backward"]
    assert backward == executed.backward
    assert [moment.bytes for moment in memory.timeline] == executed.timeline


def check_saved(net: Network, device: str = "meta", **options: Any) -> None:
    """Compare what is saved with what the hooks of autograd see, block by block."""
    memory = cm.memory(net, training=True, **options)
    blocks = sorted(t.bytes for t in memory.tensors if t.is_saved)
    module = executable(net, memory, device)
    assert blocks == memory_trackers.saved_blocks(module, input_size(net), memory.dtype)
    assert memory.saved_bytes == sum(blocks)


@given(net=bound_networks(), in_place=st.booleans(), dtype=st.sampled_from(FLOATS))
def test_every_node_has_the_bytes_alive_that_an_executed_inference_has(
    net: Network, *, in_place: bool, dtype: str
) -> None:
    check(net, in_place=in_place, dtype=dtype)


# A batch of one has no variance to normalize by, where a map is a single position.
@given(
    net=bound_networks(least=2), in_place=st.booleans(), dtype=st.sampled_from(FLOATS)
)
def test_every_node_has_the_bytes_alive_that_an_executed_training_step_has(
    net: Network, *, in_place: bool, dtype: str
) -> None:
    check(net, training=True, in_place=in_place, dtype=dtype)


@given(
    net=bound_networks(least=2), in_place=st.booleans(), dtype=st.sampled_from(FLOATS)
)
def test_what_is_saved_is_what_autograds_own_hooks_see(
    net: Network, *, in_place: bool, dtype: str
) -> None:
    check_saved(net, in_place=in_place, dtype=dtype)


@given(st.one_of(tensor_networks(most=4), product_networks()))
def test_networks_of_tensors_and_products_hold_what_they_hold_when_executed(
    net: Network,
) -> None:
    # Attention is fused on a device alone, and batch normalization of a permuted
    # tensor keeps its order on meta alone; the memory of unfold's backward on a CPU
    # is larger than its result.
    kinds = {node.operator.kind for node in net.nodes}
    assume("attention" not in kinds and not {"batch_norm", "unfold"} <= kinds)
    device = "cpu" if "batch_norm" in kinds else "meta"
    values = {s: v for s, v in {H: 17, W: 16, N: 2}.items() if s in net.free_symbols}
    bound = net.bind(values)
    check(bound, device)
    check(bound, device, training=True)
    check_saved(bound, device)


def axes(*sizes: int) -> Shape:
    return Shape(sizes[0], tuple(map(Extent, sizes[1:])))


def beside(x: Value, operation: str) -> Value:
    """Combine a tensor with what a convolution makes of it."""
    return put(x, op.Arithmetic(operation), conv(x, 4, kernel=1))


def beside_its_mean(x: Value, operation: str) -> Value:
    return put(put(x, op.Reduce("mean", (2,), keep=True)), op.Arithmetic(operation), x)


LAYERS: list[Callable[[Value], Value]] = [
    lambda x: conv(x, 6, kernel=3, groups=2),
    lambda x: table_conv(x, ((0,), (1, 3), (0, 1, 2)), kernel=3),
    lambda x: linear(flatten(x), 7),
    lambda x: linear(flatten(x), 7, bias=False),
    lambda x: radial_basis(flatten(x), 7),
    batch_norm,
    lambda x: batch_norm(x, affine=False),
    lambda x: local_response_norm(x, 5),
    lambda x: local_response_norm(x, 2),
    softmax,
    identity,
    lambda x: dropout(x, 30),
    lambda x: dropout(x, 0),
    lambda x: dropout(x, 100),
    lambda x: max_pool(x, 3, 2, padding=1),
    lambda x: avg_pool(x, 3, 2, padding=1),
    lambda x: subsample(x, 2),
    lambda x: adaptive_avg_pool(x, 2),
    lambda x: adaptive_max_pool(x, 2),
    global_average_pool,
    lambda x: add(x, x),
    lambda x: add(x, identity(x), x),
    lambda x: multiply(x, x),
    lambda x: multiply(x, activation(global_average_pool(x), "sigmoid")),
    lambda x: multiply(select_channels(x, 1, 1), x),
    lambda x: concat(x, x, select_channels(x, 0, 2)),
    lambda x: pad(x, (1, -1), (0, 2)),
    lambda x: pad(x, -1, 0),
    lambda x: zeros(x, 5, 2),
    lambda x: flatten(select_channels(zeros(x, 5), 1, 3)),
    lambda x: channel_shuffle(zeros(x, 6), 2),
    lambda x: pad_channels(x, 1, 2),
    lambda x: select_channels(x, 0, 4),
    lambda x: channel_shuffle(x, 2),
    lambda x: channel_shuffle(x, 1),
    lambda x: channel_shuffle(flatten(x), 4),
    *(partial(activation, kind=name) for name in sorted(op.FUNCTIONS)
      if name != "clamp"),
    *(partial(put, operator=op.Arithmetic(name, "2")) for name in sorted(op.ARITHMETIC)
      if name not in {"clamp", *TRUTHS}),
    *(partial(beside, operation=name) for name in PAIRS),
    *(partial(beside_its_mean, operation=name) for name in PAIRS),
    *(partial(put, operator=op.Reduce(name, axes, keep))
      for name in sorted(REDUCTIONS) for axes, keep in [((2, 3), True), ((1,), False)]),
    *(partial(put, operator=operator) for operator in [
        op.Arithmetic("clamp", "0, 6"), op.PReLU(1), op.PReLU(4), op.LayerNorm(1),
        op.LayerNorm(3, affine=False), op.LayerNorm(2, bias=False), op.RMSNorm(1),
        op.RMSNorm(2, affine=False), op.GroupNorm(2), op.GroupNorm(4, affine=False),
        op.InstanceNorm(), op.InstanceNorm(affine=True), op.Cumulate(2),
        op.Softmax(3), op.Softmax(1, log=True), op.Copy(), op.Copy("rolled"),
        op.Copy("flipped"),
        op.Reshape(axes(2, 2, 36)), op.Permute((3, 1, 2)),
        op.Slice(2, 1, length=3, step=2),
        op.Slice(3, 1, 1, step=2), op.Crop(axes(4, 5, 4)), op.PadTo(axes(4, 7, 8)),
        op.Pad((1,), (2,)), op.Repeat(axes(8, 6, 12)), op.Unfold((2, 3)),
        op.PixelShuffle(2), op.PixelUnshuffle(2),
        op.Pad((0, 1, 0), (0, 2, 1), "reflect"),
        op.Pad((0, 1, 0), (0, 2, 1), "replicate"),
        op.Pad((0, 1, 0), (0, 2, 1), "circular"),
    ]),
    lambda x: put(global_average_pool(x), op.Expand(axes(4, 5, 5))),
    # All of it: PyTorch hands the gradient on, but not behind a step.
    *(partial(put, operator=operator) for operator in [
        op.Slice(2), op.Slice(3, length=6), op.Expand(axes(4, 6, 6)),
    ]),
    lambda x: put(global_average_pool(x), op.Slice(2, length=1, step=2)),
    lambda x: put(global_average_pool(x), op.Slice(3, step=2)),
    lambda x: put(global_average_pool(x), op.Slice(3)),
    lambda x: concat(x, select_channels(x, 0, 4), axis=3),
    # Whether a reshape copies: order and gaps are in the way, or they are not.
    lambda x: put(put(x, op.Permute((2, 3, 1))), op.Reshape(axes(36, 4))),
    lambda x: put(put(x, op.Permute((2, 3, 1))), op.Reshape(axes(6, 24))),
    lambda x: put(relu(put(x, op.Permute((3, 2, 1)))), op.Reshape(axes(36, 4))),
    lambda x: put(put(x, op.Slice(3, 1)), op.Reshape(axes(4, 30))),
    lambda x: put(put(x, op.Slice(2, 1)), op.Reshape(axes(4, 30))),
    # A sum whose first term is a part of a larger gradient, one that is another's
    # too, one that only this result holds.
    lambda x: global_average_pool(concat(add(relu(x), x), x)),
    lambda x: add(conv(add(x, conv(x, 4, kernel=1)), 4, kernel=1), x),
    lambda x: concat(add(x, conv(x, 4, kernel=1)), conv(x, 2, kernel=1)),
    # A branch that no gradient reaches: what it saved goes with its last tensor.
    lambda x: zeros(softmax(conv(softmax(x), 4, kernel=1)), 4),
    # Operands in another order or with gaps, of what needs one axis of rows or all.
    *(partial(lambda layer, view, x: put(put(x, view), layer), layer, view)
      for layer in [op.GroupNorm(1), op.InstanceNorm(), op.Linear(5), op.LayerNorm(1)]
      for view in [op.Permute((2, 1, 3)), op.Slice(1, 1), op.Slice(3, 1)]),
    lambda x: put(y := put(x, op.Slice(1, 1)), op.MatMul(), y),
    lambda x: put(put(x, op.Slice(1, length=1)), op.MatMul(), x),
    lambda x: put(put(x, op.Permute((1, 3, 2))), op.MatMul(), x),
    # A gradient that is handed on where there is nothing to do.
    *(partial(put, operator=operator) for operator in [
        op.Repeat(axes(4, 6, 6)), op.Crop(axes(4, 6, 6)),
    ]),
    lambda x: put(global_average_pool(x), op.Cumulate(2)),
    # What a ReLU must not overwrite: a kept result, a later reader's, a view.
    lambda x: relu(activation(x, "sigmoid")),
    lambda x: add(relu(relu(x)), softmax(x)),
    lambda x: relu(flatten(x)),
    lambda x: relu(select_channels(x, 1, 2)),
    lambda x: relu(zeros(x, 4)),
]  # fmt: skip
"""Every operator, and what happens between them, behind a map of four channels."""


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_every_operator_holds_what_it_holds_when_executed(
    layer: Callable[[Value], Value], *, learned: bool, in_place: bool
) -> None:
    x = image(4, 6, 6)
    x = conv(x, 4, kernel=1) if learned else x
    net = network(layer(x), batch=2)
    check(net, in_place=in_place)
    check(net, training=True, in_place=in_place)
    check_saved(net, in_place=in_place)


@pytest.mark.parametrize("layer", [op.Conv(1, (3, 3), padding=(1, 1)),
                                   op.BatchNorm(), op.Linear(6)])  # fmt: skip
@pytest.mark.parametrize("calls", [2, 3])
def test_a_layer_learns_at_each_of_its_calls(layer: op.Operator, calls: int) -> None:
    names = [f"call{number}" for number in range(calls)]
    layers = [("x", op.Input(axes(3, 6, 6)), ())]
    layers += [(f"part{n}", op.Slice(1, n, length=1), ("x",)) for n in range(calls)]
    layers += [(name, layer, (f"part{n}",)) for n, name in enumerate(names)]
    layers += [("sum", op.Arithmetic("add"), tuple(names))]
    net = Network.assemble(layers, batch=2, shared=dict.fromkeys(names[1:], names[0]))
    assert all(map(gradient_flow(net).needs.get, names))
    check(net, training=True)
    check_saved(net)


def test_a_part_of_a_gradient_is_not_added_into() -> None:
    sample = image(4, 6, 6)
    x = conv(sample, 4, kernel=1)
    first = relu(x)  # its gradient comes second, the part of the concatenation's first
    net = network(first, concat(x, sample), batch=2)
    check(net, training=True)


@pytest.mark.parametrize("name", REGISTERED)
def test_architectures_have_the_bytes_of_their_executed_modules(name: str) -> None:
    net = cm.load(name, resolution=224, batch=2)
    check(net)
    check(net, training=True, in_place=True)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", REGISTERED)
def test_torchs_tracker_sees_the_same_bytes(name: str, *, training: bool) -> None:
    net = cm.load(name, resolution=224, batch=2)
    memory = cm.memory(net, training=training)
    sample = memory.tensors[0]  # what was there before it started is not tracked

    def alive(index: int) -> int:
        held = sample.first <= index <= sample.last
        return memory.timeline[index].bytes - (sample.bytes if held else 0)

    tracked = memory_trackers.tracked_bytes(net, training=training)
    # The tracker also sees the work space of local response normalization.
    if name != "googlenet" or training:
        assert max(map(alive, range(len(net.nodes)))) == tracked.peak
    kept = sum(t.bytes for t in memory.tensors if t.is_saved and t is not sample)
    kept += memory.tensors[-1].bytes if not training else 0
    results = [
        t for t in memory.tensors if t.node in net.outputs and t.role == "result"
    ]
    result = sum(t.bytes for t in results)
    assert tracked.left == (kept + result if training else result)
    assert tracked.parameters == memory.weight_bytes
    assert tracked.buffers == memory.buffer_bytes


def test_autograd_adds_into_a_gradient_that_nobody_else_holds() -> None:
    """Check the rule by which the analysis and its oracle count sums of gradients.

    ``x`` is read by a sum and later by a convolution. Backward, the convolution's
    gradient comes first and is held by nobody else; the sum's is also another's.
    """
    x = torch.nn.Conv2d(3, 4, 1)(torch.ones(2, 3, 8, 8))
    total = x + torch.nn.Conv2d(3, 4, 1)(torch.ones(2, 3, 8, 8))
    convolved = torch.nn.Conv2d(4, 4, 1)(x)
    places: dict[str, int] = {}

    def note(name: str, gradient: torch.Tensor) -> None:
        places[name] = gradient.data_ptr()

    total.grad_fn.register_hook(lambda given, _: note("sum", given[0]))
    convolved.grad_fn.register_hook(lambda given, _: note("convolution", given[0]))
    x.register_hook(lambda gradient: note("both", gradient))
    ones = [torch.ones(2, 4, 8, 8) for _ in range(2)]
    torch.autograd.backward([total * 2, convolved * 3], ones)
    assert places["both"] == places["convolution"] != places["sum"]


def test_every_operator_says_what_it_saves() -> None:
    known = {k for k in op.OPERATORS.values() if op.rule_for(autograd_saved.RULES, k)}
    assert set(op.OPERATORS.values()) == known | {op.Opaque}


def test_an_operator_without_a_rule_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape = Shape(3, (Extent(4), Extent(4)))
    call = autograd_saved.Call(
        op.Arithmetic("add"), (shape,), shape, needs=(True,), learns=False
    )
    monkeypatch.delitem(autograd_saved.RULES, op.Arithmetic)
    with pytest.raises(CostModelError, match=r"^add: what it saves for backward is"):
        autograd_saved.saved_by(call)

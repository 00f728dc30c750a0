"""Memory: peaks, where they move, what is stored, and numbers known elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import sympy
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.parse import parse
from costmodel.algebra.symbols import Dim, H, N, W, alpha
from costmodel.analysis.memory import Memory
from costmodel.analysis.memory.autograd_saved import stored_elements
from costmodel.analysis.memory.weights import DTYPES, OPTIMIZERS
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.network.build import (
    add,
    batch_norm,
    concat,
    conv,
    dropout,
    flatten,
    global_average_pool,
    image,
    linear,
    max_pool,
    network,
    relu,
    select_channels,
    zeros,
)
from costmodel.network.graph import Network
from costmodel.testing import input_sizes, networks
from tests.drawn import bound_networks, input_size


FLOATS = ("float64", "float32", "bfloat16", "float16")
REGISTERED = ("resnet50", "densenet121", "googlenet", "mobilenet_v2", "vgg16")
FEWER = settings(max_examples=settings().max_examples // 2)


@given(net=networks(), training=st.booleans(), data=st.data())
def test_binding_commutes_with_analysis(
    net: Network, *, training: bool, data: st.DataObject
) -> None:
    height, width = data.draw(input_sizes(net))
    values = {H: height, W: width, N: data.draw(st.integers(1, 5))}
    free, bound = (cm.memory(n, training=training) for n in (net, net.bind(values)))

    def at(count: Dim) -> Any:
        return sympy.sympify(count).subs(values)

    assert [at(m.bytes) for m in free.timeline] == [m.bytes for m in bound.timeline]
    for quantity in ("peak_activation_bytes", "all_activation_bytes", "weight_bytes",
                     "buffer_bytes", "saved_bytes", "gradient_bytes"):  # fmt: skip
        assert at(getattr(free, quantity)) == getattr(bound, quantity)
    # The few moments that are left in the symbolic peak are enough for every size.
    assert bound.peak_activation_bytes == max(m.bytes for m in bound.timeline)
    peak = free.peak(values)
    assert (peak.node, peak.bytes) == (bound.peaks[0].node, bound.peaks[0].bytes)
    assert at(peak.formula) == peak.bytes


@given(bound_networks())
def test_a_peak_is_between_one_operators_tensors_and_all_of_them(net: Network) -> None:
    plain, in_place = cm.memory(net), cm.memory(net, in_place=True)
    training = cm.memory(net, training=True)
    by_name = {n.name: n for n in net.nodes}
    operands = [
        4 * int(net.batch) * sum(stored_elements(s.operator, s.output) for s in
                                 {by_name[source] for source in node.inputs})
        for node in net.nodes
        if node.inputs
        and not any(by_name[source].operator.view for source in node.inputs)
    ]  # fmt: skip
    assert max(operands, default=0) <= plain.peak_activation_bytes
    assert plain.peak_activation_bytes <= plain.all_activation_bytes
    assert in_place.peak_activation_bytes <= plain.peak_activation_bytes
    assert plain.peak_activation_bytes <= training.peak_activation_bytes


@given(networks())
def test_activations_of_an_inference_are_linear_in_the_batch(net: Network) -> None:
    least = {side: net.smallest(side)[0] for side in (H, W)}
    one, three = (cm.memory(net.bind(least | {N: n})) for n in (1, 3))
    for few, many in zip(one.timeline, three.timeline, strict=True):
        assert 3 * few.bytes == many.bytes


def tiny() -> Network:
    """Return a net whose every byte can be counted by hand."""
    x = image(2, 4, 4)
    y = relu(batch_norm(conv(x, 3, kernel=3)))
    y = max_pool(y, 2)
    return network(linear(dropout(flatten(y)), 5), batch=2)


def test_a_tiny_network_by_hand() -> None:
    memory = cm.memory(tiny())
    # 2 samples of 4 bytes: input 32 elements, conv, norm and ReLU 48, pool 12, linear 5
    assert [m.bytes // 8 for m in memory.timeline] == [
        32, 32 + 48, 48 + 48, 48 + 48, 48 + 12, 12, 12, 12 + 5,
    ]  # fmt: skip
    assert memory.peak_activation_bytes == 8 * 96
    assert memory.all_activation_bytes == 8 * (32 + 48 + 48 + 48 + 12 + 5)
    assert memory.weight_bytes == 4 * (54 + 3 + 3 + 3 + 60 + 5)
    assert memory.buffer_bytes == 4 * (3 + 3) + 8  # mean, variance, batches seen


def test_a_tiny_training_step_by_hand() -> None:
    memory = cm.memory(tiny(), training=True, dtype="float16")
    # 2 samples of 2 bytes; indices have 8 bytes, a mask 1, statistics 4 a channel
    image_, map_, pooled, classes = 4 * 32, 4 * 48, 4 * 12, 4 * 5
    statistics, indices, mask = 2 * 3 * 4, 2 * 12 * 8, 2 * 12
    # conv keeps the image, norm its operand, ReLU its result, pooling that and indices,
    # dropout the mask, the linear layer its operand
    kept = [image_, map_, statistics, map_, indices, mask, pooled]
    assert memory.saved_bytes == sum(kept)
    last = memory.timeline[len(tiny().nodes)]
    assert (last.node, last.step.stage) == ("linear1", "backward")
    # the result and its gradient, and the gradient of the operand
    assert last.bytes == sum(kept) + classes + classes + pooled
    assert memory.peak(None).bytes == memory.peak_activation_bytes
    assert memory.gradient_bytes == memory.weight_bytes == 2 * 128
    assert cm.memory(tiny()).gradient_bytes == 0


def test_views_share_memory_and_copies_do_not() -> None:
    x = conv(image(3, 4, 4), 8, kernel=1)
    half = select_channels(x, 0, 4)
    net = network(concat(half, relu(half)), batch=1)
    results = {t.node: t.bytes for t in cm.memory(net).tensors}
    assert results == {
        "input": 4 * 48, "conv1": 4 * 128, "relu1": 4 * 64, "concat1": 4 * 128
    }  # fmt: skip


def test_a_network_keeps_its_results_and_nothing_else() -> None:
    x = conv(image(3, 4, 4), 8, kernel=1)
    memory = cm.memory(network(relu(x), relu(add(x, x)), batch=1))
    lives = {t.node: (t.first, t.last) for t in memory.tensors}
    assert lives == {
        "input": (0, 1), "conv1": (1, 3), "relu1": (2, 4), "add1": (3, 4),
        "relu2": (4, 4),
    }  # fmt: skip


def test_zeros_take_one_channel_until_they_are_copied() -> None:
    missing = zeros(image(3, 4, 4), 8)
    assert cm.memory(network(missing, batch=1)).tensors[1].bytes == 4 * 16
    flat = cm.memory(network(flatten(missing), batch=1))
    assert [t.bytes // 4 for t in flat.tensors] == [48, 16, 128]


def test_a_relu_in_place_overwrites_only_what_nobody_else_needs() -> None:
    def places(net: Network, *, training: bool) -> set[str]:
        memory = cm.memory(net, training=training, in_place=True)
        made = {tensor.node for tensor in memory.tensors if tensor.role == "result"}
        return {node.name for node in net.nodes} - made

    x = conv(image(3, 4, 4), 8, kernel=1)
    again = network(add(conv(x, 8, kernel=1), relu(x)))
    assert places(again, training=False) == {"relu1"}
    assert places(again, training=True) == set()  # the second convolution kept it
    assert places(network(add(relu(x), x)), training=False) == set()
    assert places(network(relu(image(3, 4, 4))), training=False) == set()


def test_vgg16_takes_61_megabytes_and_not_96() -> None:
    # CS231n's table says 24M values, "~= 96 MB"; its own rows add up to this. Its
    # convolutions come with their ReLUs.
    memory = cm.memory(cm.load("vgg16", resolution=224, batch=1), in_place=True)
    assert memory.all_activation_bytes == 4 * 15_237_608
    assert memory.all_activation_bytes // 10**5 == 609  # 60.95 MB


@pytest.mark.parametrize(
    ("name", "printed"), [("vgg16", 58), ("resnet101", 155), ("densenet201", 196)]
)
def test_feature_memory_is_convnet_burdens(name: str, printed: int) -> None:
    memory = cm.memory(cm.load(name, resolution=224, batch=1), in_place=True)
    assert memory.all_activation_bytes // 2**20 == printed  # in units of 2²⁰ bytes


@given(bound_networks(), st.sampled_from(FLOATS))
def test_weights_and_buffers_have_the_bytes_of_the_module(
    net: Network, dtype: str
) -> None:
    module = cm.compile(net, device="meta").to(getattr(torch, dtype))
    memory = cm.memory(net, dtype=dtype, training=True)
    assert memory.weight_bytes == sum(p.nbytes for p in module.parameters())
    assert memory.buffer_bytes == sum(b.nbytes for b in module.buffers())
    sample = torch.zeros(input_size(net), dtype=getattr(torch, dtype), device="meta")
    made = module(sample)
    results = [made] if isinstance(made, torch.Tensor) else made
    torch.autograd.backward([r.sum() for r in results if r.requires_grad])
    grads = [p.grad.nbytes for p in module.parameters() if p.grad is not None]
    assert memory.gradient_bytes == sum(grads)


def test_optimizers_keep_what_torchs_keep() -> None:
    net = cm.load("resnet20_cifar", resolution=32, batch=2)
    module = cm.compile(net)
    module(torch.zeros(input_size(net))).sum().backward()
    optimizers = {
        "sgd": torch.optim.SGD(module.parameters(), lr=0.1),
        "momentum": torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9),
        "adam": torch.optim.Adam(module.parameters()),
    }
    assert set(OPTIMIZERS) == set(optimizers)
    for name, optimizer in optimizers.items():
        optimizer.step()
        kept = [value for state in optimizer.state.values() for value in state.values()]
        tensors = [value for value in kept if isinstance(value, torch.Tensor)]
        expected = sum(tensor.nbytes for tensor in tensors)
        assert cm.memory(net).optimizer_bytes(name) == expected


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", [*REGISTERED, "inception_v3", "efficientnet_b0"])
def test_a_symbolic_peak_is_the_largest_of_few(name: str, *, training: bool) -> None:
    memory = cm.memory(cm.load(name), training=training)
    assert len(memory.peaks) <= 8
    peak = sympy.sympify(memory.peak_activation_bytes)
    assert peak.free_symbols == {N, H, W}
    at = {N: 2, H: 230, W: 301}
    assert memory.peak(at).bytes == peak.subs(at)


def test_a_symbolic_peak_can_be_read_back() -> None:
    for training in (False, True):
        memory = cm.memory(cm.load("mobilenet_v1", width=alpha), training=training)
        peak = memory.peak_activation_bytes
        assert parse(str(peak)) == peak


def nodes_at(memory: Memory, symbol: str, values: Any, upto: int) -> Iterator[Any]:
    """Give a value of the symbol, the node said to be the peak, and the bound peak."""
    ranges = memory.crossovers(symbol, values)
    for part in ranges:
        last = upto if part.last is None else min(part.last, upto)
        for value in range(part.first, last + 1):
            yield (
                value,
                part.moments,
                memory.peak(
                    {k: v if v != H else value for k, v in values.items()}
                    | {symbol: value}
                ),
            )


def test_vgg16_trains_with_its_peak_at_the_head_or_not_at_exact_sizes() -> None:
    memory = cm.memory(cm.load("vgg16", batch=1), training=True)
    ranges = memory.crossovers("H", {W: H})
    found = [(r.first, r.last, [m.node for m in r.moments]) for r in ranges]
    head, body = ["head.linear3"], ["stage4.relu3"]
    # floors of S/8 and S/32 take turns until the maps are large
    assert found == [
        (32, 71, head), (72, 79, body), (80, 87, head), (88, 95, body),
        (96, 103, head), (104, None, body),
    ]  # fmt: skip
    for _, moments, peak in nodes_at(memory, "H", {W: H}, 110):
        assert [peak.node] == [moment.node for moment in moments]


@FEWER
@given(net=networks(most=6), training=st.booleans(), data=st.data())
def test_crossovers_are_where_the_peak_moves(
    net: Network, *, training: bool, data: st.DataObject
) -> None:
    symbol = data.draw(st.sampled_from(["H", "N"]))
    values: dict[Any, Any] = {W: H, N: 2}
    if symbol == "N":
        height, width = data.draw(input_sizes(net))
        values = {H: height, W: width}
    memory = cm.memory(net, training=training)
    ranges = memory.crossovers(symbol, values)
    assert [r.last + 1 for r in ranges[:-1]] == [r.first for r in ranges[1:]]
    assert ranges[-1].last is None
    ends = {r.first for r in ranges} | {r.last for r in ranges[:-1]}
    for value in [*sorted(ends)[:3], ranges[-1].first + 1000]:
        here = next(r for r in ranges if r.last is None or value <= r.last)
        at = {k: value if v == H else v for k, v in values.items()} | {symbol: value}
        peak = memory.peak(at).bytes
        largest = [sympy.sympify(m.bytes).subs(cm.symbol(symbol), value)
                   for m in here.moments]  # fmt: skip
        assert max(largest) == peak


def test_the_peak_moves_with_the_batch_where_statistics_weigh() -> None:
    x = relu(image(1, 3, 3))
    x = batch_norm(conv(global_average_pool(x), 4, kernel=1))
    memory = cm.memory(network(x), training=True)
    ranges = memory.crossovers("N")
    found = [(r.first, r.last, r.moments[0].node, r.moments[0].bytes) for r in ranges]
    # Two maps of 9 elements in the first ReLU; at the end the pooled element, four of
    # each result, two gradients, and 2·4 statistics that do not grow with the batch.
    # At N = 8 both are 576 bytes: the earlier node counts.
    assert found == [(1, 7, "bn1", 68 * N + 32), (8, None, "relu1", 72 * N)]


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("float12", "; did you mean float32, float16, bfloat16?"),
        (4, ""), (None, ""), ([], ""),
    ],
)  # fmt: skip
def test_a_dtype_is_known_by_name(wrong: Any, near: str) -> None:
    known = f"memory: dtype {wrong!r}; known are {', '.join(DTYPES)}{near}"
    message = f"^{re.escape(known)}$"
    with pytest.raises(CostModelError, match=message):
        cm.memory(tiny(), dtype=wrong)


def test_what_is_missing_or_wrong_is_said() -> None:
    memory = cm.memory(cm.load("vgg16"))
    with pytest.raises(CostModelError, match=r"^peak: H, N, W have no value; give"):
        memory.peak()
    with pytest.raises(CostModelError, match=r'^crossovers: "H" .* are H, N, W$'):
        memory.crossovers("H")
    with pytest.raises(CostModelError, match=r'^crossovers: "k" .* are none$'):
        memory.crossovers("k", N=1, H=64, W=64)
    with pytest.raises(CostModelError, match=r'^bind: "K" is not a free symbol'):
        memory.peak(K=3)
    with pytest.raises(CostModelError, match=r"^optimizer 'adan': known are sgd, "):
        memory.optimizer_bytes("adan")
    wide = cm.memory(cm.load("mobilenet_v1", width=alpha))
    with pytest.raises(
        CostModelError, match=r"^crossovers: alpha is not a whole number$"
    ):
        wide.crossovers("alpha", N=1, H=224, W=224)


def run(*arguments: str) -> Any:
    """Run the command line in this process."""
    result = CliRunner().invoke(main, ["memory", *arguments])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_the_command_prints_totals_the_peak_and_what_is_there() -> None:
    text = run("vgg16", "--training", "--batch", "2", "--timeline")
    memory = cm.memory(cm.load("vgg16", resolution=224, batch=2), training=True)
    assert f"{memory.peak_activation_bytes:,}" in text
    assert f"{memory.optimizer_bytes('adam'):,}" in text
    assert "The peak is at stage5.relu3, backward; there are:" in text
    assert text.count("backward") == 2 + len(memory.timeline) - 40


def test_the_command_says_at_which_sizes_the_peak_is_where() -> None:
    text = run("vgg16", "--training", "--resolution", "S")
    assert "from 32 to 71: head.linear3\n" in text
    assert text.endswith("from 104 on: stage4.relu3\n")


def test_the_commands_json_is_exact() -> None:
    found = json.loads(run("mobilenet_v1", "--symbols", "width", "--json"))
    net = cm.load("mobilenet_v1", width=alpha, resolution=224, batch=1)
    memory = cm.memory(net)
    peak = found["bytes"]["activations, peak"]
    assert found["schema"] == "costmodel.memory/1"
    assert parse(peak) == memory.peak_activation_bytes
    assert [m["node"] for m in found["peaks"]] == [m.node for m in memory.peaks]
    assert found["ranges"] == []

"""What a network asks of a device: classes, totals, and which routine PyTorch picks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import sympy
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import H, N, W, as_dim
from costmodel.network.build import (
    conv,
    flatten,
    global_average_pool,
    image,
    linear,
    network,
)
from costmodel.network.graph import Network
from costmodel.network.operators import BatchNorm, Conv, Cumulate, Input
from costmodel.network.shape import Shape
from costmodel.runtime.kernels import Kernel, Setting, kernels
from costmodel.runtime.kernels.classes import KINDS, SUBSTITUTES
from costmodel.runtime.kernels.routine_choice import at_least, in_onednn, rounded
from costmodel.testing import networks
from tests.drawn import bound_networks
from tests.runtime.profiled import threads


MULTIPLYING = (
    "conv", "stem_conv", "pointwise_conv", "depthwise_conv", "grouped_conv",
    "uneven_grouped_conv", "conv_native", "pointwise_conv_native",
    "grouped_conv_native", "gemm", "gemv",
)  # fmt: skip


KERNELS = [(1, 1), (2, 2), (3, 3), (1, 3), (5, 5), (1, 7), (7, 3)]


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Conv, Shape]:
    """Draw a convolution on a map, around every edge of the rule."""
    channels = draw(st.sampled_from([1, 2, 3, 4, 16, 20, 80, 128]))
    groups = draw(
        st.sampled_from([g for g in (1, 2, 4, channels) if channels % g == 0])
    )
    kernel = draw(
        st.sampled_from([(1, 1), (2, 2), (3, 3), (1, 3), (5, 5), (1, 7), (7, 3)])
    )
    dilation = draw(st.sampled_from([(1, 1), (2, 2), (1, 2)]))
    stride = draw(st.sampled_from([(1, 1), (2, 2), (1, 2)]))
    padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation))
    sides = draw(st.sampled_from([(8, 8), (16, 16), (17, 31), (32, 32), (32, 20)]))
    layer = Conv(groups * draw(st.integers(1, 24)), kernel, stride, padding,
                   dilation, groups, draw(st.booleans()))  # fmt: skip
    return layer, Shape(channels, tuple(map(Extent, sides)))


def picked(layer: Conv, x: Shape, batch: int, dtype: torch.dtype) -> bool:
    """Return whether PyTorch picks oneDNN for a convolution."""
    sizes = (batch, *map(int, x.sizes))
    weight = (layer.channels, sizes[1] // layer.groups, *layer.kernel)
    with torch.inference_mode():
        backend = torch._C._select_conv_backend(
            torch.empty(sizes, dtype=dtype), torch.empty(weight, dtype=dtype),
            torch.empty(layer.channels, dtype=dtype) if layer.bias else None,
            list(layer.stride), list(layer.padding), list(layer.dilation),
            False, [0, 0], layer.groups,
        )  # fmt: skip
    return "Mkldnn" in str(backend)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="without oneDNN")
@pytest.mark.parametrize("count", [1, 2])
@given(convolutions(), st.sampled_from([1, 2, 15, 16, 17]))
def test_the_rule_picks_the_routine_that_pytorch_picks(
    count: int, drawn: tuple[Conv, Shape], batch: int
) -> None:
    layer, x = drawn
    with threads(count):
        actual = picked(layer, x, batch, torch.float32)
    assert in_onednn(layer, x, batch, Setting(threads=count)) == actual


@given(convolutions())
def test_double_precision_never_runs_in_onednn(drawn: tuple[Conv, Shape]) -> None:
    layer, x = drawn
    setting = Setting(dtype="float64")
    actual = picked(layer, x, 1, torch.float64)
    assert in_onednn(layer, x, 1, setting) == actual == 0


@given(convolutions(), st.sampled_from([1, 2, 15, 16, 40]), st.integers(8, 200))
def test_the_rule_in_symbols_is_the_rule_in_numbers(
    drawn: tuple[Conv, Shape], batch: int, side: int
) -> None:
    layer, x = drawn
    rule = in_onednn(layer, Shape(x.channels, (Extent(H), Extent(W))), N, Setting())
    there = Shape(x.channels, (Extent(side), Extent(side)))
    expected = in_onednn(layer, there, batch, Setting())
    assert as_dim(sympy.sympify(rule).subs({N: batch, H: side, W: side})) == expected


@given(st.integers(1, 10**6), st.integers(1, 10**4))
def test_reaching_a_number_in_symbols_is_reaching_it(value: int, least: int) -> None:
    found = sympy.sympify(at_least(N, least)).subs(N, value)
    assert int(found) == at_least(value, least) == (value >= least)


@given(st.integers(1, 4096), st.sampled_from([1, 8, 16]))
def test_channels_are_rounded_up_to_the_next_vector(channels: int, lanes: int) -> None:
    found = rounded(channels, lanes)
    assert found % lanes == 0
    assert 0 <= found - channels < lanes


@given(networks(), st.sampled_from(["eager", "folded", "compile"]), st.data())
def test_kernels_in_symbols_are_kernels_in_numbers(
    net: Network, mode: str, data: st.DataObject
) -> None:
    numbers = {
        N: data.draw(st.integers(1, 17)),
        H: data.draw(st.integers(net.smallest(H)[0], 64)),
        W: data.draw(st.integers(net.smallest(W)[0], 64)),
    }
    setting = Setting(mode=mode)
    symbolic = (_at(kernel, numbers) for kernel in kernels(net, setting))
    expected = Counter(kernels(net.bind(numbers), setting))
    assert Counter(kernel for kernel in symbolic if kernel.when) == expected


def _at(kernel: Kernel, numbers: dict[sympy.Symbol, int]) -> Kernel:
    names = ("work", "activation_bytes", "weight_bytes", "when")
    values = (sympy.sympify(getattr(kernel, n)).subs(numbers) for n in names)
    work, moved, weights, when = map(as_dim, values)
    of_operator = (sympy.sympify(n).subs(numbers) for n in kernel.operator_numbers)
    return replace(
        kernel, work=work, activation_bytes=moved, weight_bytes=weights, when=when,
        operator_numbers=tuple(map(as_dim, of_operator)),
    )  # fmt: skip


@given(bound_networks())
def test_work_without_rounding_is_what_the_network_multiplies(net: Network) -> None:
    asked = kernels(net, Setting(lanes=1))
    work = sum(k.work for k in asked if k.kind in MULTIPLYING)
    rows = cm.cost(net).rows
    assert work == sum(row.macs for row in rows if row.kind != "radial_basis")


@given(bound_networks(), st.sampled_from(["float32", "float16"]))
def test_rounding_only_adds_work(net: Network, dtype: str) -> None:
    exact = kernels(net, Setting(dtype=dtype, lanes=1))
    full = kernels(net, Setting(dtype=dtype))
    assert [k.name for k in exact] == [k.name for k in full]
    assert all(a.work <= b.work for a, b in zip(exact, full))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121", "vgg16"])
def test_eager_kernels_move_what_the_network_moves(name: str) -> None:
    net = cm.load(name, resolution=224, batch=1)
    costs, asked = cm.cost(net), kernels(net)
    moved = sum(k.activation_bytes + k.weight_bytes for k in asked)
    assert moved == costs.bytes_read + costs.bytes_written


@given(networks())
def test_every_class_is_known_and_every_kernel_has_a_node(net: Network) -> None:
    names = {node.name for node in net.nodes}
    for mode in ("eager", "folded", "compile"):
        for kernel in kernels(net, Setting(mode=mode)):
            assert kernel.kind in KINDS
            assert names.issuperset(kernel.nodes)


@given(networks())
def test_a_network_behind_another_asks_for_the_kernels_of_both(net: Network) -> None:
    (last,) = net.outputs
    assume(net[last].output.spatial)
    more = [("second.conv", Conv(8, (1, 1)), (last,)),
            ("second.norm", BatchNorm(), ("second.conv",))]  # fmt: skip
    x = net[last].output
    behind = Network.assemble(
        [
            ("image", Input(x.bind({})), ()),
            ("second.conv", Conv(8, (1, 1)), ("image",)),
            more[1],
        ]
    )
    layers = [(n.name, n.operator, n.inputs) for n in net.nodes]
    joined = kernels(Network.assemble([*layers, *more]))
    assert joined == kernels(net) + kernels(behind)


def test_a_row_is_a_vector_and_rows_are_a_matrix() -> None:
    x = flatten(global_average_pool(conv(image(3, 32, 32), 8, kernel=1)))
    net = network(linear(x, 10))
    kinds = [(k.kind, k.when) for k in kernels(net)[-2:]]
    several = at_least(N, 2)
    assert kinds == [("gemm", several), ("gemv", 1 - several)]
    assert kernels(net.bind(N=1))[-1].kind == "gemv"
    assert kernels(net.bind(N=2))[-1].kind == "gemm"


def test_an_operator_without_a_class_is_a_copy_and_says_so() -> None:
    layers = [("image", Input(Shape(3, (Extent(8), Extent(8)))), ()),
              ("sort", Cumulate(), ("image",))]  # fmt: skip
    (found,) = kernels(Network.assemble(layers, batch=1))
    assert (found.kind, found.is_modelled) == ("copy", False)
    assert found.activation_bytes == 2 * 4 * 3 * 8 * 8


def test_stand_ins_are_classes_and_lead_somewhere() -> None:
    assert set(SUBSTITUTES) | set(SUBSTITUTES.values()) <= set(KINDS)
    for kind in SUBSTITUTES:
        seen = [kind]
        while seen[-1] in SUBSTITUTES:
            seen.append(SUBSTITUTES[seen[-1]])
            assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("problem", "values"),
    [
        ("setting: device 'tpu' is none of cpu, cuda", {"device": "tpu"}),
        ("setting: dtype 'int3' is none of", {"dtype": "int3"}),
        ("setting: layout 'nhwc' is none of nchw, channels_last", {"layout": "nhwc"}),
        ("setting: mode 'fast' is none of", {"mode": "fast"}),
        ("setting: threads 0 is no whole number from 1", {"threads": 0}),
        ("setting: lanes True is no whole number from 1", {"lanes": True}),
        ("mode graph is a CUDA graph; the device is cpu", {"mode": "graph"}),
    ],
)
def test_a_setting_that_is_none_is_refused(
    problem: str, values: dict[str, object]
) -> None:
    with pytest.raises(cm.CostModelError, match=problem):
        Setting(**values)  # type: ignore[arg-type]

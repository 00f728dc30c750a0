"""What a trace compiles to is the module: its shapes, its values and its weights."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations

import costmodel as cm
from costmodel.algebra.code.constants import read_constants
from costmodel.algebra.symbols import H, W
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.serialization.json import digest
from costmodel.network.shape import Shape
from tests.bridge.trace import modules
from tests.bridge.trace.executed import executed
from tests.bridge.trace.faithful import filled, is_faithful
from tests.bridge.trace.modules import Code, UNet, conv
from tests.bridge.trace.test_trace_modules import CODE


def parameter(*sizes: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*sizes))


def of(x: Any) -> Any:
    return x


def tokens(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(2).transpose(1, 2)


def tied(one: nn.Module, other: nn.Module, *names: str) -> nn.Module:
    """Return two layers one after the other that have some tensors in common."""
    for name in names:
        setattr(other, name, getattr(one, name))
    return nn.Sequential(filled(one), nn.Tanh(), other)


def changed(_: Any, x: torch.Tensor) -> torch.Tensor:
    made = torch.zeros(3, 1, 1)
    made[1] = 2
    other = torch.zeros(300, 1, 1)
    other[1].fill_(2)
    return x + made + other[:3]


Run = Callable[[Any, torch.Tensor], Any]

FUNCTIONS: dict[str, Run] = {
    "filter made of ones": lambda _, x: F.conv2d(x, torch.ones(3, 1, 3, 3), groups=3),
    "filter made of a number": lambda _, x: F.conv2d(
        x, x.new_full((4, 3, 1, 1), 0.3), torch.ones(4), stride=2
    ),
    "zeros beside": lambda _, x: torch.cat(
        [x, x.new_zeros(x.shape[0], 1, *x.shape[2:])], 1
    ),
    "ones beside, by len": lambda _, x: torch.cat(
        [x, torch.ones(1, 1, *x.shape[2:]).expand(len(x), -1, -1, -1)], 1
    ),
    "twice": lambda _, x: (x, x),
    "once and twice": lambda _, x: {"a": (y := x.relu()), "b": [x, y, y]},
    "rolled": lambda _, x: torch.roll(x, 2, -1),
    "rolled both ways": lambda _, x: torch.roll(x, (2, -3), (2, 3)),
    "rolled channels": lambda _, x: x.roll(1, 1),
    "mirrored": lambda _, x: x.flip(1, 3),
    "padded": lambda _, x: F.pad(x, (1, 2, 0, 1), value=5.0),
    "padded by infinity": lambda _, x: F.pad(x, (1, 2), value=-torch.inf).clamp(-9, 9),
    "padded channels": lambda _, x: F.pad(x, (0, 0, 0, 0, 1, 1), value=5.0),
    "padded tokens": lambda _, x: F.pad(tokens(x), (0, 0, 1, 2), value=2.0),
    "padded to fours": lambda _, x: F.pad(x, (0, -x.shape[3] % 4), value=2.0),
    "padded in front": lambda _, x: F.pad(x, (-x.shape[3] % 4, 0)),
    "padded halfway": lambda _, x: F.pad(x, ((a := -x.shape[3] % 4) // 2, a - a // 2)),
    "padded mostly": lambda _, x: F.pad(x, ((a := -x.shape[3] % 4) - a // 2, a // 2)),
    "a slope": lambda _, x: F.leaky_relu(x, 0.2),
    "below a limit": lambda _, x: torch.clamp_max(x, 0.3),
    "above a limit": lambda _, x: x.clone().clamp_min_(0.3),
    "rounded": lambda _, x: torch.round(x, decimals=2),
    "another divisor": lambda _, x: F.avg_pool2d(x, 2, divisor_override=3),
    "adaptive to half": lambda _, x: F.adaptive_avg_pool2d(x, (x.shape[2] // 2, 5)),
    "by one and a half": lambda _, x: F.interpolate(
        x, scale_factor=1.5, mode="bilinear"
    ),
    "by a size": lambda _, x: F.interpolate(
        x, size=(x.shape[2] * 2, 7), mode="bicubic", align_corners=True
    ),
    "smoothed": lambda _, x: F.interpolate(
        x, size=(9, 7), mode="bilinear", antialias=True
    ),
    "smoothed by two": lambda _, x: F.interpolate(
        x, scale_factor=2, mode="bilinear", antialias=True
    ),
    "variance": lambda _, x: (x.var(1), x.var((2, 3), unbiased=False)),
    "deviation": lambda _, x: torch.std(x, (2, 3), correction=3),
    "both": lambda _, x: torch.std_mean(x, 1),
    "causal": lambda _, x: F.scaled_dot_product_attention(
        *[tokens(x)] * 3, is_causal=True
    ),
    "scaled": lambda _, x: F.scaled_dot_product_attention(*[tokens(x)] * 3, scale=0.1),
    "a number in a tensor": lambda _, x: x * torch.tensor(0.5),
    "a mask": lambda _, x: (x > 0).to(x.dtype).mean((2, 3)),
    "whole numbers": lambda _, x: (x * 3).to(torch.int32).to(x.dtype),
}  # fmt: skip
"""What is determined, and a sibling of something that once was not."""

NORMS: dict[str, nn.Module] = {
    "batch": nn.BatchNorm2d(3, eps=0.1), "instance": nn.InstanceNorm2d(3, eps=0.2),
    "of the batch": nn.BatchNorm2d(3, track_running_stats=False),
    "group": nn.GroupNorm(3, 3, eps=0.2), "local": nn.LocalResponseNorm(3, 0.1, 0.6),
    "Hardtanh": nn.Hardtanh(-0.3, 0.4), "Threshold": nn.Threshold(0.2, 3.0),
    "Softplus": nn.Softplus(2.0, 1.0), "Softshrink": nn.Softshrink(0.3),
    "ELU": nn.ELU(0.3), "CELU": nn.CELU(0.3), "Hardshrink": nn.Hardshrink(0.1),
    "LogSigmoid": nn.LogSigmoid(), "GELU": nn.GELU("tanh"), "PReLU": nn.PReLU(3),
    "constant": nn.ConstantPad2d((1, 2, 3, 0), 3.5), "circular": nn.CircularPad2d(2),
    "mean": nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    "channels last": Code(
        lambda m, x: m.rms(m.norm(x.permute(0, 2, 3, 1))),
        norm=nn.LayerNorm(3, eps=0.3), rms=nn.RMSNorm(3, eps=0.4),
    ),
}  # fmt: skip

WEIGHTS: dict[str, nn.Module] = {
    "tied weight": tied(conv(3, 3), conv(3, 3), "weight"),
    "tied bias": tied(conv(3, 3), conv(3, 3), "bias"),
    "tied, with strides": tied(conv(3, 3), nn.Conv2d(3, 3, 3, 2), "weight", "bias"),
    "tied norms": tied(
        nn.BatchNorm2d(3, eps=0.1), nn.BatchNorm2d(3), "weight", "bias"
    ),
    "norms called again": Code(
        lambda m, x: m.n(torch.tanh(m.n(x))), n=nn.BatchNorm2d(3, eps=0.1)
    ),
    "turned": Code(lambda m, x: x * m.p.permute(2, 0, 1), p=parameter(1, 1, 3)),
    "transposed": Code(lambda m, x: x.mean((2, 3))[..., None] * m.p.t(),
                       p=parameter(3, 3)),
    "a token": Code(
        lambda m, x: torch.cat([m.t.expand(x.shape[0], -1, -1), tokens(x)], 1),
        t=parameter(1, 1, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_compiled_trace_has_the_functions_values(name: str) -> None:
    assert is_faithful(Code(FUNCTIONS[name]))


@pytest.mark.parametrize("name", [*NORMS, *WEIGHTS])
def test_a_compiled_trace_has_the_layers_values(name: str) -> None:
    module = NORMS[name] if name in NORMS else WEIGHTS[name]
    assert is_faithful(nn.Sequential(filled(module)))


SIDES = {"windows": (8, 8)}
NOT_COMPARED = {
    # Weights are computed from others; their names are PyTorch's own.
    "standardized weights",
    # Nobody knows what is drawn.
    "noise",
}  # fmt: skip


@pytest.mark.parametrize("name", CODE)
def test_what_users_write_comes_back(name: str) -> None:
    assert is_faithful(CODE[name]) is (name not in NOT_COMPARED)


@pytest.mark.parametrize(
    "join", [modules.padded, modules.resized, modules.cropped], ids=lambda f: f.__name__
)
def test_a_unet_comes_back(join: Any) -> None:
    assert is_faithful(UNet(join), sizes=[(64, 48), (53, 37), (32, 81)])


# What is not determined says so.

UNDETERMINED: dict[str, tuple[Run, str]] = {
    "drawn": (lambda _, x: x + torch.randn(3, 1, 1), "derived"),
    "counted": (lambda _, x: x + torch.arange(x.shape[3]), "derived"),
    "a size": (lambda _, x: x * x.shape[2], "multiply"),
    "of a size": (lambda _, x: x * (x.shape[2] ** -0.5), "multiply"),
    "halfway": (lambda _, x: torch.roll(x, x.shape[2] // 2, 2), "copy"),
    "written to": (changed, "derived"),
    "places": (lambda _, x: x.max(1), "reduce"),
}


OF_WEIGHTS: dict[str, Run] = {
    "the sum": lambda m, x: m.c(x) + m.c.weight.sum(),
    "the deviation": lambda m, x: m.c(x) / m.c.weight.std(),
    "a mean each": lambda m, x: m.c(x) * m.c.weight.mean((1, 2, 3)).view(-1, 1, 1),
    "for each sample": lambda m, x: m.c(x) + m.c.bias.sum().expand(len(x), 1, 1, 1),
}


@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_what_is_derived_of_a_layer_has_its_own_shape(name: str) -> None:
    module = Code(OF_WEIGHTS[name], c=conv(3, 4))
    assert not is_faithful(module)
    assert undetermined(trace(module)) == ["derived"]


@pytest.mark.parametrize("name", UNDETERMINED)
def test_what_is_not_recorded_is_named_and_has_the_shapes(name: str) -> None:
    code, said = UNDETERMINED[name]
    assert not is_faithful(Code(code))
    assert {*undetermined(trace(Code(code)))} == {said}


def test_a_weight_that_is_computed_is_not_determined() -> None:
    module = parametrizations.weight_norm(conv(3, 4))
    assert not is_faithful(nn.Sequential(module))
    assert undetermined(trace(nn.Sequential(module))) == ["conv"]


TRANSFORMS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "flipped": lambda w: w.flip(0), "negative": lambda w: -w,
    "transposed": lambda w: w.transpose(0, 1), "matrices": lambda w: w.mT,
    "rolled": lambda w: w.roll(1, 1), "scaled": lambda w: w * 2,
    "permuted": lambda w: w.permute(1, 0, 3, 2), "of another shape": lambda w: (
        w.transpose(0, 1).reshape(w.shape)
    ),
    "part and part": lambda w: torch.cat([w[1:], w[:1]]),
}  # fmt: skip
"""Of a weight with as many inputs as outputs: what leaves its number of elements."""


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("first", ["as it is", "transformed", "operand", "twice"])
def test_a_weight_that_is_shared_and_transformed_is_not_determined(
    name: str, first: str
) -> None:
    change = TRANSFORMS[name]

    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        if first == "operand":
            return F.conv2d(x, change(m.w)) + m.w.mean((1, 2, 3))[:, None, None]
        if first == "twice":
            return F.conv2d(F.conv2d(x, m.w), change(m.w)) + F.conv2d(x, m.w)[..., 0, 0]
        one, other = F.conv2d(x, m.w), F.conv2d(x, change(m.w))
        return one + other if first == "as it is" else other - one

    module = Code(run, w=parameter(3, 3, 3, 3))
    if first == "twice":
        module = Code(lambda m, x: F.conv2d(F.conv2d(x, m.w), change(m.w)), w=module.w)
    assert not is_faithful(filled(module))
    holds_its_weights(module)


def test_a_tied_autoencoder_is_not_determined() -> None:
    module = Code(
        lambda m, x: F.linear(F.relu(m.one(tokens(x))), m.one.weight.t()),
        one=nn.Linear(3, 5),
    )
    assert not is_faithful(filled(module))
    assert undetermined(net := trace(module)) == ["linear"]
    assert net.shared == {"linear": "one"}


@pytest.mark.parametrize(
    "same", [lambda w: w, lambda w: w[:], lambda w: w.detach(),
             lambda w: w.flatten(1).view_as(w), lambda w: w.contiguous()],
)  # fmt: skip
def test_a_weight_that_is_shared_as_it_is_is_determined(same: Any) -> None:
    module = Code(
        lambda m, x: F.conv2d(x, m.w) + F.conv2d(x, same(m.w)), w=parameter(3, 3, 3, 3)
    )
    net = trace(module)
    assert net.shared == {"conv_2": "conv"}
    if undetermined(net) == []:
        assert is_faithful(filled(module))


def undetermined(net: Network) -> list[str]:
    return [n.operator.kind for n in net.nodes if not n.operator.is_determined]


# Constants are written, read and refused.


@pytest.mark.parametrize("name", ["rolled both ways", "padded by infinity", "twice",
                                  "zeros beside", "variance"])  # fmt: skip
def test_constants_and_outputs_are_written_and_read(name: str) -> None:
    net = trace(Code(FUNCTIONS[name]))
    assert cm.Network.from_json(net.to_json()) == net
    assert net.outputs != ("input",)


def test_a_file_without_constants_is_read_and_says_that_they_are_not_known() -> None:
    net = trace(Code(FUNCTIONS["rolled"]))
    document = json.loads(net.to_json())
    del document["nodes"][1]["operator"]["constants"]
    old = cm.Network.from_json(json.dumps(document))
    assert (old["copy"].operator, undetermined(old)) == (op.Copy("rolled"), ["copy"])
    assert cm.compile(old)(torch.zeros(2, 3, 8, 8)).shape == (2, 3, 8, 8)


def test_constants_change_no_cost_and_no_digest() -> None:
    plain, other = (trace(nn.Sequential(nn.BatchNorm2d(3, eps=e))) for e in (1e-5, 0.1))
    assert plain != other
    assert cm.cost(plain).macs == cm.cost(other).macs
    assert cm.cost(plain).tally == cm.cost(other).tally
    assert digest(plain) == digest(other)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("eps", "are not written as name=value"),
        ("eps=f()", "are not written as name=value"),
        ("epsilon=1", r"constants \['epsilon'\] are unknown; known: eps"),
    ],
)
def test_constants_that_are_none_are_refused(text: str, said: str) -> None:
    with pytest.raises(CostModelError, match=said):
        op.BatchNorm(constants=text)


def test_infinite_constants_are_read_back() -> None:
    layer = trace(Code(FUNCTIONS["padded by infinity"]))["pad"].operator
    assert read_constants(layer.constants) == {"value": -torch.inf}


@pytest.mark.parametrize(
    ("shared", "said"),
    [
        ({"two.gain": "one.weight"}, 'stores no "two.gain"'),
        ({"two.weight": "one.gain"}, 'stores no "one.gain"'),
        ({"two.weight": "x"}, "shares the weights of input"),
        ({"one.weight": "two.weight"}, "no earlier node"),
    ],
)
def test_tensors_are_shared_with_earlier_ones_that_exist(
    shared: dict[str, str], said: str
) -> None:
    layers = [("x", op.Input(Shape(4)), ()), ("one", op.Linear(4), ("x",)),
              ("two", op.Linear(4), ("one",))]  # fmt: skip
    with pytest.raises(CostModelError, match=said):
        Network.assemble(layers, shared=shared)


# No weight vanishes.

FUNCTIONAL: dict[str, nn.Module] = {
    "joined bias": Code(
        lambda m, x: F.linear(tokens(x), m.w, torch.cat((m.q, 0 * m.v, m.v))),
        w=parameter(6, 3), q=parameter(2), v=parameter(2),
    ),
    "joined bias of a convolution": Code(
        lambda m, x: F.conv2d(x, m.c.weight, torch.cat((m.q, m.v))),
        c=conv(3, 6, bias=False), q=parameter(2), v=parameter(4),
    ),
    "joined layers": Code(
        lambda m, x: F.conv2d(x, torch.cat([m.a.weight, m.b.weight]), m.c, padding=1),
        a=conv(3, 4, bias=False), b=conv(3, 2, bias=False), c=parameter(6),
    ),
    "low rank": Code(
        lambda m, x: F.linear(tokens(x), m.w + m.a @ m.b, m.c * 2),
        w=parameter(6, 3), a=parameter(6, 2), b=parameter(2, 3), c=parameter(6),
    ),
    "two biases": Code(
        lambda m, x: F.linear(F.linear(tokens(x), m.w, m.a), m.w, m.b),
        w=parameter(3, 3), a=parameter(3), b=parameter(3),
    ),
    "normalized": Code(
        lambda m, x: F.group_norm(x, 1, torch.cat([m.a, m.b]), m.c),
        a=parameter(1), b=parameter(2), c=parameter(3),
    ),
    "left out": Code(
        lambda m, x: F.conv2d(x, m.c.weight), c=conv(3, 4), unused=conv(3, 4)
    ),
}  # fmt: skip


def without_memory(module: nn.Module) -> nn.Module:
    """Return a copy on the device meta; ``to`` would part what layers share."""
    twins: dict[int, Any] = {
        id(p): nn.Parameter(p.detach().to("meta")) for p in module.parameters()
    }
    return deepcopy(module, twins | {id(b): b.to("meta") for b in module.buffers()})


def holds_its_weights(module: nn.Module, sample: Any = (3, H, W)) -> None:
    """Hold a trace's parameters against those of the module that kernels are given."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        net = trace(module, sample)
    size = (2, *(int(side) if isinstance(side, int) else 32 for side in sample))
    counts = executed(without_memory(module), size)
    assert cm.cost(net).parameters == counts.parameters
    text = " ".join(str(one.message) for one in said if one.category is UserWarning)
    assert bool(counts.unused) == bool(said)
    assert all(name.partition(".")[0] in text for name in counts.unused)


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_no_weight_vanishes(name: str) -> None:
    assert is_faithful(FUNCTIONAL[name]) in (True, False)
    holds_its_weights(FUNCTIONAL[name])


# The law, on modules that nobody wrote.

NUMBERS = st.sampled_from([0.05, 0.3, 0.7, 2.0])
SMALL = st.integers(1, 2)


def module_of(run: Run, **parts: Any) -> nn.Module:
    return Code(run, **parts)


@st.composite
def pieces(draw: st.DrawFn) -> nn.Module:
    """Return a module that takes and gives maps of four channels."""
    number, other, small = draw(NUMBERS), draw(NUMBERS), draw(SMALL)
    axis, shift = draw(st.integers(1, 3)), draw(st.integers(-5, 5))
    groups, bias = draw(st.sampled_from([1, 2, 4])), draw(st.booleans())
    mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    ends = draw(st.lists(st.integers(0, 2), min_size=4, max_size=4))
    value = {"value": number} if mode == "constant" else {}
    interpolation = draw(st.sampled_from(["bilinear", "bicubic"]))
    corners, first = draw(st.booleans()), conv(4, 4, bias=bias)
    padding = draw(st.sampled_from(["zeros", "reflect", "circular"]))
    change = draw(st.sampled_from([*TRANSFORMS.values()]))
    choices: list[Callable[[], nn.Module]] = [
        lambda: nn.Conv2d(4, 4, 3, padding=small, dilation=small, groups=groups,
                          bias=bias, padding_mode=padding),
        lambda: nn.BatchNorm2d(4, eps=number, affine=bias),
        lambda: nn.GroupNorm(groups, 4, eps=number, affine=bias),
        lambda: nn.InstanceNorm2d(4, eps=number, affine=bias),
        lambda: nn.LocalResponseNorm(small + 1, number, other, 1 + number),
        lambda: nn.LeakyReLU(number), lambda: nn.ELU(number),
        lambda: nn.Hardtanh(-number, other), lambda: nn.Softplus(number, other),
        lambda: nn.Softshrink(number), lambda: nn.PReLU(4, number),
        lambda: module_of(lambda _, x: torch.roll(x, shift, axis)),
        lambda: module_of(lambda _, x: torch.flip(x, (axis,))),
        lambda: module_of(lambda _, x: F.pad(x, ends, mode, **value)),
        lambda: module_of(lambda _, x: x.clamp(-number, other)),
        lambda: module_of(lambda _, x: x - x.std(axis, keepdim=True, unbiased=bias)),
        lambda: module_of(lambda _, x: F.interpolate(
            x, scale_factor=1.25, mode=interpolation, align_corners=corners)),
        lambda: module_of(lambda _, x: F.conv2d(
            x, torch.full((4, 4 // groups, 1, 1), number), groups=groups)),
        lambda: module_of(lambda _, x: torch.cat(
            [x[:, small:], x.new_full((len(x), small, *x.shape[2:]), number)], 1)),
        lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=bias),
        lambda: nn.AvgPool2d(3, small, 1, ceil_mode=bias),
        lambda: module_of(lambda m, x: m.one(torch.tanh(m.one(x))), one=first),
        lambda: module_of(lambda m, x: F.conv2d(m.one(x), m.one.weight, padding=1),
                          one=first),
        lambda: module_of(lambda m, x: F.conv2d(x, m.w, torch.cat([m.a, m.b])),
                          w=parameter(4, 4, 1, 1), a=parameter(1), b=parameter(3)),
        lambda: tied(conv(4, 4), nn.Conv2d(4, 4, 3, padding=1, groups=1), "weight"),
        lambda: module_of(lambda m, x: F.conv2d(m.one(x), change(m.one.weight)),
                          one=first),
        lambda: module_of(lambda m, x: F.conv2d(m.one(F.conv2d(
            x, change(m.one.weight), padding=1)), m.one.weight), one=first),
    ]  # fmt: skip
    return filled(draw(st.sampled_from(choices))())


@given(st.lists(pieces(), min_size=1, max_size=4), st.booleans())
def test_a_generated_module_comes_back(parts: list[nn.Module], twice: bool) -> None:  # noqa: FBT001
    def forward(m: Any, x: torch.Tensor) -> Any:
        y = m.parts(x)
        return (y, {"again": [y, x]}) if twice else y

    module = Code(forward, parts=nn.Sequential(*parts))
    is_faithful(module, (4, H, W), sizes=[(17, 23), (24, 16), (32, 32)])
    holds_its_weights(module, (4, H, W))


# What is written in place, by one of several names.


def half_of_it(m: Any, x: torch.Tensor) -> Any:
    x = m.conv(x)
    half = x[:, 2:]
    half += m.other(x.relu())[:, 2:]
    return m.head(x)


def all_of_it(m: Any, x: torch.Tensor) -> Any:
    x = m.conv(x)
    x.flatten(2).relu_()
    return m.head(x)


def a_detached_name(m: Any, x: torch.Tensor) -> Any:
    x = m.conv(x)
    x.detach().mul_(2)
    return m.head(x)


def a_name_from_before(m: Any, x: torch.Tensor) -> Any:
    x = m.conv(x)
    flat = x.flatten(2)
    F.relu_(x)
    return flat.unflatten(2, (-1, 1))


def what_dropped_nothing(m: Any, x: torch.Tensor) -> Any:
    x = m.conv(x)
    return m.head(F.relu(m.drop(x), inplace=True)) + m.head(x)


def its_result(m: Any, x: torch.Tensor) -> Any:
    x = m.conv(x)
    x[:, :2].mul_(2)
    return x


@pytest.mark.parametrize(
    "run",
    [half_of_it, all_of_it, a_detached_name, a_name_from_before, what_dropped_nothing,
     its_result],
)  # fmt: skip
def test_what_is_written_by_another_name_is_refused(run: Run) -> None:
    parts = {"conv": conv(3, 4), "other": conv(4, 4), "head": conv(4, 4)}
    module = Code(run, drop=nn.Dropout(), **parts).eval()
    with pytest.raises(CostModelError, match="by another name of it"):
        trace(module)


WRITTEN: dict[str, Run] = {
    "by its name": lambda m, x: m.head(m.conv(x).add_(1).relu_()),
    "read by the same name": lambda m, x: (
        m.head(flat.unflatten(2, (x.shape[2], -1)))
        if (flat := m.conv(x).flatten(2)).relu_() is flat
        else x
    ),
    "beside the other half": lambda m, x: m.head(
        torch.cat([(parts := m.conv(x).tensor_split(2, 1))[0].relu_(), parts[1]], 1)
    ),
    "behind dropout": lambda m, x: m.head(F.relu(m.drop(m.conv(x)), inplace=True)),
    "and its name again": lambda m, x: m.head(F.relu_(y := m.conv(x))) + m.head(y),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_has_the_values(name: str) -> None:
    parts = {"conv": conv(3, 4), "head": conv(4, 4)}
    module = Code(WRITTEN[name], drop=nn.Dropout(), **parts).eval()
    with torch.no_grad():
        assert is_faithful(module)

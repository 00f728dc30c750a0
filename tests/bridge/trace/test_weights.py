"""Weights that are computed from others, or that unlike layers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations

import costmodel as cm
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.shape import Shape
from tests.bridge.trace.executed import executed
from tests.bridge.trace.modules import Code, conv


Sizes = tuple[int, ...]
Weight = Callable[[Any], torch.Tensor]


def learned(*sizes: int) -> nn.Parameter:
    return nn.Parameter(torch.ones(sizes))


def agrees(module: nn.Module) -> Network:
    """Trace a module, and compare its counts with executed ones."""
    net = trace(module)
    costs = cm.cost(net.bind(N=2, H=16, W=20))
    counts = executed(module.to("meta"), (2, 3, 16, 20))
    assert (costs.macs, costs.parameters) == (counts.macs, counts.parameters)
    return net


@dataclass
class _Computed:
    """Draws code that computes a weight, and keeps the modules and tensors it reads."""

    draw: st.DrawFn
    parts: dict[str, Any] = field(default_factory=dict)

    def part(self, value: Any) -> str:
        name = f"part{len(self.parts)}"
        self.parts[name] = value
        return name

    def stored(self, sizes: Sizes) -> Weight:
        name = self.part(learned(*sizes))
        return lambda m: getattr(m, name)

    def weight(self, sizes: Sizes, depth: int = 2) -> Weight:
        ways = [self.sum, self.scaled, self.product, self.applied, self.made_by_a_layer]
        if depth == 0:
            return self.stored(sizes)
        return self.draw(st.sampled_from(ways))(sizes, depth - 1)

    def sum(self, sizes: Sizes, depth: int) -> Weight:
        one, other = self.weight(sizes, depth), self.weight(sizes, depth)
        return lambda m: one(m) + other(m)

    def scaled(self, sizes: Sizes, depth: int) -> Weight:
        one = self.weight(sizes, depth)
        by = self.weight((sizes[0], *(1 for _ in sizes[1:])), depth)
        return lambda m: one(m) * by(m)

    def product(self, sizes: Sizes, depth: int) -> Weight:
        left, right = self.weight((sizes[0], 2), depth), self.weight((2, 7), depth)
        rest = self.stored((7, torch.Size(sizes[1:]).numel()))
        return lambda m: (left(m) @ right(m) @ rest(m)).view(sizes)

    def applied(self, sizes: Sizes, depth: int) -> Weight:
        one = self.weight(sizes, depth)
        functions: list[Any] = [
            torch.tanh, F.softplus, lambda w: w - w.mean(), lambda w: w / w.norm(),
            lambda w: w.flatten().flip(0).view(sizes), lambda w: w.roll(1, 0),
        ]  # fmt: skip
        function = self.draw(st.sampled_from(functions))
        return lambda m: function(one(m))

    def made_by_a_layer(self, sizes: Sizes, depth: int) -> Weight:
        code = self.weight((sizes[0], 5), depth)
        name = self.part(nn.Linear(5, torch.Size(sizes[1:]).numel()))
        return lambda m: getattr(m, name)(code(m)).view(sizes)


@st.composite
def of_computed_weights(draw: st.DrawFn) -> nn.Module:
    """Draw a layer whose weight is computed, and that may be called twice."""
    made = _Computed(draw)
    weight = made.weight((3, 3, 3, 3))
    layer = draw(st.sampled_from([F.conv2d, F.conv_transpose2d, linear]))
    calls = draw(st.integers(1, 2))

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        value = weight(m)
        for _ in range(calls):
            x = layer(x, value)
        return x

    return Code(forward, **made.parts)


def linear(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    rows = F.adaptive_avg_pool2d(x, 1).flatten(1)
    made = F.linear(rows, weight.flatten(1)[:, :3])
    return x + made[..., None, None]


@given(of_computed_weights())
def test_computed_weights_are_those_of_the_tensors_that_they_are_made_of(
    module: nn.Module,
) -> None:
    agrees(module)


def low_rank(m: Any, x: torch.Tensor) -> torch.Tensor:
    """Convolve by a weight to which a product of low rank is added (Hu et al. 2021)."""
    return F.conv2d(x, m.weight + (m.b @ m.a).view_as(m.weight), m.bias)


NAMED: dict[str, nn.Module] = {
    "low rank": Code(low_rank, weight=learned(8, 3, 3, 3), b=learned(8, 2),
                     a=learned(2, 27), bias=learned(8)),
    "hypernetwork": Code(
        lambda m, x: F.conv2d(x, m.net(m.code).view(4, 3, 3, 3)),
        net=nn.Sequential(nn.Linear(6, 7), nn.ReLU(), nn.Linear(7, 108)),
        code=learned(6)),
    "a layer's own weight times itself": Code(
        lambda m, x: F.linear(x.mean((2, 3)), m.weight @ m.weight.t()),
        weight=learned(3, 4)),
    "a product added to": Code(
        lambda m, x: F.linear(x.mean((2, 3)), torch.addmm(m.weight, m.b, m.a)),
        weight=learned(5, 3), b=learned(5, 2), a=learned(2, 3)),
    **{f"orthogonal by {way}": nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        parametrizations.orthogonal(nn.Linear(3, 3), orthogonal_map=way))
       for way in ("matrix_exp", "cayley", "householder")},
    "orthogonal convolution": parametrizations.orthogonal(nn.Conv2d(3, 8, 3)),
    "weight norm": parametrizations.weight_norm(nn.ConvTranspose2d(3, 8, 3)),
    "spectral norm": parametrizations.spectral_norm(nn.Conv2d(3, 8, 3)).eval(),
    "spectral norm in training": parametrizations.spectral_norm(nn.Conv2d(3, 8, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_reparametrized_weights_have_the_executed_counts(name: str) -> None:
    module = NAMED[name]
    net = agrees(module)
    assert cm.cost(net).parameters == sum(p.numel() for p in module.parameters())


TIED: dict[str, tuple[nn.Module, str]] = {
    "a decoder by its encoder's": (Code(
        lambda m, x: F.conv_transpose2d(m.conv(x), m.conv.weight, m.bias, padding=1),
        conv=conv(3, 8), bias=learned(3)), "conv"),
    "a linear layer by a convolution's": (Code(
        lambda m, x: F.linear(m.conv(x).mean((2, 3)), m.conv.weight.flatten(1).t()),
        conv=nn.Conv2d(3, 8, 1)), "conv"),
    "a convolution by a linear layer's": (Code(
        lambda m, x: m.mix(x.mean((2, 3)))[..., None, None]
        + F.conv2d(x, m.mix.weight[:, :, None, None]),
        mix=nn.Linear(3, 8)), "mix"),
}  # fmt: skip


@pytest.mark.parametrize("name", TIED)
def test_unlike_layers_may_share_their_weights(name: str) -> None:
    module, owner = TIED[name]
    net = agrees(module)
    assert list(net.shared.values()) == [f"{owner}.weight"]
    assert Network.from_json(net.to_json()) == net
    x = torch.zeros(2, 3, 16, 20, device="meta")
    sizes = cm.compile(net, device="meta")(x).shape
    assert tuple(sizes[1:]) == net.bind(N=2, H=16, W=20).nodes[-1].output.sizes


def test_layers_grow_beside_one_whose_weights_are_computed_but_not_into_it() -> None:
    low = {"weight": learned(4, 3, 3, 3), "b": learned(4, 2), "a": learned(2, 27)}
    code = Code(low_rank, **low, bias=None)
    parts = {"one": conv(3, 8), "two": nn.Conv2d(8, 4, 5, padding=1), "code": code}
    beside = Code(lambda m, x: m.two(m.one(x)) + m.code(x), **parts)
    wide = cm.widen(trace(beside), 2)
    assert cm.cost(wide).parameters == 16 * 28 + 4 * (16 * 25 + 1) + 108 + 8 + 54
    with pytest.raises(CostModelError, match=r'the weights of derived "1\.derived"'):
        cm.widen(trace(nn.Sequential(conv(3, 3), code)), 2)
    decoder = trace(TIED["a decoder by its encoder's"][0])
    with pytest.raises(CostModelError, match='has the weights of conv "conv"'):
        cm.widen(decoder, 2)


@pytest.mark.parametrize(("code", "said"), [
    (lambda m, x: F.conv2d(x, m.net(m.code)),
     'conv2d at "net": its operand is made of stored tensors alone'),
    (lambda m, x: F.conv2d(x, torch.einsum("ab,bcde->acde", m.square, m.code)),
     'einsum at "forward": no rule counts an equation of stored tensors'),
    (lambda _, x: F.conv2d(x, x.mean((2, 3))[..., None, None]),
     "operators without a rule: conv2d"),
])  # fmt: skip
def test_weights_that_no_rule_counts_are_refused(code: Any, said: str) -> None:
    parts = {"net": conv(3, 3), "code": learned(4, 3, 3, 3), "square": learned(4, 4)}
    with pytest.raises(CostModelError, match=said):
        trace(Code(code, **parts))


def test_layers_share_no_weights_that_neither_has() -> None:
    layers = [
        ("x", op.Input(Shape(3)), ()),
        ("one", op.Linear(5, bias=False), ("x",)),
        ("two", op.PReLU(1), ("one",)),
    ]
    with pytest.raises(CostModelError, match="stores no tensor as large as one of its"):
        Network.assemble(layers, shared={"two": "one"})

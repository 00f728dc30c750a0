"""What a trace says of gradients is what the module's own backward does."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import costmodel as cm
from tests.bridge.test_trained import really
from tests.bridge.trace.modules import Code


SIZE = (2, 3, 8, 8)


class Backward(NamedTuple):
    """Products of backward, and bytes of ``.grad`` after it."""

    macs: int
    gradients: int


def said(module: nn.Module) -> Backward:
    """Trace a module in training."""
    net = cm.trace(module.train(), input=SIZE[1:], batch=SIZE[0])
    kept = cm.memory(net, training=True)
    assert kept.optimizer_bytes("momentum") == kept.gradient_bytes
    return Backward(cm.training_cost(net).backward, kept.gradient_bytes)


def executed(module: nn.Module) -> Backward:
    """Run a step of the module itself."""
    result = module.train()(torch.randn(SIZE))
    with FlopCounterMode(display=False) as counter:
        result.sum().backward()
    grads = [p.grad.nbytes for p in module.parameters() if p.grad is not None]
    return Backward(counter.get_total_flops() // 2, sum(grads))


def saves_what_it_says(module: nn.Module) -> None:
    """Compare the bytes that a module saves."""
    net = cm.trace(module.train(), input=SIZE[1:], batch=SIZE[0])
    assert (
        cm.memory(net, training=True).saved_bytes == really(module, torch.ones(SIZE))[0]
    )


# A branch that no result depends on.

DEAD: dict[str, Callable[[], nn.Module]] = {
    "conv": lambda: nn.Conv2d(3, 4, 3),
    "batch norm": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)),
    "layer norm": lambda: nn.LayerNorm(8),
    "two": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)),
    "rectified": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.PReLU()),
    "linear": lambda: nn.Linear(8, 5),
}


@pytest.mark.parametrize("name", DEAD)
def test_a_branch_without_a_reader_has_no_gradient(name: str) -> None:
    module = Code(
        lambda m, x: (m.b(x), m.a(x))[1], a=nn.Conv2d(3, 4, 3), b=DEAD[name]()
    )
    assert said(module) == executed(module)
    assert said(module).gradients == 448


# Parameters that a module freezes while it runs.


def unset(parameter: torch.Tensor) -> None:
    """Freeze a parameter by its attribute."""
    parameter.requires_grad = False


FREEZING: dict[str, Callable[[Any], Any]] = {
    "a module": lambda m: m.a.requires_grad_(False),
    "a weight": lambda m: m.a.weight.requires_grad_(False),
    "by the attribute": lambda m: unset(m.a.weight),
    "the second": lambda m: m.b.requires_grad_(False),
    "all": lambda m: m.requires_grad_(False).b.requires_grad_(True),
}


@pytest.mark.parametrize("name", FREEZING)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_a_module_freezes_is_put_back(name: str, device: str) -> None:
    def run(m: Any, x: torch.Tensor) -> Any:
        FREEZING[name](m)
        return m.b(m.a(x))

    with torch.device(device):
        module = Code(run, a=nn.Conv2d(3, 4, 3), b=nn.Conv2d(4, 4, 3))
    module.b.bias.requires_grad_(False)
    found = said(module)
    flags = {key for key, p in module.named_parameters() if not p.requires_grad}
    assert flags == {"b.bias"}
    assert found == executed(module.to_empty(device="cpu"))


def test_what_a_module_unfreezes_learns() -> None:
    def run(m: Any, x: torch.Tensor) -> Any:
        return m.b(m.a.requires_grad_(True)(x))

    module = Code(run, a=nn.Conv2d(3, 4, 3).requires_grad_(False), b=nn.Conv2d(4, 4, 3))
    assert said(module) == executed(module) == Backward(16_992, 1_040)


# Weights of which one use is detached.

Use = Callable[
    [Any, torch.Tensor, Callable[[torch.Tensor], torch.Tensor]], torch.Tensor
]

USES: dict[str, tuple[Callable[[], nn.Module], Use]] = {
    "conv": (
        lambda: nn.Conv2d(4, 4, 1),
        lambda m, y, way: F.conv2d(y, way(m.weight), way(m.bias)),
    ),
    "conv transpose": (
        lambda: nn.ConvTranspose2d(4, 4, 1),
        lambda m, y, way: F.conv_transpose2d(y, way(m.weight), way(m.bias)),
    ),
    "the weight alone": (
        lambda: nn.Conv2d(4, 4, 1),
        lambda m, y, way: F.conv2d(y, way(m.weight), m.bias),
    ),
    "the bias alone": (
        lambda: nn.Conv2d(4, 4, 1),
        lambda m, y, way: F.conv2d(y, m.weight, way(m.bias)),
    ),
    "linear": (
        lambda: nn.Linear(6, 6),
        lambda m, y, way: F.linear(y, way(m.weight), way(m.bias)),
    ),
    "batch norm": (
        lambda: nn.BatchNorm2d(4),
        lambda m, y, way: F.batch_norm(
            y, None, None, way(m.weight), way(m.bias), training=True
        ),
    ),
    "layer norm": (
        lambda: nn.LayerNorm(6),
        lambda m, y, way: F.layer_norm(y, (6,), way(m.weight), way(m.bias)),
    ),
    "slopes": (lambda: nn.PReLU(4), lambda m, y, way: F.prelu(y, way(m.weight))),
    "scaled": (
        lambda: nn.Conv2d(4, 4, 1),
        lambda m, y, way: F.conv2d(y, way(m.weight) * 2, way(m.bias) + 1),
    ),
    "a product": (
        lambda: nn.Conv2d(4, 4, 1),
        lambda m, y, way: y * way(m.weight).mean(),
    ),
}
WAYS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "detach": lambda w: w.detach(),
    "data": lambda w: w.data,
    "not at all": lambda w: w,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_stop_belongs_to_a_use(name: str, way: str, place: str) -> None:
    make, use = USES[name]

    def run(m: Any, x: torch.Tensor) -> Any:
        y = m.a(x)
        if place == "first":
            return use(m.l, y, WAYS[way]) + m.l(y)
        return m.l(y) + use(m.l, y, WAYS[way])

    module = Code(run, a=nn.Conv2d(3, 4, 3), l=make())
    found = said(module)
    assert found == executed(module)
    if (name, way) == ("conv", "detach"):
        assert found == Backward(11_232, 528)


def test_what_is_read_detached_alone_does_not_learn() -> None:
    module = Code(
        lambda m, x: F.conv2d(m.a(x), m.l.weight.detach(), m.l.bias.detach()),
        a=nn.Conv2d(3, 4, 3), l=nn.Conv2d(4, 4, 1),
    )  # fmt: skip
    assert said(module) == executed(module)


# Parts in evaluation mode of a module in training mode.


class Frozen(nn.BatchNorm2d):
    """Batch normalization that never trains."""

    def train(self, mode: bool = True) -> Frozen:  # noqa: ARG002, FBT001, FBT002
        """Stay in evaluation mode."""
        return super().train(False)


def stopped(module: nn.Module) -> nn.Module:
    """Return a module that stays in evaluation mode from now on."""
    module.eval()
    module.train = lambda _mode=True: module  # type: ignore[method-assign, assignment]
    return module


def by_hand(m: Any, x: torch.Tensor) -> torch.Tensor:
    """Normalize by running statistics whatever the mode."""
    n = m.n
    return F.batch_norm(m.a(x), n.running_mean, n.running_var, n.weight, n.bias)


PARTS: dict[str, tuple[Callable[[], nn.Module], Callable[..., Any]]] = {
    "a class": (lambda: Frozen(4), lambda m, x: m.n(m.a(x)).relu()),
    "by its mode": (lambda: stopped(nn.BatchNorm2d(4)), lambda m, x: m.n(m.a(x))),
    "a function": (lambda: nn.BatchNorm2d(4), by_hand),
    "without scale": (lambda: Frozen(4, affine=False), lambda m, x: m.n(m.a(x))),
    "without statistics": (
        lambda: stopped(nn.BatchNorm2d(4, track_running_stats=False)),
        lambda m, x: m.n(m.a(x)),
    ),
    "fixed scale": (
        lambda: Frozen(4).requires_grad_(False),
        lambda m, x: m.n(m.a(x)).relu(),
    ),
    "in training": (lambda: nn.BatchNorm2d(4), lambda m, x: m.n(m.a(x))),
    "dropout": (lambda: stopped(nn.Dropout(0.5)), lambda m, x: m.n(m.a(x))),
    "dropout by hand": (
        nn.Identity,
        lambda m, x: F.dropout(m.a(x), 0.5, training=False),
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_in_evaluation_mode_saves_as_it_does(name: str) -> None:
    make, run = PARTS[name]
    module = Code(run, a=nn.Conv2d(3, 4, 3), n=make()).train()
    net = cm.trace(module, input=SIZE[1:], batch=SIZE[0])
    saved, grads = really(module, torch.ones(SIZE))
    kept = cm.memory(net, training=True)
    assert (kept.saved_bytes, kept.gradient_bytes) == (saved, grads)
    assert cm.Network.from_json(net.to_json()) == net
    made = cm.compile(net)
    assert really(made.train(), torch.ones(SIZE)) == (saved, grads)
    again = cm.trace(made.train(), input=SIZE[1:], batch=SIZE[0])
    assert [n.operator for n in again.nodes] == [n.operator for n in net.nodes]


def test_a_compiled_part_stays_in_evaluation_mode() -> None:
    norm = stopped(nn.BatchNorm2d(4))
    module = Code(lambda m, x: m.n(m.a(x)), a=nn.Conv2d(3, 4, 3), n=norm)
    module.n.running_mean.add_(3)
    made = cm.compile(cm.trace(module, input=SIZE[1:], batch=SIZE[0]))
    made.load_state_dict(module.state_dict())
    x = torch.randn(SIZE)
    for copy in (made, deepcopy(made), pickle.loads(pickle.dumps(made))):  # noqa: S301
        assert torch.equal(copy.train()(x), module(x))
        assert torch.equal(copy.eval()(x), module(x))

"""What a trace says of gradients is what the module's own backward does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
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

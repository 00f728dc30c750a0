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

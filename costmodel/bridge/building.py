"""Build a user's module without memory where its code allows it, and trace it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from costmodel.bridge.trace import trace
from costmodel.network.graph import Network


def build(make: Callable[[], Any]) -> Any:
    """Return what a function makes: on the meta device, or else really.

    Code that calculates with its tensors while it builds fails without their values,
    and is run again with them.

    >>> build(lambda: nn.Linear(3, 5)).weight.device.type
    'meta'
    >>> float(build(lambda: nn.Parameter(torch.tensor(2.0 + torch.ones(1).item()))))
    3.0
    """
    try:
        with torch.device("meta"):
            return make()
    except Exception:  # noqa: BLE001 - whatever the code raises, it may work really
        return make()


def is_module(value: object) -> bool:
    """Say whether a value can be traced."""
    return isinstance(value, nn.Module)


def traced(
    module: nn.Module, shape: Sequence[Any], *, name: str, train: bool, on_unknown: str
) -> Network:
    """Return the network that a module runs in training or in evaluation mode."""
    module.train(train)
    return trace(module, input=tuple(shape), name=name, on_unknown=on_unknown)

"""Build a user's module without memory where its code allows it, and trace it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import nn

from costmodel.algebra.symbols import as_int
from costmodel.analysis.cost import cost
from costmodel.analysis.evidence.printed import Check
from costmodel.bridge import oracles
from costmodel.bridge.trace import trace
from costmodel.network.graph import Network


Traceable: TypeAlias = "nn.Module | torch.export.ExportedProgram"
"""What can be traced."""


def build(make: Callable[[], Any]) -> Any:
    """Return what a function makes: on the meta device, or else really.

    Code that calculates with its tensors while it builds fails without their values,
    and is run again with them.

    >>> build(lambda: nn.Linear(3, 5)).weight.device.type
    'meta'
    >>> build(lambda: torch.full((1,), torch.ones(2).sum().item()))
    tensor([2.])
    """
    try:
        with torch.device("meta"):
            return make()
    except Exception:  # noqa: BLE001 - whatever the code raises, it may work really
        return make()


def checks(
    module: Traceable, network: Network, *, uses_all: bool = True
) -> tuple[Check, ...]:
    """Set a traced network's counts beside PyTorch's own counts of the module itself.

    The module is moved to the meta device, where it runs once more. Parameters are
    compared where it uses all that it has.
    """
    if isinstance(module, torch.export.ExportedProgram):
        module = module.module()
    size = (as_int(network.batch), *map(as_int, network.inputs[0].output.sizes))
    counted = cost(network)
    stored = oracles.learnable(module)
    flops = oracles.flop_counter_macs(module.to("meta"), size)
    macs = Check("macs", "FlopCounterMode", as_int(counted.macs), sum(flops.values()))
    ours = as_int(counted.parameters)
    parameters = Check("parameters", "module.parameters()", ours, stored)
    return (parameters, macs) if uses_all else (macs,)


def is_module(value: object) -> bool:
    """Say whether a value can be traced."""
    return isinstance(value, (nn.Module, torch.export.ExportedProgram))


def traced(
    module: Traceable, shape: Sequence[Any], *, name: str, train: bool, on_unknown: str
) -> Network:
    """Return the network that a module runs in training or in evaluation mode.

    An exported program keeps the mode in which it was exported.
    """
    if isinstance(module, nn.Module):
        module.train(train)
    return trace(module, input=tuple(shape), name=name, on_unknown=on_unknown)

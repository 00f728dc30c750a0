"""Building of users' modules, without memory if their code allows it, and tracing."""

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
    """Return the result of a function, run on the meta device if possible.

    Code that computes with values of its tensors fails on that device, and is run again
    on the default one.

    >>> build(lambda: nn.Linear(3, 5)).weight.device.type
    'meta'
    >>> build(lambda: torch.full((1,), torch.ones(2).sum().item()))
    tensor([2.])
    """
    try:
        with torch.device("meta"):
            return make()
    except Exception:  # noqa: BLE001 - on the default device it may work
        return make()


def checks(
    module: Traceable, network: Network, *, uses_all: bool = True
) -> tuple[Check, ...]:
    """Compare a traced network's counts with PyTorch's own counts of the module.

    The module is moved to the meta device, where it runs once more. Parameters are
    compared if it uses all of them.
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

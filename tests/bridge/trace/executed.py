"""What a module really executes at one size of its input: nothing here is traced."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import FlopCounterMode


@dataclass
class Executed(TorchDispatchMode):
    """Watches kernels: which tensors they are given, and what layers put out."""

    activations: int = 0
    operands: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Start to watch when entered."""
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run one kernel."""
        options = kwargs or {}
        self.operands.update(map(id, tree_flatten((args, options))[0]))
        if func is NORM:
            # Nothing to count, and the slowest of all without memory.
            none = args[0].new_empty(0)
            return torch.empty_like(args[0]), none, none
        result = func(*args, **options)
        if func.overloadpacket in LAYERS:
            self.activations += result.numel()
        return result


NORM = torch.ops.aten.native_batch_norm.default
LAYERS = {torch.ops.aten.convolution, torch.ops.aten.addmm, torch.ops.aten.mm}
"""Kernels of convolutions and linear layers; products of computed tensors are bmm."""


@dataclass(frozen=True)
class Counts:
    """What one run executed; parameters are those that any kernel was given."""

    macs: int
    parameters: int
    activations: int
    unused: frozenset[str]


def executed(module: nn.Module, size: tuple[int, ...]) -> Counts:
    """Run a module on an image without memory, and count what its kernels do."""
    types = (p.dtype for p in module.parameters() if p.is_floating_point())
    image = torch.empty(size, device="meta", dtype=next(types, None))
    flops, seen = FlopCounterMode(display=False), Executed()
    with torch.no_grad(), flops, seen:
        module(image)
    named = dict(module.named_parameters())
    unused = frozenset(name for name, p in named.items() if id(p) not in seen.operands)
    used = sum(p.numel() for name, p in named.items() if name not in unused)
    return Counts(flops.get_total_flops() // 2, used, seen.activations, unused)

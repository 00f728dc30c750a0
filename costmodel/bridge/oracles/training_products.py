"""The products that autograd really computes, counted by running layers on ones.

Nothing here uses our formulas. With every element, weight and incoming gradient 1,
each product is 1, so that a sum of results counts products.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import fx, nn
from torch.utils.flop_counter import FlopCounterMode

from costmodel.bridge.compile import modules, spatial_ranks


class ExecutedProducts(NamedTuple):
    """Products of one layer: forward, for the operand's gradient, for the weights'."""

    forward: int
    backward_input: int
    backward_weight: int


class _Operand(NamedTuple):
    """The operand of a layer: its shape, and whether it needs a gradient."""

    shape: torch.Size
    needs_gradient: bool


LAYERS = (*spatial_ranks.CONV.values(), nn.Linear, modules.TableConv2d)
"""Modules that multiply by learned weights."""


def executed_products(
    module: fx.GraphModule, size: tuple[int, ...]
) -> Mapping[str, ExecutedProducts]:
    """Return the products of every layer of a compiled module, by its node's name.

    The module runs once forward and backward, to find the operands that need a gradient
    and the results that get one. Then each call of a layer runs by itself, with its
    groups, stride and dilation, on ones in place of padding too, as padded taps count.
    """
    seen = _Layers(module, garbage_collect_values=True)
    made = seen.run(torch.zeros(size, device=next(module.parameters()).device))
    ends = [made] if isinstance(made, torch.Tensor) else made
    ends = [end.sum() for end in ends if end.requires_grad]
    torch.autograd.backward(ends)
    for parameter in module.parameters():
        parameter.grad = None
    return {
        name: _on_ones(layer, operand, is_reached=name in seen.reached)
        for name, (layer, operand) in seen.calls.items()
    }


class _Layers(fx.Interpreter):
    """Runs a module; records each call of a layer, by node: also of a shared one."""

    def __init__(self, module: fx.GraphModule, **options: bool) -> None:
        super().__init__(module, **options)
        self.calls: dict[str, tuple[nn.Module, _Operand]] = {}
        self.reached: set[str] = set()

    def run_node(self, n: fx.Node) -> Any:
        """Run a node; note its layer and operand."""
        layer = self.fetch_attr(n.target) if n.op == "call_module" else None
        if isinstance(layer, LAYERS):
            (x,), _ = self.fetch_args_kwargs_from_env(n)
            self.calls[n.meta["node"]] = layer, _Operand(x.shape, x.requires_grad)
        result = super().run_node(n)
        if isinstance(layer, LAYERS) and result.requires_grad:
            result.register_hook(lambda _: self.reached.add(n.meta["node"]))
        return result


def _on_ones(
    layer: nn.Module, operand: _Operand, *, is_reached: bool
) -> ExecutedProducts:
    """Run a layer forward and backward with nothing but ones."""
    twin: Any = copy.deepcopy(layer).to_empty(device="cpu").double()
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    x = torch.ones(operand.shape, dtype=torch.float64)
    if isinstance(layer, tuple(spatial_ranks.CONV.values())):
        ends = [padding for padding in reversed(twin.padding) for _ in range(2)]
        x = nn.functional.pad(x, ends, value=1.0)
        twin.padding = (0,) * len(twin.padding)
    x.requires_grad_(operand.needs_gradient)
    result = twin(x).sum()
    if not is_reached:
        return ExecutedProducts(int(result), 0, 0)
    result.backward()
    weights = [p.grad for n, p in twin.named_parameters() if n.endswith("weight")]
    return ExecutedProducts(
        int(result),
        int(x.grad.sum()) if operand.needs_gradient else 0,
        sum(int(gradient.sum()) for gradient in weights if gradient is not None),
    )


def flop_counter_training_macs(
    module: fx.GraphModule, size: tuple[int, ...]
) -> Mapping[str, int]:
    """Return half of what ``FlopCounterMode`` counts forward and backward, by operator.

    It ignores groups in a convolution's backward, so it holds for ungrouped ones only.
    """
    with FlopCounterMode(display=False) as counter:
        result = module(torch.zeros(size, device=next(module.parameters()).device))
        result.sum().backward()
    counts = counter.get_flop_counts().get("Global", {})
    return {str(name): count // 2 for name, count in counts.items()}

"""What a module's own autograd saves is what the memory of its trace says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import nn

import costmodel as cm
from costmodel.algebra.symbols import H, W
from costmodel.analysis.memory.gradient_flow import gradient_flow
from costmodel.bridge.oracles.memory_trackers import blocks_saved_by
from costmodel.bridge.trace import trace
from tests.bridge.trace.modules import Code
from tests.bridge.trace.test_spellings import CALLS, functions, plain, spelled


SIZE = (2, 8, 6, 10)


def agrees(module: nn.Module, channels: int = 8, device: str = "meta") -> None:
    """Trace a module in training, and compare what it saves."""
    count, _, height, width = SIZE
    net = trace(module.train(), (channels, H, W), check=False)
    memory = cm.memory(net.bind(N=count, H=height, W=width), training=True)
    ours = sorted(tensor.bytes for tensor in memory.tensors if tensor.is_saved)
    size = (count, channels, height, width)
    assert ours == blocks_saved_by(module.to(device), torch.ones(size, device=device))


OPERANDS: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    "the input": lambda _, x: x,
    "learned": lambda m, x: m.first(x),
    "permuted": lambda m, x: m.first(x).transpose(2, 3),
    "a part": lambda m, x: torch.cat([m.first(x)] * 2, 1)[:, : x.shape[1]],
    "channels last": lambda m, x: (
        m.first(x).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    ),
}

EXCEPT = {"scaled_dot_product_attention", "to", "rdiv"}
"""Fused on a device alone; moved between devices; a method that divides otherwise."""
COPYING = {"einsum", "scores"}
"""Those that copy operands in another order, or behind ``contiguous``."""


def called(name: str, arguments: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    """Give the call of a function, on a module's own tensors."""
    ways = (
        f
        for f in functions()[name]
        if not f.__name__.endswith("_") or f.__name__.startswith("__")
    )
    for func, make in product(ways, spelled(arguments)):
        if plain(func, make) is None:
            continue

        def call(m: Any, x: torch.Tensor, func: Any = func, make: Any = make) -> Any:
            held = dict(m.named_parameters(recurse=False)) | dict(m.named_buffers())
            own = {id(v): held[k] for k, v in arguments.items() if k in held}
            args, options = make(x)
            args = [own.get(id(value), value) for value in args]
            options = {k: own.get(id(v), v) for k, v in options.items()}
            return func(*args, **options)

        yield call
        return


@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("name", sorted(CALLS.keys() - EXCEPT))
def test_a_function_saves_what_is_executed(name: str, operand: str) -> None:
    if name in COPYING and operand not in ("the input", "learned"):
        pytest.skip("it copies")
    first = {} if operand == "the input" else {"first": nn.Conv2d(8, 8, 1)}
    for arguments in CALLS[name]:
        for call in called(name, arguments):
            stored = {
                key: value
                for key, value in arguments.items()
                if isinstance(value, torch.Tensor)
            }

            def run(m: Any, x: torch.Tensor, call: Any = call) -> Any:
                return call(m, OPERANDS[operand](m, x))

            module = Code(run, **first)
            for key, value in stored.items():
                if isinstance(value, nn.Parameter):
                    module.register_parameter(key, value)
                else:
                    module.register_buffer(key, value)
            # With running statistics, the kernel without memory alone keeps any others.
            agrees(module, device="cpu" if name == "batch_norm" else "meta")


def gated_by_hand(x: torch.Tensor) -> torch.Tensor:
    left, right = x.chunk(2, dim=-1)
    return left * right.sigmoid()


LAYERS: dict[str, Callable[[int], Callable[[torch.Tensor], torch.Tensor]]] = {
    "glu": lambda _: nn.GLU(-1),
    "glu by hand": lambda _: gated_by_hand,
    "channel attention": lambda _: (
        lambda x: torch.cat([x.max(1, keepdim=True)[0], x.mean(1, keepdim=True)], 1)
    ),
    "two maxima": lambda _: lambda x: x.max(-1).values.max(-1).values,
    "padding of one side": lambda c: nn.Conv2d(c, 4, 4, padding="same"),
    "response normalization": lambda _: (
        lambda x: (
            x
            * (g := x.norm(dim=(2, 3), keepdim=True))
            / (g.mean(1, keepdim=True) + 1e-6)
        )
    ),
    "normalized by hand": lambda _: (
        lambda x: (
            (x - x.mean(1, keepdim=True)) * torch.rsqrt(x.var(1, keepdim=True) + 1e-5)
        )
    ),
    "squashed": lambda _: lambda x: x * F.hardsigmoid(x),
    "depthwise": lambda c: nn.Conv2d(c, 2 * c, 3, groups=c),
    "batch normalization": nn.BatchNorm2d,
    "instance normalization": lambda c: nn.InstanceNorm2d(c, affine=True),
    "group normalization": lambda c: nn.GroupNorm(1, c),
    "scores": lambda _: lambda x: (x @ x.transpose(-1, -2)).softmax(-1) @ x,
}


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_saves_what_is_executed(name: str, operand: str, channels: int) -> None:
    if name in COPYING and operand == "channels last":
        pytest.skip("it copies")
    layer = LAYERS[name](channels)

    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        return layer(OPERANDS[operand](m, x))

    held = {"layer": layer} if isinstance(layer, nn.Module) else {}
    if operand != "the input":
        held["first"] = nn.Conv2d(channels, channels, 1)
    agrees(Code(run, **held), channels)


def test_comparisons_hand_no_gradient_on() -> None:
    net = trace(Code(lambda m, x: m.first(x) > 0, first=nn.Conv2d(3, 4, 1)))
    assert gradient_flow(net).needs == {"input": False, "first": True, "greater": False}

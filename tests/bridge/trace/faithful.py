"""The law of tracing: what is compiled from a trace is the module that was traced."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sympy
import torch
from torch import nn
from torch.utils._pytree import tree_flatten

import costmodel as cm
from costmodel.algebra.symbols import H, W
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from costmodel.network.graph import Network


SIZES = ((17, 23), (24, 16), (32, 32))
"""Heights and widths; networks that refuse one take those of their own."""

BATCHES = (1, 5)


def is_faithful(
    module: nn.Module,
    sample: Sequence[Any] = (3, H, W),
    sizes: Sequence[tuple[int, int]] = SIZES,
) -> bool:
    """Hold a module against what its trace compiles to; say if values were compared.

    Shapes have to be equal at every size and batch. Values have to be where all weights
    have the module's names, and all operators are determined.
    """
    torch.manual_seed(0)
    module = copy.deepcopy(module).float().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters that are never used
        net = trace(module, sample)
    compiled, is_loaded = None, False
    compares = all(node.operator.is_determined for node in net.nodes)
    for height, width in sizes:
        at = {H: height, W: width}
        if compiled is None or not is_free(net):
            compiled = compiled_at(net, at)
            is_loaded = load(compiled, module)
        for batch in BATCHES:
            shape = (batch, *(int(sympy.sympify(s).subs(at)) for s in sample))
            x = torch.randn(shape)
            with torch.no_grad():
                theirs, ours = list(tensors(module(x))), list(tensors(compiled(x)))
            assert len(theirs) == len(ours)
            for y, z in zip(theirs, ours, strict=True):
                same = batch_first(y, z)
                assert same.shape == z.shape
                if compares and is_loaded:
                    torch.testing.assert_close(
                        z.to(y.dtype), same, rtol=1e-4, atol=1e-5
                    )
    return compares and is_loaded


def batch_first(y: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return a result with its batch in front, as compiled modules have it."""
    moved = (y.movedim(axis, 0) for axis in range(y.dim()))
    fitting = (one for one in moved if one.shape == like.shape)
    if y.dim() + 1 == like.dim() and y.shape[0] == like.shape[0] * like.shape[1]:
        return y.unflatten(0, like.shape[:2])  # the batch times another axis
    return next(fitting, y)


def is_free(net: Network) -> bool:
    """Say whether one module serves every size."""
    try:
        cm.compile(net, device="meta")
    except CostModelError as error:
        assert "bind" in str(error), error  # noqa: PT017 - any other is none of size
        return False
    return True


def compiled_at(net: Network, at: dict[Any, int]) -> nn.Module:
    """Return the compiled module, of the network at a size if it needs one."""
    return cm.compile(net if is_free(net) else net.bind(at))


def load(compiled: nn.Module, module: nn.Module) -> bool:
    """Copy weights by name; say whether there is one of that name for all.

    Where code calls a function with weights, they have the name of its node: without
    that they are the module's, or else they are taken by their order.
    """
    theirs, ours = module.state_dict(), compiled.state_dict()
    names = {name: named_in(theirs, name) for name in ours}
    rest = [name for name in theirs if name not in names.values()]
    odd = [name for name, same in names.items() if same not in theirs]
    if len(odd) == len(rest):
        names |= dict(zip(odd, rest, strict=True))
    found = {
        name: theirs[same].reshape(ours[name].shape)
        for name, same in names.items()
        if same in theirs and theirs[same].numel() == ours[name].numel()
    }
    compiled.load_state_dict(found, strict=False)
    return found.keys() == ours.keys()


def named_in(theirs: Iterable[str], name: str) -> str:
    """Return the name that a compiled module's stored tensor has in the traced one."""
    node, _, tensor = name.rpartition(".")
    scope = node.rpartition(".")[0]
    # Names of nodes are words; those of modules may be anything.
    known = {re.sub(r"[^\w.]", "_", one): one for one in theirs}
    tried = (name, node, f"{scope}.{tensor}")
    return next((known[one] for one in tried if one in known), name)


def filled(m: nn.Module) -> nn.Module:
    """Give every weight and statistic of a module some number of its own."""
    for value in (*m.parameters(), *m.buffers()):
        if value.is_floating_point():
            value.data = torch.rand(value.shape) * 0.5 + 0.01
    return m


def tensors(result: Any) -> Iterator[torch.Tensor]:
    """Return the tensors among the results."""
    yield from (y for y in tree_flatten(result)[0] if isinstance(y, torch.Tensor))

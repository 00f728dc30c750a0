"""The law of tracing: what is compiled from a trace is the module that was traced."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
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

BATCHES = (1, 3)


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
    module = copy.deepcopy(module).double().eval()
    net = trace(module, sample)
    compiled, is_loaded = None, False
    compares = all(node.operator.is_determined for node in net.nodes)
    for height, width in sizes:
        at = {H: height, W: width}
        if compiled is None or not is_free(net):
            compiled = compiled_at(net, at).double()
            is_loaded = load(compiled, module)
        for batch in BATCHES:
            shape = (batch, *(int(sympy.sympify(s).subs(at)) for s in sample))
            x = torch.randn(shape, dtype=torch.float64)
            with torch.no_grad():
                theirs, ours = list(tensors(module(x))), list(tensors(compiled(x)))
            assert [y.shape for y in theirs] == [y.shape for y in ours]
            if compares and is_loaded:
                for y, z in zip(theirs, ours, strict=True):
                    torch.testing.assert_close(z.to(y.dtype), y)
    return compares and is_loaded


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
    """Copy weights by name; say whether there is one of that name for all."""
    theirs, found = module.state_dict(), {}
    for name, value in compiled.state_dict().items():
        same = theirs.get(name, theirs.get(name.removesuffix(".data")))
        if same is None or same.numel() != value.numel():
            return False
        found[name] = same.reshape(value.shape)
    compiled.load_state_dict(found)
    return True


def tensors(result: Any) -> Iterator[torch.Tensor]:
    """Return the tensors among the results."""
    yield from (y for y in tree_flatten(result)[0] if isinstance(y, torch.Tensor))

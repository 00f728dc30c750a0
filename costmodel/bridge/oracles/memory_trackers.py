"""Memory by PyTorch's own instruments: autograd's hooks, and ``MemTracker``.

Nothing here uses our formulas.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import fx, nn

from costmodel.bridge.compile import compile as compile_
from costmodel.network.graph import Network


def prepare(
    module: fx.GraphModule,
    *,
    training: bool,
    dtype: str = "float32",
    in_place: Collection[str] = (),
) -> fx.GraphModule:
    """Put a compiled module in its mode and dtype, ReLUs in place where named.

    Dropout becomes the operator that GPUs run, whose mask is Boolean: on a CPU
    PyTorch multiplies by a mask of the elements' dtype.
    """
    for name, leaf in list(module.named_modules()):
        if isinstance(leaf, nn.Dropout):
            module.set_submodule(name, _Dropout(leaf.p))
        if isinstance(leaf, nn.ReLU):
            leaf.inplace = name in in_place
    if dtype != "float32":  # which it is; fake tensors could not be replaced
        module.to(getattr(torch, dtype))
    return module.train(training)


def saved_blocks(
    module: fx.GraphModule, size: tuple[int, ...], dtype: str = "float32"
) -> list[int]:
    """Run a prepared module; return the bytes of each block that autograd saved."""
    return blocks_saved_by(module, *samples(module, size, dtype))


def blocks_saved_by(module: nn.Module, *given: torch.Tensor) -> list[int]:
    """Run a module on some tensors; return the bytes of each block that is saved.

    PyTorch's own hooks see every saved tensor; parameters, buffers, scalars and what
    is empty are left out, and a block that several tensors share counts once.
    """
    stored = stored_storages(module)
    blocks: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if tensor.dim() and storage.nbytes() and id(storage) not in stored:
            blocks[id(storage)] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module(*given)
    return sorted(storage.nbytes() for storage in blocks.values())


class Tracked(NamedTuple):
    """Bytes that PyTorch's own tracker counts, at the peak and after a forward pass."""

    peak: int
    left: int
    parameters: int
    buffers: int


def tracked_bytes(network: Network, *, training: bool) -> Tracked:
    """Run a network forward under ``MemTracker``, on fake tensors; return its counts.

    The sample exists before it starts, so it is not counted. Unlike
    :func:`executed_lifetimes` it counts workspace.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.distributed._tools.mem_tracker import MemTracker

    with FakeTensorMode():
        module = prepare(compile_(network), training=training)
        given = [torch.zeros(network.batch, *node.output.sizes)
                 for node in network.inputs]  # fmt: skip
        tracker = MemTracker()
        tracker.track_external(module)
        with torch.set_grad_enabled(training), tracker:
            results = module(*given)
        peak, left = (
            {getattr(kind, "value", kind): count for kind, count in snapshot.items()}
            for when in ("peak", "current")
            for snapshot in tracker.get_tracker_snapshot(when).values()
        )
        del results
    return Tracked(
        peak["Activation"], left["Activation"], left["Parameter"], left["Buffer"]
    )


class _Dropout(nn.Module):
    """Dropout as a GPU runs it."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop elements in training."""
        if self.training and 0 < self.probability < 1:
            return torch.native_dropout(x, self.probability, True)[0]
        return nn.functional.dropout(x, self.probability, self.training)


def samples(
    module: fx.GraphModule, size: tuple[int, ...], dtype: str
) -> list[torch.Tensor]:
    """Return zeros for every input, on the module's device."""
    device = next((t.device for t in module.state_dict().values()), "meta")
    inputs = [node for node in module.graph.nodes if node.op == "placeholder"]
    kind = getattr(torch, dtype)
    return [torch.zeros(size, device=device, dtype=kind) for _ in inputs]


def stored_storages(module: nn.Module) -> set[int]:
    """Return the storages of parameters and buffers, by identity."""
    tensors = [*module.parameters(), *module.buffers()]
    return {id(tensor.untyped_storage()) for tensor in tensors}

"""Mixed precision against PyTorch's own autocast for CUDA, without memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

from costmodel.algebra.symbols import H, N, W
from costmodel.bridge.model_zoo import timm_module, timm_network_and_scalars
from costmodel.runtime.kernels.autocast import moved
from tests import zoo
from tests.bridge.trace.chosen import either


BATCH = 101
"""A prime number that divides no number of weights."""

NAMES = ["resnet18", "convnext_atto", "hgnetv2_b0", "efficientnet_b0", "resnest14d",
         "nf_resnet26", "mobileone_s1", "mixnet_s", "dm_nfnet_f0", "convnextv2_atto",
         "resnetv2_50", "xception41", "fasternet_t0", "skresnet18"]  # fmt: skip


@dataclass
class Casts(TorchDispatchMode):
    """Counts what autocast converts of samples: elements, and how often."""

    elements: int = 0
    count: int = 0

    def __post_init__(self) -> None:
        """Start to watch when entered."""
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run one kernel."""
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default:
            before, each = args[0], args[0].numel() // BATCH
            if before.numel() % BATCH == 0 and before.dtype != result.dtype:
                self.elements += each
                self.count += 1
        return result


@contextmanager
def autocast() -> Iterator[None]:
    """Switch it on as on a GPU; ``torch.autocast`` refuses where there is none."""
    before = torch.is_autocast_enabled("cuda")
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", torch.float16)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", before)


def executed(module: Any, side: int) -> tuple[Casts, torch.dtype]:
    """Return what a module's autocast converts, and the type of its result."""
    seen = Casts()
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), autocast():
        state = {
            name: torch.empty(value.shape, dtype=value.dtype, device="cuda")
            for name, value in module.state_dict().items()
        }
        x = torch.empty(BATCH, 3, side, side, device="cuda")
        with seen:
            result = functional_call(module, state, (x,))
    return seen, result.dtype


@pytest.mark.parametrize("name", either(NAMES, NAMES[:6]))
def test_casts_are_those_of_pytorch(name: str) -> None:
    zoo.timm()
    side = 224
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is disabled without a GPU
        seen, _ = executed(timm_module(name)[0].eval(), side)
    net, _, scalars = timm_network_and_scalars(name)
    ours = moved(net.bind({N: 1, H: side, W: side}), scalars).values()
    assert sum(one.cast_elements for one in ours) == seen.elements
    assert sum(one.casts for one in ours) == seen.count

"""The compiled lowering beside PyTorch's own compiler: as many loops, as many calls.

The compiler is stopped once it has decided what it fuses, before it writes any code.
Its change of memory layout is off: it copies weights once, which is no kernel a batch.
"""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from typing import Any

import pytest
import torch

import costmodel as cm
from costmodel.network.graph import Network
from costmodel.runtime.kernels import Setting, kernels
from tests.drawn import input_size
from tests.runtime.profiled import threads


pytestmark = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")),
    reason="PyTorch's compiler asks for a C++ compiler",
)
PRODUCTS = ("conv", "gemm", "gemv")


class FusedError(Exception):
    """Raised to stop the compiler where it has fused."""


def decided(net: Network) -> Counter[str]:
    """Return how many library calls and loops PyTorch's compiler decides on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecated calls
        from torch._inductor import config
        from torch._inductor import scheduler as inductor
    found: list[Any] = []

    def stop(nodes: list[Any]) -> list[Any]:
        found.extend(nodes)
        raise FusedError

    module, x = cm.compile(net).eval(), torch.randn(input_size(net))
    changes = {"_post_fusion_custom_pass": stop, "layout_optimization": False,
               "fx_graph_cache": False}  # fmt: skip
    torch._dynamo.reset()
    with warnings.catch_warnings(), threads(1), torch.inference_mode():
        warnings.simplefilter("ignore")
        with config.patch(changes), pytest.raises(Exception, match="FusedError"):
            torch.compile(module)(x)
    nothing = inductor.NopKernelSchedulerNode
    is_call = [
        isinstance(node, inductor.ExternKernelSchedulerNode)
        for node in found
        if not isinstance(node, nothing)
    ]
    return Counter("call" if call else "loop" for call in is_call)


def foretold(net: Network) -> Counter[str]:
    """Return how many library calls and loops the compiled lowering has."""
    kinds = [kernel.kind for kernel in kernels(net, Setting(mode="compile"))]
    return Counter("call" if any(p in k for p in PRODUCTS) else "loop" for k in kinds)


@pytest.mark.parametrize(
    ("name", "side"),
    [("resnet18", 160), ("mobilenet_v2", 160), ("efficientnet_b0", 160),
     ("densenet121", 160)],
)  # fmt: skip
def test_as_many_loops_and_calls_as_pytorchs_compiler_decides_on(
    name: str, side: int
) -> None:
    net = cm.load(name, resolution=side, batch=1)
    assert foretold(net) == decided(net)


@pytest.mark.parametrize("name", ["vgg11", "squeezenet1_1", "shufflenet_v1"])
def test_pytorchs_compiler_fuses_more_around_poolings_and_copies(name: str) -> None:
    """Rectifiers before small poolings, concatenations and shuffles are left apart."""
    net = cm.load(name, resolution=160, batch=1)
    ours, theirs = foretold(net), decided(net)
    assert ours["call"] == theirs["call"]
    assert ours["loop"] > theirs["loop"]

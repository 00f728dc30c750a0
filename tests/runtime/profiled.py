"""What PyTorch's profiler saw: the kernels of one forward pass, by what they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from costmodel.network.graph import Network
from costmodel.runtime.kernels import Setting, kernels
from tests.drawn import input_size


GROUPS = {
    "oneDNN": {
        "conv", "stem_conv", "pointwise_conv", "depthwise_conv", "grouped_conv",
        "uneven_grouped_conv",
    },
    "native": {"conv_native", "pointwise_conv_native", "grouped_conv_native"},
    "product": {"gemm", "gemv"},
    "batch_norm": {"batch_norm"},
    "layer_norm": {"layer_norm"},
    "group_norm": {"group_norm"},
    "max_pool": {"max_pool"},
    "avg_pool": {"avg_pool"},
    "reduction": {"global_pool"},
    "elementwise": {
        "relu", "clamp", "silu", "gelu", "hardswish", "hardsigmoid", "sigmoid", "tanh",
        "add", "multiply", "pointwise", "softmax",
    },
    "concat": {"concat"},
    "pad": {"pad"},
    "upsample": {"upsample"},
    "copy": {"copy"},
}  # fmt: skip
"""Classes of kernels that a profile tells apart."""

PARTS = {
    # Squares, a border, their means, times a number, plus one, a power, a quotient.
    "local_response_norm": Counter(elementwise=5, pad=1, avg_pool=1)
}
"""Classes that are timed as one, and what PyTorch runs."""

NAMES = {
    "linear": "product", "batch_norm": "batch_norm", "layer_norm": "layer_norm",
    "group_norm": "group_norm", "max_pool2d": "max_pool",
    "adaptive_max_pool2d": "max_pool", "avg_pool2d": "avg_pool",
    "avg_pool3d": "avg_pool", "_adaptive_avg_pool2d": "avg_pool", "mean": "reduction",
    "sum": "reduction", "cat": "concat", "pad": "pad", "clone": "copy",
    "copy_": "copy", "index": "copy", "zeros_like": "copy",
    "upsample_nearest2d": "upsample", "index_select": "copy",
} | dict.fromkeys([
    "relu", "hardtanh", "silu", "gelu", "hardswish", "hardsigmoid", "sigmoid", "tanh",
    "add", "mul", "div", "pow", "sub", "softmax", "square",
], "elementwise")  # fmt: skip
"""What PyTorch's operators do, by their names."""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seen(module: Any, net: Network) -> Counter[str]:
    """Return how many kernels of each group run, on one thread."""
    x = torch.randn(input_size(net))
    with threads(1), torch.inference_mode():
        module.eval()(x)
        with profile(activities=[ProfilerActivity.CPU]) as recorded:
            module(x)
    roots = [event for event in recorded.events() if event.cpu_parent is None]
    return Counter(group for event in roots for group in _groups(event))


def foretold(net: Network, mode: str = "eager") -> Counter[str]:
    """Return how many kernels of each group the lowered network has."""
    group_of = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
    found: Counter[str] = Counter()
    for kernel in kernels(net, Setting(mode=mode)):
        found += PARTS.get(kernel.kind) or Counter([group_of[kernel.kind]])
    return found


def _groups(event: Any) -> Iterator[str]:
    """Give what an event does, or else what the events inside of it do."""
    name = event.name.removeprefix("aten::")
    if name in ("conv2d", "conv1d"):
        yield "oneDNN" if _has(event, "aten::mkldnn_convolution") else "native"
    elif name in NAMES:
        yield NAMES[name]
    else:
        for child in event.cpu_children:
            yield from _groups(child)


def _has(event: Any, name: str) -> bool:
    return event.name == name or any(_has(child, name) for child in event.cpu_children)

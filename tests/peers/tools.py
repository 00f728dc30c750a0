"""What each tool prints for a module: its own entry point, called as its pages say.

Nothing here knows how a tool counts. Tools are imported in the functions that call
them, in a process that serves no other tool.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn


Size = tuple[int, ...]


def ptflops(module: nn.Module, size: Size) -> int:
    """Return what ptflops counts with its default backend."""
    return _ptflops(module, size, "pytorch")


def ptflops_aten(module: nn.Module, size: Size) -> int:
    """Return what ptflops counts with its other backend."""
    return _ptflops(module, size, "aten")


def _ptflops(module: nn.Module, size: Size, backend: str) -> int:
    from ptflops import get_model_complexity_info

    counted, _ = get_model_complexity_info(
        module,
        size[1:],
        as_strings=False,
        print_per_layer_stat=False,
        backend=backend,
        input_constructor=lambda shape: torch.zeros(size[0], *shape),
    )
    return _whole(counted)


def thop(module: nn.Module, size: Size) -> int:
    """Return what thop counts."""
    import setuptools  # noqa: F401 - brings distutils back, which thop imports
    from thop import profile

    operations, _ = profile(module, inputs=(torch.zeros(size),), verbose=False)
    return _whole(operations)


def torchinfo(module: nn.Module, size: Size) -> int:
    """Return torchinfo's "total mult-adds"."""
    from torchinfo import summary

    return _whole(summary(module, input_size=size, verbose=0).total_mult_adds)


def deepspeed(module: nn.Module, size: Size) -> int:
    """Return the FLOPs of DeepSpeed's profiler."""
    from deepspeed.profiling.flops_profiler import get_model_profile

    counted, _, _ = get_model_profile(
        module, input_shape=size, print_profile=False, as_string=False, warm_up=0
    )
    return _whole(counted)


def calflops(module: nn.Module, size: Size) -> int:
    """Return the FLOPs of calflops; a module without parameters it cannot count."""
    if "calflops" not in sys.modules:
        # It would import transformers, which only its counts of language models need.
        sys.modules["calflops"] = package = ModuleType("calflops")
        package.__path__ = [str(Path(folder) / "calflops") for folder in sys.path]
    from calflops.flops_counter import calculate_flops

    counted, _, _ = calculate_flops(
        module, size, print_results=False, output_as_string=False
    )
    return _whole(counted)


def fvcore(module: nn.Module, size: Size) -> int:
    """Return what fvcore counts."""
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(module, torch.zeros(size))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return _whole(analysis.total())


def flop_counter(module: nn.Module, size: Size) -> int:
    """Return what PyTorch's FlopCounterMode counts."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(size))
    return _whole(counter.get_total_flops())


def _whole(count: Any) -> int:
    """Return a count as the whole number that it is, whatever type a tool gives it."""
    number = float(count)
    assert math.isfinite(number)
    assert number == int(count)
    return int(count)


COUNTERS: dict[str, Callable[[nn.Module, Size], int]] = {
    "fvcore": fvcore,
    "torch": flop_counter,
    "ptflops": ptflops,
    "ptflops-aten": ptflops_aten,
    "thop": thop,
    "torchinfo": torchinfo,
    "deepspeed": deepspeed,
    "calflops": calflops,
}
"""Tools that count a module, by the name of the convention; calflops is DeepSpeed's."""

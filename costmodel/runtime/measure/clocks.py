"""One timed run: the clocks, the page faults, and a process kept still meanwhile."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from costmodel.runtime.measure.result import Sample
from costmodel.runtime.setting import Setting


if sys.platform != "win32":  # which has no such module
    import resource


def clock_of(setting: Setting) -> str:
    """Return the clock whose seconds are used.

    A single thread's own processor time excludes what other processes took from it;
    with several threads only wall time is meaningful. The GPU times a CUDA graph.
    """
    if setting.device == "cuda":
        return "events" if setting.mode == "graph" else "wall"
    return "thread" if setting.threads == 1 else "wall"


def sampled(run: Callable[..., Any], x: torch.Tensor, clock: str) -> Sample:
    """Time one run on the CPU."""
    faults, thread, wall = _faults(), time.thread_time_ns(), time.perf_counter_ns()
    result = run(x)
    ends = time.perf_counter_ns(), time.thread_time_ns(), _faults()
    del result
    own, outside = (ends[1] - thread) / 1e9, (ends[0] - wall) / 1e9
    seconds = own if clock == "thread" else outside
    return Sample(seconds, outside, float(ends[2] - faults))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make weights and inputs from a seed, and leave random states as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def still(setting: Setting) -> Iterator[None]:
    """Set the process up for measuring, and restore it afterwards.

    The setting's threads, one core for one thread, no garbage collection, no gradients,
    and no denormal numbers: random weights produce some that trained ones do not.
    """
    with ExitStack() as state:
        state.enter_context(torch.inference_mode())
        if setting.device == "cuda":
            state.enter_context(_cuda_flags())
        else:
            state.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(setting.threads)
            state.callback(torch.set_flush_denormal, _flushes())
            torch.set_flush_denormal(True)
            if setting.threads == 1:
                state.enter_context(_one_core())
        if gc.isenabled():
            state.callback(gc.enable)
            gc.disable()
        yield


def _faults() -> int:
    """Return minor page faults so far, of this thread where the system reports them."""
    if sys.platform == "win32":
        return 0
    who = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)
    return resource.getrusage(who).ru_minflt


def _flushes() -> bool:
    """Say whether denormal numbers are flushed to zero now."""
    tiny = torch.tensor([1e-310], dtype=torch.float64)
    return not bool((tiny * 1.0).item())


@contextmanager
def _one_core() -> Iterator[None]:
    """Stay on one core, where the system lets a process choose."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _cuda_flags() -> Iterator[None]:
    """Let cuDNN benchmark its kernels, and disable TF32."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = True, False, False
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before

"""Timed runs on a GPU: blocks of runs between events, CUDA graphs, steady clocks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from costmodel.runtime.measure.environment import gpu_state
from costmodel.runtime.measure.result import Sample


BLOCK = 20
"""Runs between two events: a single one is too short beside the events themselves."""

WARM_SECONDS, WARM_RUNS = 3.0, 50
"""Warm-up in which a GPU's clock settles, whichever ends first."""

SAME_CLOCK = 0.02
"""Rounds whose clock differs more than this from the median round's are left out."""


def copies_of(bytes_each: int) -> int:
    """Return how many inputs are twice as large as the GPU's cache, at most 4."""
    cache = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 0) or 0
    return max(1, min(4, math.ceil(2 * cache / max(1, bytes_each))))


def captured(
    run: Callable[..., Any], inputs: Sequence[torch.Tensor]
) -> list[Callable[[], None]]:
    """Return replays of one run as a CUDA graph, one per input.

    A few runs on a side stream come first, as capturing requires.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            for x in inputs:
                run(x)
    torch.cuda.current_stream().wait_stream(stream)
    replays: list[Callable[[], None]] = []
    for x in inputs:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run(x)
        replays.append(graph.replay)
    return replays


def warm(calls: Sequence[Callable[[], Any]]) -> None:
    """Run until the clock has settled."""
    start = time.perf_counter()
    for count in range(WARM_RUNS):
        calls[count % len(calls)]()
        torch.cuda.synchronize()
        if time.perf_counter() - start > WARM_SECONDS:
            return


def block(calls: Sequence[Callable[[], Any]], clock: str) -> Sample:
    """Time a block of runs, inputs in turn; return the seconds per run."""
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start = time.perf_counter_ns()
    first.record()
    for count in range(BLOCK):
        calls[count % len(calls)]()
    last.record()
    torch.cuda.synchronize()
    wall = (time.perf_counter_ns() - start) / 1e9 / BLOCK
    events = first.elapsed_time(last) / 1e3 / BLOCK
    return Sample(events if clock == "events" else wall, wall)


def clock_now() -> float:
    """Return the GPU's clock in MHz, NaN where it is unknown."""
    return gpu_state().get("sm_mhz", math.nan)


def steady(clocks: Sequence[float]) -> list[bool]:
    """Say which rounds ran at the median clock; all if too few would be left.

    >>> steady([1980, 1980, 1500])
    [True, True, False]
    """
    known = np.array(clocks, dtype=float)
    if np.isnan(known).any():
        return [True] * len(known)
    middle = float(np.median(known))
    kept = [bool(abs(clock / middle - 1) <= SAME_CLOCK) for clock in known]
    return kept if 2 * sum(kept) >= len(kept) else [True] * len(kept)

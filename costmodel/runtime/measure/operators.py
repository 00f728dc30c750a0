"""Every node of a compiled network timed in its place, while the network runs.

A loop over the graph calls each node as the module's own code would, reads a clock
before and after, and frees values after their last reader. An operator's operands are
then cached, or not, as they are in the network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx


@dataclass(frozen=True, slots=True)
class Step:
    """One call: the function, its arguments, and the network's node it belongs to."""

    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    name: str
    owner: str
    """The network's node that this call is part of."""
    last: tuple[str, ...]
    """Values that no later call reads."""


def steps(module: fx.GraphModule) -> list[Step]:
    """Return the calls of a compiled module, in order.

    Some nodes of a network are several calls; the last one has the node's name, and
    those before it belong to the same node.
    """
    waiting: list[tuple[fx.Node, Callable[..., Any]]] = []
    found: list[Step] = []
    last = _last_readers(module.graph)
    for node in module.graph.nodes:
        if node.op in ("placeholder", "output"):
            continue
        waiting.append((node, _call(module, node)))
        if "node" in node.meta:
            owner = node.meta["node"]
            for one, call in waiting:
                gone = tuple(last.get(one.name, ()))
                found.append(Step(call, tuple(one.args), one.name, owner, gone))
            waiting.clear()
    return found


def run_steps(
    module: fx.GraphModule, calls: list[Step], x: torch.Tensor,
    clock: Callable[[], int] = time.thread_time_ns,
) -> dict[str, float]:  # fmt: skip
    """Run the network once; return every node's seconds by this clock."""
    values: dict[str, Any] = {
        node.name: x for node in module.graph.find_nodes(op="placeholder")
    }
    taken: dict[str, int] = {}
    for step in calls:
        arguments = fx.node.map_arg(step.arguments, lambda node: values[node.name])
        start = clock()
        values[step.name] = step.call(*arguments)
        end = clock()
        taken[step.owner] = taken.get(step.owner, 0) + end - start
        del arguments
        for name in step.last:
            del values[name]
    return {owner: nanoseconds / 1e9 for owner, nanoseconds in taken.items()}


def run_profiled(
    module: fx.GraphModule, calls: list[Step], x: torch.Tensor
) -> dict[str, float]:
    """Run the network once on a GPU; return the seconds of each node's own kernels."""
    activities = [torch.profiler.ProfilerActivity.CPU,
                  torch.profiler.ProfilerActivity.CUDA]  # fmt: skip
    with torch.profiler.profile(activities=activities) as profile:
        values: dict[str, Any] = {
            node.name: x for node in module.graph.find_nodes(op="placeholder")
        }
        for step in calls:
            arguments = fx.node.map_arg(step.arguments, lambda node: values[node.name])
            with ExitStack() as inside:
                inside.enter_context(torch.profiler.record_function(_MARK + step.owner))
                values[step.name] = step.call(*arguments)
            for name in step.last:
                del values[name]
        torch.cuda.synchronize()
    taken = {step.owner: 0.0 for step in calls}
    for event in profile.events():
        is_ours = event.name.startswith(_MARK)
        if is_ours and event.device_type == torch.autograd.DeviceType.CPU:
            taken[event.name.removeprefix(_MARK)] += event.device_time_total / 1e6
    return taken


_MARK = "node:"


def _call(module: fx.GraphModule, node: fx.Node) -> Callable[..., Any]:
    """Return what a node calls."""
    if node.op == "call_module":
        leaf: Callable[..., Any] = module.get_submodule(node.target)
        return leaf
    if node.op == "get_attr":
        value: Any = module
        for part in node.target.split("."):
            value = getattr(value, part)
        return lambda: value
    function: Callable[..., Any] = node.target
    return function


def _last_readers(graph: fx.Graph) -> dict[str, list[str]]:
    """Return, by a node's name, the values that it reads last."""
    seen: set[fx.Node] = set()
    found: dict[str, list[str]] = {}
    for node in reversed(graph.nodes):
        for source in node.all_input_nodes:
            if source not in seen:
                seen.add(source)
                found.setdefault(node.name, []).append(source.name)
    return found

"""The stack of running submodules, followed without changing the modules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from costmodel.bridge.compile.leaf_table import operator_of
from costmodel.bridge.importing.graph import Constant, Traced
from costmodel.bridge.trace.tracer import Tracer
from costmodel.errors import CostModelError
from costmodel.network import operators as op


@contextmanager
def following(tracer: Tracer, module: nn.Module) -> Iterator[None]:
    """Keep track of the running submodule, without changing the modules."""
    paths: dict[int, str] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        paths.setdefault(id(part), path)
    original, kept = nn.Module.__call__, _kept(module)

    def call(part: nn.Module, *args: Any, **options: Any) -> Any:
        path = paths.get(id(part), tracer.path)
        if isinstance(part, torch.jit.ScriptModule):
            raise CostModelError(
                f'trace: "{path or type(part).__name__}" is compiled by TorchScript: '
                "its code cannot be followed; trace the module that it was made from"
            )
        with tracer.inside(path, part):
            made = _leaf(tracer, part, args)
            return original(part, *args, **options) if made is None else made

    nn.Module.__call__ = call
    state = torch.random.get_rng_state()
    try:
        yield
    finally:
        nn.Module.__call__ = original
        _put_back(kept)
        torch.random.set_rng_state(state)


def _kept(module: nn.Module) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the attributes of every module, caches included, and a copy of them."""
    kept = [(part.__dict__, dict(part.__dict__)) for part in module.modules()]
    caches = [v for _, own in kept for v in own.values() if type(v) is dict]
    return kept + [(cache, dict(cache)) for cache in caches]


def _put_back(kept: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """Restore attributes after a run, which may have left tensors without memory."""
    for place, before in kept:
        if [*map(id, place.values())] != [*map(id, before.values())]:
            place.clear()
            place.update(before)


def _leaf(tracer: Tracer, part: nn.Module, args: tuple[Any, ...]) -> Any:
    """Read a module that is one operator; None if its code has to run."""
    is_identity = tracer.keeps_identities and type(part) is nn.Identity
    operator = op.Identity() if is_identity else operator_of(part)
    if operator is None:
        return None
    known = tracer.tensor(args[0])
    if isinstance(known, Constant) or known is None:
        return None
    path = tracer.path
    tracer.used.update(
        f"{path}.{key}" for key, _ in (*part.named_parameters(), *part.named_buffers())
    )
    node = tracer.emit(operator, (known.node,), tracer.name(operator.kind))
    sizes = known.layout.sizes(node.output, tracer.batch, len(node.output.spatial) + 2)
    numbers = [s.at(tracer.record.values) for s in sizes]
    value = torch.empty(numbers, device="meta")
    tracer.know(value, Traced(node.name, node.output, sizes, known.layout))
    return value

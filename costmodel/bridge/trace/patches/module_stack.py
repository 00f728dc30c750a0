"""The stack of running submodules, followed without changing the modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from costmodel.bridge.compile.checkpoints import Checkpointed
from costmodel.bridge.compile.leaf_table import operator_of
from costmodel.bridge.importing.graph import Constant, Traced
from costmodel.bridge.trace.patches.kept import Kept, random_states, set_random_states
from costmodel.bridge.trace.tracer import Tracer
from costmodel.errors import CostModelError
from costmodel.network import operators as op


@contextmanager
def following(tracer: Tracer, module: nn.Module, kept: Kept) -> Iterator[None]:
    """Keep track of the running submodule, without changing the modules."""
    paths: dict[int, str] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        if not isinstance(part, Checkpointed):  # which is no scope of any code
            paths.setdefault(id(part), path)
    original = nn.Module.__call__
    generators = tracer.generators = kept.generators

    def call(part: nn.Module, *args: Any, **options: Any) -> Any:
        path = paths.get(id(part), tracer.path)
        if isinstance(part, torch.jit.ScriptModule):
            raise CostModelError(
                f'trace: "{path or type(part).__name__}" is compiled by TorchScript: '
                "its code cannot be followed; trace the module that it was made from"
            )
        with tracer.inside(path, part):
            made = _leaf(tracer, part, args)
            if made is not None:
                return made
            before = random_states(generators) if tracer.follows_draws else ()
            result = original(part, *args, **options)
            # A module that holds one that draws is not to blame.
            if before and not tracer.draws and before != random_states(generators):
                tracer.draws.append(path or "forward")
            return result

    nn.Module.__call__ = call
    state = random_states(generators)
    try:
        with _uncompiled():
            yield
    finally:
        if not tracer.draws and state != random_states(generators):
            tracer.draws.append("forward")
        nn.Module.__call__ = original
        kept.put_back()
        set_random_states(generators, state)


def _uncompiled() -> AbstractContextManager[Any]:
    """Run what ``torch.compile`` made, of modules or functions, as it was written."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


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
    tracer.records = tracer.is_recording()
    node = tracer.emit(operator, (known.node,), tracer.name(operator.kind))
    tracer.no_gradient.update(
        f"{node.name}.{key}"
        for key, p in part.named_parameters()
        if not p.requires_grad
    )
    sizes = known.layout.sizes(node.output, tracer.batch, len(node.output.spatial) + 2)
    numbers = [s.at(tracer.record.values) for s in sizes]
    value = torch.empty(numbers, device="meta")
    tracer.know(value, Traced(node.name, node.output, sizes, known.layout))
    return value

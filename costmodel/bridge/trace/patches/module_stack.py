"""The stack of running submodules, followed without changing the modules."""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from costmodel.bridge.compile.checkpoints import Checkpointed
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
        if not isinstance(part, Checkpointed):  # which is no scope of any code
            paths.setdefault(id(part), path)
    original, kept = nn.Module.__call__, list(_kept(module))
    learning = [(value, value.requires_grad) for value in module.parameters()]

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
            before = _random_states() if tracer.follows_draws else ()
            result = original(part, *args, **options)
            # A module that holds one that draws is not to blame.
            if before and not tracer.draws and before != _random_states():
                tracer.draws.append(path or "forward")
            return result

    nn.Module.__call__ = call
    state = _random_states()
    try:
        with _uncompiled():
            yield
    finally:
        if not tracer.draws and state != _random_states():
            tracer.draws.append("forward")
        nn.Module.__call__ = original
        for place, before in kept:
            _put_back(place, before)
        for value, requires in learning:
            value.requires_grad_(requires)
        _set_random_states(state)


def _uncompiled() -> AbstractContextManager[Any]:
    """Run what ``torch.compile`` made, of modules or functions, as it was written."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


@contextmanager
def drawing_otherwise(seed: int) -> Iterator[None]:
    """Give other random numbers for a while."""
    before = _random_states()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what others' code draws from
    torch.random.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        _set_random_states(before)


def _random_states() -> tuple[Any, ...]:
    """Return the states of Python's, NumPy's and PyTorch's random numbers.

    They are equal as long as nobody draws.
    """
    numbers: Any = np.random.get_state()  # noqa: NPY002
    kind, words, *rest = numbers
    tensor = torch.random.get_rng_state()
    return random.getstate(), kind, words.tobytes(), rest, tensor.numpy().tobytes()


def _set_random_states(states: tuple[Any, ...]) -> None:
    plain, kind, numbers, rest, tensor = states
    random.setstate(plain)
    words = np.frombuffer(numbers, dtype=np.uint32)
    np.random.set_state((kind, words, *rest))  # noqa: NPY002
    state = torch.frombuffer(bytearray(tensor), dtype=torch.uint8)
    torch.random.set_rng_state(state)


def _kept(module: nn.Module) -> Iterator[tuple[Any, Any]]:
    """Give every container that modules' attributes lead to, and a copy of each.

    Hooks are in such containers too, and attributes of objects that modules have.
    """
    waiting: list[Any] = [part.__dict__ for part in module.modules()]
    # Code runs on stand-ins of those, and on the others themselves.
    registered = {id(t) for t in (*module.parameters(), *module.buffers())}
    seen = set()
    while waiting:
        place = waiting.pop()
        if id(place) in seen:
            continue
        seen.add(id(place))
        if isinstance(place, _CONTAINERS):
            if not isinstance(place, tuple):
                yield place, place.copy()
            waiting += place.values() if isinstance(place, dict) else place
        elif isinstance(place, torch.Tensor):
            is_real = place.device.type != "meta" and place.numel() <= MOST_COPIED
            if is_real and id(place) not in registered:
                yield place, place.detach().clone()
        elif not isinstance(place, _LEFT_ALONE) and hasattr(place, "__dict__"):
            waiting.append(place.__dict__)


MOST_COPIED = 1 << 20
"""Elements of a tensor that is registered nowhere, and put back if a run changes it."""

_CONTAINERS = (dict, list, set, deque, tuple)
_LEFT_ALONE = (type, ModuleType, FunctionType, nn.Module)


def _put_back(place: Any, before: Any) -> None:
    """Restore a container after a run, which may have left tensors without memory."""
    if isinstance(place, torch.Tensor):
        if not torch.equal(place, before):
            with torch.no_grad():
                place.copy_(before)
        return
    if isinstance(place, dict):
        is_same = list(place) == list(before)
        now, then = place.values(), before.values()
    else:
        is_same, now, then = True, place, before
    if not is_same or [*map(id, now)] != [*map(id, then)]:
        place.clear()
        place.extend(before) if hasattr(place, "extend") else place.update(before)


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

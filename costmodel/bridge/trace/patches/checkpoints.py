"""Checkpoints of ``torch.utils.checkpoint``, recorded while their functions run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import checkpoint
from torch.utils.hooks import BackwardHook

from costmodel.bridge.trace.tracer import Tracer
from costmodel.errors import CostModelError


@contextmanager
def recording_checkpoints(tracer: Tracer) -> Iterator[None]:
    """Put recorders in place of what ``checkpoint`` calls, however code imported it.

    Tensors without memory say that they require a gradient, and have no graph: modules'
    hooks for backward are not set up.
    """
    recorder = _Recorder(tracer)
    replaced: list[tuple[Any, str, Any]] = [
        (checkpoint, "CheckpointFunction", recorder),
        (checkpoint, "_checkpoint_without_reentrant_generator", recorder.generator),
        (BackwardHook, "_apply_on_tensors", lambda _hook, _set, args: (args, None)),
    ]
    before = [getattr(place, name) for place, name, _ in replaced]
    try:
        for place, name, value in replaced:
            setattr(place, name, value)
        yield
    finally:
        for (place, name, _), value in zip(replaced, before, strict=True):
            setattr(place, name, value)


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Runs the function of a checkpoint once, and records its nodes."""

    tracer: Tracer

    def apply(
        self, function: Callable[..., Any], _keeps_state: object, *args: Any
    ) -> Any:
        """Run a reentrant one: the result gets a gradient only if an argument does."""
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        if not any(map(self.tracer.requires_gradient, tensors)):
            with torch.no_grad():
                return function(*args)
        if not torch.is_grad_enabled():
            return function(*args)
        with self.tracer.recomputed(stops_early=False):
            return function(*args)

    def generator(
        self, _function: Any, _keeps_state: Any, contexts: Any, _check: Any,
        _debug: Any, *rest: Any, **_options: Any,
    ) -> Iterator[None]:  # fmt: skip
        """Give way once, for the function to run, as PyTorch's own generator does."""
        if contexts is not checkpoint.noop_context_fn:
            raise CostModelError(
                f'trace: "{self.tracer.path or "forward"}": a checkpoint with a '
                "context_fn, which saves some of its tensors, is not modelled"
            )
        if not torch.is_grad_enabled():
            yield
            return
        # Of the first argument behind those, older versions of PyTorch know nothing.
        stops = rest[0] if rest and isinstance(rest[0], bool) else True
        chosen = checkpoint._enable_checkpoint_early_stop  # noqa: SLF001
        with self.tracer.recomputed(stops_early=stops if chosen is None else chosen):
            yield

"""Functions of ``torch.autograd.Function``: their forward, run as autograd would."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.autograd.function import FunctionCtx

from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.trace.tracer import Tracer
from costmodel.network import operators as op


@contextmanager
def recording_functions(tracer: Tracer) -> Iterator[None]:
    """Put a recorder in place of what ``apply`` runs, however code holds it.

    ``swish = Swish.apply`` holds the method itself, so that its code is replaced.
    """
    method: Any = torch.autograd.Function.apply
    function, other = method.__func__, _Stand.__dict__["apply"].__func__
    before = function.__code__, function.__kwdefaults__
    function.__code__ = other.__code__
    function.__kwdefaults__ = {"_run": _Recorder(tracer).run}
    try:
        yield
    finally:
        function.__code__, function.__kwdefaults__ = before


class _Stand:
    """Has a method in whose place ``apply`` may be: both have one free variable."""

    @classmethod
    def apply(cls, *args: Any, _run: Any, **options: Any) -> Any:
        """Call the recorder, instead of ``super()`` of the free variable's class."""
        return _run(cls, args, options) if __class__ else None  # type: ignore[name-defined]


class _Context(FunctionCtx):
    """What a forward keeps for its backward, which does not run."""

    def __init__(self, tracer: Tracer, args: tuple[Any, ...]) -> None:
        """Keep the arguments."""
        self.tracer, self.args = tracer, args
        self.non_differentiable: tuple[torch.Tensor, ...] = ()

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """Whether each argument requires a gradient."""
        asked = self.tracer.requires_gradient
        return tuple(isinstance(a, torch.Tensor) and asked(a) for a in self.args)


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Runs the forward of a function, and says which nodes are its own."""

    tracer: Tracer

    def run(self, function: Any, args: tuple[Any, ...], options: Any) -> Any:
        """Run it without autograd; a gradient passes through what it computes."""
        defined = function.setup_context != torch.autograd.Function.setup_context
        if defined:
            given = inspect.signature(function.forward).bind(*args, **options)
            given.apply_defaults()
            args, options = given.args, given.kwargs
        context = _Context(self.tracer, args)
        with self.tracer.own_backwards():
            with torch.no_grad():
                if defined:
                    made = function.forward(*args, **options)
                    function.setup_context(context, args, made)
                else:
                    made = function.forward(context, *args, **options)
            if isinstance(made, tuple):
                return tuple(self._result(one, context) for one in made)
            return self._result(made, context)

    def _result(self, value: Any, context: _Context) -> Any:
        """Return a result; one that is an argument, or gets no gradient, as a node."""
        tracer = self.tracer
        known = tracer.tensor(value) if isinstance(value, torch.Tensor) else None
        if not isinstance(known, Traced) or not tracer.owns_backward:
            return value
        stops = any(one is value for one in context.non_differentiable)
        if known.node in tracer.own_backward and not stops:
            return value
        node = tracer.emit(op.Identity(), (known.node,), tracer.name("identity"))
        tracer.no_gradient.update({node.name} if stops else ())
        with torch._C.DisableTorchFunction():  # noqa: SLF001 - a twin, not a call
            made = torch.empty_like(value, device="meta")
        tracer.know(made, replace(known, node=node.name))
        return made

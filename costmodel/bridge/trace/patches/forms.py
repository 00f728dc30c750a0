"""The forms in which code writes its operators: modules, functions by name, others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cache, wraps
from itertools import islice
from typing import Any

import torch
from torch import nn

from costmodel.bridge.importing.graph import Constant
from costmodel.bridge.trace.trace_graph import TraceGraph, is_leaf
from costmodel.network import operators as op


PRODUCTS = ("add", "mul", "matmul", "mm", "bmm", "einsum")
"""Functions of ``torch``, most of them methods of a tensor too, that tools replace."""

SUMS = ("add", "mul")

_BY_NAME: ContextVar[bool] = ContextVar("by_name", default=False)


@contextmanager
def by_name() -> Iterator[None]:
    """Note which calls look a function up by its name, as tools that replace it do.

    PyTorch passes on the same function for ``x + y`` and ``x.add(y)``, and for
    ``torch.conv2d`` and ``F.conv2d``, which such tools tell apart.
    """
    homes = (nn.functional, torch, torch.Tensor)
    kept = [(home, name, vars(home).get(name)) for home in homes for name in _of(home)]
    try:
        for home, name, _ in kept:
            setattr(home, name, _noted(getattr(home, name)))
        yield
    finally:
        for home, name, found in kept:
            # What a tensor inherits is its own no more.
            delattr(home, name) if found is None else setattr(home, name, found)


@cache
def _of(home: Any) -> tuple[str, ...]:
    """Return the names of functions that a place has."""
    if home is not nn.functional:
        return tuple(name for name in PRODUCTS if hasattr(home, name))
    return tuple(
        name
        for name, found in vars(home).items()
        if callable(found) and not isinstance(found, type)
        and not (name[0] == "_" or name[-1] == "_" or "torch_function" in name)
    )  # fmt: skip


@cache
def _noted(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def noted(*args: Any, **options: Any) -> Any:
        token = _BY_NAME.set(True)
        try:
            return function(*args, **options)
        finally:
            _BY_NAME.reset(token)

    return noted


def state(tracer: TraceGraph, added: int, name: str, values: Iterable[object]) -> None:
    """Give the nodes that a call added its form; ``values`` are its arguments."""
    form = _form(tracer, values)
    for place, node in enumerate(list(islice(reversed(tracer.nodes.values()), added))):
        if not node.inputs or isinstance(node.operator, op.Derived):
            continue
        # Of functions that multiply and add on the way, none is called for that.
        is_part = isinstance(node.operator, op.Arithmetic) and (
            place or name not in SUMS
        )
        part = "method" if is_part and form == "function" else form
        tracer.nodes[node.name] = replace(node, form=part)


def _form(tracer: TraceGraph, values: Iterable[object]) -> str:
    module = tracer.modules[-1][1] if tracer.modules else None
    if is_leaf(module) and type(module).__module__.startswith("torch.nn.modules"):
        return "module"
    if not _BY_NAME.get():
        return "method"
    if module is None or any(module.children()):
        return "function"
    known = (tracer.tensor(v) for v in values if isinstance(v, torch.Tensor))
    stored = (one.sources for one in known if isinstance(one, Constant))
    owners = {path.rpartition(".")[0] for sources in stored for path in sources}
    return "subclass" if tracer.path in owners else "function"

"""Functions without a reader, read by the kernels that they call."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from costmodel.bridge.trace.calls import Call, UndoneError, unknown
from costmodel.bridge.trace.names import canonical
from costmodel.bridge.trace.tracer import Traced, Tracer
from costmodel.errors import CostModelError


class Kernels(TorchDispatchMode):
    """Reads the kernels that one function calls."""

    def __init__(self, tracer: Tracer) -> None:
        """Keep whose nodes they become."""
        super().__init__()
        self.tracer = tracer
        self.missing: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Any = (),
        kwargs: Any = None,
    ) -> Any:
        """Read one kernel."""
        from costmodel.bridge.trace.readers import READERS

        options = dict(kwargs or {})
        name = canonical(func)
        result = func(*args, **options)
        values = tree_flatten((args, options))[0]
        reached = any(
            isinstance(v, torch.Tensor) and isinstance(self.tracer.tensor(v), Traced)
            for v in values
        )
        makes = any(isinstance(v, torch.Tensor) for v in tree_flatten(result)[0])
        if not reached or not makes:
            return result
        reader = READERS.get(name)
        if reader is None:
            self.missing.append(name)
            raise _MissingError(name)
        reader(Call(self.tracer, name, tuple(args), options, result))
        return result


class _MissingError(Exception):
    """A kernel has no reader either."""


def by_kernels(
    tracer: Tracer, name: str, func: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Read a function by its kernels; if one of them is unknown, so is the function."""
    before = dict(tracer.nodes)
    try:
        with Kernels(tracer):
            return tracer.run(func, args, options)
    except (_MissingError, UndoneError, CostModelError):
        tracer.nodes = before
    result = tracer.run(func, args, options)
    return unknown(tracer, name, args, options, result)

"""Functions without a reader, read by the kernels that they call."""

from __future__ import annotations

from typing import Any

import torch
from torch._decomp import decomposition_table
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from costmodel.bridge.trace.calls import Call, UndoneError, unknown
from costmodel.bridge.trace.names import canonical
from costmodel.bridge.trace.tracer import Traced, Tracer
from costmodel.errors import CostModelError


class Kernels(TorchDispatchMode):
    """Reads the kernels that one function calls.

    A kernel without a reader is taken apart by PyTorch's own decomposition of it.
    """

    def __init__(self, tracer: Tracer) -> None:
        """Keep whose nodes they become."""
        super().__init__()
        self.tracer = tracer

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Any = (),
        kwargs: Any = None,
    ) -> Any:
        """Read one kernel."""
        from costmodel.bridge.trace.readers import reader_of
        from costmodel.bridge.trace.readers.parts import PARTS
        from costmodel.bridge.trace.readers.views import VIEWS

        options = dict(kwargs or {})
        name = canonical(func)
        if not self._is_reached(args, options):
            return func(*args, **options)
        # Kernels get plain numbers: a view's sizes have lost their formulas.
        reader = None if name in VIEWS or name in PARTS else reader_of(name)
        if reader is None:
            if func not in decomposition_table:
                raise _MissingError(name)
            with self:
                return decomposition_table[func](*args, **options)
        result = func(*args, **options)
        reader(Call(self.tracer, name, tuple(args), options, result))
        return result

    def _is_reached(self, args: Any, options: Any) -> bool:
        """Say whether the input reaches a kernel, directly or by a stored tensor."""
        values = tree_flatten((args, options))[0]
        return any(
            isinstance(v, torch.Tensor) and isinstance(self.tracer.tensor(v), Traced)
            for v in values
        )


class _MissingError(Exception):
    """A kernel has no reader and no decomposition either."""


def by_kernels(
    tracer: Tracer, name: str, func: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Read a function by its kernels; if one of them is unknown, so is the function."""
    before = dict(tracer.nodes)
    try:
        with Kernels(tracer):
            result = tracer.run(func, args, options)
        if all(map(tracer.tensor, filter(torch.is_tensor, tree_flatten(result)[0]))):
            return result
    except (_MissingError, UndoneError, CostModelError):
        pass
    tracer.nodes = before
    result = tracer.run(func, args, options)
    return unknown(tracer, name, args, options, result)

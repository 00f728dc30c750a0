"""Arguments of torch functions by PyTorch's own names, however a call spells them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType
from typing import Any

import torch

from costmodel.bridge.trace.function_names import canonical


ALIASES = {
    "axis": "dim", "keepdims": "keepdim", "self": "input", "x": "input", "a": "input",
    "x1": "input", "x2": "other", "tensor": "input", "axis0": "dim0", "axis1": "dim1",
}  # fmt: skip
"""Names that mean another one: numpy's, which PyTorch takes for its own
(``numpy_compatibility_arg_names`` in its ``python_arg_parser.cpp``), and those of a
method's tensor."""

OF_THE_TENSOR_ALONE = {"to", "contiguous", "getitem"}
"""Functions whose other arguments are of many kinds: their readers know them."""

BESIDE = {"out", "return_indices"}
"""Keywords of functions that their kernels do not have."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of one overload; ``type`` is empty where it takes anything."""

    name: str
    type: str = ""
    default: Any = inspect.Parameter.empty
    by_keyword: bool = False

    def admits(self, value: Any) -> bool:
        """Say whether a value given by position may be this argument."""
        if not self.type or value is None:
            return not self.type or self.type.startswith("Optional")
        for kind, words in _KINDS:
            if isinstance(value, kind):
                return any(word in self.type for word in words)
        return "List" not in self.type and "Tensor" not in self.type


_KINDS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (torch.Tensor, ("Tensor",)),
    (bool, ("bool", "number")),
    (int, ("int", "number", "float")),
    (float, ("number", "float")),
    (Sequence, ("List", "str")),
)
"""Values that tell overloads apart, and words in the types that they may have."""


@lru_cache(maxsize=4096)
def overloads(func: Callable[..., Any]) -> tuple[tuple[Parameter, ...], ...]:
    """Return the parameters of a function, method or kernel, for each overload.

    >>> [p.name for p in overloads(torch.Tensor.unfold)[0]]
    ['input', 'dimension', 'size', 'step']
    """
    if schema := getattr(func, "_schema", None):
        return (_of_schema(schema),)
    name = canonical(func)
    found = _of_python(func) if isinstance(func, FunctionType) else None
    if found is not None:
        return (found,)
    own = getattr(func, "__name__", name)
    for one in (name if own.startswith("__") else own, name):
        if packet := getattr(torch.ops.aten, one, None):
            kernels = (getattr(packet, overload) for overload in packet.overloads())
            schemas = (getattr(kernel, "_schema", None) for kernel in kernels)
            return tuple(_of_schema(s) for s in schemas if not _is_other(s))
    return ((Parameter("input"), Parameter("other", default=None)),)


def _is_other(schema: Any) -> bool:
    """Say whether an overload writes to a given tensor, or has axes with names."""
    return "out" in schema.overload_name or "Dimname" in str(schema)


def _of_python(func: Callable[..., Any]) -> tuple[Parameter, ...] | None:
    try:
        found = inspect.signature(func).parameters.values()
    except ValueError:
        return None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in found):
        return None
    return tuple(
        Parameter(_name(p.name), "", p.default, p.kind is p.KEYWORD_ONLY) for p in found
    )


def _of_schema(schema: Any) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            _name(one.name),
            str(one.type),
            one.default_value if one.has_default_value() else inspect.Parameter.empty,
            one.kwarg_only,
        )
        for one in schema.arguments
    )


def _name(given: str) -> str:
    return ALIASES.get(given, given)


def bound(
    func: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return a call's arguments by name, defaults included; None: no overload fits.

    >>> bound(torch.Tensor.var, (torch.ones(2, 2), 1), {"keepdims": True})["keepdim"]
    True
    """
    if canonical(func) in OF_THE_TENSOR_ALONE:
        return {"input": args[0]}
    named = {_name(key): value for key, value in options.items()}
    found = (_bound(one, args, named) for one in overloads(func))
    return next((one for one in found if one is not None), None)


def _bound(
    parameters: Sequence[Parameter], args: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the arguments by name if an overload takes them.

    Numbers one by one may be the list that is the last parameter: ``view(2, 3)``.
    """
    places = [p for p in parameters if not p.by_keyword]
    if len(args) > len(places):
        last = len(places) - 1
        if last < 0 or "List" not in places[last].type:
            return None
        args = (*args[:last], tuple(args[last:]))
    given = {p.name: v for p, v in zip(places, args, strict=False)}
    known = {p.name for p in parameters} | BESIDE
    if given.keys() & named.keys() or not named.keys() <= known:
        return None
    if not all(map(Parameter.admits, places, args)):
        return None
    defaults = {p.name: p.default for p in parameters}
    values = {**defaults, **given, **named}
    is_whole = all(v is not inspect.Parameter.empty for v in values.values())
    return values if is_whole else None

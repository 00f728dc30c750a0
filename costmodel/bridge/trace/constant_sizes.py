"""Sizes of tensors that are made of sizes, and of stored tensors cut to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from costmodel.algebra.polynomial import size
from costmodel.bridge.importing.batch_axis import Sizes
from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.graph import Constant
from costmodel.bridge.importing.readers.views import product
from costmodel.bridge.importing.symbolic_int import SizeInt, SizeRatio, formula_of
from costmodel.bridge.trace.call import Reader, TorchCall
from costmodel.bridge.trace.function_names import MADE_ANEW, OF_VALUES, canonical
from costmodel.bridge.trace.signatures import bound
from costmodel.bridge.trace.trace_graph import leaves
from costmodel.bridge.trace.tracer import Tracer
from costmodel.errors import CostModelError


def sizes_of(
    find: Callable[[str], Reader | None],
    tracer: Tracer,
    func: Callable[..., Any],
    args: Sequence[Any],
    options: Mapping[str, Any],
    made: Any,
) -> Iterator[tuple[torch.Tensor, Sizes]]:
    """Return each resulting tensor with its sizes, formulas if arguments have them.

    They are what the function makes of its arguments, or what the reader of the
    function finds, whose nodes are not kept. Where neither is known, sizes that equal
    an argument's are taken to be that, and recorded as lost.
    """
    results = [v for v in leaves(made) if isinstance(v, torch.Tensor)]
    values, name = list(leaves((args, options))), canonical(func)
    tensors = [v for v in values if isinstance(v, torch.Tensor)]
    operands = [_known(tracer, v) for v in tensors]
    given = [v.formula for v in values if isinstance(v, SizeInt)]
    asked = any(isinstance(v, SizeRatio) for v in values) or given
    is_fixed = all(s.constant is not None for sizes in operands for s in sizes)
    if name in OF_VALUES or (is_fixed and not asked):
        for one in results:
            yield one, tuple(size(int(n)) for n in one.shape)
        return
    known = _made(tracer, name, bound(func, args, options) or {}, args, operands)
    read = None if known else _read(find, tracer, func, args, options, made)
    for one in results:
        numbers = tuple(map(int, one.shape))
        found = (read(one) if read else known) or tracer.broadcast(operands)
        if found is not None and tracer.numbers(found) == numbers:
            yield one, found
        else:
            tracer.record.lose(f"how sizes follow from others through {name}()")
            yield one, tracer.guessed(numbers, operands, given, from_end=True)


def _known(tracer: Tracer, value: torch.Tensor) -> Sizes:
    found = tracer.tensor(value)
    return tuple(map(formula_of, value.shape)) if found is None else found.sizes


def _made(
    tracer: Tracer,
    name: str,
    given: Mapping[str, Any],
    args: Sequence[Any],
    operands: Sequence[Sizes],
) -> Sizes | None:
    """Return the sizes of what a function makes anew, or takes out by indices."""
    if name in MADE_ANEW or not operands:
        if given.get("size") is not None:
            return tuple(map(formula_of, leaves(given["size"])))
        return operands[0] if operands else _counted(name, given)
    if name == "meshgrid":
        lengths = [product(one) for one in operands]
        is_turned = given.get("indexing") == "xy"
        return tuple(lengths[1::-1] + lengths[2:] if is_turned else lengths)
    if name in {"embedding", "gather"}:
        return (*operands[1], *(operands[0][1:] if name == "embedding" else ()))
    if name == "index_select":
        axis = given["dim"] % len(operands[0])
        return (*operands[0][:axis], product(operands[1]), *operands[0][axis + 1 :])
    return _taken(tracer, args[1], operands) if name == "getitem" else None


def _counted(name: str, given: Mapping[str, Any]) -> Sizes | None:
    """Return the sizes of a tensor that counts, or of a unit matrix."""
    if name == "arange":
        span = given["end"] - given.get("start", 0)
        return (formula_of(math.ceil(span / given.get("step", 1))),)
    if name in {"linspace", "logspace"}:
        return (formula_of(given["steps"]),)
    if name == "eye":
        return (formula_of(given["n"]), formula_of(given.get("m", given["n"])))
    return None


def _taken(tracer: Tracer, index: Any, operands: Sequence[Sizes]) -> Sizes | None:
    """Return the sizes of what numbers in tensors take out; others have a reader."""
    places = index if isinstance(index, tuple) else (index,)
    for one in places:
        if not isinstance(one, torch.Tensor) or one.dtype in (torch.bool, torch.uint8):
            return None
    taken = tracer.broadcast(operands[1:])
    return None if taken is None else (*taken, *operands[0][len(places) :])


def _read(
    find: Callable[[str], Reader | None],
    tracer: Tracer,
    func: Callable[..., Any],
    args: Sequence[Any],
    options: Mapping[str, Any],
    made: Any,
) -> Callable[[torch.Tensor], Sizes | None]:
    """Return what gives the sizes that the reader of a function finds for a result."""
    name, scratch = canonical(func), tracer.scratch()
    reader, given = find(name), bound(func, args, options)
    for one in leaves((args, options)):
        if isinstance(one, torch.Tensor):
            scratch.know(one, Constant(_known(tracer, one)))
    found: dict[int, Sizes] = {}
    if reader is not None and given is not None:
        with tracer.undone(CostModelError, NoRule, ValueError):
            reader(TorchCall(scratch, name, tuple(args), dict(options), made, given))
            for one in leaves(made):
                known = scratch.tensor(one) if isinstance(one, torch.Tensor) else None
                if known is not None:
                    found[id(one)] = known.sizes
    return lambda one: found.get(id(one))

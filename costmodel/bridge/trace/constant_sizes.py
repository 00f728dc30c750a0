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
from costmodel.bridge.trace.trace_graph import leaves, tensors
from costmodel.bridge.trace.tracer import Tracer
from costmodel.errors import CostModelError
from costmodel.network.shape import broadcast


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
    results = list(tensors(made))
    values, name = list(leaves((args, options))), canonical(func)
    operands = [_known(tracer, v) for v in tensors((args, options))]
    given = [v.formula for v in values if isinstance(v, SizeInt)]
    asked = any(isinstance(v, SizeRatio) for v in values) or given
    is_fixed = all(s.constant is not None for sizes in operands for s in sizes)
    if name in OF_VALUES or (is_fixed and not asked):
        for one in results:
            yield one, tuple(size(int(n)) for n in one.shape)
        return
    by_name = bound(func, args, options)
    known = None if by_name is None else _made(name, by_name, args, operands)
    read = None
    if not known:
        call = TorchCall(
            tracer.scratch(), name, tuple(args), dict(options), made, by_name or {}
        )
        read = _read(None if by_name is None else find(name), tracer, call)
    for one in results:
        numbers = tuple(map(int, one.shape))
        found = (read(one) if read else known) or broadcast(*operands)
        if found is not None and tracer.numbers(found) == numbers:
            yield one, found
        else:
            tracer.record.lose(f"how sizes follow from others through {name}()")
            yield one, tracer.guessed(numbers, operands, given, from_end=True)


def _known(tracer: Tracer, value: torch.Tensor) -> Sizes:
    found = tracer.tensor(value)
    return tuple(map(formula_of, value.shape)) if found is None else found.sizes


def _made(
    name: str, given: Mapping[str, Any], args: Sequence[Any], operands: Sequence[Sizes]
) -> Sizes | None:
    """Return the sizes of what a function makes anew, or of what has a rule here."""
    if name in MADE_ANEW or not operands:
        if given.get("size") is not None:
            return tuple(map(formula_of, leaves(given["size"])))
        if operands:
            return operands[0]
    rule = _RULES.get(name)
    return None if rule is None else rule(given, args, operands)


Rule = Callable[[Mapping[str, Any], Sequence[Any], Sequence[Sizes]], Sizes | None]


def _counted(given: Mapping[str, Any], *_: Any) -> Sizes:
    span = given["end"] - given.get("start", 0)
    return (formula_of(math.ceil(span / given.get("step", 1))),)


def _unit(given: Mapping[str, Any], *_: Any) -> Sizes:
    return formula_of(given["n"]), formula_of(given.get("m", given["n"]))


def _grid(given: Mapping[str, Any], _: Any, operands: Sequence[Sizes]) -> Sizes:
    lengths = [product(one) for one in operands]
    is_turned = given.get("indexing") == "xy"
    return tuple(lengths[1::-1] + lengths[2:] if is_turned else lengths)


def _taken(_: Any, args: Sequence[Any], operands: Sequence[Sizes]) -> Sizes | None:
    """Return the sizes of what numbers in tensors take out; others have a reader."""
    places = args[1] if isinstance(args[1], tuple) else (args[1],)
    for one in places:
        if not isinstance(one, torch.Tensor) or one.dtype in (torch.bool, torch.uint8):
            return None
    taken = broadcast(*operands[1:])
    return None if taken is None else (*taken, *operands[0][len(places) :])


def _picked(given: Mapping[str, Any], _: Any, operands: Sequence[Sizes]) -> Sizes:
    axis = given["dim"] % len(operands[0])
    return (*operands[0][:axis], product(operands[1]), *operands[0][axis + 1 :])


def _joined(opened: int) -> Rule:
    """Return a rule for tensors side by side, along an axis that is there or not.

    Their formulas have to be equal besides.
    """

    def rule(given: Mapping[str, Any], _: Any, operands: Sequence[Sizes]) -> Any:
        first = operands[0]
        axis = given.get("dim", 0) % (len(first) + opened)
        after = axis + 1 - opened
        if len({(one[:axis], one[after:]) for one in operands}) > 1:
            return None
        lengths = (size(1) if opened else one[axis] for one in operands)
        return (*first[:axis], sum(lengths, start=size(0)), *first[after:])

    return rule


def _padded(given: Mapping[str, Any], _: Any, operands: Sequence[Sizes]) -> Sizes:
    sizes, amounts = list(operands[0]), list(map(formula_of, given["pad"]))
    for place, pair in enumerate(zip(amounts[::2], amounts[1::2], strict=True), 1):
        sizes[-place] = sizes[-place] + pair[0] + pair[1]
    return tuple(sizes)


_RULES: dict[str, Rule] = {
    "arange": _counted,
    "linspace": lambda given, *_: (formula_of(given["steps"]),),
    "logspace": lambda given, *_: (formula_of(given["steps"]),),
    "eye": _unit,
    "meshgrid": _grid,
    "getitem": _taken,
    "embedding": lambda _, __, operands: (*operands[1], *operands[0][1:]),
    "gather": lambda _, __, operands: operands[1],
    "index_select": _picked,
    "cat": _joined(0),
    "stack": _joined(1),
    "pad": _padded,
}
"""Sizes by function, of those that readers do not read along every axis."""


def _read(
    reader: Reader | None, tracer: Tracer, call: TorchCall
) -> Callable[[torch.Tensor], Sizes | None]:
    """Return what gives the sizes that the reader of a function finds for a result."""
    scratch, found = call.graph, dict[int, Sizes]()
    for one in tensors((call.args, call.options)):
        scratch.know(one, Constant(_known(tracer, one)))
    if reader is not None:
        with tracer.undone(CostModelError, NoRule, ValueError):
            reader(call)
            for one in tensors(call.made):
                if (known := scratch.tensor(one)) is not None:
                    found[id(one)] = known.sizes
    return lambda one: found.get(id(one))

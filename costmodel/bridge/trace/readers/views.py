"""Readers of views: the same elements under other sizes, or in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.trace.calls import Call, UndoneError
from costmodel.bridge.trace.layout import split
from costmodel.bridge.trace.sizes import formula_of
from costmodel.bridge.trace.tracer import Traced
from costmodel.network import operators as op


def listed(call: Call, place: int, name: str) -> list[Any]:
    """Return sizes or axes that are given one by one, or as a list."""
    value = call.get(place, name)
    if isinstance(value, Sequence):
        return list(value)
    return list(call.args[place:]) or [value]


def count(sizes: Sequence[Size]) -> Size:
    """Return the product of sizes."""
    product = size(1)
    for one in sizes:
        product = product * one
    return product


def resolved(call: Call, x: Traced, wanted: Sequence[Any]) -> tuple[Size, ...]:
    """Return the sizes of a view, −1 worked out and what has to be equal demanded."""
    total = count(x.sizes)
    known = [None if int.__eq__(w, -1) else formula_of(w) for w in wanted]
    product = count([k for k in known if k is not None])
    if None not in known:
        target = [k for k in known if k is not None]
        _demand(call, x.sizes, target)
        return tuple(target)
    rest = total.divided(product)
    if rest is None:
        rest = _assumed(call, total, product)
    return tuple(rest if k is None else k for k in known)


def _demand(call: Call, sizes: Sequence[Size], target: Sequence[Size]) -> None:
    """Demand that a view has as many elements: axis by axis, where they go together.

    Axes of the two sides whose products agree in the sample are one group: H as
    ⌊H/4⌋ × 4 asks for H = 4·⌊H/4⌋, whatever the other axes do.
    """
    values = call.tracer.record.values
    left, right = list(sizes), list(target)
    while left or right:
        ours, theirs = [left.pop(0)] if left else [], [right.pop(0)] if right else []
        while (a := count(ours).at(values)) != (b := count(theirs).at(values)):
            (theirs if a > b else ours).append((right if a > b else left).pop(0))
        if not (left and right):
            ours, theirs, left, right = [*ours, *left], [*theirs, *right], [], []
        why = "a view keeps the number of elements"
        call.equal(count(ours), count(theirs), why)


def _assumed(call: Call, total: Size, product: Size) -> Size:
    """Return the batch where that is what a view's −1 has to be."""
    values = call.tracer.record.values
    batch = call.tracer.batch
    if total.at(values) == product.at(values) * batch.at(values):
        sample = total.divided(batch)
        if sample is not None:
            call.equal(sample, product, "a view keeps the number of elements")
            return batch
    quotient, left = divmod(total.at(values), product.at(values))
    if left == 0 and product.constant is not None:
        call.equal(total % product.constant, size(0), "a view keeps the elements")
        return total // product.constant
    raise call.refuse(
        f"cannot tell −1: {total.value} elements over {product.value}, "
        f"{quotient} for the sample"
    )


def view(call: Call) -> None:
    """Read a view or a reshape."""
    x = call.x()
    wanted = listed(call, 1, "shape")
    if len(wanted) == 1 and isinstance(wanted[0], torch.dtype):
        call.same(x, call.result)
        return
    reshape(call, x, resolved(call, x, wanted))


def reshape(call: Call, x: Traced, sizes: Sequence[Size], result: Any = None) -> None:
    """Append a view with those sizes; nothing where they are those that there are."""
    result = call.result if result is None else result
    if tuple(sizes) == x.sizes:
        call.same(x, result)
    elif len(sizes) == 2 and len(x.sizes) in (4, 5) and sizes[0] == x.sizes[0]:
        call.check(tuple(sizes), result, None)
        made = call.put(op.Flatten(), x, result=result)
        if made.sizes != tuple(sizes):
            call.put_sizes(op.Reshape, made, sizes, result)
    else:
        call.put_sizes(op.Reshape, x, sizes, result)


def view_as(call: Call) -> None:
    """Read a view with the sizes of another tensor."""
    x = call.x()
    reshape(call, x, call.x(1, "other").sizes)


def flatten(call: Call) -> None:
    """Read axes joined to one."""
    x = call.x()
    rank = len(x.sizes)
    start = call.get(1, "start_dim", 0) % rank
    end = call.get(2, "end_dim", -1) % rank
    sizes = (*x.sizes[:start], count(x.sizes[start : end + 1]), *x.sizes[end + 1 :])
    reshape(call, x, sizes)


def unflatten(call: Call) -> None:
    """Read an axis taken apart."""
    x = call.x()
    axis = call.get(1, "dim") % len(x.sizes)
    wanted = [formula_of(w) for w in call.get(2, "sizes")]
    product = size(1)
    for one in wanted:
        product = product * one if one.constant != -1 else product
    rest = x.sizes[axis].divided(product)
    if rest is None:
        raise UndoneError
    inner = [rest if one.constant == -1 else one for one in wanted]
    reshape(call, x, (*x.sizes[:axis], *inner, *x.sizes[axis + 1 :]))


def squeeze(call: Call) -> None:
    """Read axes of one position left out."""
    x = call.x()
    given = call.get(1, "dim")
    dims = range(len(x.sizes)) if given is None else given
    dims = [dims] if isinstance(dims, int) else dims
    gone = {d % len(x.sizes) for d in dims if x.sizes[d].constant == 1}
    reshape(call, x, [s for i, s in enumerate(x.sizes) if i not in gone])


def unsqueeze(call: Call) -> None:
    """Read an axis of one position put in."""
    x = call.x()
    axis = call.get(1, "dim") % (len(x.sizes) + 1)
    reshape(call, x, (*x.sizes[:axis], size(1), *x.sizes[axis:]))


def permute(call: Call) -> None:
    """Read axes in another order."""
    x = call.x()
    ordered(call, x, [d % len(x.sizes) for d in listed(call, 1, "dims")])


def transpose(call: Call) -> None:
    """Read two axes exchanged."""
    x = call.x()
    order = list(range(len(x.sizes)))
    first, second = (call.get(i, n) % len(order) for i, n in ((1, "dim0"), (2, "dim1")))
    order[first], order[second] = order[second], order[first]
    ordered(call, x, order)


def movedim(call: Call) -> None:
    """Read axes moved."""
    x = call.x()
    rank = len(x.sizes)
    sources = [d % rank for d in _list(call.get(1, "source"))]
    targets = [d % rank for d in _list(call.get(2, "destination"))]
    order: list[int | None] = [None] * rank
    for source, target in zip(sources, targets, strict=True):
        order[target] = source
    left = iter(i for i in range(rank) if i not in sources)
    ordered(call, x, [next(left) if place is None else place for place in order])


def _list(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def matrix_transpose(call: Call) -> None:
    """Read the last two axes exchanged."""
    x = call.x()
    rank = len(x.sizes)
    ordered(call, x, [*range(rank - 2), rank - 1, rank - 2])


def ordered(call: Call, x: Traced, order: list[int]) -> None:
    """Append a permutation; the batch moving by itself changes no sample."""
    sizes = tuple(x.sizes[i] for i in order)
    lay, _ = split(sizes, call.tracer.batch)
    if x.layout.is_folded or lay.is_folded:
        axes = [i + 1 for i in order]
    else:
        axes = [x.layout.logical(i) for i in order if i != x.layout.batch_axis]
    if axes == sorted(axes):
        call.check(sizes, call.result, None)
        made = Traced(x.node, x.shape, sizes, lay)
        call.tracer.know(call.result, made)
        return
    made = call.put(op.Permute(tuple(axes)), x, layout=lay, result=call.result)


def expand(call: Call) -> None:
    """Read axes of one position repeated without a copy."""
    x = call.x()
    wanted = listed(call, 1, "size")
    if len(wanted) == 1 and isinstance(wanted[0], torch.Tensor):
        sizes: tuple[Size, ...] = call.x(1, "other").sizes
    else:
        padded = (*[size(1)] * (len(wanted) - len(x.sizes)), *x.sizes)
        pairs = zip(wanted, padded, strict=True)
        sizes = tuple(s if int.__eq__(w, -1) else formula_of(w) for w, s in pairs)
    if sizes == x.sizes:
        call.same(x, call.result)
    else:
        call.put_sizes(op.Expand, x, sizes, call.result)


def repeat(call: Call) -> None:
    """Read a tensor repeated along its axes."""
    x = call.x()
    times = [formula_of(t) for t in listed(call, 1, "repeats")]
    padded = (*[size(1)] * (len(times) - len(x.sizes)), *x.sizes)
    sizes = tuple(t * s for t, s in zip(times, padded, strict=True))
    call.put_sizes(op.Repeat, x, sizes, call.result)


def roll(call: Call) -> None:
    """Read a tensor shifted round."""
    call.put(op.Copy("rolled"), call.x(), result=call.result)


def flip(call: Call) -> None:
    """Read a tensor turned round."""
    call.put(op.Copy("flipped"), call.x(), result=call.result)


VIEWS = {
    "view": view,
    "reshape": view,
    "view_as": view_as,
    "flatten": flatten,
    "unflatten": unflatten,
    "squeeze": squeeze,
    "unsqueeze": unsqueeze,
    "permute": permute,
    "transpose": transpose,
    "movedim": movedim,
    "t": matrix_transpose,
    "T": matrix_transpose,
    "mT": matrix_transpose,
    "expand": expand,
    "expand_as": expand,
    "repeat": repeat,
    "roll": roll,
    "flip": flip,
}

"""Readers of views, permutations, parts and joins of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from costmodel.algebra.size import Size, size
from costmodel.bridge.trace.calls import Call, Undone
from costmodel.bridge.trace.layout import Layout, split
from costmodel.bridge.trace.sizes import formula_of, whole
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
    elif len(sizes) == 2 and len(x.sizes) == 4 and sizes[0] == x.sizes[0]:
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
        raise Undone
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
    call.put(op.Roll(), call.x(), result=call.result)


def flip(call: Call) -> None:
    """Read a tensor turned round."""
    call.put(op.Flip(), call.x(), result=call.result)


def part(
    call: Call, x: Traced, axis: int, start: Size, length: Size, result: Any = None
) -> Traced:
    """Append so many positions of an axis, from a start on."""
    there = x.sizes[axis]
    if length == there:
        if result is not None:
            call.same(x, result)
        return x
    place = call.axis(x, axis)
    first, many = start.constant, length.constant
    end = (there - start - length).constant
    if first is not None and many is not None and there.constant is not None:
        is_channels = place == 1 and len(x.sizes) in (2, 4)
        layer: Any = (
            op.SelectChannels(first, many)
            if is_channels
            else op.Select(place, first, many)
        )
        return call.put(layer, x, result=result)
    if first is not None and end is not None and end >= 0:
        return call.put(op.Slice(place, first, end), x, result=result)
    if first is not None and many is not None:
        return call.put(op.Select(place, first, many), x, result=result)
    sizes = [length if i == axis else s for i, s in enumerate(x.sizes)]
    if first == 0:
        return call.put_sizes(op.Crop, x, sizes, result)
    raise call.refuse(f"a part of {length.value} positions from {start.value} on")


def narrow(call: Call) -> None:
    """Read a part of an axis."""
    x = call.x()
    axis = call.get(1, "dim") % len(x.sizes)
    start, length = (
        formula_of(call.get(i, n)) for i, n in ((2, "start"), (3, "length"))
    )
    part(call, x, axis, start, length, call.result)


def chunk(call: Call) -> None:
    """Read a tensor in so many parts."""
    x = call.x()
    axis = call.get(2, "dim", 0) % len(x.sizes)
    _parts(call, x, axis, [formula_of(int(r.shape[axis])) for r in call.result])


def split_(call: Call) -> None:
    """Read a tensor in parts of some sizes."""
    x = call.x()
    axis = call.get(2, "dim", 0) % len(x.sizes)
    wanted = call.get(1, "split_size_or_sections", call.options.get("split_size"))
    if isinstance(wanted, Sequence):
        lengths = [formula_of(w) for w in wanted]
    else:
        lengths = [formula_of(wanted)] * len(call.result)
        if x.sizes[axis].constant is not None:
            lengths = [formula_of(int(r.shape[axis])) for r in call.result]
    _parts(call, x, axis, lengths)


def _parts(call: Call, x: Traced, axis: int, lengths: list[Size]) -> None:
    there = x.sizes[axis]
    if there.constant is None:
        many = len(call.result)
        each = there.divided(size(many))
        if each is None:
            call.equal(there % many, size(0), f"it is split in {many} parts")
            each = there // many
        lengths = [each] * many
    start = size(0)
    for length, result in zip(lengths, call.result, strict=True):
        part(call, x, axis, start, length, result)
        start = start + length


def unbind(call: Call) -> None:
    """Read the positions of an axis, each as a tensor."""
    x = call.x()
    axis = call.get(1, "dim", 0) % len(x.sizes)
    if x.sizes[axis].constant is None:
        raise Undone
    for i, result in enumerate(call.result):
        piece = part(call, x, axis, size(i), size(1))
        reshape(
            call, piece, [s for j, s in enumerate(piece.sizes) if j != axis], result
        )


def getitem(call: Call) -> None:
    """Read an index: whole axes, parts, single positions and new axes."""
    x = call.x()
    index = call.args[1]
    items = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(i, (torch.Tensor, list)) for i in items):
        raise Undone
    used = sum(i is not None and i is not Ellipsis for i in items)
    if Ellipsis in [i for i in items if not isinstance(i, torch.Tensor)]:
        place = items.index(Ellipsis)
        items[place : place + 1] = [slice(None)] * (len(x.sizes) - used)
    items += [slice(None)] * (len(x.sizes) - sum(i is not None for i in items))
    sizes: list[Size] = []
    axis = 0
    for item in items:
        if item is None:
            sizes.append(size(1))
            continue
        there = x.sizes[axis]
        if isinstance(item, slice):
            x = _sliced(call, x, axis, item)
            sizes.append(x.sizes[axis])
        else:
            at = formula_of(item)
            if at.constant is not None and at.constant < 0:
                at = there + at
            x = part(call, x, axis, at, size(1))
        axis += 1
    reshape(call, x, sizes)


def _sliced(call: Call, x: Traced, axis: int, item: slice) -> Traced:
    there = x.sizes[axis]
    start, stop = _bound(call, item.start, there, size(0)), there
    stop = _bound(call, item.stop, there, there)
    step = 1 if item.step is None else int(item.step)
    if step < 1:
        raise Undone
    if step == 1:
        return part(call, x, axis, start, stop - start)
    first, end = start.constant, (there - stop).constant
    if first is None or end is None:
        raise call.refuse(f"a part with steps of {step} from {start.value} on")
    place = call.axis(x, axis)
    if there.constant is not None:
        many = -(-(there.constant - first - end) // step)
        return call.put(op.Select(place, first, many, step), x)
    return call.put(op.Slice(place, first, end, step), x)


def _bound(call: Call, value: Any, there: Size, default: Size) -> Size:
    """Return where a slice begins or ends: from the end if negative, never beyond."""
    if value is None:
        return default
    given = formula_of(value)
    values = call.tracer.record.values
    if given.at(values) < 0:
        given = there + given
    if given.at(values) > there.at(values):
        return there
    if (given - there).constant is None:
        # Where it is beyond the end, fewer are taken: a condition on the input.
        call.tracer.record.hold(">=", there - given)
    return given


def cat(call: Call) -> None:
    """Read tensors joined along an axis."""
    values = [v for v in call.get(0, "tensors") if not _is_empty(v)]
    parts = [call.tracer.operand(v) for v in values]
    joined(call, parts, call.get(1, "dim", 0) % len(parts[0].sizes), call.result)


def _is_empty(value: torch.Tensor) -> bool:
    return tuple(int(s) for s in value.shape) == (0,)


def joined(call: Call, parts: list[Traced], axis: int, result: Any) -> None:
    """Append a join; the other axes have to be equal."""
    if len(parts) == 1:
        call.same(parts[0], result)
        return
    lead = next((p for p in parts if p.layout.has_batch), parts[0])
    equal = []
    for one in parts:
        if not one.layout.has_batch:
            equal.append(one)
            continue
        wanted = [s if i != axis else one.sizes[i] for i, s in enumerate(lead.sizes)]
        equal.append(call.restated(one, wanted, "joined maps have to be equal in size"))
    place = lead.layout.logical(axis)
    made = call.put(op.Concat(place), *equal, layout=lead.layout, result=result)
    assert made.node  # noqa: S101


def stack(call: Call) -> None:
    """Read tensors joined along a new axis."""
    parts = [call.tracer.operand(v) for v in call.get(0, "tensors")]
    axis = call.get(1, "dim", 0) % (len(parts[0].sizes) + 1)
    opened = []
    for x in parts:
        sizes = (*x.sizes[:axis], size(1), *x.sizes[axis:])
        opened.append(call.put_sizes(op.Reshape, x, sizes))
    joined(call, opened, axis, call.result)


def unfold(call: Call) -> None:
    """Read windows laid out as columns (im2col)."""
    from costmodel.bridge.trace.readers.layers import formulas

    if len(call.args) > 1 and call.options.get("dimension") is not None:
        raise Undone
    x = call.x()
    if len(x.sizes) != 4 or not hasattr(op, "Unfold2d"):
        raise Undone
    dilation = formulas(call.get(2, "dilation", 1))
    padding = formulas(call.get(3, "padding", 0))
    stride = formulas(call.get(4, "stride", 1))
    kernel = formulas(call.get(1, "kernel_size"))
    call.put(op.Unfold2d(kernel, stride, padding, dilation), x, result=call.result)


MOVEMENT = {
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
    "narrow": narrow,
    "chunk": chunk,
    "split": split_,
    "split_with_sizes": split_,
    "unbind": unbind,
    "iter": unbind,
    "getitem": getitem,
    "cat": cat,
    "stack": stack,
    "unfold": unfold,
}
__all__ = ["MOVEMENT", "Layout", "count", "part", "reshape", "whole"]

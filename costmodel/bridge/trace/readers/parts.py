"""Readers of parts of tensors, and of tensors that are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.trace.calls import Call, UndoneError
from costmodel.bridge.trace.readers.views import reshape
from costmodel.bridge.trace.sizes import formula_of
from costmodel.bridge.trace.tracer import Traced
from costmodel.network import operators as op


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
        return call.put(op.Slice(place, first, length=many), x, result=result)
    if first is not None and end is not None and end >= 0:
        return call.put(op.Slice(place, first, end), x, result=result)
    if first is not None and many is not None:
        return call.put(op.Slice(place, first, length=many), x, result=result)
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
        raise UndoneError
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
        raise UndoneError
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
        raise UndoneError
    if step == 1:
        return part(call, x, axis, start, stop - start)
    first, end = start.constant, (there - stop).constant
    length, place = (stop - start).constant, call.axis(x, axis)
    if first is not None and length is not None:
        many = -(-length // step)
        return call.put(op.Slice(place, first, length=many, step=step), x)
    if first is None or end is None:
        raise call.refuse(f"a part with steps of {step} from {start.value} on")
    return call.put(op.Slice(place, first, end, step=step), x)


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
    call.put(op.Concat(place), *equal, layout=lead.layout, result=result)


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
        raise UndoneError
    x = call.x()
    if len(x.sizes) != 4:
        raise UndoneError
    dilation = formulas(call.get(2, "dilation", 1), 2)
    padding = formulas(call.get(3, "padding", 0), 2)
    stride = formulas(call.get(4, "stride", 1), 2)
    kernel = formulas(call.get(1, "kernel_size"), 2)
    call.put(op.Unfold(kernel, stride, padding, dilation), x, result=call.result)


PARTS = {
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

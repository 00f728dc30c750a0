"""Readers of torch functions that only move elements: views, slices, joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.readers import views
from costmodel.bridge.importing.readers.parts import (
    bound,
    columns,
    even,
    joined,
    part,
    parts,
)
from costmodel.bridge.importing.readers.views import product, reshape
from costmodel.bridge.importing.symbolic_int import formula_of
from costmodel.bridge.trace.call import Reader, TorchCall
from costmodel.network import operators as op
from costmodel.network.shape import broadcast


def view(call: TorchCall) -> None:
    """Read a view or a reshape."""
    x = call.x()
    if call.get("dtype") is not None:
        call.give(x)
        return
    wanted = call.list_of("shape" if call.get("size") is None else "size")
    known = [None if int.__eq__(w, -1) else formula_of(w) for w in wanted]
    reshape(call, x, views.resolved(call, x, known))


def view_as(call: TorchCall) -> None:
    """Read a view with the sizes of another tensor."""
    reshape(call, call.x(), call.x("other").sizes)


def flatten(call: TorchCall) -> None:
    """Read axes merged into one."""
    x = call.x()
    rank = len(x.sizes)
    start, end = call.get("start_dim", 0) % rank, call.get("end_dim", -1) % rank
    whole = product(x.sizes[start : end + 1])
    reshape(call, x, (*x.sizes[:start], whole, *x.sizes[end + 1 :]))


def unflatten(call: TorchCall) -> None:
    """Read the split of an axis into several."""
    x = call.x()
    axis = call.get("dim") % len(x.sizes)
    wanted = [formula_of(w) for w in call.get("sizes")]
    rest = x.sizes[axis].divided(product([w for w in wanted if w.constant != -1]))
    if rest is None:
        raise NoRule
    inner = [rest if one.constant == -1 else one for one in wanted]
    reshape(call, x, (*x.sizes[:axis], *inner, *x.sizes[axis + 1 :]))


def squeeze(call: TorchCall) -> None:
    """Read the removal of axes of size 1."""
    given = call.get("dim")
    views.squeeze(call, None if given is None else _list(given))


def unsqueeze(call: TorchCall) -> None:
    """Read the insertion of an axis of size 1."""
    views.unsqueeze(call, [call.get("dim")])


def permute(call: TorchCall) -> None:
    """Read a permutation of axes."""
    x = call.x()
    views.permuted(call, x, [d % len(x.sizes) for d in call.list_of("dims")])


def transpose(call: TorchCall) -> None:
    """Read two axes exchanged."""
    x = call.x()
    order = list(range(len(x.sizes)))
    first, second = (call.get(name) % len(order) for name in ("dim0", "dim1"))
    order[first], order[second] = order[second], order[first]
    views.permuted(call, x, order)


def movedim(call: TorchCall) -> None:
    """Read axes moved."""
    x = call.x()
    rank = len(x.sizes)
    sources = [d % rank for d in _list(call.get("source"))]
    targets = [d % rank for d in _list(call.get("destination"))]
    order: list[int | None] = [None] * rank
    for source, target in zip(sources, targets, strict=True):
        order[target] = source
    left = iter(i for i in range(rank) if i not in sources)
    views.permuted(call, x, [next(left) if o is None else o for o in order])


def _list(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def matrix_transpose(call: TorchCall) -> None:
    """Read the last two axes exchanged."""
    x = call.x()
    rank = len(x.sizes)
    views.permuted(call, x, [*range(rank - 2), rank - 1, rank - 2])


def expand(call: TorchCall) -> None:
    """Read an expansion of axes of size 1, without a copy."""
    x, wanted = call.x(), call.list_of("size")
    if call.get("other") is not None:
        sizes: Sequence[Size] = call.x("other").sizes
    else:
        whole = (*views.ones(len(wanted) - len(x.sizes)), *x.sizes)
        pairs = zip(wanted, whole, strict=True)
        sizes = [s if int.__eq__(w, -1) else formula_of(w) for w, s in pairs]
    views.expand(call, x, sizes)


def broadcast_tensors(call: TorchCall) -> None:
    """Read tensors expanded to the sizes that they have together."""
    operands = [call.operand(v) for v in call.get("tensors")]
    sizes = broadcast(*(x.sizes for x in operands))
    if sizes is None:
        raise NoRule
    for place, x in enumerate(operands):
        is_there = tuple(sizes) == x.sizes
        call.give(x if is_there else call.put_sizes(op.Expand, x, sizes), place)


def repeat(call: TorchCall) -> None:
    """Read a tensor repeated along its axes."""
    views.repeat(call, [formula_of(t) for t in call.list_of("repeats")])


def roll(call: TorchCall) -> None:
    """Read a cyclic shift; without axes it is one of the flat tensor, of one sample."""
    x, shifts, dims = call.x(), _list(call.get("shifts")), _list(call.get("dims"))
    if not dims and x.layout.has_batch and call.graph.batch.constant != 1:
        raise call.refuse("without dims it rolls across samples, which are not apart")
    places = tuple(call.axis(x, d) for d in dims) or ...
    call.give(views.copied(call, x, "rolled", shifts=tuple(shifts), dims=places))


def flip(call: TorchCall) -> None:
    """Read a tensor turned round."""
    x = call.x()
    places = tuple(call.axis(x, d) for d in call.list_of("dims"))
    call.give(views.copied(call, x, "flipped", dims=places))


def narrow(call: TorchCall) -> None:
    """Read a part of an axis."""
    x = call.x()
    axis, start = _axis(call, x), formula_of(call.get("start"))
    start = bound(call, start, x.sizes[axis])
    length = formula_of(call.get("length"))
    call.give(part(call, x, axis, start, length, is_step=False))


def select(call: TorchCall) -> None:
    """Read a single position of an axis, which goes."""
    x = call.x()
    axis, start = _axis(call, x), formula_of(call.get("index"))
    start = bound(call, start, x.sizes[axis])
    views.without(call, part(call, x, axis, start, size(1)), {axis})


def _axis(call: TorchCall, x: Traced) -> int:
    axis: int = call.get("dim", 0) % len(x.sizes)
    return axis


def split(call: TorchCall) -> None:
    """Read a tensor in so many parts, or in parts of some sizes."""
    x = call.x()
    axis, many = _axis(call, x), len(call.made)
    there, chunks = x.sizes[axis], call.get("chunks")
    wanted = call.get("split_size_or_sections") or call.get("split_size")
    wanted = wanted or call.get("split_sizes")
    if isinstance(wanted, Sequence):
        lengths = [formula_of(w) for w in wanted]
        call.equal(there, sum(lengths, start=size(0)), "its parts have to fit")
    else:
        each = formula_of(wanted) if chunks is None else -(-there // chunks)
        lengths = even(call, there, each, many)
    parts(call, x, axis, lengths)


def tensor_split(call: TorchCall) -> None:
    """Read a tensor in parts that differ by one, or that end at some positions."""
    x = call.x()
    axis, many = _axis(call, x), len(call.made)
    there, ends = x.sizes[axis], call.get("indices")
    if ends is None:
        lengths = [(there + many - 1 - i) // many for i in range(many)]
    else:
        inner = [bound(call, formula_of(end), there) for end in ends]
        pairs = zip([size(0), *inner], [*inner, there], strict=True)
        lengths = [end - start for start, end in pairs]
    parts(call, x, axis, lengths)


def unbind(call: TorchCall) -> None:
    """Read an axis split into single positions, one tensor each."""
    x = call.x()
    axis = _axis(call, x)
    if x.sizes[axis].constant is None:
        raise call.refuse(f"it makes a tensor of each of {x.sizes[axis].value}")
    for place in range(len(call.made)):
        piece = part(call, x, axis, size(place), size(1))
        views.without(call, piece, {axis}, place)


def getitem(call: TorchCall) -> None:
    """Read indexing by whole axes, slices, single positions and new axes."""
    x, index = call.x(), call.args[1]
    items = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(i, (torch.Tensor, list)) for i in items):
        raise NoRule("with a list or a tensor of places")
    used = sum(i is not None and i is not Ellipsis for i in items)
    if Ellipsis in items:
        place = items.index(Ellipsis)
        items[place : place + 1] = [slice(None)] * (len(x.sizes) - used)
    items += [slice(None)] * (len(x.sizes) - sum(i is not None for i in items))
    sizes: list[Size] = []
    axis = 0
    for item in items:
        if item is None:
            sizes.append(size(1))
            continue
        if isinstance(item, slice):
            x = _sliced(call, x, axis, item)
            sizes.append(x.sizes[axis])
        else:
            at = bound(call, formula_of(item), x.sizes[axis])
            x = part(call, x, axis, at, size(1))
        axis += 1
    reshape(call, x, sizes)


def _sliced(call: TorchCall, x: Traced, axis: int, item: slice) -> Traced:
    there = x.sizes[axis]
    start, stop = (
        default if end is None else bound(call, formula_of(end), there)
        for end, default in ((item.start, size(0)), (item.stop, there))
    )
    step = 1 if item.step is None else int(item.step)
    if step < 1:
        raise NoRule("with a step back")
    return part(call, x, axis, start, stop - start, every=step)


def cat(call: TorchCall) -> None:
    """Read a concatenation along an axis."""
    values = [v for v in call.get("tensors") if tuple(map(int, v.shape)) != (0,)]
    joined(call, [call.operand(v) for v in values], call.get("dim", 0))


def stack(call: TorchCall) -> None:
    """Read a concatenation along a new axis."""
    values = [call.operand(v) for v in call.get("tensors")]
    axis = call.get("dim", 0) % (len(values[0].sizes) + 1)
    opened = [(*x.sizes[:axis], size(1), *x.sizes[axis:]) for x in values]
    views_ = [call.view(x, sizes) for x, sizes in zip(values, opened, strict=True)]
    joined(call, views_, axis)


def unfold(call: TorchCall) -> None:
    """Read windows laid out as columns (im2col), or along one axis side by side."""
    if call.get("dimension") is None:
        columns(call)
        return
    x, length = call.x(), formula_of(call.get("size"))
    axis = call.get("dimension") % len(x.sizes)
    if length != formula_of(call.get("step")) or length.constant is None:
        raise NoRule
    count = x.sizes[axis] // length.constant
    x = part(call, x, axis, size(0), count * length)
    opened = call.view(x, (*x.sizes[:axis], count, length, *x.sizes[axis + 1 :]))
    order = [i for i in range(len(opened.sizes)) if i != axis + 1]
    views.permuted(call, opened, [*order, axis + 1])


AXES: dict[str, Reader] = {
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
    "broadcast_tensors": broadcast_tensors,
    "expand": expand,
    "expand_as": expand,
    "repeat": repeat,
    "roll": roll,
    "flip": flip,
    "narrow": narrow,
    "select": select,
    "chunk": split,
    "split": split,
    "split_with_sizes": split,
    "tensor_split": tensor_split,
    "unbind": unbind,
    "iter": unbind,
    "getitem": getitem,
    "cat": cat,
    "stack": stack,
    "unfold": unfold,
}

"""Readers of padding, and of cropping as negative padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from costmodel.algebra.polynomial import Size, size
from costmodel.algebra.symbols import Dim
from costmodel.bridge.importing.call import Call, Pads
from costmodel.bridge.importing.graph import Traced
from costmodel.network import operators as op
from costmodel.network.shape import AXES


NONE = (size(0), size(0))

Ends = Mapping[int, tuple[Size, Size]]
"""By axis, the padding before and after; axes that are missing have none."""


def pad_map(call: Call, x: Traced, pads: Pads, mode: str = "constant") -> Traced:
    """Append padding of a feature map's spatial axes."""
    before, after = pads
    return call.put(_pad(1, before, after, mode), x)


def pad_to(call: Call, x: Traced, sizes: Sequence[Size], before: Any) -> Traced:
    """Append padding up to given sizes; ``half`` of it may be in front."""
    keep = partial(call.kept, value=0, before=before)
    return call.put_sizes(lambda to: keep(op.PadTo(to)), x, sizes)


def is_of_map(x: Traced, mode: str) -> bool:
    """Say whether padding is that of a feature map.

    Padding of tokens with zeros is along an axis; other modes are for feature maps.
    """
    axes = len(x.sizes) - 2
    is_map = axes in AXES and (axes > 1 or mode != "constant")
    return is_map and x.layout.batch_axis == 0 and not x.layout.is_folded


def pad(call: Call, ends: Ends, mode: str, value: Any = 0) -> None:
    """Read padding at the ends of some axes; negative padding crops."""
    keep = partial(call.kept, value=0 if value is None else value)
    x = call.x()
    ends = {axis: both for axis, both in ends.items() if both != NONE}
    is_known = all(e.constant is not None for both in ends.values() for e in both)
    if not ends:
        call.give(x)
    elif is_known and is_of_map(x, mode) and min(ends) >= 2:
        added = [ends.get(place, NONE) for place in range(2, len(x.sizes))]
        before, after = zip(*((b.value, a.value) for b, a in added), strict=True)
        call.result(keep(_pad(1, before, after, mode)), x)
    elif is_known and mode == "constant":
        *first, last = ends
        for axis in first:
            x = call.put(keep(_along(call, x, axis, ends[axis])), x)
        call.result(keep(_along(call, x, last, ends[last])), x)
    else:
        sizes = list(x.sizes)
        for axis, (start, end) in ends.items():
            sizes[axis] = sizes[axis] + start + end
        before = _in_front(list(ends.values()))
        call.result_sizes(lambda to: keep(op.PadTo(to), before=before), x, sizes)


def _in_front(ends: Sequence[tuple[Size, Size]]) -> Any:
    """Return how much of the padding is in front, in words; ``...`` if none fits."""
    for word, is_so in IN_FRONT.items():
        if all(is_so(start, end) for start, end in ends):
            return word
    return ...


IN_FRONT: dict[Any, Callable[[Size, Size], bool]] = {
    0: lambda a, _: a.constant == 0,
    "all": lambda _, b: b.constant == 0,
    "half": lambda a, b: a == (a + b) // 2,
    "most": lambda a, b: b == (a + b) // 2,
}


def _along(call: Call, x: Traced, axis: int, ends: tuple[Size, Size]) -> op.Pad:
    before, after = ends
    return _pad(call.axis(x, axis) - 1, (before.value,), (after.value,))


def _pad(
    front: int, before: Sequence[Dim], after: Sequence[Dim], mode: str = "constant"
) -> op.Pad:
    """Return padding of the axes after some that are not padded."""
    none = (0,) * front
    return op.Pad((*none, *before), (*none, *after), mode)

"""Readers of reductions along axes, and of running sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.bridge.importing.batch_axis import Layout
from costmodel.bridge.importing.call import Call
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.readers.pooling import is_map, whole_map
from costmodel.network import operators as op


def reduced(
    call: Call,
    operation: str,
    x: Traced,
    places: Sequence[int],
    *,
    keep: bool,
    everywhere: bool | None = None,
    result: int | None = 0,
    correction: Any = 0,
) -> Traced:
    """Append a reduction; the mean over all positions is global pooling.

    It covers the whole image if an axis is symbolic, unless ``everywhere`` is given.
    ``result`` is the index of the output that it is; None makes it a step.
    """
    rank = len(x.sizes)
    lay = x.layout
    if operation == "mean" and _is_all(x, places) and keep:
        layer = whole_map("mean", x)
    else:
        axes = tuple(call.axis(x, place) for place in places)
        if everywhere is None:
            everywhere = any(x.sizes[place].constant is None for place in places)
        layer = op.Reduce(operation, axes, keep, everywhere)
        layer = call.kept(layer, correction=correction)
        if not keep and lay.batch_axis:
            gone = sum(place < lay.batch_axis for place in places)
            lay = Layout(lay.batch_axis - gone, lay.is_folded)
    if result is None:
        return call.put(layer, x, layout=lay, rank=rank if keep else None)
    return call.result(layer, x, layout=lay, place=result)


def _is_all(x: Traced, places: Sequence[int]) -> bool:
    """Say whether axes are all spatial axes of a feature map or volume."""
    rank = len(x.sizes)
    return rank in (4, 5) and is_map(x) and list(places) == list(range(2, rank))


def cumulated(call: Call, axis: int) -> None:
    """Append running sums along an axis."""
    x = call.x()
    call.result(op.Cumulate(call.axis(x, axis)), x)

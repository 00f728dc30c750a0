"""What one element of an operator's output looks at: channels, and positions an axis.

Every operator of one operand is a product of three: which channels, which rows, which
columns. ``Operator.window`` gives size, stride and padding along an axis; this adds the
gaps that dilation leaves in a window, and the channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from costmodel.algebra.symbols import as_int
from costmodel.analysis.borders import bordered, sampled
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.operators import Operator
from costmodel.network.operators.pooling import AdaptivePool
from costmodel.network.operators.resampling import Resampling


Blocks: TypeAlias = list[tuple[Sequence[int], int]]
"""From the first output channel on: the input channels of so many in a row."""

Flags: TypeAlias = npt.NDArray[np.bool_]


def channel_blocks(operator: Operator, channels: int) -> Blocks | None:
    """Return which of so many input channels each output channel looks at.

    None where each looks at its own. Joins and ``flatten`` are the analyses' own.

    >>> channel_blocks(op.Conv2d(6, (3, 3), groups=2), 4)
    [([0, 1], 3), ([2, 3], 3)]
    """
    if type(operator) not in CHANNELS:
        raise CostModelError(
            f"{operator.kind}: links.py has no rule for the channels that it looks at"
        )
    return CHANNELS[type(operator)](operator, channels)


def positions(operator: Operator, axis: int, inputs: int, outputs: int) -> Flags:
    """Return which input positions (columns) each output position (row) looks at.

    >>> positions(op.Conv2d(1, (3, 3), dilation=(2, 2)), 0, 5, 1).astype(int)
    array([[1, 0, 1, 0, 1]])
    """
    seen = np.zeros((outputs, inputs), dtype=bool)
    if isinstance(operator, AdaptivePool):
        for i in range(outputs):
            start, stop = i * inputs // outputs, -(-(i + 1) * inputs // outputs)
            seen[i, start:stop] = True
        return seen
    if isinstance(operator, Resampling):
        mode = operator.mode
        return sampled(mode, inputs, outputs)
    if isinstance(operator, op.ConvTranspose2d):
        return _spread_out(operator, axis, inputs, outputs)
    if operator.window is None or isinstance(operator, op.Linear):
        raise CostModelError(f"{operator.kind}: has no positions along an axis")
    window, under = operator.window[axis], taps(operator, axis)
    if window.size != under[-1] + 1:
        raise CostModelError(f"{operator.kind}: links.py has no rule for its window")
    stride, before = as_int(window.stride), as_int(window.before)
    for tap in under:
        at = np.arange(outputs) * stride - before + tap
        if isinstance(operator, op.Conv2d):
            at = bordered(operator.padding_mode, at, inputs)
        if isinstance(operator, op.Pad2d):
            at = bordered(operator.mode, at, inputs)
        inside = (at >= 0) & (at < inputs)
        seen[np.flatnonzero(inside), at[inside]] = True
    return seen


def _spread_out(
    operator: op.ConvTranspose2d, axis: int, inputs: int, outputs: int
) -> Flags:
    """Return what a transposed convolution looks at: i·s + d·u − p looks at i."""
    seen = np.zeros((outputs, inputs), dtype=bool)
    stride, before = as_int(operator.stride[axis]), as_int(operator.padding[axis])
    for tap in taps(operator, axis):
        at = np.arange(inputs) * stride - before + tap
        inside = (at >= 0) & (at < outputs)
        seen[at[inside], np.flatnonzero(inside)] = True
    return seen


def drops_channels(network: Network) -> bool:
    """Say whether some channels are lost on the way, all their counts being known.

    They are not read, or they are multiplied by zeros.
    """
    kinds = {type(node.operator) for node in network.nodes}
    is_multiplied = any(
        op.is_gated(node.operator, network.shapes_into(node)) for node in network.nodes
    )
    some = kinds & {op.SelectChannels, op.TableConv2d, op.Select, op.Slice} or (
        is_multiplied and kinds & {op.Zeros, op.PadChannels}
    )
    return bool(some) and all(type(n.output.channels) is int for n in network.nodes)


def taps(operator: Operator, axis: int) -> range:
    """Return the positions under a window, counted from its start: d·u for u < k."""
    if type(operator) not in KERNELS:
        return range(1)
    kernel = as_int(operator.attributes["kernel"][axis])
    dilation = as_int(operator.attributes.get("dilation", (1, 1))[axis])
    return range(0, kernel * dilation, dilation)


def _select_axis(operator: op.Select, _channels: int) -> Blocks | None:
    start, step = as_int(operator.start), as_int(operator.step)
    own: Blocks = [([start + step * c], 1) for c in range(as_int(operator.length))]
    return own if operator.axis == 1 else None


def _slice_axis(operator: op.Slice, channels: int) -> Blocks | None:
    start, step = as_int(operator.start), as_int(operator.step)
    kept = range(start, channels - as_int(operator.end), step)
    own: Blocks = [([c], 1) for c in kept]
    return own if operator.axis == 1 else None


def _pad_first_axis(operator: op.PadAxis, channels: int) -> Blocks | None:
    blocks = _pad_channels(op.PadChannels(operator.before, operator.after), channels)
    return blocks if operator.axis == 1 else None


def _own(_operator: Any, _channels: int) -> None:
    return None


def _all_to(features: str | None) -> Callable[[Any, int], Blocks]:
    """Every output channel looks at all; there are as many as that field says."""

    def rule(operator: Any, channels: int) -> Blocks:
        count = channels if features is None else getattr(operator, features)
        return [(range(channels), as_int(count))]

    return rule


def _conv(
    operator: op.Conv2d | op.Conv1d | op.ConvTranspose2d, channels: int
) -> Blocks:
    groups = as_int(operator.groups)
    each, out = channels // groups, as_int(operator.channels) // groups
    return [([*range(g * each, (g + 1) * each)], out) for g in range(groups)]


def _neighbours(operator: op.LocalResponseNorm, channels: int) -> Blocks:
    """PyTorch's window of n channels starts ⌊n/2⌋ before its own."""
    size = as_int(operator.size)
    starts = (c - size // 2 for c in range(channels))
    return [(range(max(0, s), min(channels, s + size)), 1) for s in starts]


def _pad_channels(operator: op.PadChannels, channels: int) -> Blocks:
    own: Blocks = [([c], 1) for c in range(channels)]
    return [((), as_int(operator.before)), *own, ((), as_int(operator.after))]


def _select(operator: op.SelectChannels, _channels: int) -> Blocks:
    start = as_int(operator.start)
    return [([start + c], 1) for c in range(as_int(operator.channels))]


def _shuffle(operator: op.ChannelShuffle, channels: int) -> Blocks:
    groups = as_int(operator.groups)
    each = channels // groups
    return [([g * each + c], 1) for c in range(each) for g in range(groups)]


CHANNELS: dict[type[Operator], Callable[[Any, int], Blocks | None]] = {
    **dict.fromkeys((
        op.BatchNorm2d, op.Identity, op.Dropout, op.MaxPool2d, op.AvgPool2d,
        op.Subsample2d, op.AdaptiveAvgPool2d, op.AdaptiveMaxPool2d, op.Pad2d,
    ), _own),
    op.Conv2d: _conv,
    op.TableConv2d: lambda operator, _: [(row, 1) for row in operator.table],
    op.Linear: _all_to("features"),
    op.RadialBasis: _all_to("features"),
    op.Softmax: _all_to(None),
    op.LocalResponseNorm: _neighbours,
    op.Zeros: lambda operator, _: [((), as_int(operator.channels))],
    op.PadChannels: _pad_channels,
    op.SelectChannels: _select,
    op.ChannelShuffle: _shuffle,
    op.Conv1d: _conv,
    op.ConvTranspose2d: _conv,
    op.Upsample2d: _own,
    op.Resize2d: _own,
    op.Select: _select_axis,
    op.Slice: _slice_axis,
    op.PadAxis: _pad_first_axis,
    **dict.fromkeys((op.Pointwise, op.Arithmetic, op.PReLU, op.Copy), _own),
    op.InstanceNorm2d: _own,
}  # fmt: skip
"""The channels that operators of one operand look at. An operator without a rule is an
error; an activation looks at each element alone."""

KERNELS = frozenset({
    op.Conv2d, op.ConvTranspose2d, op.TableConv2d, op.MaxPool2d, op.AvgPool2d,
    op.Subsample2d,
})  # fmt: skip
"""Operators with a kernel; the others look at single positions, or at whole maps."""

JOINS: frozenset[type[Operator]] = frozenset({
    op.Arithmetic, op.Concat
})  # fmt: skip
"""Operators of several operands."""

PRODUCTS: frozenset[type[Operator]] = frozenset({op.MatMul, op.Attention, op.Einsum})
"""Operators whose every result is taken to look at all of every operand."""

ARRANGING: frozenset[type[Operator]] = frozenset({
    op.Reshape, op.Permute, op.Expand, op.Repeat, op.Crop, op.PadTo, op.Roll, op.Flip,
    op.Unfold2d, op.PixelShuffle, op.PixelUnshuffle, op.LayerNorm, op.RMSNorm,
    op.GroupNorm, op.Reduce, op.Cumulate,
})  # fmt: skip
"""Operators of any axes: channels are followed through them while all see the same."""

UNFOLLOWED: frozenset[type[Operator]] = frozenset({op.Opaque})
"""Operators that nobody has a rule for."""

"""Readers of torch functions that are layers, pooling, resampling or padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from costmodel.algebra.polynomial import Size
from costmodel.bridge.importing.call import NoRule, each
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.readers import (
    layers,
    normalization,
    padding,
    pooling,
    views,
)
from costmodel.bridge.importing.symbolic_int import formula_of
from costmodel.bridge.trace.call import Reader, TorchCall
from costmodel.network.shape import AXES


def over_last(
    append: Callable[[TorchCall, Traced, int], None],
) -> Callable[[TorchCall], None]:
    """Return a reader of normalization over the last axes, of a given shape."""

    def reader(call: TorchCall) -> None:
        x, shape = call.x(), call.get("normalized_shape")
        lengths = list(shape) if isinstance(shape, Sequence) else []
        for place, length in enumerate(lengths, len(x.sizes) - len(lengths)):
            call.axis(x, place)
            if call.is_affine():
                x = call.fitting(x, place, length)
            else:
                wanted = formula_of(length)
                call.equal(x.sizes[place], wanted, f"it normalizes {wanted.value}")
        append(call, x, len(lengths) or 1)

    return reader


def adaptive(operation: str) -> Callable[[TorchCall], None]:
    """Return a reader of adaptive pooling."""

    def reader(call: TorchCall) -> None:
        x, axes = call.x(), call.axes
        sides = zip(each(call.get("output_size"), axes), x.sizes[-axes:], strict=True)
        wanted = (s.value if w is None else formula_of(w).value for w, s in sides)
        call.result(pooling.ADAPTIVE[operation](tuple(wanted)), x)

    return reader


def interpolate(call: TorchCall) -> None:
    """Read resampling by a factor, or to a size."""
    axes = len(call.x().sizes) - 2
    if axes not in AXES:
        raise NoRule
    mode = call.get("mode", "nearest").replace("-", "_")
    mode += "_corners" if call.get("align_corners") else ""
    wanted = call.get("size")
    if wanted is None:
        pooling.scaled(call, mode, each(call.get("scale_factor"), axes), 1e-9)
    else:
        pooling.resized(call, mode, [formula_of(w) for w in each(wanted, axes)])


def pad(call: TorchCall) -> None:
    """Read padding, given for the last axis first."""
    amounts: list[Size] = [formula_of(a) for a in call.get("pad")]
    last = len(call.x().sizes) - 1
    pairs = zip(amounts[::2], amounts[1::2], strict=True)
    ends = {last - i: both for i, both in enumerate(pairs)}
    padding.pad(call, ends, call.get("mode", "constant"), call.get("value"))


def by(name: str, append: Callable[[Any, int], None]) -> Reader:
    """Return a reader of a function with one integer parameter."""
    return lambda call: append(call, int(call.get(name)))


LAYERS: dict[str, Reader] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), layers.conv),
    **dict.fromkeys(
        ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        layers.conv_transpose,
    ),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"), pooling.max_pool),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), pooling.avg_pool),
    **{
        f"adaptive_{word}_pool{n}d": adaptive(operation)
        for word, operation in (("avg", "mean"), ("max", "max"))
        for n in AXES
    },
    "linear": layers.linear,
    "batch_norm": normalization.batch_norm,
    "instance_norm": normalization.instance_norm,
    "layer_norm": over_last(normalization.layer_norm),
    "rms_norm": over_last(normalization.rms_norm),
    "group_norm": normalization.group_norm,
    "local_response_norm": normalization.local_response_norm,
    "prelu": normalization.prelu,
    "interpolate": interpolate,
    "pad": pad,
    "pixel_shuffle": by("upscale_factor", views.pixel_shuffle),
    "pixel_unshuffle": by("downscale_factor", views.pixel_unshuffle),
    "channel_shuffle": by("groups", views.channel_shuffle),
}

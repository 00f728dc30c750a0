"""Readers of ONNX layers, pooling, resampling and padding."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.readers import (
    layers,
    normalization,
    padding,
    pooling,
    reductions,
)
from costmodel.bridge.importing.symbolic_int import formula_of
from costmodel.bridge.onnx.call import NodeCall, Reader, taking
from costmodel.bridge.onnx.tensors import int_of
from costmodel.network.shape import AXES


def gemm(call: NodeCall) -> None:
    """Read a product with a stored matrix, and a bias: a linear layer."""
    factors = call.get("alpha", 1.0), call.get("beta", 1.0)
    if (
        factors != (1, 1)
        or call.get("transA")
        or call.is_traced(1)
        or call.is_traced(2)
    ):
        raise NoRule
    weight, bias = call.weight(), call.optional("bias")
    rows, columns = call.lengths(weight)
    features, read = (rows, columns) if call.get("transB") else (columns, rows)
    if bias is not None and call.lengths(bias) not in {(features,), (1, features)}:
        raise NoRule
    layers.dense(call, call.x(), (read, features), weight, bias)


def over_last(append: Callable[[NodeCall, Traced, int], None]) -> Reader:
    """Return a reader of normalization over the axes from one on."""

    def reader(call: NodeCall) -> None:
        x = call.x()
        append(call, x, len(x.sizes) - int(call.get("axis", -1)) % len(x.sizes))

    return reader


def prelu(call: NodeCall) -> None:
    """Read a rectifier with learned slopes: one, or one for each channel."""
    slopes, many = call.lengths(call.weight()), call.count(call.weight())
    place = len(slopes) - len(call.x().sizes) + 1
    if many > 1 and not (0 <= place < len(slopes) and slopes[place] == many):
        raise NoRule
    normalization.prelu(call)


def global_pool(operation: str) -> Reader:
    """Return a reader of global pooling."""

    def reader(call: NodeCall) -> None:
        x = call.x()
        if pooling.is_map(x):
            call.result(pooling.whole_map(operation, x), x)
        else:
            places = range(2, len(x.sizes))
            reductions.reduced(call, operation, x, places, keep=True, everywhere=True)

    return reader


def resize(call: NodeCall) -> None:
    """Read resampling by a factor, or to a size."""
    x = call.x()
    count = len(x.sizes)
    if call.get("antialias") or count - 2 not in AXES or call.get("axes"):
        raise NoRule
    mode = _mode(call, count - 2)
    place = 1 if call.version < 11 else 2
    scales = [float(s) for s in call.listed(place, "scales", [])]
    if scales:
        if len(scales) != count or scales[:2] != [1, 1]:
            raise NoRule
        # Factors are float32, of 24 binary digits.
        pooling.scaled(call, mode, scales[2:], 1e-6)
        return
    wanted = [formula_of(n) for n in call.listed(3, "sizes", [])]
    is_free = call.get("keep_aspect_ratio_policy", "stretch") == "stretch"
    if len(wanted) != count or not is_free:
        raise NoRule
    for i in (0, 1):
        call.equal(x.sizes[i], wanted[i], "only maps are resized, not channels")
    pooling.resized(call, mode, wanted[2:])


def _mode(call: NodeCall, axes: int) -> str:
    mode = call.get("mode", "nearest")
    where = call.get("coordinate_transformation_mode", "half_pixel")
    if where not in _WHERE:
        raise NoRule
    if mode == "nearest":
        is_exact = where in {"half_pixel", "pytorch_half_pixel"} and call.version > 10
        return "nearest_exact" if is_exact else "nearest"
    names = {
        "linear": _LINEAR[axes], "bilinear": "bilinear", "cubic": "bicubic"
    }  # fmt: skip
    if mode not in names:
        raise NoRule
    return names[mode] + ("_corners" if where == "align_corners" else "")


_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
_WHERE = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"}


def pad(call: NodeCall) -> None:
    """Read padding, given before every axis and then after every axis."""
    x = call.x()
    amounts = [formula_of(int_of(a)) for a in call.listed(1, "pads", [])]
    mode = _BORDERS.get(call.get("mode", "constant"))
    axes = [int(a) % len(x.sizes) for a in call.listed(3, "axes", [])]
    axes = axes or list(range(len(x.sizes)))
    before, after = amounts[: len(axes)], amounts[len(axes) :]
    ends = dict(zip(axes, zip(before, after, strict=True), strict=True))
    if mode is None or (mode != "constant" and not padding.is_of_map(x, mode)):
        raise NoRule
    padding.pad(call, ends, mode)


_BORDERS = {
    "constant": "constant", "reflect": "reflect", "edge": "replicate",
    "wrap": "circular",
}  # fmt: skip

_WEIGHTED = "input weight bias"

LAYERS: dict[str, Reader] = {
    "Conv": taking(_WEIGHTED, layers.conv),
    "ConvTranspose": taking(_WEIGHTED, layers.conv_transpose),
    "Gemm": taking(_WEIGHTED, gemm),
    "BatchNormalization": taking(
        "input weight bias running_mean running_var", normalization.batch_norm
    ),
    "InstanceNormalization": taking(_WEIGHTED, normalization.instance_norm),
    "GroupNormalization": taking(_WEIGHTED, normalization.group_norm),
    "LayerNormalization": taking(_WEIGHTED, over_last(normalization.layer_norm)),
    "RMSNormalization": taking("input weight", over_last(normalization.rms_norm)),
    "LRN": normalization.local_response_norm,
    "PRelu": taking("input weight", prelu),
    "MaxPool": pooling.max_pool,
    "AveragePool": pooling.avg_pool,
    "GlobalAveragePool": global_pool("mean"),
    "GlobalMaxPool": global_pool("max"),
    "Resize": resize,
    "Upsample": resize,
    "Pad": pad,
}

"""Readers of normalization, and of PReLU."""

from __future__ import annotations

from typing import Any

from costmodel.bridge.importing.call import Call, NoRule
from costmodel.bridge.importing.graph import Traced
from costmodel.network import operators as op
from costmodel.network.shape import AXES


def channels_second(call: Call) -> Traced:
    """Return the operand, or raise if its channels are not axis 1."""
    x = call.x()
    if x.layout.batch_axis or x.layout.is_folded:
        raise NoRule
    return x


def _scale(call: Call) -> tuple[Any, Any]:
    """Return the scale and the shift of channels: both of them, or neither."""
    weight, bias = call.optional("weight"), call.optional("bias")
    if (weight is None) != (bias is None):
        raise NoRule
    return weight, bias


def _learned(call: Call, *weights: Any) -> tuple[Any, ...]:
    return weights if call.is_affine() else ()


def batch_norm(call: Call) -> None:
    """Read batch normalization, with running statistics or without."""
    x = channels_second(call)
    mean, var = call.optional("running_mean"), call.optional("running_var")
    weight, bias = _scale(call)
    if (mean is None) != (var is None):
        raise NoRule
    counted = weight if mean is None else mean
    if counted is not None:
        x = call.fitting(x, 1, call.count(counted))
    norm = op.BatchNorm(affine=call.is_affine(), running=mean is not None)
    layer = call.kept(norm, training=call.trains())
    call.layer(layer, x, *_learned(call, weight, bias), statistics=(mean, var))


def layer_norm(call: Call, x: Traced, axes: int) -> None:
    """Read normalization over the last axes."""
    weight, bias = call.optional("weight"), call.optional("bias")
    if weight is None and bias is not None:
        raise NoRule
    affine = call.is_affine()
    layer = call.kept(op.LayerNorm(axes, affine, affine and bias is not None))
    call.layer(layer, x, *_learned(call, weight, bias))


def rms_norm(call: Call, x: Traced, axes: int) -> None:
    """Read normalization by the root mean square of the last axes."""
    weights = _learned(call, call.optional("weight"))
    call.layer(call.kept(op.RMSNorm(axes, call.is_affine())), x, *weights)


def group_norm(call: Call) -> None:
    """Read normalization over groups of channels."""
    x = channels_second(call)
    weight, bias = _scale(call)
    affine = call.is_affine()
    if affine and call.lengths(weight) != (call.graph.number(x.sizes[1]),):
        raise NoRule
    layer = call.kept(op.GroupNorm(int(call.get("num_groups")), affine))
    call.layer(layer, x, *_learned(call, weight, bias))


def instance_norm(call: Call) -> None:
    """Read instance normalization."""
    x = channels_second(call)
    weight, bias = _scale(call)
    if call.optional("running_mean") is not None:
        raise NoRule
    if weight is not None:
        x = call.fitting(x, 1, call.count(weight))
    affine, channels = call.is_affine(), x.sizes[1].constant
    if len(x.shape.spatial) in AXES:
        layer = call.kept(op.InstanceNorm(affine))
    elif isinstance(channels, int):
        layer = call.kept(op.GroupNorm(channels, affine))
    else:
        raise NoRule
    call.layer(layer, x, *_learned(call, weight, bias))


def local_response_norm(call: Call) -> None:
    """Read normalization over neighbouring channels."""
    call.result(call.kept(op.LocalResponseNorm(int(call.get("size")))), call.x())


def prelu(call: Call) -> None:
    """Read a rectifier with learned slopes: one, or one for each channel."""
    weight = call.weight()
    call.layer(op.PReLU(call.count(weight)), channels_second(call), weight)

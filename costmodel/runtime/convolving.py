"""What convolutions and linear layers ask of a device, in whatever routine they run."""

from __future__ import annotations

from dataclasses import replace

from costmodel.algebra.amount import Count
from costmodel.algebra.symbols import exact_div, is_equal
from costmodel.network import operators as op
from costmodel.network.shape import Shape, counted
from costmodel.runtime.backend import STEM_CHANNELS, at_least, in_onednn, rounded
from costmodel.runtime.demand import Demand, Site
from costmodel.runtime.setting import Setting


def conv(site: Site) -> tuple[Demand, ...]:
    """Return the convolution in each backend that it may run in, borders first."""
    layer, moved, weights = site.operator, site.moved, site.sample.weight_bytes
    assert isinstance(layer, op.Conv2d)  # noqa: S101 - of a table by type
    macs = site.sample.tally.mac
    border: tuple[Demand, ...] = ()
    if layer.padding_mode != "zeros":
        border = (Demand("pad", site.read, 2 * site.sample.operand_bytes),)
    kind, work = conv_class(layer, site.inputs[0], counted(site.output), site.setting)
    if site.setting.device == "cuda":
        return (*border, Demand(kind, work, moved, weights))
    fast = in_onednn(layer, site.inputs[0], site.batch, site.setting)
    native = "conv_native" if kind in ("conv", "stem_conv") else f"{kind}_native"
    native = native.replace("depthwise", "grouped")
    return (
        *border,
        Demand(kind, work, moved, weights, fast),
        Demand(native, macs, moved, weights, 1 - fast),
    )


def conv_class(
    layer: op.Conv2d, x: Shape, output: Shape, setting: Setting
) -> tuple[str, Count]:
    """Return a convolution's class in oneDNN or cuDNN, and its work.

    Each group's channels are rounded up to whole vectors, or all channels where each
    is a group of its own; an image's few channels stay as they are.
    """
    area = layer.kernel[0] * layer.kernel[1]
    lanes = setting.lanes
    if layer.groups != 1 and is_equal(layer.groups, x.channels):
        return "depthwise_conv", rounded(
            layer.channels, lanes
        ) * area * output.positions
    fan_in = exact_div(x.channels, layer.groups)
    fan_out = rounded(exact_div(layer.channels, layer.groups), lanes)
    if layer.groups != 1:
        rounded_in, kind = rounded(fan_in, lanes), "grouped_conv"
    elif type(fan_in) is int and fan_in <= STEM_CHANNELS:
        rounded_in, kind = fan_in, "stem_conv"
    else:
        is_point = layer.kernel == (1, 1)
        rounded_in = rounded(fan_in, lanes)
        kind = "pointwise_conv" if is_point else "conv"
    taps = layer.groups * fan_out * rounded_in * area
    return kind, taps * output.positions


def conv1d(site: Site) -> tuple[Demand, ...]:
    """Return the convolution of tokens as PyTorch runs it: a map of height 1."""
    return site.one("grouped_conv", site.sample.tally.mac)


def table_conv(site: Site) -> tuple[Demand, ...]:
    """Return a gather and a convolution a map, and the maps put together."""
    layer = site.operator
    assert isinstance(layer, op.TableConv2d)  # noqa: S101 - of a table by type
    width, found = site.setting.element_bytes, []
    x, area = counted(site.inputs[0]).positions, layer.kernel[0] * layer.kernel[1]
    one = counted(site.output).positions
    for row in layer.table:
        read = len(row) * x
        found.append(Demand("copy", read, 2 * width * read))
        conv = op.Conv2d(1, layer.kernel)
        fast = in_onednn(
            conv, Shape(len(row), site.inputs[0].spatial), site.batch, site.setting
        )
        moved, weights = width * (read + one), width * (len(row) * area + 1)
        macs = len(row) * area * one
        found += [Demand("conv", macs, moved, weights, fast),
                  Demand("conv_native", macs, moved, weights, 1 - fast)]  # fmt: skip
    return (*found, Demand("concat", site.made, 2 * width * site.made))


def linear(site: Site) -> tuple[Demand, ...]:
    """Return a product of matrices; of a matrix and a vector for a single row."""
    macs = site.sample.tally.mac
    rows = site.inputs[0].spatial
    if isinstance(site.operator, op.LastLinear) and any(
        type(extent.base) is not int or extent.base > 1 for extent in rows
    ):
        return site.one("gemm", macs)
    several = at_least(site.batch, 2)
    (whole,) = site.one("gemm", macs)
    return (
        replace(whole, when=several),
        replace(whole, kind="gemv", when=1 - several),
    )

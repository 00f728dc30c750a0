"""The kernels of convolutions and linear layers, in whatever routine they run."""

from __future__ import annotations

from math import prod

from costmodel.algebra.count import Count
from costmodel.algebra.extent import resolve
from costmodel.algebra.symbols import Dim, exact_div, is_equal
from costmodel.network import operators as op
from costmodel.network.operators.base import are_all
from costmodel.network.shape import Shape, counted
from costmodel.runtime.kernels.kernel import Kernel, Site
from costmodel.runtime.kernels.routine_choice import (
    at_least,
    few_channels,
    in_onednn,
    narrowed,
    rounded,
)
from costmodel.runtime.setting import Setting


def conv(site: Site) -> tuple[Kernel, ...]:
    """Return a convolution in each backend that it may run in; padding comes first."""
    layer, moved, weights = site.operator, site.moved, site.sample.weight_bytes
    assert isinstance(layer, op.Conv)  # noqa: S101 - of a table by type
    macs = site.sample.tally.mac
    if len(layer.kernel) == 1:
        # PyTorch runs it as a 2-D convolution of height 1.
        return site.one("uneven_grouped_conv", macs)
    found: list[Kernel] = []
    if layer.padding_mode != "zeros":
        found.append(site.kernel("pad", site.read, 2 * site.sample.operand_bytes))
    fast = in_onednn(layer, site.inputs[0], site.batch, site.setting)
    is_cuda = site.setting.device == "cuda"
    classes = conv_classes(layer, site.inputs[0], counted(site.output), site.setting)
    for kind, work, part in classes:
        when = part if is_cuda else fast * part
        found.append(site.kernel(kind, work, moved, weights, when=when))
    if not is_cuda:
        kind = "conv" if layer.groups == 1 else "grouped_conv"
        is_point = layer.groups == 1 and are_all(layer.kernel, 1)
        native = f"{'pointwise_' * is_point}{kind}_native"
        found.append(
            site.kernel(native, macs, moved, weights, when=1 - fast,
                        calls=layer.groups, rereads=True)
        )  # fmt: skip
    return tuple(found)


def conv_classes(
    layer: op.Conv, x: Shape, output: Shape, setting: Setting
) -> list[tuple[str, Count, Dim]]:
    """Return a convolution's classes in oneDNN or cuDNN: work, and 1 where it is it.

    Channels are rounded up to whole vectors where there is a single group, or one per
    channel.
    """
    area, lanes, groups = prod(layer.kernel), setting.lanes, layer.groups
    if groups == 1:
        return _dense(layer, x, output, setting)
    is_cuda = setting.device == "cuda"
    if is_equal(groups, x.channels) and (is_cuda or not are_all(layer.kernel, 1)):
        channels = rounded(layer.channels, lanes)
        return [("depthwise_conv", channels * area * output.positions, 1)]
    fan_in, fan_out = exact_div(x.channels, groups), exact_div(layer.channels, groups)
    if is_cuda:
        taps = groups * rounded(fan_out, lanes) * rounded(fan_in, lanes) * area
        return [("grouped_conv", taps * output.positions, 1)]
    macs = layer.channels * fan_in * area * output.positions
    more, uneven = narrowed((fan_in, fan_out), lanes)
    return [("grouped_conv", more * macs, 1 - uneven),
            ("uneven_grouped_conv", macs, uneven)]  # fmt: skip


def _dense(
    layer: op.Conv, x: Shape, output: Shape, setting: Setting
) -> list[tuple[str, Count, Dim]]:
    """Return the classes of a convolution of a single group.

    The first one of a network reads its few channels unpadded, not in whole vectors.
    """
    area, lanes = prod(layer.kernel), setting.lanes
    out = rounded(layer.channels, lanes) * area * output.positions
    vectors = rounded(x.channels, lanes) * out
    if are_all(layer.kernel, 1):
        return [("pointwise_conv", vectors, 1)]
    several = at_least(resolve(x.channels), few_channels(setting))
    return [("stem_conv", x.channels * out, 1 - several), ("conv", vectors, several)]


def table_conv(site: Site) -> tuple[Kernel, ...]:
    """Return a gather and a convolution per feature map, and their concatenation."""
    layer = site.operator
    assert isinstance(layer, op.TableConv2d)  # noqa: S101 - of a table by type
    width, found = site.setting.element_bytes, []
    x, area = counted(site.inputs[0]).positions, layer.kernel[0] * layer.kernel[1]
    one = counted(site.output).positions
    for row in layer.table:
        read = len(row) * x
        found.append(site.kernel("copy", read, 2 * width * read))
        conv = op.Conv(1, layer.kernel)
        fast = in_onednn(
            conv, Shape(len(row), site.inputs[0].spatial), site.batch, site.setting
        )
        moved, weights = width * (read + one), width * (len(row) * area + 1)
        macs = len(row) * area * one
        for kind, when in (("conv", fast), ("conv_native", 1 - fast)):
            found.append(site.kernel(kind, macs, moved, weights, when=when))
    return (*found, *site.chain("concat"))


def linear(site: Site) -> tuple[Kernel, ...]:
    """Return a product of matrices; of a matrix and a vector for a single row."""
    macs = site.sample.tally.mac
    rows = site.inputs[0].spatial
    if any(type(extent.base) is not int or extent.base > 1 for extent in rows):
        return site.one("gemm", macs)
    several = at_least(site.batch, 2)
    return (
        *site.one("gemm", macs, when=several),
        *site.one("gemv", macs, when=1 - several),
    )

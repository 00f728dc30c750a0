"""Which kernels each operator runs when it runs by itself: a table of rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from costmodel.algebra.symbols import is_equal
from costmodel.network import operators as op
from costmodel.network.operators import Operator
from costmodel.network.shape import counted
from costmodel.runtime.kernels import convolution_kernels
from costmodel.runtime.kernels.kernel import Kernel, Site


def kernels_of(site: Site) -> tuple[Kernel, ...]:
    """Return the kernels of one operator, in eager mode; views run none."""
    operator = site.operator
    if operator.view or isinstance(operator, NONE):
        return ()
    rule = RULES.get(type(operator))
    if rule is not None:
        found = rule(site)
    elif type(operator) in KIND_OF:
        found = site.one(KIND_OF[type(operator)])
    else:
        found = (unmodelled(site),)
    if isinstance(operator, op.Windowed) and len(site.inputs[0].spatial) > 2:
        # A window slides along three axes: no device was calibrated on one.
        found = tuple(replace(kernel, is_modelled=False) for kernel in found)
    return tuple(kernel for kernel in found if kernel.when != 0)


def copied(site: Site) -> tuple[Kernel, ...]:
    """Return the kernel of a reshape that is no view of its operand."""
    return site.chain("copy")


def unmodelled(site: Site) -> Kernel:
    """Return a copy of all that the operator moves: a guess, and counted as one."""
    moved = site.moved
    if site.operator.is_unknown:
        sizes = (counted(shape).numel for shape in (*site.inputs, site.output))
        moved = site.setting.element_bytes * sum(sizes, start=0)
    weights = site.sample.weight_bytes
    return site.kernel("copy", site.made, moved, weights, is_modelled=False)


NONE = (op.Input, op.Parameter, op.Derived)
"""Operators whose results are there already."""

KIND_OF: dict[type[Operator], str] = {
    op.BatchNorm: "batch_norm",
    # Seven routines in PyTorch, of which the power takes nearly all of the time.
    op.LocalResponseNorm: "local_response_norm",
    op.LayerNorm: "layer_norm",
    op.RMSNorm: "layer_norm",
    op.GroupNorm: "group_norm",
    op.InstanceNorm: "group_norm",
    op.Softmax: "softmax",
    op.PReLU: "pointwise",
    op.Concat: "concat",
    op.Pad: "pad",
    op.PadTo: "pad",
    op.Resize: "upsample",
    op.PixelShuffle: "copy",
    op.PixelUnshuffle: "copy",
    op.Repeat: "copy",
    op.Copy: "copy",
    op.Zeros: "copy",
}
"""Operators that run one kernel, whose work is the elements of the result."""


def _product(site: Site, kind: str) -> tuple[Kernel, ...]:
    """Return a product of matrices: its work is multiply–accumulates."""
    return site.one(kind, site.sample.tally.mac)


def _window(site: Site, kind: str) -> tuple[Kernel, ...]:
    """Return a pooling: its work is the elements under all windows."""
    kernel = site.operator.attributes["kernel"]
    return site.one(kind, prod(kernel) * site.made)


def _shuffle(site: Site) -> tuple[Kernel, ...]:
    """Return a copy; none with a single group, or with one group per channel."""
    groups, channels = site.operator.attributes["groups"], site.output.channels
    if is_equal(groups, 1) or is_equal(groups, channels):
        return ()
    return site.one("copy")


def _adaptive(site: Site, kind: str) -> tuple[Kernel, ...]:
    """Return a pooling to a fixed size; a mean of all is a reduction."""
    layer = site.operator
    assert isinstance(layer, (op.AdaptiveAvgPool, op.AdaptiveMaxPool))  # noqa: S101
    if isinstance(layer, op.AdaptiveAvgPool) and layer.is_global:
        return site.one("global_pool", site.read)
    return site.one(kind, layer.elements_read(counted(site.inputs[0])))


def _subsample(site: Site) -> tuple[Kernel, ...]:
    """Return LeNet-5's: a mean, times the area, times a weight, plus a bias."""
    (pool,) = _window(site, "avg_pool")
    return replace(pool, weight_bytes=0), *site.chain("multiply", "multiply", "add")


def _radial_basis(site: Site) -> tuple[Kernel, ...]:
    """Return differences to every code, their squares, and the sums of these."""
    pairs, width = site.sample.tally.mac, site.setting.element_bytes
    moved, weights = width * pairs, site.sample.weight_bytes
    return (
        site.kernel("add", pairs, moved + site.sample.operand_bytes, weights),
        site.kernel("pointwise", pairs, 2 * moved),
        site.kernel("global_pool", pairs, moved + site.sample.output_bytes),
    )


def _pointwise(site: Site) -> tuple[Kernel, ...]:
    """Return the kernels that the function's row names, one after the other."""
    assert isinstance(site.operator, op.Pointwise)  # noqa: S101 - a row of the table
    first, *more = site.operator.row.runtime.split()
    return site.chain(first, *more) if more else site.one(first)


def _arithmetic(site: Site) -> tuple[Kernel, ...]:
    """Return a kernel per pair of tensors, or one for a tensor and a number."""
    operator, count = site.operator, len(site.inputs)
    assert isinstance(operator, op.Arithmetic)  # noqa: S101 - a row of the table
    if count > 2:
        return site.chain(*[operator.row.runtime] * (count - 1), operands=2)
    return site.one(operator.row.runtime if count == 2 else "pointwise")


RULES: dict[type[Operator], Callable[[Site], tuple[Kernel, ...]]] = {
    op.Conv: convolution_kernels.conv,
    op.TableConv2d: convolution_kernels.table_conv,
    op.ConvTranspose: lambda site: _product(site, "transposed_conv"),
    op.Linear: convolution_kernels.linear,
    op.MatMul: lambda site: _product(site, "matmul"),
    op.Einsum: lambda site: _product(site, "matmul"),
    op.Attention: lambda site: _product(site, "attention"),
    op.MaxPool: lambda site: _window(site, "max_pool"),
    op.AvgPool: lambda site: _window(site, "avg_pool"),
    op.AdaptiveAvgPool: lambda site: _adaptive(site, "avg_pool"),
    op.AdaptiveMaxPool: lambda site: _adaptive(site, "max_pool"),
    op.Reduce: lambda site: site.one("global_pool", site.read),
    op.Subsample2d: _subsample,
    op.ChannelShuffle: _shuffle,
    op.RadialBasis: _radial_basis,
    op.Arithmetic: _arithmetic,
    op.Pointwise: _pointwise,
}
"""Operators of several kernels, or whose work is not the elements of the result.

What stands neither here nor in :data:`KIND_OF` is unmodelled.
"""

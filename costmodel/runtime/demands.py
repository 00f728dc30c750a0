"""What each operator asks of a device when it runs by itself: a table of rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from costmodel.algebra.amount import Count
from costmodel.algebra.symbols import Dim, exact_div, is_equal
from costmodel.analysis.cost import Sample
from costmodel.network import operators as op
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape, counted
from costmodel.runtime.backend import STEM_CHANNELS, at_least, in_onednn, rounded
from costmodel.runtime.setting import Setting


@dataclass(frozen=True, slots=True)
class Demand:
    """One kernel: what it asks for each sample, and weights once a batch."""

    kind: str
    work: Count
    activation_bytes: Count
    weight_bytes: Count = 0
    when: Dim = 1
    is_modelled: bool = True
    is_stored: bool = False
    """Made of stored tensors alone: it runs once a batch, whatever the batch."""


@dataclass(frozen=True, slots=True)
class Site:
    """An operator on its operands, in a batch and a setting."""

    operator: Operator
    inputs: tuple[Shape, ...]
    output: Shape
    sample: Sample
    batch: Dim
    setting: Setting

    @property
    def made(self) -> Count:
        """Elements of the result."""
        return counted(self.output).numel

    @property
    def read(self) -> Count:
        """Elements of the first operand."""
        return counted(self.inputs[0]).numel

    @property
    def moved(self) -> Count:
        """Bytes of operands and result."""
        return self.sample.operand_bytes + self.sample.output_bytes

    def one(self, kind: str, work: Count | None = None) -> tuple[Demand, ...]:
        """Return a single kernel, which moves all that the operator moves."""
        work = self.made if work is None else work
        return (Demand(kind, work, self.moved, self.sample.weight_bytes),)

    def chain(self, *kinds: str, operands: int = 1) -> tuple[Demand, ...]:
        """Return kernels of each element, one after the other."""
        moved = (operands + 1) * self.setting.element_bytes * self.made
        return tuple(Demand(kind, self.made, moved) for kind in kinds)


def demands(site: Site) -> tuple[Demand, ...]:
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
        found = unmodelled(site)
    if site.sample.is_stored:
        found = tuple(replace(demand, is_stored=True) for demand in found)
    return tuple(demand for demand in found if demand.when != 0)


def copied(site: Site) -> tuple[Demand, ...]:
    """Return the kernel of a reshape that is no view of its operand."""
    moved = 2 * site.setting.element_bytes * site.made
    return (Demand("copy", site.made, moved),)


def unmodelled(site: Site) -> tuple[Demand, ...]:
    """Return a copy of all that the operator moves: a guess, and counted as one."""
    moved = site.moved
    if isinstance(site.operator, op.Opaque):
        sizes = (counted(shape).numel for shape in (*site.inputs, site.output))
        moved = site.setting.element_bytes * sum(sizes, start=0)
    weights = site.sample.weight_bytes
    return (Demand("copy", site.made, moved, weights, is_modelled=False),)


NONE = (op.Input, op.Parameter, op.Derived)
"""Operators whose results are there already."""

KIND_OF: dict[type[Operator], str] = {
    op.BatchNorm2d: "batch_norm",
    op.LayerNorm: "layer_norm",
    op.RMSNorm: "layer_norm",
    op.GroupNorm: "group_norm",
    op.InstanceNorm2d: "group_norm",
    op.Softmax: "softmax",
    op.ReLU: "relu",
    op.ReLU6: "clamp",
    op.HardTanh: "clamp",
    op.SiLU: "silu",
    op.HardSwish: "hardswish",
    op.HardSigmoid: "hardsigmoid",
    op.Sigmoid: "sigmoid",
    op.Tanh: "tanh",
    op.PReLU: "pointwise",
    op.Scalar: "pointwise",
    op.Multiply: "multiply",
    op.Concat: "concat",
    op.Pad2d: "pad",
    op.PadChannels: "pad",
    op.PadTo: "pad",
    op.PadAxis: "pad",
    op.Upsample2d: "upsample",
    op.Resize2d: "upsample",
    op.ChannelShuffle: "copy",
    op.PixelShuffle: "copy",
    op.PixelUnshuffle: "copy",
    op.Repeat: "copy",
    op.Roll: "copy",
    op.Flip: "copy",
    op.Copy: "copy",
    op.Zeros: "copy",
}
"""Operators that are one kernel, whose work is the elements that it makes."""

PAIRS = {"add": "add", "subtract": "add", "multiply": "multiply"}
"""Functions of two tensors that have a class; the others are ``pointwise``."""


def _conv(site: Site) -> tuple[Demand, ...]:
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
        return "depthwise_conv", rounded(layer.channels, lanes) * area * output.positions
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


def _conv1d(site: Site) -> tuple[Demand, ...]:
    """Return the convolution of tokens as PyTorch runs it: a map of height 1."""
    return site.one("grouped_conv", site.sample.tally.mac)


def _table_conv(site: Site) -> tuple[Demand, ...]:
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


def _linear(site: Site) -> tuple[Demand, ...]:
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


def _products(kind: str) -> Callable[[Site], tuple[Demand, ...]]:
    return lambda site: site.one(kind, site.sample.tally.mac)


def _window(site: Site, kind: str) -> tuple[Demand, ...]:
    """Return a pooling: its work is every element under every window."""
    high, wide = site.operator.attributes["kernel"]
    return site.one(kind, high * wide * site.made)


def _adaptive(kind: str) -> Callable[[Site], tuple[Demand, ...]]:
    """Return the rule of a pooling to a fixed size; a mean of all is a reduction."""

    def rule(site: Site) -> tuple[Demand, ...]:
        layer = site.operator
        if layer == op.AdaptiveAvgPool2d((1, 1)):
            return site.one("global_pool", site.read)
        assert isinstance(layer, (op.AdaptiveAvgPool2d, op.AdaptiveMaxPool2d))  # noqa: S101
        return site.one(kind, layer.elements_read(counted(site.inputs[0])))

    return rule


def _subsample(site: Site) -> tuple[Demand, ...]:
    """Return LeNet-5's: a mean, times the area, times a weight, plus a bias."""
    (pool,) = _window(site, "avg_pool")
    return replace(pool, weight_bytes=0), *site.chain("multiply", "multiply", "add")


def _response_norm(site: Site) -> tuple[Demand, ...]:
    """Return squares, a border, their means, three functions of a number, a quotient.

    **Source**: PyTorch, ``torch.nn.functional.local_response_norm``.
    """
    size = site.operator.attributes["size"]
    (mean,) = site.one("avg_pool", size * site.made)
    return (
        *site.chain("multiply", "pad"),
        mean,
        *site.chain("pointwise", "pointwise", "pointwise"),
        *site.chain("pointwise", operands=2),
    )


def _radial_basis(site: Site) -> tuple[Demand, ...]:
    """Return differences to every code, their squares, and sums of these."""
    pairs, width = site.sample.tally.mac, site.setting.element_bytes
    moved, weights = width * pairs, site.sample.weight_bytes
    return (
        Demand("add", pairs, moved + site.sample.operand_bytes, weights),
        Demand("pointwise", pairs, 2 * moved),
        Demand("global_pool", pairs, moved + site.sample.output_bytes),
    )


def _scaled_tanh(site: Site) -> tuple[Demand, ...]:
    return site.chain("multiply", "tanh", "multiply")


def _added(site: Site) -> tuple[Demand, ...]:
    """Return a sum of two a time."""
    return site.chain(*["add"] * (len(site.inputs) - 1), operands=2)


def _pointwise(site: Site) -> tuple[Demand, ...]:
    is_gelu = site.operator.attributes["function"].startswith("gelu")
    return site.one("gelu" if is_gelu else "pointwise")


def _binary(site: Site) -> tuple[Demand, ...]:
    return site.one(PAIRS.get(site.operator.attributes["operation"], "pointwise"))


RULES: dict[type[Operator], Callable[[Site], tuple[Demand, ...]]] = {
    op.Conv2d: _conv,
    op.TableConv2d: _table_conv,
    op.Conv1d: _conv1d,
    op.ConvTranspose2d: _products("transposed_conv"),
    op.Linear: _linear,
    op.LastLinear: _linear,
    op.MatMul: _products("matmul"),
    op.Einsum: _products("matmul"),
    op.Attention: _products("attention"),
    op.MaxPool2d: lambda site: _window(site, "max_pool"),
    op.AvgPool2d: lambda site: _window(site, "avg_pool"),
    op.AdaptiveAvgPool2d: _adaptive("avg_pool"),
    op.AdaptiveMaxPool2d: _adaptive("max_pool"),
    op.Reduce: lambda site: site.one("global_pool", site.read),
    op.Subsample2d: _subsample,
    op.ScaledTanh: _scaled_tanh,
    op.LocalResponseNorm: _response_norm,
    op.RadialBasis: _radial_basis,
    op.Add: _added,
    op.Pointwise: _pointwise,
    op.Binary: _binary,
}
"""Operators of several kernels, or whose work is not what they make.

What stands neither here nor in :data:`KIND_OF` is unmodelled.
"""

"""The verbs that architectures are written in.

Verbs take and return values; shapes are inferred at once, so that an error's traceback
ends on the architecture's own line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeAlias

import sympy

from costmodel.algebra.extent import Extent, resolve
from costmodel.algebra.symbols import Dim, H, N, W, as_dim, exact_div
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Inference, Node, make_node
from costmodel.network.shape import Shape


Size: TypeAlias = Dim | tuple[Dim, Dim]
"""One number for both axes, or a (height, width) pair."""


@dataclass
class _Builder:
    """The nodes so far, and how often each name was given."""

    nodes: dict[str, Node] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    operators: dict[object, op.Operator] = field(default_factory=dict)
    inference: Inference = field(default_factory=Inference)

    def add(
        self,
        operator: type[op.Operator],
        fields: tuple[object, ...],
        inputs: list[Value],
        name: str | None,
    ) -> Value:
        """Append a node; every problem names it."""
        full = self._name(operator.kind, name)
        try:
            layer = self._operator(operator, fields)
        except CostModelError as error:
            raise at(operator.kind, full, str(error)) from None
        names = tuple(value.node.name for value in inputs)
        node = make_node(full, layer, names, self.nodes, self.inference)
        self.nodes[full] = node
        return Value(self, node)

    def _operator(
        self, operator: type[op.Operator], fields: tuple[object, ...]
    ) -> op.Operator:
        """Return the operator; one that was made before is the same object again."""
        # True equals 1: what is refused as a number must not pass for one.
        kinds = [tuple(map(type, f)) if type(f) is tuple else type(f) for f in fields]
        key = (operator, fields, *kinds)
        try:
            known = self.operators.get(key)
        except TypeError:  # a list, say: the operator says what is wrong with it
            return operator(*fields)
        if known is None:
            known = self.operators[key] = operator(*fields)
        return known

    def _name(self, kind: str, name: str | None) -> str:
        """Return the node's full name: as given, or its kind and a number."""
        scope = "".join(f"{part}." for part in _SCOPE.get())
        if name is not None:
            if not isinstance(name, str):
                raise CostModelError(f"{kind}: name {name!r} is no text")
            if scope + name in self.nodes:
                raise at(kind, scope + name, "the name is used twice")
            return scope + name
        stem = scope + _SHORT.get(kind, kind)
        while True:
            self.counts[stem] += 1
            full = f"{stem}{self.counts[stem]}"
            if full not in self.nodes:
                return full


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the network that is being built: what verbs take and return."""

    builder: _Builder
    node: Node

    @property
    def shape(self) -> Shape:
        """The tensor's shape, batch left out."""
        return self.node.output

    @property
    def channels(self) -> Dim:
        """The tensor's channels: a number or a plain expression."""
        return resolve(self.shape.channels)

    def __str__(self) -> str:
        """Write the node's name and shape."""
        return f"{self.node.name}: {self.shape}"


def image(channels: Dim = 3, height: Dim = H, width: Dim = W) -> Value:
    """Start a network: the sample ``channels × height × width``."""
    shape = Shape(as_dim(channels, "channels"), (Extent(height), Extent(width)))
    return _Builder().add(op.Input, (shape,), [], "input")


def network(*outputs: Value, name: str = "network", batch: Dim = N) -> Network:
    """Finish a network: everything that was built from the sample of the outputs.

    >>> net = network(relu(conv(image(), 8, kernel=3)))
    >>> [node.name for node in net.nodes]
    ['input', 'conv1', 'relu1']
    """
    builder = _common(outputs, "network")
    names = [value.node.name for value in outputs]
    return Network.of_nodes(builder.nodes, names, name, batch)


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Name a block: nodes made inside are called ``name.…``, in modules and tables."""
    token = _SCOPE.set((*_SCOPE.get(), name))
    try:
        yield
    finally:
        _SCOPE.reset(token)


def conv(
    x: Value,
    channels: Dim,
    kernel: Size,
    stride: Size = 1,
    padding: Size | None = None,
    dilation: Size = 1,
    groups: Dim = 1,
    *,
    bias: bool = True,
    name: str | None = None,
) -> Value:
    """Convolve. Padding is by default d(k−1)/2, which keeps the size at stride 1."""
    k, d = _pair(kernel), _pair(dilation)
    p = _half(k, d, name) if padding is None else _pair(padding)
    fields = (channels, k, _pair(stride), p, d, groups, bias)
    return _apply(op.Conv2d, [x], name, *fields)


def depthwise(
    x: Value,
    kernel: Size,
    stride: Size = 1,
    padding: Size | None = None,
    *,
    bias: bool = True,
    name: str | None = None,
) -> Value:
    """Convolve every channel by itself: as many groups as channels."""
    _common((x,), "depthwise conv")
    channels = x.channels
    return conv(
        x, channels, kernel, stride, padding, groups=channels, bias=bias, name=name
    )


def conv_bn_relu(
    x: Value,
    channels: Dim,
    kernel: Size,
    stride: Size = 1,
    padding: Size | None = None,
    groups: Dim = 1,
) -> Value:
    """Convolve without bias, then batch normalization and ReLU."""
    x = conv(x, channels, kernel, stride, padding, groups=groups, bias=False)
    return relu(batch_norm(x))


def depthwise_bn_relu(
    x: Value, kernel: Size, stride: Size = 1, padding: Size | None = None
) -> Value:
    """Convolve each channel by itself, then batch normalization and ReLU."""
    return relu(batch_norm(depthwise(x, kernel, stride, padding, bias=False)))


def table_conv(
    x: Value,
    table: tuple[tuple[int, ...], ...],
    kernel: Size,
    *,
    name: str | None = None,
) -> Value:
    """Convolve, each map over the input maps that its row of the table lists."""
    return _apply(op.TableConv2d, [x], name, table, _pair(kernel))


def linear(
    x: Value, features: Dim, *, bias: bool = True, name: str | None = None
) -> Value:
    """Connect fully; a map of 1×1 positions is flattened first."""
    _common((x,), "linear")
    one = Extent(1)
    if x.shape.spatial and all(extent == one for extent in x.shape.spatial):
        x = flatten(x)
    return _apply(op.Linear, [x], name, features, bias)


def radial_basis(x: Value, features: Dim, *, name: str | None = None) -> Value:
    """Measure squared distances to fixed codes."""
    return _apply(op.RadialBasis, [x], name, features)


def max_pool(
    x: Value,
    kernel: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    *,
    ceil_mode: bool = False,
    name: str | None = None,
) -> Value:
    """Take the largest under each window; the stride is by default the kernel."""
    step = kernel if stride is None else stride
    sizes = (_pair(kernel), _pair(step), _pair(padding), _pair(dilation))
    return _apply(op.MaxPool2d, [x], name, *sizes, ceil_mode)


def avg_pool(
    x: Value,
    kernel: Size,
    stride: Size | None = None,
    padding: Size = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    name: str | None = None,
) -> Value:
    """Take the mean under each window; the stride is by default the kernel."""
    step = kernel if stride is None else stride
    sizes = (_pair(kernel), _pair(step), _pair(padding))
    return _apply(op.AvgPool2d, [x], name, *sizes, ceil_mode, count_include_pad)


def global_average_pool(x: Value, *, name: str | None = None) -> Value:
    """Take the mean of each map."""
    return _apply(op.AdaptiveAvgPool2d, [x], name)


def adaptive_avg_pool(x: Value, size: Size, *, name: str | None = None) -> Value:
    """Take means over windows that adapt to give ``size``."""
    return _apply(op.AdaptiveAvgPool2d, [x], name, _pair(size))


def adaptive_max_pool(x: Value, size: Size, *, name: str | None = None) -> Value:
    """Take the largest over windows that adapt to give ``size``."""
    return _apply(op.AdaptiveMaxPool2d, [x], name, _pair(size))


def subsample(x: Value, kernel: Size = 2, *, name: str | None = None) -> Value:
    """Sum each window, times a learned coefficient, plus a learned bias."""
    return _apply(op.Subsample2d, [x], name, _pair(kernel))


def batch_norm(x: Value, *, affine: bool = True, name: str | None = None) -> Value:
    """Normalize each channel."""
    return _apply(op.BatchNorm2d, [x], name, affine)


def local_response_norm(x: Value, size: Dim = 5, *, name: str | None = None) -> Value:
    """Normalize over neighbouring channels."""
    return _apply(op.LocalResponseNorm, [x], name, size)


def relu(x: Value, *, name: str | None = None) -> Value:
    """max(x, 0)."""
    return _apply(op.ReLU, [x], name)


def activation(x: Value, kind: str, *, name: str | None = None) -> Value:
    """Apply an activation by its kind, such as relu6, silu or hardswish."""
    layer = op.OPERATORS.get(str(kind))
    if layer is None or not issubclass(layer, op.Activation):
        known = sorted(
            k for k, o in op.OPERATORS.items() if issubclass(o, op.Activation)
        )
        raise CostModelError(f"activation {kind!r}: known are {', '.join(known)}")
    return _apply(layer, [x], name)


def require(condition: object, problem: str) -> None:
    """Refuse options that do not go together, in an architecture's own words."""
    if not condition:
        raise CostModelError(problem)


def softmax(x: Value, *, name: str | None = None) -> Value:
    """Normalize exponentials over channels."""
    return _apply(op.Softmax, [x], name)


def dropout(x: Value, percent: Dim = 50, *, name: str | None = None) -> Value:
    """Drop elements at random while training."""
    return _apply(op.Dropout, [x], name, percent)


def identity(x: Value, *, name: str | None = None) -> Value:
    """Name a value again."""
    return _apply(op.Identity, [x], name)


def add(*values: Value, name: str | None = None) -> Value:
    """Add values of one shape."""
    return _apply(op.Add, [*values], name)


def multiply(x: Value, gate: Value, *, name: str | None = None) -> Value:
    """Multiply two values, repeating sizes of 1."""
    return _apply(op.Multiply, [x, gate], name)


def concat(*values: Value, name: str | None = None) -> Value:
    """Stack values by channels."""
    return _apply(op.Concat, [*values], name)


def flatten(x: Value, *, name: str | None = None) -> Value:
    """Make one vector of a feature map."""
    return _apply(op.Flatten, [x], name)


def pad(x: Value, before: Size, after: Size, *, name: str | None = None) -> Value:
    """Put zeros around a feature map; below zero, take so much away instead."""
    return _apply(op.Pad2d, [x], name, _pair(before), _pair(after))


def zeros(
    x: Value, channels: Dim, stride: Size = 1, *, name: str | None = None
) -> Value:
    """Put zeros in the place of a feature map: no connection."""
    return _apply(op.Zeros, [x], name, channels, _pair(stride))


def pad_channels(
    x: Value, before: Dim, after: Dim, *, name: str | None = None
) -> Value:
    """Put channels of zeros before the first and after the last one."""
    return _apply(op.PadChannels, [x], name, before, after)


def select_channels(
    x: Value, start: Dim, channels: Dim, *, name: str | None = None
) -> Value:
    """Take so many channels in a row, the first of them number ``start``."""
    return _apply(op.SelectChannels, [x], name, start, channels)


def split(x: Value, parts: int = 2) -> tuple[Value, ...]:
    """Cut the channels into equal parts, the first ones first."""
    _common((x,), "split")
    if type(parts) is not int or parts < 1:
        raise CostModelError(f"split: parts {parts!r} is no positive integer")
    try:
        size = exact_div(x.channels, parts)
    except CostModelError:
        raise CostModelError(
            f"split: {parts} parts do not divide the {x.channels} channels of {x}"
        ) from None
    return tuple(select_channels(x, part * size, size) for part in range(parts))


def channel_shuffle(x: Value, groups: Dim, *, name: str | None = None) -> Value:
    """Deal the channels out over the groups."""
    return _apply(op.ChannelShuffle, [x], name, groups)


_SCOPE: ContextVar[tuple[str, ...]] = ContextVar("scope", default=())
_SHORT = {
    "batch_norm": "bn",
    "channel_shuffle": "shuffle",
    "local_response_norm": "norm",
    "dropout": "drop",
    "adaptive_avg_pool": "avg_pool",
    "adaptive_max_pool": "max_pool",
    "select_channels": "split",
}


def _apply(
    operator: type[op.Operator], values: list[Value], name: str | None, *fields: object
) -> Value:
    builder = _common(tuple(values), operator.kind)
    return builder.add(operator, fields, values, name)


def _common(values: tuple[Value, ...], what: str) -> _Builder:
    if not values or not all(isinstance(value, Value) for value in values):
        raise CostModelError(f"{what}: takes values that other verbs returned")
    if any(value.builder is not values[0].builder for value in values):
        raise CostModelError(f"{what}: values belong to different networks")
    return values[0].builder


def _pair(size: Size) -> tuple[Dim, Dim]:
    """Return one number for both axes as a pair; what is no pair is refused later."""
    return size if isinstance(size, tuple) else (size, size)


def _is_size(value: object) -> bool:
    """Say whether a kernel may have this side; if not, the layer says what is wrong."""
    return isinstance(value, sympy.Expr) or (type(value) is int and value >= 1)


def _half(
    kernel: tuple[Dim, Dim], dilation: tuple[Dim, Dim], name: str | None
) -> tuple[Dim, Dim]:
    """Return the padding d(k−1)/2 of both axes; none where a layer cannot be made."""
    if not all(len(p) == 2 and all(map(_is_size, p)) for p in (kernel, dilation)):
        return 0, 0
    try:
        height, width = (exact_div(d * (k - 1), 2) for k, d in zip(kernel, dilation))
    except CostModelError:
        raise at(
            "conv",
            ".".join((*_SCOPE.get(), name or "conv")),
            f"no padding keeps the size under the even kernel {op.by(kernel)}; "
            "give padding=",
        ) from None
    return height, width

"""Cells of searched networks, built from genotypes, and the table of their operations.

NASNet, AmoebaNet, PNASNet, DARTS and the benchmarks of architecture search repeat one
small graph at many widths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, as_dim, expand, floor, is_equal
from costmodel.errors import CostModelError, known_are
from costmodel.network.build import (
    Value,
    add,
    avg_pool,
    batch_norm,
    concat,
    conv,
    max_pool,
    pad,
    relu,
    scope,
    zeros,
)
from costmodel.network.cells.genotype import Genotype


def cell(
    genotype: Genotype,
    *inputs: Value,
    channels: Dim,
    stride: int = 1,
    operations: Mapping[str, Operation] | None = None,
) -> Value:
    """Build a genotype's cell: each state has ``channels``, and some are stacked.

    ``inputs`` are the states from 0 on, all of one size; operations that read one have
    the stride, 1 or 2, and bring it to the cell's channels. ``operations`` maps names
    to operations, by default :data:`OPERATIONS`. Next to other summands, nothing is
    built for "none". Nodes of state 2 are called ``block2.…``.

    >>> from costmodel.network.build import image, network
    >>> tiny = Genotype([[("sep_conv_3x3", 0), ("identity", 1)]])
    >>> x = image(16)
    >>> print(cell(tiny, x, x, channels=16, stride=2).shape)
    16×⌊(H+1)/2⌋×⌊(W+1)/2⌋
    """
    known = OPERATIONS if operations is None else operations
    _check_call(genotype, inputs, stride, known)
    states = list(inputs)
    for block in genotype.blocks:
        with scope(f"block{len(states)}"):
            summands = []
            present = [edge for edge in block if edge[0] != "none"]
            for operation, source in present or block[:1]:
                step = stride if source < genotype.inputs else 1
                with scope(operation):
                    summands.append(known[operation](states[source], channels, step))
            states.append(add(*summands) if len(summands) > 1 else summands[0])
    stacked = []
    for state in genotype.output:
        step = stride if state < genotype.inputs else 1
        with scope(f"state{state}"):
            stacked.append(_matched(states[state], channels, step))
    return concat(*stacked) if len(stacked) > 1 else stacked[0]


def relu_conv_bn(x: Value, channels: Dim, kernel: int = 1, stride: int = 1) -> Value:
    """Apply ReLU, convolve without bias, normalize: the order inside of cells."""
    return batch_norm(conv(relu(x), channels, kernel, stride, bias=False))


def factorized_reduction(x: Value, channels: Dim) -> Value:
    """Halve the size without losing pixels: two strided 1×1 convolutions, side by side.

    The second one reads the feature map shifted by one pixel and padded with zeros; one
    normalization follows. Of an odd number of channels the second makes one more.

    **Source**: NASNet's release (TF-slim, ``nasnet_utils.py``).
    """
    half = share(channels, 1, 2)
    even = conv(x, half, kernel=1, stride=2, bias=False)
    shifted = pad(x, before=-1, after=1)
    odd = conv(shifted, channels - half, kernel=1, stride=2, bias=False)
    return batch_norm(concat(even, odd))


def fit(previous: Value, x: Value, channels: Dim) -> Value:
    """Bring the output of an earlier cell to the size of ``x`` and to so many channels.

    **Source**: Zoph et al. 2017, arXiv:1707.07012, appendix A.4, and its release.
    """
    if previous.shape.spatial != x.shape.spatial:
        return factorized_reduction(relu(previous), channels)
    if not is_equal(previous.channels, channels):
        return relu_conv_bn(previous, channels)
    return previous


def share(channels: Dim, part: int, of: int) -> Dim:
    """Return part/of of the channels, rounded down as NASNet's release does.

    >>> from costmodel.algebra.symbols import alpha
    >>> share(54, 1, 4), share(44 * alpha, 1, 4), share(54 * alpha, 1, 4)
    (13, 11*alpha, floor(27*alpha/2))
    """
    quotient = expand(sympy.sympify(channels) * part / of)
    is_whole = quotient.as_content_primitive()[0].is_Integer
    return as_dim(quotient) if is_whole else floor(quotient)


Operation: TypeAlias = Callable[[Value, Dim, int], Value]
"""A function of a state, the cell's channels and a stride that returns a summand."""


def _separable(x: Value, channels: Dim, stride: int, *, kernel: int) -> Value:
    """Two separable convolutions, with nothing between depthwise and pointwise."""
    return _depthwise(_depthwise(x, channels, stride, kernel), channels, 1, kernel)


def _dilated(x: Value, channels: Dim, stride: int, *, kernel: int) -> Value:
    return _depthwise(x, channels, stride, kernel, dilation=2)


def _depthwise(
    x: Value, channels: Dim, stride: int, kernel: int, dilation: int = 1
) -> Value:
    """ReLU, depthwise, pointwise, batch normalization."""
    y = conv(
        relu(x), x.channels, kernel, stride, None, dilation, x.channels, bias=False
    )
    return batch_norm(conv(y, channels, kernel=1, bias=False))


def _convolved(x: Value, channels: Dim, stride: int, *, kernel: int) -> Value:
    return relu_conv_bn(x, channels, kernel, stride)


def _one_sided(
    x: Value, channels: Dim, stride: int, *, kernel: int, eighths: int
) -> Value:
    """1×k, then k×1, between two 1×1 convolutions, on fewer channels."""
    narrow = share(channels, eighths, 8)
    y = relu(relu_conv_bn(x, narrow))
    y = batch_norm(conv(y, narrow, (1, kernel), (1, stride), bias=False))
    y = conv(relu(y), narrow, (kernel, 1), (stride, 1), bias=False)
    return relu_conv_bn(batch_norm(y), channels)


def _averaged(x: Value, channels: Dim, stride: int, *, kernel: int) -> Value:
    """Average pooling that does not count the padding."""
    p = kernel // 2
    return _matched(avg_pool(x, kernel, stride, p, count_include_pad=False), channels)


def _largest(x: Value, channels: Dim, stride: int, *, kernel: int) -> Value:
    return _matched(max_pool(x, kernel, stride, kernel // 2), channels)


def _identity(x: Value, channels: Dim, stride: int) -> Value:
    """Apply the identity, or a 1×1 convolution if the shapes differ (NASNet)."""
    if stride == 1 and is_equal(x.channels, channels):
        return x
    return relu_conv_bn(x, channels, stride=stride)


def _skip(x: Value, channels: Dim, stride: int) -> Value:
    """Apply the identity, or a factorized reduction if the sizes differ (DARTS)."""
    if stride == 1:
        return _identity(x, channels, stride)
    return factorized_reduction(relu(x), channels)


def _matched(x: Value, channels: Dim, stride: int = 1) -> Value:
    """Bring a state to the cell's size and channels, without ReLU."""
    if stride != 1:
        return factorized_reduction(x, channels)
    if is_equal(x.channels, channels):
        return x
    return batch_norm(conv(x, channels, kernel=1, bias=False))


OPERATIONS: Mapping[str, Operation] = MappingProxyType({
    "none": zeros,
    "identity": _identity,
    "skip_connect": _skip,
    **{f"avg_pool_{k}x{k}": partial(_averaged, kernel=k) for k in (3,)},
    **{f"max_pool_{k}x{k}": partial(_largest, kernel=k) for k in (3, 5, 7)},
    **{f"conv_{k}x{k}": partial(_convolved, kernel=k) for k in (1, 3)},
    "conv_1x3_3x1": partial(_one_sided, kernel=3, eighths=3),
    "conv_1x7_7x1": partial(_one_sided, kernel=7, eighths=2),
    **{f"sep_conv_{k}x{k}": partial(_separable, kernel=k) for k in (3, 5, 7)},
    **{f"dil_conv_{k}x{k}": partial(_dilated, kernel=k) for k in (3, 5)},
})  # fmt: skip
"""Operations by name, as in the papers and their releases.

**Source**: NASNet, arXiv:1707.07012, section 3 and appendix A.4; AmoebaNet's release
for the one-sided ones (tensorflow/tpu, ``network_utils.py``); DARTS, arXiv:1806.09055,
section 3.1.1, for ``none``, ``skip_connect`` and the dilated ones.
"""


def _check_call(
    genotype: Genotype,
    inputs: tuple[Value, ...],
    stride: int,
    known: Mapping[str, Operation],
) -> None:
    """Refuse a wrong number of inputs, other strides, and unknown operations."""
    title = genotype.title
    if len(inputs) != genotype.inputs:
        raise CostModelError(
            f"{title}: takes {genotype.inputs} inputs, got {len(inputs)}"
        )
    for other in inputs[1:]:
        if other.shape.spatial != inputs[0].shape.spatial:
            raise CostModelError(
                f"{title}: inputs differ in size: {inputs[0].shape} and {other.shape}; "
                "fit the earlier one first"
            )
    if stride not in (1, 2):
        raise CostModelError(f"{title}: stride {stride!r}; allowed are 1 and 2")
    for state, block in enumerate(genotype.blocks, start=genotype.inputs):
        for operation, _ in block:
            if operation not in known:
                raise CostModelError(
                    f'{title}, block {state}: unknown operation "{operation}"; '
                    f"{known_are(operation, known)}"
                )

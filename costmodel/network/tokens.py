"""Verbs of tensors with any axes: what transformers brought to convolutional networks.

Axes bear PyTorch's numbers: the batch is axis 0, channels of a map are axis 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.shape import Shape
from costmodel.network.value import Value, apply, common


def layer_norm(
    x: Value,
    axes: Dim = 1,
    *,
    affine: bool = True,
    bias: bool = True,
    name: str | None = None,
) -> Value:
    """Normalize each position over the last axes, then scale and shift.

    **Source**: Ba, Kiros, Hinton 2016, arXiv:1607.06450, equation 4.

    >>> from costmodel.network.build import image
    >>> print(layer_norm(permute(image(96, 7, 7), (2, 3, 1))).shape)
    7×7×96
    """
    return apply(op.LayerNorm, [x], name, axes, affine, bias)


def rms_norm(
    x: Value, axes: Dim = 1, *, affine: bool = True, name: str | None = None
) -> Value:
    """Divide each position by its root mean square over the last axes, then scale."""
    return apply(op.RMSNorm, [x], name, axes, affine)


def group_norm(
    x: Value, groups: Dim, *, affine: bool = True, name: str | None = None
) -> Value:
    """Normalize over the channels of each group and all positions."""
    return apply(op.GroupNorm, [x], name, groups, affine)


def instance_norm(x: Value, *, affine: bool = False, name: str | None = None) -> Value:
    """Normalize each map of each sample by itself."""
    return apply(op.InstanceNorm, [x], name, affine)


def parameter(
    x: Value, sizes: Sequence[Dim], *, learnable: bool = True, name: str | None = None
) -> Value:
    """Store a tensor of these sizes beside ``x``: an operand without a batch.

    >>> from costmodel.network.build import image
    >>> print(parameter(image(), (1, 768)).shape)
    1×768
    """
    builder = common((x,), "parameter")
    shape = _shape_from(sizes, "parameter")
    return builder.add(op.Parameter, (shape, learnable), [], name)


def scale(x: Value, axis: Dim = 1, *, name: str | None = None) -> Value:
    """Multiply by a learned factor for each index along an axis, by default a channel.

    **Source**: Touvron et al. 2021, arXiv:2103.17239, section 2 ("LayerScale").

    >>> from costmodel.network.build import image
    >>> x = scale(image(96, 56, 56))
    >>> print(x.shape, [str(value.output) for value in x.builder.nodes.values()][1])
    96×56×56 96×1×1
    """
    common((x,), "scale")
    sizes = x.shape.sizes
    if type(axis) is not int or not 1 <= axis <= len(sizes):
        raise CostModelError(
            f"scale: axis {axis} is none of the axes 1 to {len(sizes)} of {x}"
        )
    factors = [size if a == axis else 1 for a, size in enumerate(sizes, start=1)]
    return apply(
        op.Arithmetic, [x, parameter(x, factors)], name, "multiply", stem="multiply"
    )


def permute(x: Value, order: tuple[int, ...], *, name: str | None = None) -> Value:
    """Put the axes in another order: (2, 3, 1) puts a map's channels last.

    >>> from costmodel.network.build import image
    >>> print(permute(image(), (2, 3, 1)).shape)
    H×W×3
    """
    return apply(op.Permute, [x], name, order)


def reshape(x: Value, sizes: Sequence[Dim], *, name: str | None = None) -> Value:
    """Give the same elements, in the same order, other axes.

    >>> from costmodel.network.build import image
    >>> print(permute(reshape(image(64, 7, 7), (64, 49)), (2, 1)).shape)
    49×64
    """
    return apply(op.Reshape, [x], name, _shape_from(sizes, "reshape"))


def last_linear(
    x: Value, features: Dim, *, bias: bool = True, name: str | None = None
) -> Value:
    """Connect the last axis fully, with the same weights at every position.

    >>> from costmodel.network.build import image
    >>> print(last_linear(permute(image(), (2, 3, 1)), 8).shape)
    H×W×8
    """
    return apply(op.Linear, [x], name, features, bias, check=_require_positions)


def _require_positions(x: Shape) -> None:
    """Refuse a vector, which has no axis beside its features."""
    if not x.spatial:
        raise CostModelError(f"needs two axes or more, got the vector {x}")


def matmul(x: Value, y: Value, *, name: str | None = None) -> Value:
    """Multiply matrices, which are the last two axes."""
    return apply(op.MatMul, [x, y], name)


def attention(
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None = None,
    *,
    name: str | None = None,
) -> Value:
    """Weight ``value`` by the softmax of scaled products of ``query`` and ``key``.

    **Source**: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1, equation 1.

    >>> from costmodel.network.build import image
    >>> heads = permute(reshape(image(192, 7, 7), (3, 64, 49)), (1, 3, 2))
    >>> print(attention(heads, heads, heads).shape)
    3×49×64
    """
    operands = [query, key, value] + ([] if mask is None else [mask])
    return apply(op.Attention, operands, name)


def _shape_from(sizes: Sequence[Dim], what: str) -> Shape:
    """Return the shape of these sizes; the operator says which of them cannot be."""
    if not isinstance(sizes, (tuple, list)) or not sizes:
        raise CostModelError(f"{what}: sizes {sizes!r} are no tuple of sizes")
    first, *others = (as_dim(size, f"{what}: size") for size in sizes)
    return Shape(first, tuple(map(Extent, others)))


__all__ = [
    "attention", "group_norm", "instance_norm", "last_linear", "layer_norm", "matmul",
    "parameter", "permute", "reshape", "rms_norm", "scale",
]  # fmt: skip

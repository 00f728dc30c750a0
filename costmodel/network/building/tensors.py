"""Verbs on tensors with any axes, such as the tokens of transformers.

Axes have PyTorch's numbers: the batch is axis 0, the channels of a feature map axis 1.
"""

from __future__ import annotations

from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.building.builder import Value, apply, common
from costmodel.network.building.verb import ShapeLike, shape_from
from costmodel.network.shape import Shape


def parameter(
    x: Value, sizes: ShapeLike, *, learnable: bool = True, name: str | None = None
) -> Value:
    """Store a tensor of these sizes beside ``x``: an operand without a batch.

    >>> from costmodel.network.build import image
    >>> print(parameter(image(), (1, 768)).shape)
    1×768
    """
    builder = common((x,), "parameter")
    shape = shape_from(sizes, "parameter")
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


def reshape(x: Value, sizes: ShapeLike, *, name: str | None = None) -> Value:
    """Reshape: the same elements, in the same order, with other axes.

    >>> from costmodel.network.build import image, permute
    >>> print(permute(reshape(image(64, 7, 7), (64, 49)), (2, 1)).shape)
    49×64
    """
    return apply(op.Reshape, [x], name, shape_from(sizes, "reshape"))


def last_linear(
    x: Value, features: Dim, *, bias: bool = True, name: str | None = None
) -> Value:
    """Connect the last axis fully, with the same weights at every position.

    >>> from costmodel.network.build import image, permute
    >>> print(last_linear(permute(image(), (2, 3, 1)), 8).shape)
    H×W×8
    """
    return apply(op.Linear, [x], name, features, bias, check=_require_positions)


def _require_positions(x: Shape) -> None:
    """Refuse a vector, which has no axis beside its features."""
    if not x.spatial:
        raise CostModelError(f"needs two axes or more, got the vector {x}")


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

    >>> from costmodel.network.build import image, permute
    >>> heads = permute(reshape(image(192, 7, 7), (3, 64, 49)), (1, 3, 2))
    >>> print(attention(heads, heads, heads).shape)
    3×49×64
    """
    operands = [query, key, value] + ([] if mask is None else [mask])
    return apply(op.Attention, operands, name)

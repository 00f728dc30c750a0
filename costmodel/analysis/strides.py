"""How far apart elements lie in memory: whether another shape is a view of them.

A view of a tensor has strides of its own. Axes whose strides follow each other can be
one axis; where a permutation or a gap lies between, a reshape has to copy.

**Source**: PyTorch, ``aten/src/ATen/TensorUtils.cpp`` (``computeStride``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from costmodel.algebra.symbols import Dim, as_dim, exact_div, is_equal
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape


Strides: TypeAlias = tuple[Dim, ...]
"""Elements from one to the next along each axis behind the batch."""


@dataclass
class Layouts:
    """The strides of results that do not lie in the order of their axes."""

    network: Network
    strides: dict[str, Strides] = field(default_factory=dict)

    def place(self, node: Node) -> bool:
        """Note the strides of a result; say whether a reshape has to copy."""
        operator = node.operator
        if not (node.inputs and isinstance(operator, (*_VIEWS, *_KEEPING))):
            return False
        if len(node.inputs) > 1:  # where operands lie otherwise, PyTorch chooses
            return False
        source = node.inputs[0]
        x = self.network.by_name[source].output
        own = self.strides.get(source)
        if isinstance(operator, op.Reshape):
            if own is None:
                return False
            found = reshaped(x.sizes, own, node.output.sizes)
        elif isinstance(operator, _KEEPING):
            found = own if own is not None and _is_dense(x, own) else None
        else:
            found = _viewed(operator, x, own or standard(x.sizes), node.output)
        if found is not None:
            self.strides[node.name] = found
        return found is None and isinstance(operator, op.Reshape)


_VIEWS = (op.Permute, op.Expand, op.Select, op.SelectChannels, op.Slice, op.Crop,
          op.Reshape, op.Identity)  # fmt: skip
_KEEPING = (op.Pointwise, op.Arithmetic, op.PReLU, op.Dropout)
"""Functions of each element: what they make lies as their operand does."""


def standard(sizes: Sequence[Dim]) -> Strides:
    """Return the strides of elements in the order of their axes, the last one next.

    >>> standard((3, 4, 5))
    (20, 5, 1)
    """
    strides: list[Dim] = [1]
    for size in reversed(sizes[1:]):
        strides.append(as_dim(strides[-1] * size))
    return tuple(reversed(strides))


def reshaped(
    sizes: Sequence[Dim], strides: Strides, new: Sequence[Dim]
) -> Strides | None:
    """Return the strides of the same elements under other sizes; None: a copy.

    >>> reshaped((5, 7, 8), (7, 1, 35), (35, 8))
    (1, 35)
    >>> reshaped((5, 7, 8), (7, 1, 35), (5, 56)) is None
    True
    """
    groups = _groups(sizes, strides)
    found: list[Dim] = []
    for size in reversed(new):
        if size == 1:
            found.append(groups[-1][1] if groups else 1)
            continue
        while groups and groups[-1][0] == 1:
            groups.pop()
        if not groups:
            return None
        left, step = groups.pop()
        try:
            rest = exact_div(left, size)
        except CostModelError:
            return None
        if not isinstance(rest, int) and rest.as_numer_denom()[1] != 1:
            return None
        found.append(step)
        groups.append((rest, as_dim(step * size)))
    return tuple(reversed(found))


def _groups(sizes: Sequence[Dim], strides: Strides) -> list[tuple[Dim, Dim]]:
    """Return elements and stride of axes that can be one, the last ones last."""
    groups: list[tuple[Dim, Dim]] = []
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if groups and is_equal(groups[-1][1], size * stride):
            groups[-1] = as_dim(groups[-1][0] * size), stride
        else:
            groups.append((size, stride))
    return groups


def _is_dense(x: Shape, strides: Strides) -> bool:
    """Say whether the strides are those of all elements in some order of the axes."""
    step: Dim = 1
    left = [pair for pair in zip(x.sizes, strides, strict=True) if pair[0] != 1]
    while left:
        following = [pair for pair in left if is_equal(pair[1], step)]
        if not following:
            return False
        left.remove(following[0])
        step = as_dim(step * following[0][0])
    return True


def _viewed(
    operator: Operator, x: Shape, strides: Strides, output: Shape
) -> Strides | None:
    """Return the strides of a view; None where they are those of its own shape."""
    found = list(strides)
    if isinstance(operator, op.Permute):
        found = [strides[axis - 1] for axis in operator.order]
    elif isinstance(operator, (op.Select, op.Slice)):
        place = int(operator.axis) - 1
        found[place] = as_dim(found[place] * operator.step)
    elif isinstance(operator, op.Expand):
        missing = len(output.sizes) - len(found)
        pairs = zip(x.sizes, output.sizes[missing:], strides, strict=True)
        found = [0] * missing + [0 if a != b else s for a, b, s in pairs]
    ordinary = standard(output.sizes)
    pairs = zip(output.sizes, found, ordinary, strict=True)
    return None if all(n == 1 or is_equal(a, b) for n, a, b in pairs) else tuple(found)

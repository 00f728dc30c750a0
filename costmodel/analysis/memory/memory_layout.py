"""Memory strides of tensors, and whether a reshape is a view or a copy.

The strides of a view follow from its axis flow. Axes whose strides are contiguous can
be merged without a copy; across a permutation or a gap, a reshape has to copy.

**Source**: PyTorch, ``aten/src/ATen/TensorUtils.cpp`` (``computeStride``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from costmodel.algebra.symbols import Dim, as_dim, exact_div, is_equal
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.flow import Flow, From, Merged, Part, Repeated, Split
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape


Strides: TypeAlias = tuple[Dim, ...]
"""The distance in elements between neighbours along each axis, without the batch."""


@dataclass
class Layouts:
    """The strides of results that are not contiguous."""

    network: Network
    strides: dict[str, Strides] = field(default_factory=dict)

    def place(self, node: Node) -> bool:
        """Record the strides of a result; return whether a reshape has to copy."""
        operator = node.operator
        if len(node.inputs) != 1:
            return False
        x = self.network.by_name[node.inputs[0]].output
        own = self.strides.get(node.inputs[0])
        is_regrouped, found = False, None
        if _keeps_order(operator):
            found = own if own is not None and _is_dense(x, own) else None
        elif operator.view:
            flow = self.network.flows[node.name]
            is_regrouped = any(isinstance(a, (Merged, Split)) for a in flow.axes)
            if not is_regrouped:
                found = _viewed(flow, own or standard(x.sizes), node.output)
            elif own is None:
                return False
            else:
                found = reshaped(x.sizes, own, node.output.sizes)
        if found is not None:
            self.strides[node.name] = found
        return found is None and is_regrouped


def _keeps_order(operator: Operator) -> bool:
    """Say whether an operator keeps its operand's layout, as elementwise functions do.

    Dropout is a view in evaluation, and such a function in training.
    """
    return isinstance(operator, (op.Elementwise, op.Dropout))


def standard(sizes: Sequence[Dim]) -> Strides:
    """Return contiguous strides, in which the last axis is the fastest.

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
    """Return the strides after a reshape to other sizes; None if it has to copy.

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
    """Return the size and stride of each group of contiguous axes, in order."""
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


def _viewed(flow: Flow, strides: Strides, output: Shape) -> Strides | None:
    """Return the strides of a view; None if they are contiguous.

    Repeated axes, and those that come from no operand, have stride 0.
    """
    found: list[Dim] = []
    for axis in flow.axes:
        own: Dim = 0
        if isinstance(axis, From) and not isinstance(axis, Repeated):
            step = axis.step if isinstance(axis, Part) else 1
            own = as_dim(strides[axis.axis - 1] * step)
        found.append(own)
    ordinary = standard(output.sizes)
    pairs = zip(output.sizes, found, ordinary, strict=True)
    return None if all(n == 1 or is_equal(a, b) for n, a, b in pairs) else tuple(found)

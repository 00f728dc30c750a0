"""Memory strides of tensors, and whether a reshape is a view or a copy.

The strides of a view follow from its axis flow. Axes whose strides are contiguous can
be merged without a copy; across a permutation or a gap, a reshape has to copy.

**Source**: PyTorch, ``aten/src/ATen/TensorUtils.cpp`` (``computeStride``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, as_dim, exact_div, is_equal
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.axes import elements, extents, rank
from costmodel.network.flow import Flow, From, Merged, Part, Repeated, Split
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape


Strides: TypeAlias = tuple[Dim, ...]
"""The distance in elements between neighbours along each axis, the batch first."""


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
                found = _viewed(flow, own or standard((1, *x.sizes)))
            elif own is None:
                return False
            else:
                found = reshaped(x.sizes, own[1:], node.output.sizes)
                found = found and (own[0], *found)
        if found is not None and not self._are_standard(found, node.output):
            self.strides[node.name] = found
        return found is None and is_regrouped

    def _are_standard(self, strides: Strides, x: Shape) -> bool:
        sizes = (self.network.batch, *x.sizes)
        pairs = zip(sizes, strides, standard(sizes), strict=True)
        return all(n == 1 or is_equal(a, b) for n, a, b in pairs)

    def copied(self, node: Node, *, learns: bool) -> tuple[Dim, ...]:
        """Return the elements per sample of the copy that is made of each operand.

        It is 0 where an operand is used as it is. ``learns``: the second factor needs
        a gradient. Some normalizations need contiguous operands. A stored matrix is
        multiplied by rows that are one axis in memory, others pair by pair.

        **Source**: PyTorch, ``aten/src/ATen/native/LinearAlgebra.cpp`` (``matmul``),
        ``group_norm.cpp``, ``Normalization.cpp`` (``instance_norm``).
        """
        operator, shapes = node.operator, self.network.shapes_into(node)
        if isinstance(operator, (op.GroupNorm, op.InstanceNorm)):
            return (shapes[0].numel if node.inputs[0] in self.strides else 0,)
        if not isinstance(operator, (op.Linear, op.MatMul)):
            return (0,) * len(shapes)
        stored = [source in self.network.unbatched for source in node.inputs]
        if not stored[0] and (len(shapes) < 2 or (stored[1] and rank(shapes[1]) < 3)):
            rows = 1 if learns else 2
            pairs = extents(shapes[0])[:-rows]
        else:
            rows, pairs = 2, extents(node.output)[:-2]
        return tuple(
            self._of_pairs(source, pairs, rows, is_stored=once)
            if place == 0 or (rows == 2 and len(shapes) > 1)
            else 0
            for place, (source, once) in enumerate(zip(node.inputs, stored))
        )

    def _of_pairs(
        self, name: str, pairs: Sequence[Extent], rows: int, *, is_stored: bool
    ) -> Dim:
        """Return the elements of a copy, if an operand's pairs are no one axis."""
        x = self.network.by_name[name].output
        sizes = (1 if is_stored else self.network.batch, *x.sizes)[:-rows]
        strides = (self.strides.get(name) or standard((1, *x.sizes)))[:-rows]
        own = [0 if n == 1 else a for n, a in zip(sizes, strides, strict=True)]
        made = (self.network.batch, *(extent.value for extent in pairs))
        own = [0] * (len(made) - len(own)) + own[-len(made) :]
        if len(_groups(made, tuple(own))) < 2:
            return 0
        return elements(x, [*pairs, *extents(x)[-rows:]])


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
    left = [pair for pair in zip(x.sizes, strides[1:], strict=True) if pair[0] != 1]
    while left:
        following = [pair for pair in left if is_equal(pair[1], step)]
        if not following:
            return False
        left.remove(following[0])
        step = as_dim(step * following[0][0])
    return is_equal(step, strides[0])


def _viewed(flow: Flow, strides: Strides) -> Strides:
    """Return the strides of a view.

    Repeated axes, and those that come from no operand, have stride 0.
    """
    found = [strides[0]]
    for axis in flow.axes:
        own: Dim = 0
        if isinstance(axis, From) and not isinstance(axis, Repeated):
            step = axis.step if isinstance(axis, Part) else 1
            own = as_dim(strides[axis.axis] * step)
        found.append(own)
    return tuple(found)

"""Where a rule is asked: a node, the axes that it reads, and who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costmodel.algebra.extent import Extent
from costmodel.network.axes import axes
from costmodel.network.node import Node
from costmodel.network.shape import Shape
from costmodel.network.widening.runs import Axes, Axis, Bonds


@dataclass(frozen=True, slots=True)
class Site:
    """A node, its operands' shapes and axes, and the nodes that read each node.

    ``stored`` says of each operand whether it is made of stored tensors alone.
    """

    bonds: Bonds
    node: Node
    shapes: tuple[Shape, ...]
    inputs: tuple[Axes, ...]
    stored: tuple[bool, ...]
    readers: Mapping[str, list[Node]]

    @property
    def operator(self) -> Any:
        """The node's operator, of the kind that the rule is for."""
        return self.node.operator

    @property
    def extents(self) -> tuple[Extent, ...]:
        """The extents of the output's axes."""
        return axes(self.node.output)

    @property
    def operands(self) -> list[tuple[Axes, tuple[Extent, ...]]]:
        """The operands' axes and extents."""
        return list(zip(self.inputs, map(axes, self.shapes), strict=True))

    def refuse(self, axis: Axis, why: str) -> None:
        """Note that an axis cannot grow here."""
        self.bonds.refuse(axis, self.node, why)

    def refuse_all(self, why: str) -> None:
        """Note that nothing that the node reads can grow."""
        for operand in self.inputs:
            for axis in operand:
                self.refuse(axis, why)


@dataclass(frozen=True, slots=True)
class Widened:
    """What a rule finds: the output's axes, and the runs that give each field."""

    axes: Axes
    fields: Mapping[str, Axis | list[Axis]]
    """A list where the field has a number for each axis."""


def widened(axes: Axes, **fields: Axis) -> Widened:
    """Return what a rule found."""
    return Widened(axes, fields)


def aligned(site: Site, operands: list[tuple[Axes, tuple[Extent, ...]]]) -> Axes:
    """Return the axes of operands that broadcast, aligned at the last one.

    Sizes that are equal grow together; one that is repeated stays 1.
    """
    found: list[Axis] = []
    most = max(len(one) for one, _ in operands)
    for back in range(1, most + 1):
        at = [(one[-back], sizes[-back]) for one, sizes in operands if len(one) >= back]
        wide = [axis for axis, size in at if size != Extent(1)]
        if wide:
            site.bonds.keep(axis for axis, size in at if size == Extent(1))
        found.append(site.bonds.join(*(wide or [axis for axis, _ in at])))
    return tuple(reversed(found))

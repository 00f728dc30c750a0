"""Receptive fields: the pixels of the input that each position of a feature map sees.

Any path through a network is one window (R, S, P): position i sees the pixels
i·S − P … i·S − P + R − 1 of each axis. Branches give the union of their paths' windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import sympy

from costmodel.algebra.symbols import as_dim
from costmodel.algebra.window import Window
from costmodel.analysis.receptive_field.field import Field, Misalignment
from costmodel.analysis.receptive_field.propagate import spread
from costmodel.analysis.receptive_field.spatial_axes import axes_of
from costmodel.analysis.receptive_field.windows import (
    MOST_WINDOWS,
    PathSet,
    Windows,
    no_paths,
    one_pixel,
)
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.network.shape import AXES


@dataclass(frozen=True)
class ReceptiveField(Field):
    """The receptive field of a network's last feature map, and of every node.

    The last feature map is the one before positions are lost by global pooling or
    flattening; its field is what the literature calls a network's receptive field.
    """

    network: Network
    rows: tuple[Field, ...]
    """The field of each node, in network order."""
    ignore_gates: bool = False
    same: bool = False

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """Fields by the names of nodes."""
        return MappingProxyType({row.name: row for row in self.rows})

    def of(self, layer: str) -> Field:
        """Return the field of one node."""
        return self.by_name[self.network[layer].name]

    @property
    def beyond(self) -> str | None:
        """The node through which the output sees the whole input, or None."""
        output = self.by_name[self.network.outputs[0]]
        return None if output.name == self.name else output.unbounded

    @cached_property
    def misalignments(self) -> tuple[Misalignment, ...]:
        """The nodes that first join paths with different centres."""
        return tuple(
            found
            for row in self.rows
            if not row.is_aligned
            for found in self._misaligned(row)
        )

    def windows(
        self, layer: str | None = None, *, limit: int = MOST_WINDOWS
    ) -> tuple[Windows, ...]:
        """Return every distinct window of a path, as (height, width) pairs.

        By default these are those of the last feature map. None in place of a window
        is the whole axis. There are far fewer windows than paths; more than ``limit``
        are an error.
        """
        name = self.name if layer is None else self.network[layer].name
        point = (Window(),) * axes_of(self.network)
        pixel = PathSet(frozenset({point}), limit)
        if problem := self.by_name[name].problem:
            raise CostModelError(f'"{name}": {problem}')
        found, *_ = spread(
            self.network, pixel, PathSet(limit=limit),
            ignore_gates=self.ignore_gates, same=self.same, towards=name,
        )[name]  # fmt: skip
        return tuple(sorted(found.windows, key=_order))

    def _misaligned(self, row: Field) -> list[Misalignment]:
        """Return the axes along which a node first joins paths of different centres."""
        node, found = self.network[row.name], []
        for index, axis in enumerate(AXES[axes_of(self.network)]):
            operands = []
            for source in dict.fromkeys(node.inputs):
                for bundle in self.by_name[source].paths.axes[index].bundles:
                    centre = sympy.Rational(1, 2) * bundle.first
                    operands.append((source, bundle.stride, as_dim(centre), bundle))
            names = [name for name, *_ in operands]
            unlike = {(stride, centre) for _, stride, centre, _ in operands}
            alone = len(names) == len(set(names)) and all(
                bundle.is_aligned for *_, bundle in operands
            )
            if alone and len(unlike) > 1:
                facts = tuple((name, s, c) for name, s, c, _ in operands)
                found.append(Misalignment(row.name, node.operator.kind, axis, facts))
        return found


def receptive_field(
    network: Network, *, ignore_gates: bool = False, same: bool = False
) -> ReceptiveField:
    """Return the receptive fields of a network's last feature map and of every node.

    First (R₁, S₁, P₁), then (R₂, S₂, P₂) is the window R = R₁ + (R₂ − 1)·S₁,
    S = S₁·S₂, P = P₁ + P₂·S₁; it distributes over unions of paths, so one fold is
    enough. Kernels, strides and dilations may be symbols.

    ``ignore_gates`` leaves out the operand of a product that sees the whole input, as
    the literature does with squeeze and excitation. ``same`` pads every padded layer as
    TensorFlow's SAME does, more at the end than in front; that depends on the size.
    If a number of channels is a symbol, a part of a split sees what the whole does.

    **Units**: pixels of the input.
    **Source**: Araujo, Norris, Sim 2019, "Computing Receptive Fields of Convolutional
    Neural Networks", Distill.

    >>> from costmodel.network.registry import load
    >>> field = receptive_field(load("vgg16"))
    >>> field.name, field.size, field.stride, field.padding
    ('stage5.max_pool1', (212, 212), (32, 32), (90, 90))
    """
    inputs = network.inputs
    if len(inputs) != 1 or len(inputs[0].output.spatial) not in AXES:
        shapes = " and ".join(str(node.output) for node in inputs)
        raise CostModelError(
            f'receptive_field: "{network.name}" takes {shapes}; it is about networks '
            "of one image"
        )
    axes = axes_of(network)
    found = spread(
        network, one_pixel(axes), no_paths(axes), ignore_gates=ignore_gates, same=same
    )
    rows = {
        name: Field(name, paths, problem=problem, repeats=repeats)
        for name, (paths, problem, repeats) in found.items()
    }
    last = rows[_last_map(network, rows)]
    return ReceptiveField(
        last.name, last.paths, network, tuple(rows.values()), ignore_gates, same,
        problem=last.problem, repeats=last.repeats,
    )  # fmt: skip


def _last_map(network: Network, found: Mapping[str, Field]) -> str:
    """Return the last ancestor of the first output that has a bounded field."""
    waiting, kept = [network.outputs[0]], set()
    while waiting:
        name = waiting.pop()
        axes = found[name].paths.axes
        is_lost = any(not axis.bundles and axis.cause for axis in axes)
        if is_lost or (found[name].problem and name != network.outputs[0]):
            waiting.extend(network[name].inputs)
        else:
            kept.add(name)
    return next(node.name for node in reversed(network.nodes) if node.name in kept)


def _order(pair: Windows) -> tuple[int, object]:
    """Sort windows by size, those in symbols by their text, unbounded ones last."""
    if None in pair:
        return 2, str(pair)
    numbers = [
        number
        for window in pair
        if isinstance(window, Window)
        for number in (window.size, window.stride, window.before, window.after)
    ]
    is_known = all(type(number) is int for number in numbers)
    return (0, numbers) if is_known else (1, str(numbers))

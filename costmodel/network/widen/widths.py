"""Which widths the axes of an output have: a flow, read for runs of channels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, as_dim, is_equal
from costmodel.network import operators as op
from costmodel.network.axes import extents as extents_of
from costmodel.network.axis_groups import shuffle_of
from costmodel.network.flow import (
    AxisFlow,
    Flow,
    From,
    Held,
    Joined,
    Listed,
    Merged,
    Mixed,
    New,
    Padded,
    Part,
    Repeated,
    Same,
    Sampled,
    Slid,
    Split,
    Tiled,
    Together,
    Turned,
    axes_read,
    unchanged,
)
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.widen.channel_groups import (
    Axes,
    Axis,
    Bonds,
    Run,
    length,
    repeated,
)


@dataclass
class Widths:
    """A node whose operands' axes are known, and what is found of its own.

    ``readers`` are the nodes that read each node.
    """

    bonds: Bonds
    network: Network
    readers: Mapping[str, list[Node]]
    node: Node
    inputs: tuple[Axes, ...]
    axes: Axes = ()
    held: dict[Held, Axis] = field(default_factory=dict)
    """The runs that give each field of the operator that counts channels."""

    def __post_init__(self) -> None:
        """Find the output's axes."""
        operator, flow = self.node.operator, self.flow
        if flow is unchanged(len(flow.axes)):
            self.axes = self.inputs[0]
            return
        if type(operator) in EXCEPTIONS:
            self.axes = EXCEPTIONS[type(operator)](self)
            return
        if not flow.is_known:
            self.axes = self.refused("no rule says how widths go through it")
            return
        for axis in flow.summed:
            self._made(axis, Extent(1))
        pairs = zip(flow.axes, self.extents, strict=True)
        self.axes = tuple(self._made(axis, extent) for axis, extent in pairs)
        if isinstance(operator, op.Rearrangement):
            read = axes_read(flow)  # sizes of 1 that a reshape leaves out stay 1
            left = enumerate(self.inputs[0], start=1)
            self.bonds.keep(runs for axis, runs in left if (0, axis) not in read)

    @cached_property
    def extents(self) -> tuple[Extent, ...]:
        """The extents of the output's axes."""
        return extents_of(self.node.output)

    @cached_property
    def sizes(self) -> list[tuple[Extent, ...]]:
        """The extents of the operands' axes."""
        return [extents_of(x) for x in self.network.shapes_into(self.node)]

    @property
    def flow(self) -> Flow:
        """Where the axes come from."""
        return self.network.flows[self.node.name]

    def refuse(self, axis: Axis, why: str) -> None:
        """Note that an axis cannot grow here."""
        self.bonds.refuse(axis, self.node, why)

    def refused(self, why: str) -> Axes:
        """Note that nothing that the node reads can grow; return axes that stay."""
        for operand in self.inputs:
            for axis in operand:
                self.refuse(axis, why)
        return tuple(None for _ in self.extents)

    def _hold(self, name: Held, axis: Axis) -> Axis:
        if name is not None:
            self.held[name] = axis
        return axis

    def _read(self, source: From) -> Axis:
        """Return the runs of an operand's axis."""
        return self.inputs[source.operand][source.axis - 1]

    def _size(self, source: From) -> Extent:
        """Return the extent of an operand's axis."""
        return self.sizes[source.operand][source.axis - 1]

    def _made(  # noqa: PLR0911 - a row for each way in which an axis is made
        self, axis: AxisFlow, extent: Extent
    ) -> Axis:
        """Return the runs of an axis, of an extent, that is made in some way."""
        match axis:
            case Together(sources=sources):
                return self._together(sources)
            case Joined(parts=parts):
                return self._joined(parts)
            case Merged():
                return self._merged(axis, extent)
            case Split():
                return self._split(axis)
            case New(held=held):
                made = self.bonds.new(extent.value, grows=held is not None)
                return self._hold(held, made)
            case From():
                return self._from(axis, self._read(axis), extent)
            case _:
                return None

    def _from(  # noqa: PLR0911 - a row for each way in which positions are made
        self, source: From, axis: Axis, extent: Extent
    ) -> Axis:
        """Return the runs of an axis that comes from an operand's."""
        match source:
            case Same(held=held):
                return self._hold(held, axis)
            case Mixed():
                return self._mixed(source, axis, extent)
            case Part():
                return self._part(source, axis, extent)
            case Padded():
                return self._padded(source, axis, extent)
            case Repeated():
                self.bonds.keep([axis])
                return self.bonds.new(extent.value, grows=False)
            case Tiled():
                return self._tiled(source, axis, extent)
            case Turned():
                return axis
            case _:
                return self._moved(source, axis)

    def _moved(self, source: From, axis: Axis) -> Axis:
        """Keep an axis whose positions stay as many; others cannot be widths."""
        if isinstance(source, Slid):
            window = source.along
            ends = window.before + window.after + 1
            if window.stride == 1 and ends == window.size:
                return axis
            self.refuse(axis, "a window slides over channels here")
        elif isinstance(source, Listed):
            self.refuse(axis, "its table lists the maps that it reads")
        elif not (isinstance(source, Sampled) and source.is_given):
            self.refuse(axis, "the sides that it changes are channels here")
        return None

    def _together(self, sources: Iterable[From]) -> Axis:
        """Give the operands' axes the same width; what is repeated stays 1."""
        wide: list[Axis] = []
        for source in sources:
            axis = self._read(source)
            if isinstance(source, Repeated):
                self.bonds.keep([axis])
            else:
                wide.append(axis)
        return self.bonds.join(*wide)

    def _joined(self, parts: Iterable[Same]) -> Axis:
        """Put runs one behind the other."""
        found = [(part, self._read(part)) for part in parts]
        if not any(axis for _, axis in found):
            return None
        whole: list[Run] = []
        for part, axis in found:
            whole += (Run(self._size(part).value),) if axis is None else axis
        return tuple(whole)

    def _mixed(self, source: Mixed, axis: Axis, extent: Extent) -> Axis:
        """Make channels of their own; a depthwise layer's follow those that it reads.

        Groups of a depthwise layer are as many as its channels. Others stay, and what
        grows is the width of each group.
        """
        groups, held = source.groups, source.held
        if groups != 1 and is_equal(groups, self._size(source).value):
            self._hold("groups", axis)
            times = sympy.cancel(sympy.sympify(extent.value) / groups)
            return self._hold(held, repeated(axis, as_dim(times)))
        if groups != 1:
            self.bonds.mix(axis)
        if held is None:
            return axis
        return self._hold(held, self.bonds.new(extent.value))

    def _part(self, source: Part, axis: Axis, extent: Extent) -> Axis:
        """Take elements in a row; a run that is cut is cut in proportion."""
        if axis is None or source.step != 1:
            self.refuse(axis, f"takes channels in steps of {source.step}")
            return None
        front, taken, left = source.held
        count = extent.value
        if left is not None:
            count = as_dim(self._size(source).value - source.start - source.end)
        first, rest = self.bonds.cut(axis, source.start, self.node)
        chosen, last = self.bonds.cut(rest or (), count, self.node)
        self._hold(front, first)
        self._hold(left, last)
        return self._hold(taken, chosen)

    def _padded(self, source: Padded, axis: Axis, extent: Extent) -> Axis:
        """Put channels of their own in front and behind."""
        if source.held == (None, None):
            self.refuse(axis, f"pads channels up to {extent}")
            return None
        if axis is None and source.axis != 1:
            return None
        counts = zip(source.held, (source.before, source.after), strict=True)
        before, after = (
            self._hold(held, self.bonds.new(count) if count != 0 else ())
            for held, count in counts
        )
        return (
            *(before or ()),
            *(axis or (Run(self._size(source).value),)),
            *(after or ()),
        )

    def _tiled(self, source: Tiled, axis: Axis, extent: Extent) -> Axis:
        """Put the runs of an axis again and again."""
        if axis is None:
            return self.bonds.new(extent.value, grows=False)
        size = self._size(source)
        times = sympy.sympify(extent.value) / size.value
        if times.is_Integer:
            return axis * int(times)
        self.refuse(axis, f"repeats {size} channels to {extent}")
        return None

    def _merged(self, merged: Merged, extent: Extent) -> Axis:
        """Return one axis of a width and sides: as many times the channels."""
        shuffle = shuffle_of(merged)
        if shuffle and isinstance(shuffle.whole, Same):
            axis = self._read(shuffle.whole)
            self.bonds.mix(axis)
            return axis
        found = [self._made(part, extent) for part in merged.parts]
        wide = [axis for axis in found if axis is not None]
        if len(wide) != 1:
            for axis in wide:
                self.refuse(axis, f"mixes the widths of {len(wide)} axes")
            return None
        if found[0] is None:
            self.bonds.mix(wide[0])
        size = sympy.sympify(extent.value)
        return repeated(wide[0], as_dim(sympy.cancel(size / length(wide[0]))))

    def _split(self, split: Split) -> Axis:
        """Return a part of a width, if it is told which part grows."""
        taken = {axis: self.inputs[0][axis - 1] for axis in split.axes}
        wide = [axis for axis, runs in taken.items() if runs is not None]
        if not wide:
            return None
        runs = taken[wide[0]] or ()
        if split.wide is not None:
            self.bonds.mix(runs)
            part = sympy.sympify(split.sizes[split.wide]) / length(runs)
            is_it = split.number == split.wide
            return repeated(runs, as_dim(sympy.cancel(part))) if is_it else None
        if len(taken) == 1 and self._is_dealt(split):
            return self._dealt(runs, split.sizes[0]) if split.number == 1 else None
        parts = "×".join(str(self.extents[number]) for number in self._parts(split))
        for axis in wide:
            size = self.sizes[0][axis - 1]
            why = f"splits {size} channels into {parts}; nothing says which grows"
            if len(wide) > 1:
                why = f"mixes the widths of {len(wide)} axes"
            self.refuse(taken[axis], why)
        return None

    def _parts(self, split: Split) -> list[int]:
        """Return the output axes, from 0, that are made of what this one is made of."""
        return [
            number
            for number, axis in enumerate(self.flow.axes)
            if isinstance(axis, Split) and axis.whole == split.whole
        ]

    def _dealt(self, runs: tuple[Run, ...], groups: Dim) -> Axis:
        """Return the width of a group: all groups are alike."""
        self.bonds.mix(runs)
        if all(is_equal(run.size, runs[0].size) for run in runs):
            times = sympy.sympify(runs[0].times * len(runs)) / groups
            return (replace(runs[0], times=as_dim(times)),)
        if self.bonds.is_rounded:
            self.refuse(runs, "deals out channels that are rounded apart")
        part = as_dim(sympy.Rational(1, groups))
        return (Run(length(runs), runs[0].bond, part),)

    def _is_dealt(self, split: Split) -> bool:
        """Say whether an axis is split into two only to be put together the other way.

        So channels are shuffled: the first part is the number of groups, which stays.
        """
        numbers = self._parts(split)
        if len(numbers) != 2 or numbers[1] != numbers[0] + 1:
            return False
        turned = self._reader(self.node)
        back = None if turned is None else self._reader(turned)
        if turned is None or back is None:
            return False
        order = list(unchanged(len(self.extents)).axes)
        first, second = numbers
        order[first], order[second] = order[second], order[first]
        return (
            self.network.flows[turned.name].axes == tuple(order)
            and any(isinstance(axis, Merged) for axis in self._flow_of(back).axes)
            and extents_of(back.output) == self.sizes[0]
        )

    def _flow_of(self, node: Node) -> Flow:
        return self.network.flows[node.name]

    def _reader(self, node: Node) -> Node | None:
        """Return the only node that reads a node; those that change nothing are not."""
        readers = self.readers.get(node.name, [])
        if len(readers) != 1:
            return None
        only = readers[0]
        is_the_same = self._flow_of(only) == unchanged(len(only.output.spatial) + 1)
        return self._reader(only) if is_the_same else only


def derived(widths: Widths) -> Axes:
    """Follow one stored tensor of the same sizes; refuse what is looked up or mixed.

    An operand that is not stored only says how many samples there are.
    """
    bonds, extents = widths.bonds, widths.extents
    found = tuple(bonds.new(extent.value, grows=False) for extent in extents)
    made_of = [
        number
        for number, source in enumerate(widths.node.inputs)
        if source in widths.network.unbatched
    ]
    if len(made_of) == 1:
        axes, sizes = widths.inputs[made_of[0]], widths.sizes[made_of[0]]
        old = [n for n, size in enumerate(sizes) if size != Extent(1)]
        new = [n for n, size in enumerate(extents) if size != Extent(1)]
        counts = [sizes[n] for n in old]
        is_alike = counts == [extents[n] for n in new]
        if is_alike and len(set(counts)) == len(counts):
            for one, other in zip(old, new, strict=True):
                bonds.join(axes[one], found[other])
            return found
    why = "how the tensors follow that it is computed from is not known"
    widths.refused(why)
    for axis in found:
        widths.refuse(axis, why)
    return found


def lettered(widths: Widths) -> Axes:
    """Refuse: the letters of an equation do not tell widths from heads."""
    why = "widths are not followed through the letters of an equation"
    return widths.refused(why)


EXCEPTIONS: dict[type[op.Operator], Callable[[Widths], Axes]] = {
    op.Derived: derived,
    op.Einsum: lettered,
}
"""Operators whose flow does not say which of their axes are widths."""

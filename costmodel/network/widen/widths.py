"""Channel groups of a node's output axes, read off its operator's axis flow."""

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
    ChannelGroup,
    DisjointSets,
    Groups,
    length,
    repeated,
)


@dataclass
class Widths:
    """Channel groups of one node's axes; ``readers``: the nodes that read each node."""

    sets: DisjointSets
    network: Network
    readers: Mapping[str, list[Node]]
    node: Node
    inputs: tuple[Axes, ...]
    axes: Axes = ()
    held: dict[Held, Axis] = field(default_factory=dict)
    """The groups that give each field of the operator that counts channels."""

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
            self.sets.keep(groups for axis, groups in left if (0, axis) not in read)

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
        self.sets.refuse(axis, self.node, why)

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
        """Return the channel groups of an operand's axis."""
        return self.inputs[source.operand][source.axis - 1]

    def _size(self, source: From) -> Extent:
        """Return the extent of an operand's axis."""
        return self.sizes[source.operand][source.axis - 1]

    def _made(  # noqa: PLR0911 - one case per kind of flow
        self, axis: AxisFlow, extent: Extent
    ) -> Axis:
        """Return the channel groups of an output axis of that flow and extent."""
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
                made = self.sets.new(extent.value, grows=held is not None)
                return self._hold(held, made)
            case From():
                return self._from(axis, self._read(axis), extent)
            case _:
                return None

    def _from(  # noqa: PLR0911 - one case per kind of flow
        self, source: From, axis: Axis, extent: Extent
    ) -> Axis:
        """Return the channel groups of an output axis that comes from one operand's."""
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
                self.sets.keep([axis])
                return self.sets.new(extent.value, grows=False)
            case Tiled():
                return self._tiled(source, axis, extent)
            case Turned():
                return axis
            case _:
                return self._moved(source, axis)

    def _moved(self, source: From, axis: Axis) -> Axis:
        """Keep an axis of unchanged length; an axis of another length is no width."""
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
        """Give the operands' axes equal widths; an axis that is broadcast stays 1."""
        wide: list[Axis] = []
        for source in sources:
            axis = self._read(source)
            if isinstance(source, Repeated):
                self.sets.keep([axis])
            else:
                wide.append(axis)
        return self.sets.join(*wide)

    def _joined(self, parts: Iterable[Same]) -> Axis:
        """Concatenate the groups of the parts."""
        found = [(part, self._read(part)) for part in parts]
        if not any(axis for _, axis in found):
            return None
        whole: list[ChannelGroup] = []
        for part, axis in found:
            whole += (ChannelGroup(self._size(part).value),) if axis is None else axis
        return tuple(whole)

    def _mixed(self, source: Mixed, axis: Axis, extent: Extent) -> Axis:
        """Make new channels; those of a depthwise layer follow the ones it reads.

        A depthwise layer has as many groups as channels. Other layers keep their number
        of groups, and the width of each group grows.
        """
        groups, held = source.groups, source.held
        if groups != 1 and is_equal(groups, self._size(source).value):
            self._hold("groups", axis)
            times = sympy.cancel(sympy.sympify(extent.value) / groups)
            return self._hold(held, repeated(axis, as_dim(times)))
        if groups != 1:
            self.sets.mix(axis)
        if held is None:
            return axis
        return self._hold(held, self.sets.new(extent.value))

    def _part(self, source: Part, axis: Axis, extent: Extent) -> Axis:
        """Take a slice; a group that is cut is cut in proportion."""
        if axis is None or source.step != 1:
            self.refuse(axis, f"takes channels in steps of {source.step}")
            return None
        front, taken, left = source.held
        count = extent.value
        if left is not None:
            count = as_dim(self._size(source).value - source.start - source.end)
        first, rest = self.sets.cut(axis, source.start, self.node)
        chosen, last = self.sets.cut(rest or (), count, self.node)
        self._hold(front, first)
        self._hold(left, last)
        return self._hold(taken, chosen)

    def _padded(self, source: Padded, axis: Axis, extent: Extent) -> Axis:
        """Put new channels in front and behind."""
        if source.held == (None, None):
            self.refuse(axis, f"pads channels up to {extent}")
            return None
        if axis is None and source.axis != 1:
            return None
        counts = zip(source.held, (source.before, source.after), strict=True)
        before, after = (
            self._hold(held, self.sets.new(count) if count != 0 else ())
            for held, count in counts
        )
        return (
            *(before or ()),
            *(axis or (ChannelGroup(self._size(source).value),)),
            *(after or ()),
        )

    def _tiled(self, source: Tiled, axis: Axis, extent: Extent) -> Axis:
        """Repeat the groups of an axis."""
        if axis is None:
            return self.sets.new(extent.value, grows=False)
        size = self._size(source)
        times = sympy.sympify(extent.value) / size.value
        if times.is_Integer:
            return axis * int(times)
        self.refuse(axis, f"repeats {size} channels to {extent}")
        return None

    def _merged(self, merged: Merged, extent: Extent) -> Axis:
        """Merge one width with sides: as many times the channels."""
        shuffle = shuffle_of(merged)
        if shuffle and isinstance(shuffle.whole, Same):
            axis = self._read(shuffle.whole)
            self.sets.mix(axis)
            return axis
        found = [self._made(part, extent) for part in merged.parts]
        wide = [axis for axis in found if axis is not None]
        if len(wide) != 1:
            for axis in wide:
                self.refuse(axis, f"mixes the widths of {len(wide)} axes")
            return None
        if found[0] is None:
            self.sets.mix(wide[0])
        size = sympy.sympify(extent.value)
        return repeated(wide[0], as_dim(sympy.cancel(size / length(wide[0]))))

    def _split(self, split: Split) -> Axis:
        """Return a part of a split width, if the split says which part grows."""
        taken = {axis: self.inputs[0][axis - 1] for axis in split.axes}
        wide = [axis for axis, groups in taken.items() if groups is not None]
        if not wide:
            return None
        groups = taken[wide[0]] or ()
        if split.wide is not None:
            self.sets.mix(groups)
            part = sympy.sympify(split.sizes[split.wide]) / length(groups)
            is_it = split.number == split.wide
            return repeated(groups, as_dim(sympy.cancel(part))) if is_it else None
        if len(taken) == 1 and self._is_dealt(split):
            return self._dealt(groups, split.sizes[0]) if split.number == 1 else None
        parts = "×".join(str(self.extents[number]) for number in self._parts(split))
        for axis in wide:
            size = self.sizes[0][axis - 1]
            why = f"splits {size} channels into {parts}; nothing says which grows"
            if len(wide) > 1:
                why = f"mixes the widths of {len(wide)} axes"
            self.refuse(taken[axis], why)
        return None

    def _parts(self, split: Split) -> list[int]:
        """Return the output axes, from 0, that the same axes are split into."""
        return [
            number
            for number, axis in enumerate(self.flow.axes)
            if isinstance(axis, Split) and axis.whole == split.whole
        ]

    def _dealt(self, groups: Groups, count: Dim) -> Axis:
        """Return the width of one of ``count`` equal parts."""
        self.sets.mix(groups)
        if all(is_equal(group.size, groups[0].size) for group in groups):
            times = sympy.sympify(groups[0].times * len(groups)) / count
            return (replace(groups[0], times=as_dim(times)),)
        if self.sets.is_rounded:
            self.refuse(groups, "deals out channels that are rounded apart")
        part = as_dim(sympy.Rational(1, count))
        return (ChannelGroup(length(groups), groups[0].set_id, part),)

    def _is_dealt(self, split: Split) -> bool:
        """Say whether a split begins a channel shuffle; its number of groups stays."""
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
        """Return the only node that reads a node, behind nodes that change nothing."""
        readers = self.readers.get(node.name, [])
        if len(readers) != 1:
            return None
        only = readers[0]
        is_the_same = self._flow_of(only) == unchanged(len(only.output.spatial) + 1)
        return self._reader(only) if is_the_same else only


def derived(widths: Widths) -> Axes:
    """Follow a single stored operand of the same sizes; refuse everything else."""
    sets, extents = widths.sets, widths.extents
    found = tuple(sets.new(extent.value, grows=False) for extent in extents)
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
                sets.join(axes[one], found[other])
            return found
    why = "how the tensors follow that it is computed from is not known"
    widths.refused(why)
    for axis in found:
        widths.refuse(axis, why)
    return found


def lettered(widths: Widths) -> Axes:
    """Refuse: the letters of an equation do not tell widths from heads."""
    return widths.refused("widths are not followed through the letters of an equation")


EXCEPTIONS: dict[type[op.Operator], Callable[[Widths], Axes]] = {
    op.Derived: derived,
    op.Einsum: lettered,
}
"""Operators whose flow does not say which of their axes are widths."""

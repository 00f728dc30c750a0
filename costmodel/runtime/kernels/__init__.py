"""A network's kernels in the order in which they run: eager, folded or fused.

A kernel is one call of a routine that computes: a convolution of oneDNN, a sum of two
tensors. Views run none, and neither does dropout in evaluation. Each lowering rewrites
a networkx graph, whose nodes hold the kernels of the network's nodes that run at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import networkx as nx
import sympy
from sympy.utilities.iterables import sift

from costmodel.algebra.count import added
from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.analysis.cost import cost
from costmodel.analysis.memory.memory_layout import Layouts
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node, node_of
from costmodel.network.shape import Shape, counted
from costmodel.runtime.kernels.kernel import Kernel, Site
from costmodel.runtime.kernels.kernel_rules import copied, kernels_of
from costmodel.runtime.setting import Setting


def kernels(network: Network, setting: Setting | None = None) -> tuple[Kernel, ...]:
    """Return the kernels of a network in some setting, by default one thread.

    >>> from costmodel.network.build import conv_bn_relu, image, network
    >>> net = network(conv_bn_relu(image(3, 32, 32), 8, kernel=3), batch=1)
    >>> [kernel.kind for kernel in kernels(net)]
    ['conv_native', 'batch_norm', 'relu']
    """
    setting = setting or Setting()
    graph = LOWERINGS[setting.mode](eager(network, setting), network, setting)
    return tuple(kernel for name in graph for kernel in graph.nodes[name]["kernels"])


def eager(network: Network, setting: Setting) -> nx.DiGraph:
    """Return the graph in which every operator runs by itself.

    The same operator on the same shapes runs the same kernels, and is asked once.
    """
    known: dict[tuple[int, ...], tuple[Kernel, ...]] = {}
    layouts = Layouts(network)
    uniform: set[str] = set()
    graph = nx.DiGraph()
    for row in cost(network, bytes_per_element=setting.element_bytes).rows:
        node, shapes = row.node, network.shapes_into(row.node)
        site = Site(node, shapes, row.sample, network.batch, setting)
        is_copy = layouts.place(node)
        key = (id(node.operator), id(row.sample), *map(id, shapes), is_copy)
        if key not in known:
            known[key] = copied(site) if is_copy else kernels_of(site)
        runs = known[key]
        if _is_uniform(node, uniform):
            uniform.add(node.name)
            runs = () if isinstance(node.operator, op.ChannelShuffle) else runs
        graph.add_node(node.name, site=site, kernels=_of((node.name,), runs))
        graph.add_edges_from((source, node.name) for source in node.inputs)
    return graph


def _of(nodes: tuple[str, ...], runs: tuple[Kernel, ...]) -> tuple[Kernel, ...]:
    """Return kernels as those of other nodes that run the same."""
    return tuple(replace(kernel, nodes=nodes) for kernel in runs)


def _is_uniform(node: Node, uniform: set[str]) -> bool:
    """Say whether all channels of a result share one feature map in memory: zeros.

    Such channels are in any order without a copy.
    """
    operator = node.operator
    is_renamed = isinstance(operator, (op.ChannelShuffle, op.Identity, op.Dropout)) or (
        isinstance(operator, op.Slice) and operator.axis == 1
    )
    is_made_of = is_renamed and uniform.issuperset(node.inputs)
    return is_made_of or isinstance(operator, op.Zeros)


def folded(graph: nx.DiGraph, network: Network, setting: Setting) -> nx.DiGraph:
    """Put each batch norm into the convolution that alone feeds it, and it alone.

    The convolution's weights take the scale, its bias the shift: a bias more to read
    where there was none.

    **Source**: Ioffe & Szegedy 2015, section 3.2; PyTorch, ``torch.fx.experimental``.
    """
    result = graph.copy()
    for node in network.nodes:
        if not _folds(network, graph, node.name):
            continue
        source = node.inputs[0]
        site: Site = graph.nodes[source]["site"]
        weights = site.sample.weight_bytes
        if not site.operator.attributes["bias"]:
            weights = weights + setting.element_bytes * node.output.channels
        merged = replace(site, sample=replace(site.sample, weight_bytes=weights))
        runs = _of((source, node.name), kernels_of(merged))
        result.nodes[source]["kernels"] = runs
        # Those that read the norm now read the convolution.
        result.add_edges_from((source, to) for to in result.successors(node.name))
        result.remove_node(node.name)
    return result


def _folds(network: Network, graph: nx.DiGraph, name: str) -> bool:
    """Say whether a node is a batch norm that its convolution can take in."""
    node = network[name]
    norm = node.operator
    if not (isinstance(norm, op.BatchNorm) and norm.running):
        return False
    source = network[node.inputs[0]]
    owners = {node_of(owner, network.by_name) for owner in network.shared.values()}
    is_stored_once = not {source.name, name} & (network.sharing | owners)
    return (
        isinstance(source.operator, op.Conv)
        and graph.out_degree(source.name) == 1
        and source.name not in network.outputs
        and is_stored_once
    )


def compiled(graph: nx.DiGraph, network: Network, setting: Setting) -> nx.DiGraph:
    """Make one kernel of each chain of pointwise operators that can run as one loop.

    An operator joins the loop that made one of its operands if both go over elements
    of one shape, and nothing in between has to be finished first. A mean over positions
    ends the loop that makes its operand; a gate that its product alone reads is made
    within the product. What is read and used within a loop alone is never written:
    traffic is what comes in and goes out.

    **Source**: PyTorch, ``torch/_inductor/scheduler.py``; where it does otherwise is
    said in the page on seconds.
    """
    loops = _Loops(network)
    for node in network.nodes:
        loops.place(node, is_kernel=bool(graph.nodes[node.name]["kernels"]))
    members = sift(loops.first, loops.first.__getitem__)
    number = {name: count for count, name in enumerate(graph)}
    result = nx.DiGraph()
    for first in nx.lexicographical_topological_sort(loops.merged, key=number.get):
        runs = _fused(network, graph, members[first], setting)
        result.add_node(first, kernels=runs)
    result.add_edges_from(loops.merged.edges)
    return result


POINTWISE = (
    op.Pointwise, op.Arithmetic, op.PReLU,
    op.BatchNorm,
)  # fmt: skip
"""Operators whose every result needs one element of each operand."""


def is_mean(operator: op.Operator) -> bool:
    """Say whether it is the mean over all positions, which a loop can end with."""
    return isinstance(operator, op.AdaptiveAvgPool) and operator.is_global


class _Loops:
    """The loop that each operator runs in, named after the loop's first operator."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.first: dict[str, str] = {}
        self.over: dict[str, Shape] = {}
        """The shape that each loop iterates over."""
        self.merged = nx.DiGraph()
        """The graph so far, with every loop as its first node."""

    def place(self, node: Node, *, is_kernel: bool) -> None:
        """Add an operator to the loops before it, merged, or start a new loop."""
        sources = {self.first[source]: None for source in node.inputs}
        operators = {source: self.network[source].operator for source in node.inputs}
        ended = {self.first[s] for s, layer in operators.items() if is_mean(layer)}
        ends = is_kernel and is_mean(node.operator)
        is_loop = is_kernel and isinstance(node.operator, POINTWISE)
        self.first[node.name] = node.name
        self.over[node.name] = self.network[node.inputs[0]].output if ends else (
            node.output
        )  # fmt: skip
        self.merged.add_node(node.name, is_loop=is_loop)
        self.merged.add_edges_from((source, node.name) for source in sources)
        for source in sources if is_loop or ends else ():
            loop = self.first[node.name]
            if source not in ended and self._can_be_one(source, loop, node):
                self._make_one(source, loop)

    def _can_be_one(self, one: str, other: str, reader: Node) -> bool:
        """Say whether a loop and one that reads it can be a single one.

        They go over elements of one shape, or the first makes a gate that nothing else
        reads; and nothing that has to run after the first is needed by the second, or
        the other way round.
        """
        if one == other or not self.merged.nodes[one]["is_loop"]:
            return False
        if not (self.over[one].same_as(self.over[other]) or self._gates(one, reader)):
            return False
        between = set(self.merged.successors(one)) - {other}
        pairs = [*((step, other) for step in between), (other, one)]
        return not any(nx.has_path(self.merged, *pair) for pair in pairs)

    def _gates(self, loop: str, reader: Node) -> bool:
        """Say whether a loop only makes a product's gate, one factor per channel."""
        read = self.network.shapes_into(reader)
        if not op.is_gated(reader.operator, read):
            return False
        members = [name for name, first in self.first.items() if first == loop]
        made = self.network[reader.inputs[1]]
        readers = [n for n in self.network.nodes if members[-1] in n.inputs]
        return members == [made.name] and readers == [reader]

    def _make_one(self, kept: str, gone: str) -> None:
        """Merge the second loop into the first."""
        for name, first in self.first.items():
            if first == gone:
                self.first[name] = kept
        before = set(self.merged.predecessors(gone)) - {kept}
        after = set(self.merged.successors(gone))
        if not self.over[kept].same_as(self.over[gone]):
            self.over[kept] = self.over[gone]
        self.merged.remove_node(gone)
        self.merged.add_edges_from((source, kept) for source in before)
        self.merged.add_edges_from((kept, reader) for reader in after)


def _fused(
    network: Network, graph: nx.DiGraph, names: list[str], setting: Setting
) -> tuple[Kernel, ...]:
    """Return one loop's kernel, which moves external operands and results alone."""
    steps: list[tuple[Site, Kernel]] = [
        (graph.nodes[name]["site"], kernel)
        for name in names
        for kernel in graph.nodes[name]["kernels"]
    ]
    if len(names) == 1:
        return tuple(kernel for _, kernel in steps)
    inside = set(names)
    read = {s for name in names for s in network[name].inputs} - inside
    moved = [s for s in read if s not in network.unbatched]
    moved += [
        name
        for name in names
        if name in network.outputs or set(graph.successors(name)) - inside
    ]
    sizes = [(setting.element_bytes, counted(network[n].output).numel) for n in moved]
    return (
        Kernel(
            nodes=tuple(names),
            kind="fused",
            # The loop runs for every sample, and steps on stored tensors with it.
            work=_sum(
                network.batch * kernel.work if site.sample.is_stored else kernel.work
                for site, kernel in steps
            ),
            activation_bytes=added(sizes, network.batch),
            weight_bytes=_sum(kernel.weight_bytes for _, kernel in steps),
        ),
    )


def _sum(numbers: Iterable[Dim]) -> Dim:
    return as_dim(expand(sympy.Add(*numbers)))


def _as_it_is(graph: nx.DiGraph, _network: Network, _setting: Setting) -> nx.DiGraph:
    return graph


LOWERINGS: dict[str, Callable[[nx.DiGraph, Network, Setting], nx.DiGraph]] = {
    "eager": _as_it_is,
    "graph": _as_it_is,
    "folded": folded,
    "compile": compiled,
}
"""How each mode rewrites the eager graph. A CUDA graph replays eager's kernels."""


__all__ = ["Kernel", "Setting", "kernels"]

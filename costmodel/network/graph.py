"""A network: operators in a directed acyclic graph, immutable and validated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import networkx as nx
import sympy

from costmodel.algebra.extent import resolve, substitute
from costmodel.algebra.symbols import Dim, N
from costmodel.errors import CostModelError, near
from costmodel.network.bind import bound, check_batch, check_symbols, chosen_values
from costmodel.network.from_networkx import Layer, layers_in_order
from costmodel.network.node import (
    Inference,
    Node,
    check_names,
    make_node,
    node_of,
    unbatched,
)
from costmodel.network.operator import Operator, Weights
from costmodel.network.requirement import Requirement, settled
from costmodel.network.shape import Shape


if TYPE_CHECKING:
    from costmodel.network.annotations import Checkpoint
    from costmodel.network.flow import Flow


@dataclass(frozen=True)
class Network:
    """Nodes in topological order; shapes are inferred, never passed.

    Made by the verbs of ``costmodel.network.build``, by :meth:`from_graph` from a
    networkx graph, or by :meth:`from_json`.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    name: str = "network"
    batch: Dim = field(default=N)
    constraints: tuple[Requirement, ...] = ()
    shared: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Nodes that use the weights of an earlier one, and store none of their own.

    A single tensor, ``conv.weight``, may be that of an earlier layer, or the result of
    a node that is made of stored tensors alone.
    """
    no_gradient: frozenset[str] = frozenset()
    """What gets no gradient in training: results, by their nodes, and stored tensors.

    ``"stem.conv"`` is the result of a node that is detached, or runs without autograd;
    ``"stem.conv.weight"`` is a parameter that does not require a gradient.
    """
    checkpoints: tuple[Checkpoint, ...] = ()
    """Parts that run again in backward, of which nothing is saved."""
    own_backward: frozenset[str] = frozenset()
    """Nodes of an ``autograd.Function``: a gradient passes through them, but what their
    backward multiplies and what it keeps for that is the code's own, and not known.
    """

    @classmethod
    def assemble(
        cls,
        layers: Iterable[Layer],
        outputs: Iterable[str] | None = None,
        name: str = "network",
        batch: Dim = N,
        constraints: Iterable[Requirement] = (),
        shared: Mapping[str, str] | None = None,
        no_gradient: Iterable[str] = (),
        checkpoints: Iterable[Checkpoint] = (),
        own_backward: Iterable[str] = (),
    ) -> Network:
        """Infer and check every shape of (name, operator, inputs) in topological order.

        A fourth part is the form in which code writes the node, if that is known.
        ``outputs`` are by default the nodes that no other node reads. Constraints that
        hold at every size are left out; one that holds at none is an error.
        """
        nodes: dict[str, Node] = {}
        inference = Inference()
        # Analyses recognise equal layers by identity: equal operators are one object.
        same: dict[Operator, Operator] = {}
        for layer, operator, inputs, *form in layers:
            if isinstance(layer, str) and layer in nodes:
                raise CostModelError(f'node "{layer}": the name is used twice')
            is_known = isinstance(operator, Operator)
            one = same.setdefault(operator, operator) if is_known else operator
            nodes[layer] = make_node(layer, one, inputs, nodes, inference, *form)
        rest = (constraints, shared, no_gradient, checkpoints, own_backward)
        return cls.of_nodes(nodes, outputs, name, batch, *rest)

    @classmethod
    def of_nodes(
        cls,
        nodes: Mapping[str, Node],
        outputs: Iterable[str] | None,
        name: str,
        batch: Dim,
        constraints: Iterable[Requirement] = (),
        shared: Mapping[str, str] | None = None,
        no_gradient: Iterable[str] = (),
        checkpoints: Iterable[Checkpoint] = (),
        own_backward: Iterable[str] = (),
    ) -> Network:
        """Return the network of finished nodes in topological order."""
        check_names(nodes)
        if not isinstance(name, str):
            raise CostModelError(f"network: name {name!r} is not text")
        if not any(node.operator.is_input for node in nodes.values()):
            raise CostModelError(f'network "{name}": no input node')
        if outputs is None:
            read = {source for node in nodes.values() for source in node.inputs}
            outputs = [layer for layer in nodes if layer not in read]
        if isinstance(outputs, str) or not isinstance(outputs, Iterable):
            raise CostModelError(f'network "{name}": outputs {outputs!r} are not names')
        outputs = tuple(outputs)
        for output in outputs:
            if not isinstance(output, str) or output not in nodes:
                raise CostModelError(f'network "{name}": output "{output}" is missing')
        if not outputs:
            raise CostModelError(f'network "{name}": no output node')
        kinds = {layer: node.operator.kind for layer, node in nodes.items()}
        needed = settled(constraints, {}, name, kinds)
        rest: tuple[Any, ...] = ()
        if shared or no_gradient or checkpoints or own_backward:
            from costmodel.network.annotations import checked

            said = (shared or {}, no_gradient, checkpoints, own_backward)
            rest = checked(*said, nodes, name)
        count = check_batch(batch)
        made = cls(tuple(nodes.values()), outputs, name, count, needed, *rest)
        check_symbols(made.free_symbols)
        return made

    @classmethod
    def from_graph(
        cls,
        graph: nx.DiGraph,
        outputs: Iterable[str] | None = None,
        name: str | None = None,
        batch: Dim | None = None,
        constraints: Iterable[Requirement] | None = None,
    ) -> Network:
        """Return the network of a networkx graph.

        Each node needs the attribute ``operator``; ``inputs``, the ordered operands,
        may be left out where there is at most one. A ``DiGraph`` merges parallel
        edges and does not order operands, so ``inputs`` is the truth. What is not
        given is read from the graph's own attributes, as :attr:`graph` writes them.
        """
        layers = layers_in_order(graph)
        about = {"name": "network", "outputs": None, "batch": N} | graph.graph
        if constraints is None:
            constraints = about.get("constraints", ())
        return cls.assemble(
            layers,
            about["outputs"] if outputs is None else outputs,
            about["name"] if name is None else name,
            about["batch"] if batch is None else batch,
            constraints,
            about.get("shared"),
            about.get("no_gradient", ()),
            about.get("checkpoints", ()),
            about.get("own_backward", ()),
        )

    @cached_property
    def graph(self) -> nx.DiGraph:
        """The networkx graph: ``operator``, ``inputs``, ``form``, ``shape``, ``scope``.

        It is a frozen copy; to change the network, change a copy of it and give that to
        :meth:`from_graph`.
        """
        graph = nx.DiGraph(
            name=self.name, outputs=self.outputs, batch=self.batch,
            constraints=self.constraints, shared=dict(self.shared),
            no_gradient=self.no_gradient, checkpoints=self.checkpoints,
            own_backward=self.own_backward,
        )  # fmt: skip
        for node in self.nodes:
            graph.add_node(
                node.name,
                operator=node.operator,
                inputs=node.inputs,
                form=node.form,
                shape=node.output,
                scope=node.scope,
            )
            graph.add_edges_from((source, node.name) for source in node.inputs)
        return nx.freeze(graph)

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Nodes by name."""
        return MappingProxyType({node.name: node for node in self.nodes})

    def __getitem__(self, name: str) -> Node:
        """Return the node of that name."""
        if not isinstance(name, str) or name not in self.by_name:
            hint = f"; {near(name, self.by_name)}".removesuffix("; ")
            raise CostModelError(f'network "{self.name}": no node "{name}"{hint}')
        return self.by_name[name]

    def shapes_into(self, node: Node) -> tuple[Shape, ...]:
        """Return the shapes of a node's operands."""
        known = self.by_name
        return tuple([known[source].output for source in node.inputs])

    @cached_property
    def flows(self) -> Mapping[str, Flow]:
        """The axis flow of each node; that of equal layers is computed once."""
        known: dict[tuple[int, ...], Flow] = {}
        found: dict[str, Flow] = {}
        for node in self.nodes:
            shapes = self.shapes_into(node)
            key = (id(node.operator), *map(id, shapes))
            if key not in known:
                known[key] = node.operator.flow(*shapes)
            found[node.name] = known[key]
        return MappingProxyType(found)

    def weights_of(self, node: Node) -> Weights:
        """Return the tensors that a node stores; none where it shares another's."""
        if node.name in self.shared:
            return {}
        weights = node.operator.weights(*self.shapes_into(node))
        if node.name not in self.sharing:
            return weights
        names = {name: f"{node.name}.{name}" for name in weights}
        return {n: w for n, w in weights.items() if names[n] not in self.shared}

    @cached_property
    def sharing(self) -> frozenset[str]:
        """Nodes that use weights of an earlier one, all of them or some."""
        return frozenset(node_of(name, self.by_name) for name in self.shared)

    @cached_property
    def unbatched(self) -> frozenset[str]:
        """Nodes made of stored tensors alone: one result serves every sample."""
        return unbatched(self.nodes)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes where samples enter."""
        return tuple(n for n in self.nodes if n.operator.is_input)

    @cached_property
    def free_symbols(self) -> frozenset[sympy.Symbol]:
        """Symbols that have no value yet, the batch included."""
        found: set[sympy.Symbol] = set()
        operators = {id(node.operator): node.operator for node in self.nodes}
        for operator in operators.values():
            values = list(operator.attributes.values())
            while values:
                value = values.pop()
                if isinstance(value, sympy.Expr):
                    found |= value.free_symbols
                elif isinstance(value, tuple):
                    values.extend(value)
                elif isinstance(value, Shape):
                    values.extend(size for size in value.sizes)
        found = found.union(*(constraint.symbols for constraint in self.constraints))
        return frozenset(found | sympy.sympify(self.batch).free_symbols)

    def bind(self, values: Mapping[Any, Any] | None = None, **named: object) -> Network:
        """Return the network with symbols replaced by numbers or expressions.

        ``net.bind(alpha=0.5, H=224, W=224)`` or ``net.bind({H: 32 * M})``. Decimals
        are taken exactly as written.
        """
        given = {} if values is None else values
        if named and isinstance(given, Mapping):
            given = {**given, **named}
        free = {symbol.name: symbol for symbol in self.free_symbols}
        exact_values = chosen_values(given, free, self.name)
        self._check_smallest(exact_values)
        kinds = {node.name: node.operator.kind for node in self.nodes}
        needed = settled(self.constraints, exact_values, self.name, kinds)
        batch = substitute(self.batch, exact_values)
        known: dict[int, Operator] = {}
        for node in self.nodes:
            if id(node.operator) not in known:
                known[id(node.operator)] = bound(node, exact_values)
        layers = ((n.name, known[id(n.operator)], n.inputs, n.form) for n in self.nodes)
        trained = (self.no_gradient, self.checkpoints, self.own_backward)
        rest = (needed, self.shared, *trained)
        return Network.assemble(layers, self.outputs, self.name, batch, *rest)

    def _check_smallest(self, values: Mapping[sympy.Symbol, Dim]) -> None:
        for side, value in values.items():
            if type(value) is int:
                least, name = self.smallest(side)
                if value < least:
                    kind = self.by_name[name].operator.kind
                    raise CostModelError(
                        f"{self.name}: {side} = {value} is too small; "
                        f'{kind} "{name}" needs {side} ≥ {least}'
                    )

    def smallest(self, side: sympy.Symbol) -> tuple[int, str]:
        """Return the least input side with all extents ≥ 1, and the node that needs it.

        ⌊(H + c)/s⌋ ≥ 1 exactly when H ≥ s − c; the maximum is taken over the nodes.
        """
        least, needed_by = 1, self.nodes[0].name
        for node in self.nodes:
            for extent in node.output.spatial:
                needed = extent.smallest_base
                if extent.base == side and type(needed) is int and needed > least:
                    least, needed_by = needed, node.name
        return least, needed_by

    def trained(self, *scopes: str) -> Network:
        """Return the network with only the parameters of these scopes trained.

        A scope is a block, a node or a parameter: ``"head"``, ``"stem.conv1"``,
        ``"head.linear1.bias"``; ``"all"`` is every parameter. A stored tensor that
        several nodes use is trained if it is named by any of them. Results without a
        gradient stay so.

        **Errors**: a scope in which no parameter is.
        """
        from costmodel.network.annotations.scopes import trained

        return trained(self, scopes)

    def to_json(self) -> str:
        """Return the network as JSON text, which :meth:`from_json` reads."""
        from costmodel.network.serialization.json import to_json

        return to_json(self)

    @staticmethod
    def from_json(text: str) -> Network:
        """Return the network of a JSON text."""
        from costmodel.network.serialization.json import read

        return read(text, Network.assemble)

    def __str__(self) -> str:
        """Write the network as its paper's table."""
        from costmodel.network.table import table

        return table(self)


def parameters_by_name(network: Network) -> dict[str, tuple[Dim, ...]]:
    """Return the shape of every stored tensor by its ``state_dict`` name."""
    return {
        f"{node.name}.{key}": tuple(map(resolve, weight.shape))
        for node in network.nodes
        for key, weight in network.weights_of(node).items()
    }

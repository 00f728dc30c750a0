"""Nodes of a network: an operator, its operands and its inferred output shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from costmodel.errors import CostModelError, at
from costmodel.network.operator import Operator
from costmodel.network.shape import Shape


@dataclass(frozen=True, slots=True)
class Node:
    """A node: its name, its operator, the names of its operands, its output shape."""

    name: str
    operator: Operator
    inputs: tuple[str, ...]
    output: Shape

    @property
    def scope(self) -> tuple[str, ...]:
        """The names of the blocks around the node, outermost first."""
        return tuple(self.name.split(".")[:-1])


@dataclass(frozen=True, slots=True)
class Inference:
    """Shape inference for one network, in which equal layers are inferred once.

    Deep networks repeat their layers, so results are cached by the identity of the
    operator and its input shapes, which is a fast key; equal shapes are one object.
    """

    known: dict[tuple[int, ...], tuple[Operator, tuple[Shape, ...], Shape]] = field(
        default_factory=dict
    )
    shapes: dict[Shape, Shape] = field(default_factory=dict)

    def output(self, operator: Operator, inputs: tuple[Shape, ...]) -> Shape:
        """Return the operator's output shape for these inputs."""
        key = (id(operator), *map(id, inputs))
        found = self.known.get(key)
        if found is None:
            shape = operator.output(*inputs).checked()
            shape = self.shapes.setdefault(shape, shape)
            # The objects are kept, so that their identities stay valid.
            found = self.known[key] = operator, inputs, shape
        return found[2]


def make_node(
    name: str,
    operator: object,
    inputs: tuple[str, ...],
    known: Mapping[str, Node],
    inference: Inference,
) -> Node:
    """Return a node with its shape inferred; every error names the node."""
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise CostModelError(
            f"node {name!r}: a name is words of letters, digits and _, joined by dots"
        )
    if not isinstance(operator, Operator):
        what = type(operator).__name__
        raise CostModelError(f'node "{name}": needs an Operator, got {what}')
    kind = operator.kind
    least, most = operator.arity
    if len(inputs) < least or (most is not None and len(inputs) > most):
        wanted = str(least) if most == least else f"{least} or more"
        raise at(kind, name, f"takes {wanted} inputs, got {len(inputs)}")
    for source in inputs:
        if not isinstance(source, str):
            raise at(kind, name, f"inputs {list(inputs)} are not names")
    for source in inputs:
        if source not in known:
            raise at(kind, name, f'input "{source}" is missing from the graph')
    shapes = tuple([known[source].output for source in inputs])
    try:
        output = inference.output(operator, shapes)
    except CostModelError as error:
        raise at(kind, name, str(error)) from None
    return Node(name, operator, tuple(inputs), output)


def check_names(nodes: Mapping[str, Node]) -> None:
    """Refuse a node with the name of a scope, since modules could not be nested so."""
    scopes: set[str] = set()
    for name in nodes:
        scope = name.rpartition(".")[0]
        while scope and scope not in scopes:
            scopes.add(scope)
            scope = scope.rpartition(".")[0]
    for name in nodes:
        if name in scopes:
            raise CostModelError(f'node "{name}": a scope has the same name')


def unbatched(nodes: Iterable[Node]) -> frozenset[str]:
    """Return the nodes made of stored tensors alone: one result serves every sample."""
    found: set[str] = set()
    for node in nodes:
        is_made = node.operator.is_unbatched or node.inputs
        if is_made and found.issuperset(node.inputs):
            found.add(node.name)
    return frozenset(found)


def node_of(name: str, nodes: Mapping[str, Node]) -> str:
    """Return the node of a name that is a node's, or a tensor's of one.

    A tensor's is ``conv.weight``; a node of that name would be in the scope ``conv``,
    and no scope has the name of a node.
    """
    return name if name in nodes else name.rpartition(".")[0]


def check_shared(
    shared: Mapping[str, str], nodes: Mapping[str, Node], network: str
) -> dict[str, str]:
    """Refuse weights that are shared with no earlier node that can have them."""
    if not isinstance(shared, Mapping):
        raise CostModelError(f'network "{network}": shared {shared!r} is no mapping')
    order = {name: place for place, name in enumerate(nodes)}
    for name, owner in shared.items():
        if {type(name), type(owner)} != {str}:
            wrong = f"{name!r}: {owner!r} are not names"
            raise CostModelError(f'network "{network}": shared {wrong}')
        user, lender = node_of(name, nodes), node_of(owner, nodes)
        known = user in nodes and lender in nodes and not {owner, lender} & {*shared}
        if not known or order[lender] >= order[user]:
            raise CostModelError(
                f'network "{network}": node "{name}" cannot share the weights of '
                f'"{owner}": no earlier node that stores weights'
            )
        for tensor, node in ((name, nodes[user]), (owner, nodes[lender])):
            weights = node.operator.weights(*[nodes[s].output for s in node.inputs])
            if tensor != node.name and tensor.rpartition(".")[2] not in weights:
                raise at(node.operator.kind, node.name, f'stores no "{tensor}"')
        one, other = nodes[user].operator, nodes[lender].operator
        is_operand = owner == lender and lender in unbatched(nodes.values())
        if other.kind != one.kind and not is_operand and owner == lender:
            raise at(one.kind, user, f'shares the weights of {other.kind} "{owner}"')
    return dict(shared)


_NAME = re.compile(r"\w+(\.\w+)*")

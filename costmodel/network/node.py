"""Nodes of a network: an operator, its operands and its inferred output shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from costmodel.errors import CostModelError, at
from costmodel.network.operator import Operator, Weights
from costmodel.network.shape import Shape


FORMS = ("module", "function", "method", "subclass", "arithmetic")
"""How code may write an operator; some tools count by it.

``module``: PyTorch's own module, such as ``nn.ReLU()``; also what is not known.
``function``: by the name that PyTorch has for it in ``torch.nn.functional`` or else in
``torch``: ``F.relu(x)``, ``torch.add(x, y)``, ``x.add(y)``.
``method``: any other call of it: ``x.relu()``, ``torch.relu(x)``, ``x + y``.
``subclass``: a module of another class, which holds weights and calls the function.
``arithmetic``: other operators that compute the same, as ``x.mean([2, 3])`` does.
"""


@dataclass(frozen=True, slots=True)
class Node:
    """A node: its name, its operator, the names of its operands, its output shape."""

    name: str
    operator: Operator
    inputs: tuple[str, ...]
    output: Shape
    form: str = FORMS[0]
    """How code writes it, of :data:`FORMS`; that changes none of its costs."""

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
    form: str = FORMS[0],
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
    if form not in FORMS:
        raise at(kind, name, f"form {form!r} is none of {', '.join(FORMS)}")
    shapes = tuple([known[source].output for source in inputs])
    try:
        output = inference.output(operator, shapes)
    except CostModelError as error:
        raise at(kind, name, str(error)) from None
    return Node(name, operator, tuple(inputs), output, form)


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
    """Return the nodes made of stored tensors alone: one result serves every sample.

    What is derived of a layer is of its weights; it is for each sample if it reads the
    input, or what is.
    """
    found: set[str] = set()
    sampled: set[str] = set()
    for node in nodes:
        if node.operator.is_unbatched:
            (found if sampled.isdisjoint(node.inputs) else sampled).add(node.name)
        elif node.inputs and found.issuperset(node.inputs):
            found.add(node.name)
        elif node.operator.is_input:
            sampled.add(node.name)
    return frozenset(found)


def node_of(name: str, nodes: Mapping[str, Node]) -> str:
    """Return the node of a name that is a node's, or a tensor's of one.

    A tensor's is ``conv.weight``; a node of that name would be in the scope ``conv``,
    and no scope has the name of a node.
    """
    return name if name in nodes else name.rpartition(".")[0]


def weights_at(node: Node, nodes: Mapping[str, Node]) -> Weights:
    """Return the weights that a node uses, also where another one stores them."""
    return node.operator.weights(*(nodes[source].output for source in node.inputs))


_NAME = re.compile(r"\w+(\.\w+)*")

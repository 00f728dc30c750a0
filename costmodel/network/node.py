"""Nodes of a network: an operator, its operands and its inferred output shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError, at, near
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


def check_shared(
    shared: Mapping[str, str], nodes: Mapping[str, Node], network: str
) -> dict[str, str]:
    """Refuse weights that are shared with no earlier node that has such weights.

    That is one of the same kind, a stored or computed tensor, or a node of another kind
    with a tensor as large, as where a transposed convolution undoes a convolution.
    """
    if not isinstance(shared, Mapping):
        raise CostModelError(f'network "{network}": shared {shared!r} is no mapping')
    order = {name: place for place, name in enumerate(nodes)}
    for name, owner in shared.items():
        known = isinstance(owner, str) and {name, owner} <= order.keys()
        if not known or owner in shared or order[owner] >= order[name]:
            raise CostModelError(
                f'network "{network}": node "{name}" cannot share the weights of '
                f'"{owner}": no earlier node that stores weights'
            )
        one, other = nodes[name].operator, nodes[owner].operator
        if other.kind in {one.kind, "parameter", "derived"}:
            continue
        if not _counts(nodes, name) & _counts(nodes, owner):
            why = "which stores no tensor as large as one of its own"
            problem = f'shares the weights of {other.kind} "{owner}", {why}'
            raise at(one.kind, name, problem)
    return dict(shared)


def _counts(nodes: Mapping[str, Node], name: str) -> set[Dim]:
    """Return the numbers of elements of the tensors that a node may store."""
    return {weight.numel for weight in weights_at(nodes[name], nodes).values()}


def check_no_gradient(
    names: Iterable[str], nodes: Mapping[str, Node], network: str
) -> frozenset[str]:
    """Refuse names that are neither those of nodes nor of their learnable weights."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise CostModelError(
            f'network "{network}": no_gradient {names!r} are not names'
        )
    found = frozenset(names)
    if not found <= nodes.keys():
        known = {
            f"{node.name}.{key}"
            for node in nodes.values()
            for key, weight in weights_at(node, nodes).items()
            if weight.learnable
        }
        for name in sorted(map(str, found - nodes.keys() - known)):
            raise CostModelError(
                f'network "{network}": no_gradient "{name}" is neither a node nor a '
                f"parameter; {near(name, known)}".removesuffix("; ")
            )
    return found


def weights_at(node: Node, nodes: Mapping[str, Node]) -> Weights:
    """Return the weights that a node uses, also where another one stores them."""
    return node.operator.weights(*(nodes[source].output for source in node.inputs))


_NAME = re.compile(r"\w+(\.\w+)*")

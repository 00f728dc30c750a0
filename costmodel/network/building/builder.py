"""Values: the tensors of a network under construction, and the builder behind them.

The builder keeps what every verb needs: the nodes in order, their names and scopes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from costmodel.algebra.extent import Extent, resolve
from costmodel.algebra.symbols import D, Dim, H, N, W, as_dim, symbol
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import FORMS, Inference, Node, make_node
from costmodel.network.shape import Shape


Check: TypeAlias = Callable[..., None]
"""A verb's own check of its operands' shapes, which raises on what it refuses."""


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of a network under construction, which verbs take and return."""

    builder: Builder
    node: Node

    @property
    def shape(self) -> Shape:
        """The tensor's shape, batch left out."""
        return self.node.output

    @property
    def channels(self) -> Dim:
        """The tensor's channels: a number or a plain expression."""
        return resolve(self.shape.channels)

    def __str__(self) -> str:
        """Write the node's name and shape."""
        return f"{self.node.name}: {self.shape}"


@dataclass
class Builder:
    """The nodes so far, and how often each name was used."""

    nodes: dict[str, Node] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    operators: dict[object, op.Operator] = field(default_factory=dict)
    inference: Inference = field(default_factory=Inference)

    def add(
        self,
        operator: type[op.Operator],
        fields: tuple[object, ...],
        inputs: list[Value],
        name: str | None,
        check: Check | None = None,
        stem: str | None = None,
    ) -> Value:
        """Append a node; every error names it, those of the verb's check included."""
        try:
            layer = self._operator(operator, fields)
        except CostModelError as error:
            full = self._name(operator.kind, name, stem)
            raise at(operator.kind, full, str(error)) from None
        full = self._name(layer.kind, name, stem)
        names = tuple(value.node.name for value in inputs)
        try:
            if check is not None:
                check(*(value.shape for value in inputs))
        except CostModelError as error:
            raise at(layer.kind, full, str(error)) from None
        node = make_node(full, layer, names, self.nodes, self.inference)
        self.nodes[full] = node
        return Value(self, node)

    def _operator(
        self, operator: type[op.Operator], fields: tuple[object, ...]
    ) -> op.Operator:
        """Return the operator; one that was made before is the same object again."""
        # True equals 1 but is refused as a number, so types are part of the key.
        kinds = [tuple(map(type, f)) if type(f) is tuple else type(f) for f in fields]
        key = (operator, fields, *kinds)
        try:
            known = self.operators.get(key)
        except TypeError:  # a list, say: the operator says what is wrong with it
            return operator(*fields)
        if known is None:
            known = self.operators[key] = operator(*fields)
        return known

    def _name(self, kind: str, name: str | None, stem: str | None) -> str:
        """Return the node's full name: as given, or its stem and a number."""
        if name is not None:
            if not isinstance(name, str):
                raise CostModelError(f"{kind}: name {name!r} is not text")
            full = scoped(name)
            if full in self.nodes:
                raise at(kind, full, "the name is used twice")
            return full
        stem = scoped(stem or _SHORT.get(kind, kind))
        while True:
            self.counts[stem] += 1
            full = f"{stem}{self.counts[stem]}"
            if full not in self.nodes:
                return full


def image(channels: Dim = 3, height: Dim = H, width: Dim = W) -> Value:
    """Start a network: the sample ``channels × height × width``."""
    return _sized(channels, height, width)


def volume(channels: Dim = 3, depth: Dim = D, height: Dim = H, width: Dim = W) -> Value:
    """Start a network: the sample ``channels × depth × height × width``, a video.

    >>> print(volume(3, 16).shape)
    3×16×H×W
    """
    return _sized(channels, depth, height, width)


def sequence(channels: Dim = 1, length: Dim = symbol("L")) -> Value:  # noqa: B008
    """Start a network: the sample ``channels × length``, such as audio."""
    return _sized(channels, length)


def _sized(channels: Dim, *sizes: Dim) -> Value:
    return sample(Shape(as_dim(channels, "channels"), tuple(map(Extent, sizes))))


def sample(shape: Shape) -> Value:
    """Start a network: a sample of any shape, such as tokens ``length × channels``."""
    return Builder().add(op.Input, (shape,), [], "input")


def network(
    *outputs: Value,
    name: str = "network",
    batch: Dim = N,
    written: Mapping[str, str] | None = None,
) -> Network:
    """Finish a network: all nodes that were built from the same sample as the outputs.

    ``written`` says by operator, layer or scope what code does not write as modules:
    a form of :data:`costmodel.network.node.FORMS`.

    >>> from costmodel.network.build import conv, relu
    >>> net = network(relu(conv(image(), 8, kernel=3)))
    >>> [node.name for node in net.nodes]
    ['input', 'conv1', 'relu1']
    """
    nodes, ends = common(outputs, "network").nodes, [v.node.name for v in outputs]
    if written:
        forms = forms_of(list(nodes.values()), written)
        nodes = {at: replace(node, form=forms[at]) for at, node in nodes.items()}
    return Network.of_nodes(nodes, ends, name, batch)


def forms_of(nodes: Sequence[Node], written: Mapping[str, str]) -> dict[str, str]:
    """Return the form of every node: its own, or that of the last word that names it.

    A word of ``written`` is a kind of operator, a layer or a scope.
    """
    forms = {node.name: node.form for node in nodes}
    for word, form in written.items():
        if form not in FORMS:
            raise CostModelError(
                f"written: {word} = {form!r} is none of {', '.join(FORMS)}"
            )
        chosen = [
            node.name
            for node in nodes
            if word in (node.operator.kind, type(node.operator).kind)
            or f"{node.name}.".startswith(f"{word}.")
        ]
        if not (chosen or word in op.operators() or word in op.functions()):
            raise CostModelError(f'written: no layer, scope or operator "{word}"')
        forms |= dict.fromkeys(chosen, form)
    return forms


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Name a block: nodes made inside are called ``name.…``."""
    token = _SCOPE.set((*_SCOPE.get(), name))
    try:
        yield
    finally:
        _SCOPE.reset(token)


def scoped(name: str) -> str:
    """Return the name with the blocks around it, outermost first."""
    return ".".join(map(str, (*_SCOPE.get(), name)))


def apply(
    operator: type[op.Operator],
    values: list[Value],
    name: str | None,
    *fields: object,
    check: Check | None = None,
    stem: str | None = None,
) -> Value:
    """Append a node that reads the values; ``check`` may refuse their shapes.

    Without a name, it is called by its stem and a number.
    """
    builder = common(tuple(values), operator.kind)
    return builder.add(operator, fields, values, name, check, stem)


def common(values: tuple[Value, ...], what: str) -> Builder:
    """Return the builder that the values share."""
    first = values[0] if values else None
    if len(values) == 1 and isinstance(first, Value):
        return first.builder  # nearly every layer
    if not values or not all(isinstance(value, Value) for value in values):
        raise CostModelError(f"{what}: takes values that other verbs returned")
    if any(value.builder is not values[0].builder for value in values):
        raise CostModelError(f"{what}: values belong to different networks")
    return values[0].builder


_SCOPE: ContextVar[tuple[str, ...]] = ContextVar("scope", default=())
_SHORT = {
    "batch_norm": "bn",
    "channel_shuffle": "shuffle",
    "local_response_norm": "norm",
    "dropout": "drop",
    "adaptive_avg_pool": "avg_pool",
    "adaptive_max_pool": "max_pool",
    "resize": "upsample",
}

"""Compilation of a network to a PyTorch module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from keyword import iskeyword
from typing import Any

import sympy

from costmodel.algebra.extent import resolve
from costmodel.algebra.symbols import as_int
from costmodel.errors import CostModelError, MissingDependencyError, at
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.shape import Shape


try:
    import torch
    from torch import fx, nn
except ImportError as error:  # pragma: no cover - depends on the installation
    raise MissingDependencyError(
        'this needs PyTorch; install it with: pip install "costmodel[torch]"'
    ) from error

from costmodel.bridge.compile import leaf_table, modules, products
from costmodel.bridge.compile.arrangements import Made, Sized
from costmodel.bridge.compile.checkpoints import put_under_checkpoints


def compile(network: Network, *, device: str = "cpu") -> fx.GraphModule:  # noqa: A001
    """Return the network as a ``torch.fx.GraphModule`` with real ``torch.nn`` leaves.

    Parameters among its ``no_gradient`` do not require one, results there get none.
    What is in a checkpoint runs under ``torch.utils.checkpoint``.
    Nodes of its ``own_backward`` have PyTorch's derivative in place of the code's own.
    Submodules have the nodes' names, so ``state_dict`` follows the scopes; the module
    takes ``batch × channels × height × width`` at any legal size and batch.
    ``device="meta"`` makes tensors without memory. Every channel count has to be bound;
    N, H and W may stay free unless a layer's weights depend on them.

    >>> from costmodel.network.build import conv, image, network, relu
    >>> module = compile(network(relu(conv(image(), 8, kernel=3))))
    >>> print(module.code.strip().splitlines()[1].strip())
    conv1 = self.conv1(x);  x = None
    """
    graph = fx.Graph()
    leaves: dict[str, nn.Module | torch.Tensor] = {}
    values: dict[str, fx.Node] = {}
    owners: dict[fx.Node, str] = {}
    for node in network.nodes:
        _check_name(node)
        arguments = _operands(graph, network, node, values)
        with _recording(graph, network, node):
            value = _emit(graph, network, node, arguments, values, leaves, device)
        value.meta["node"] = node.name
        values[node.name] = value
        for made in reversed(graph.nodes):
            if owners.setdefault(made, node.name) != node.name:
                break
    outputs = [values[name] for name in network.outputs]
    graph.output(outputs[0] if len(outputs) == 1 else tuple(outputs))
    put_under_checkpoints(graph, network, owners, leaves)
    module = fx.GraphModule(leaves, graph, class_name=_class_name(network.name))
    module.graph.lint()
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in network.no_gradient)
    return module.eval()


@contextmanager
def _recording(graph: fx.Graph, network: Network, node: Node) -> Iterator[None]:
    """Turn autograd off around a node whose result gets no gradient."""
    stops = node.name in network.no_gradient and not _is_detached(network, node)
    if stops:
        before = graph.call_function(torch.is_grad_enabled)
        graph.call_function(torch._C._set_grad_enabled, (False,))  # noqa: SLF001
    yield
    if stops:
        graph.call_function(torch._C._set_grad_enabled, (before,))  # noqa: SLF001


def _is_detached(network: Network, node: Node) -> bool:
    """Say whether a node is another name of its operand, without a gradient."""
    return isinstance(node.operator, op.Identity) and node.name in network.no_gradient


def _emit(
    graph: fx.Graph,
    network: Network,
    node: Node,
    arguments: tuple[fx.Node, ...],
    values: Mapping[str, fx.Node],
    leaves: dict[str, nn.Module | torch.Tensor],
    device: str,
) -> fx.Node:
    """Append one node: a placeholder, a function, or a call of a leaf module."""
    layer, name = node.operator, node.name.replace(".", "_")
    if isinstance(layer, op.Input):
        return graph.placeholder("x" if len(network.inputs) == 1 else f"x_{name}")
    if isinstance(layer, op.Parameter):
        _require_numbers(network, node)
        shape, target = tuple(map(as_int, layer.shape.sizes)), f"{node.name}.data"
        with torch.device(device):
            leaves[target] = products.stored(shape, learnable=layer.learnable)
        data = (graph.get_attr(target), 0)
        return graph.create_node("call_function", torch.unsqueeze, data, name=name)
    if _is_detached(network, node):
        return graph.call_function(torch.detach, arguments)
    if (called := leaf_table.joined(layer, arguments)) is not None:
        return graph.create_node("call_function", *called, name=name)
    if layer in leaf_table.FUNCTIONS:
        tables = leaf_table.NAMED if node.form == "function" else leaf_table.FUNCTIONS
        function, result = tables[layer], arguments[0]
        for other in arguments[1:]:
            pair = (result, other)
            result = graph.create_node("call_function", function, pair, name=name)
        return result
    return _called(graph, network, node, arguments, values, leaves, device)


def _called(
    graph: fx.Graph,
    network: Network,
    node: Node,
    arguments: tuple[fx.Node, ...],
    values: Mapping[str, fx.Node],
    leaves: dict[str, nn.Module | torch.Tensor],
    device: str,
) -> fx.Node:
    """Append a call of a leaf: its own, or that of the node whose weights it shares.

    A leaf that takes sizes computes symbolic ones from the network's input.
    """
    layer = node.operator
    function = leaf_table.sized(layer)
    if function is not None or isinstance(layer, op.Derived):
        sizes = leaf_table.sizes(network, node, values)
        images = [values[source.name] for source in network.inputs]
        fixed = leaf_table.constants(layer)
        if function is None:
            has_batch = node.name not in network.unbatched
            leaves[node.name] = Made(sizes, has_batch=has_batch, **fixed)
            stored = arguments[-1:] if "dims" in fixed else ()
            return graph.call_module(node.name, (*stored, *images))
        leaves[node.name] = Sized(function, sizes, **fixed)
        return graph.call_module(
            node.name, (*arguments, *(images if sizes.places else ()))
        )
    owner = network.shared.get(node.name)
    alike = None if owner is None else network[owner]
    if alike is not None and (alike.operator, alike.form) == (layer, node.form):
        return graph.call_module(owner, arguments)
    leaves[node.name] = module = _leaf(network, node, device)
    if node.name in network.sharing:
        lent = _lent(network, node)
        leaves[node.name] = modules.Borrowing(module, tuple(lent))
        for owner in lent.values():
            if owner not in values:
                holder, _, tensor = owner.rpartition(".")
                leaves[owner] = getattr(leaves[holder], tensor)
            arguments += (values.get(owner) or graph.get_attr(owner),)
    return graph.call_module(node.name, arguments)


def _lent(network: Network, node: Node) -> dict[str, str]:
    """Return the tensors that a layer does not store, and whose they are."""
    weights = node.operator.weights(*network.shapes_into(node))
    lent = {n: network.shared.get(f"{node.name}.{n}", "") for n in weights}
    if (owner := network.shared.get(node.name)) is None:
        return {name: of for name, of in lent.items() if of}
    other = network[owner]
    if other.operator.kind == node.operator.kind:
        names = other.operator.weights(*network.shapes_into(other))
        return {name: f"{owner}.{name}" for name in weights if name in names}
    fits = [n for n, w in weights.items() if w.numel == other.output.numel]
    return dict.fromkeys(fits[:1], owner)


def _leaf(network: Network, node: Node, device: str) -> nn.Module:
    """Return the module of a node, or raise if PyTorch has none."""
    layer = node.operator
    if type(layer) not in leaf_table.LEAVES:
        leaf_table.discover()
    if type(layer) not in leaf_table.LEAVES:
        raise at(
            layer.kind, node.name, "has no PyTorch module; register_module gives it one"
        )
    _require_numbers(network, node)
    try:
        with torch.device(device):
            leaf = leaf_table.LEAVES[type(layer)](layer, *network.shapes_into(node))
        leaf = leaf_table.written(layer, node.form, leaf)
        return leaf_table.with_constants(layer, leaf)
    except (RuntimeError, ValueError, MemoryError) as error:
        reason = str(error).splitlines()[0]
        raise at(layer.kind, node.name, f"PyTorch refuses it: {reason}") from None
    except CostModelError as error:
        raise at(layer.kind, node.name, str(error)) from None


def _operands(
    graph: fx.Graph, network: Network, node: Node, values: dict[str, fx.Node]
) -> tuple[fx.Node, ...]:
    """Return a node's operands, stored ones with or without a batch axis as needed."""
    arguments = [values[source] for source in node.inputs]
    stored = [source in network.unbatched for source in node.inputs]
    if all(stored) or not any(stored):
        return tuple(arguments)
    like = arguments[stored.index(False)]
    for place, is_stored in enumerate(stored):
        if is_stored and type(node.operator) in leaf_table.ALIGNING:
            given = (arguments[place],)
            arguments[place] = graph.call_function(products.without_batch, given)
        elif is_stored and place < leaf_table.REPEATING.get(type(node.operator), 0):
            pair = (arguments[place], like)
            arguments[place] = graph.call_function(products.for_every_sample, pair)
    return tuple(arguments)


def _check_name(node: Node) -> None:
    """Refuse names that modules or Python reserve."""
    for part in node.name.split("."):
        if iskeyword(part) or hasattr(fx.GraphModule, part) or part in _TAKEN:
            raise at(
                node.operator.kind,
                node.name,
                f'a compiled module cannot have a part called "{part}"; rename it',
            )


_TAKEN = {"self", "graph", *vars(fx.GraphModule(nn.Module(), fx.Graph()))}
"""The attributes of modules, and names in their generated code."""


def _require_numbers(network: Network, node: Node) -> None:
    """Refuse symbols in a module's weights; its input's size may be symbolic."""
    sizes: list[Any] = list(node.operator.attributes.values())
    sizes += [size for w in network.weights_of(node).values() for size in w.shape]
    while sizes:
        size = sizes.pop()
        if isinstance(size, (tuple, Shape)):
            sizes.extend(size.sizes if isinstance(size, Shape) else size)
        elif isinstance(size, sympy.Expr):
            formula = sympy.sympify(resolve(size))
            names = ", ".join(sorted(map(str, formula.free_symbols)))
            raise at(
                node.operator.kind,
                node.name,
                f"a module needs numbers, but {formula} is symbolic; "
                f"bind {names} first",
            )


def _class_name(name: str) -> str:
    words = "".join(part.capitalize() for part in name.split("_"))
    return words if words.isidentifier() else "Network"

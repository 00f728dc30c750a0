"""Compile a network to a real PyTorch module."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
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

from costmodel.bridge import arranged, modules, packages, products, ranked
from costmodel.bridge.arrangements import Sized


def compile(network: Network, *, device: str = "cpu") -> fx.GraphModule:  # noqa: A001
    """Return the network as a ``torch.fx.GraphModule`` with real ``torch.nn`` leaves.

    Submodules bear the nodes' names, so ``state_dict`` follows the scopes; the module
    takes ``batch × channels × height × width`` at any legal size and batch.
    ``device="meta"`` makes shapes without memory. Every channel count has to be bound;
    N, H and W may stay free unless a layer's weights depend on them.

    >>> from costmodel.network.build import conv, image, network, relu
    >>> module = compile(network(relu(conv(image(), 8, kernel=3))))
    >>> print(module.code.strip().splitlines()[1].strip())
    conv1 = self.conv1(x);  x = None
    """
    graph = fx.Graph()
    leaves: dict[str, nn.Module | torch.Tensor] = {}
    values: dict[str, fx.Node] = {}
    for node in network.nodes:
        _check_name(node)
        arguments = _operands(graph, network, node, values)
        value = _emit(graph, network, node, arguments, leaves, device)
        value.meta["node"] = node.name
        values[node.name] = value
    outputs = [values[name] for name in network.outputs]
    graph.output(outputs[0] if len(outputs) == 1 else tuple(outputs))
    module = fx.GraphModule(leaves, graph, class_name=_class_name(network.name))
    module.graph.lint()
    return module.eval()


def _emit(
    graph: fx.Graph,
    network: Network,
    node: Node,
    arguments: tuple[fx.Node, ...],
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
    if isinstance(layer, op.Concat):
        pair = (arguments, as_int(layer.axis))
        return graph.create_node("call_function", torch.cat, pair, name=name)
    if layer in FUNCTIONS:
        function, result = FUNCTIONS[layer], arguments[0]
        for other in arguments[1:]:
            pair = (result, other)
            result = graph.create_node("call_function", function, pair, name=name)
        return result
    return _called(graph, network, node, arguments, leaves, device)


def _called(
    graph: fx.Graph,
    network: Network,
    node: Node,
    arguments: tuple[fx.Node, ...],
    leaves: dict[str, nn.Module | torch.Tensor],
    device: str,
) -> fx.Node:
    """Append a call of a leaf: one of its own, or of the node that it is shared with.

    What takes sizes reads them off the network's input, as far as they are open.
    """
    layer = node.operator
    if type(layer) in arranged.SIZED:
        given = graph.find_nodes(op="placeholder")
        known = {value.meta["node"]: value for value in given}
        sizes = arranged.sizes(network, node, known)
        leaves[node.name] = Sized(arranged.SIZED[type(layer)], sizes)
        images = [known[source.name] for source in network.inputs if sizes.places]
        return graph.call_module(node.name, (*arguments, *images))
    owner = network.shared.get(node.name)
    if owner is not None and isinstance(leaves.get(owner), nn.Module):
        return graph.call_module(owner, arguments)
    leaves[node.name] = _leaf(network, node, device)
    return graph.call_module(node.name, arguments)


def _leaf(network: Network, node: Node, device: str) -> nn.Module:
    """Return the module of a node, or say why PyTorch has none."""
    layer = node.operator
    if type(layer) not in LEAVES:
        packages.discover()
    if type(layer) not in LEAVES:
        raise at(layer.kind, node.name, "has no PyTorch module; add it to LEAVES")
    _require_numbers(network, node)
    try:
        with torch.device(device):
            return LEAVES[type(layer)](layer, *network.shapes_into(node))
    except (RuntimeError, ValueError, MemoryError) as error:
        reason = str(error).splitlines()[0]
        raise at(layer.kind, node.name, f"PyTorch refuses it: {reason}") from None
    except CostModelError as error:
        raise at(layer.kind, node.name, str(error)) from None


def _operands(
    graph: fx.Graph, network: Network, node: Node, values: dict[str, fx.Node]
) -> tuple[fx.Node, ...]:
    """Return what a node reads; stored operands as it needs them beside a batch."""
    arguments = [values[source] for source in node.inputs]
    stored = [source in network.unbatched for source in node.inputs]
    if all(stored) or not any(stored):
        return tuple(arguments)
    like = arguments[stored.index(False)]
    for place, is_stored in enumerate(stored):
        if is_stored and type(node.operator) in _ALIGNING:
            given = (arguments[place],)
            arguments[place] = graph.call_function(products.without_batch, given)
        elif is_stored and place < _REPEATING.get(type(node.operator), 0):
            pair = (arguments[place], like)
            arguments[place] = graph.call_function(products.for_every_sample, pair)
    return tuple(arguments)


_ALIGNING = {op.MatMul, op.Einsum}
"""Operators that align axes; a stored operand has none for the batch."""

_REPEATING = {op.Concat: math.inf, op.Attention: 3}
"""So many operands that have to have the same batch; the others are repeated."""


def _check_name(node: Node) -> None:
    """Refuse names that a module keeps for itself, or that Python does."""
    for part in node.name.split("."):
        if iskeyword(part) or hasattr(fx.GraphModule, part) or part in _TAKEN:
            raise at(
                node.operator.kind,
                node.name,
                f'PyTorch modules cannot have a part called "{part}"; rename it',
            )


_TAKEN = {"training", "graph"}
"""Attributes that only instances of modules have."""


def _require_numbers(network: Network, node: Node) -> None:
    """Refuse symbols in what a module stores; its input's size may stay open."""
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


def _conv(layer: op.Conv, x: Shape) -> nn.Module:
    return ranked.CONV[len(layer.kernel)](
        as_int(x.channels),
        as_int(layer.channels),
        layer.kernel,
        layer.stride,
        layer.padding,
        layer.dilation,
        as_int(layer.groups),
        layer.bias,
        layer.padding_mode,
    )


def _conv_transpose(layer: op.ConvTranspose, x: Shape) -> nn.Module:
    return ranked.CONV_TRANSPOSE[len(layer.kernel)](
        as_int(x.channels),
        as_int(layer.channels),
        layer.kernel,
        layer.stride,
        layer.padding,
        layer.output_padding,
        as_int(layer.groups),
        layer.bias,
        layer.dilation,
    )


def _linear(layer: op.Linear, x: Shape) -> nn.Module:
    return nn.Linear(as_int(x.sizes[-1]), as_int(layer.features), layer.bias)


FUNCTIONS: dict[op.Operator, Callable[..., Any]] = {
    op.Arithmetic("add"): operator.add,
    op.Arithmetic("multiply"): operator.mul,
}
"""Operators that are functions of two operands, folded over more."""

LEAVES: dict[type[op.Operator], Callable[..., nn.Module]] = {
    op.Conv: _conv,
    op.TableConv2d: lambda o, x: modules.TableConv2d(o.table, o.kernel),
    op.Derived: lambda o, *_: modules.Derived(tuple(map(as_int, o.shape.sizes))),
    op.Linear: _linear,
    op.RadialBasis: lambda o, x: modules.RadialBasis(as_int(x.channels), o.features),
    op.BatchNorm: arranged.batch_norm,
    # The paper's constants (section 3.3): k = 2, n = 5, α = 10⁻⁴ (times n), β = 0.75.
    op.LocalResponseNorm: lambda o, x: nn.LocalResponseNorm(o.size, 5e-4, 0.75, 2.0),
    op.Softmax: arranged.softmax,
    op.Identity: lambda o, x: nn.Identity(),
    op.Dropout: lambda o, x: nn.Dropout(o.percent / 100),
    op.MaxPool: lambda o, x: ranked.MAX_POOL[len(o.kernel)](
        o.kernel, o.stride, o.padding, o.dilation, ceil_mode=o.ceil_mode
    ),
    op.AvgPool: lambda o, x: ranked.AVG_POOL[len(o.kernel)](
        o.kernel, o.stride, o.padding, o.ceil_mode, o.count_include_pad
    ),
    op.Subsample2d: lambda o, x: modules.Subsample2d(as_int(x.channels), o.kernel),
    op.AdaptiveAvgPool: lambda o, x: ranked.ADAPTIVE_AVG_POOL[len(o.size)](o.size),
    op.AdaptiveMaxPool: lambda o, x: ranked.ADAPTIVE_MAX_POOL[len(o.size)](o.size),
    op.Flatten: lambda o, x: nn.Flatten(),
    op.Pad: arranged.pad,
    op.Zeros: lambda o, x: modules.Zeros(o.channels, o.stride),
    op.ChannelShuffle: lambda o, x: modules.ChannelShuffle(o.groups),
    **arranged.LEAVES,
    op.ConvTranspose: _conv_transpose,
    op.MatMul: lambda o, *x: products.MatMul(),
    op.Attention: lambda o, *x: products.Attention(),
    op.Einsum: lambda o, *x: products.Einsum(o.equation),
    op.Resize: lambda o, x: products.upsample(
        o.mode, scale=o.scale, size=o.shape and o.shape.sizes[1:]
    ),
}
"""Operators that are modules: from the operator and its input shape."""

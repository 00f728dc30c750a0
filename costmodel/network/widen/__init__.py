"""Width multipliers for any network: every channel count times a symbol or number."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import networkx as nx
import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.parse import exact
from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError, at
from costmodel.network.graph import Network
from costmodel.network.node import Node, node_of
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape
from costmodel.network.widen.channel_groups import DisjointSets, Scale
from costmodel.network.widen.widths import Widths


def widen(network: Network, width: Any, *, divisor: Any = None) -> Network:
    """Return the network with every channel count times ``width``, where it may grow.

    The input's channels and the outputs' sizes stay, and so does whatever has to be
    equal to them. Tensors that are added or multiplied keep equal widths. A depthwise
    layer keeps as many groups as channels; other layers keep their number of groups.

    ``width`` is a symbol, an expression or a number; a number is legal if all
    products are whole. ``divisor`` rounds each count to a multiple of it, as
    :func:`costmodel.algebra.rounding.make_divisible` does.

    **Errors**: a width that is tied to a number, with the node that ties it: a view
    that splits channels into heads, an equation, an operator without a rule.

    >>> from costmodel.algebra.symbols import alpha
    >>> from costmodel.network.build import conv, image, linear, global_average_pool
    >>> from costmodel.network.build import network
    >>> net = network(linear(global_average_pool(conv(image(), 8, 3)), 10))
    >>> print(widen(net, alpha)["conv1"].operator, widen(net, "3/2")["conv1"].operator)
    3×3 conv, 8*alpha 3×3 conv, 12
    """
    factor = _factor(network, width)
    step = None if divisor is None else _step(divisor)
    sets = DisjointSets(is_rounded=step is not None)
    found = _followed(network, sets)
    if factor != 1 or step is not None:
        sets.check()
    scale = Scale(sets, factor, step)
    layers = [
        (node.name, _grown(found[node.name], scale), node.inputs, node.form)
        for node in network.nodes
    ]
    rest = (network.batch, network.constraints, network.shared)
    trained = (network.no_gradient, network.checkpoints, network.own_backward)
    try:
        return Network.assemble(layers, network.outputs, network.name, *rest, *trained)
    except CostModelError as error:
        how = "" if step is None else f", rounded to multiples of {step}"
        raise CostModelError(f"{error}; widths are times {factor}{how}") from None


def _step(divisor: Any) -> int:
    """Return the divisor as an integer."""
    step = exact(divisor, "widen: divisor")
    if type(step) is not int or step < 1:
        raise CostModelError(f"widen: divisor {divisor} is not a positive integer")
    return step


def _factor(network: Network, width: Any) -> Dim:
    """Return a multiplier exactly; it is neither the batch nor a side of the input."""
    factor = exact(width, "widen: width")
    number = sympy.sympify(factor)
    if number.is_positive is False:
        raise CostModelError(f"widen: width {width} is not positive")
    sizes = (size for node in network.inputs for size in node.output.sizes)
    taken = {
        s for size in (network.batch, *sizes) for s in sympy.sympify(size).free_symbols
    }
    shared = sorted(map(str, taken & number.free_symbols))
    if shared:
        names = ", ".join(shared)
        raise CostModelError(f"widen: width {width}: {names} is a size of the input")
    return factor


def _followed(network: Network, sets: DisjointSets) -> dict[str, Widths]:
    """Return the widths of each node, with the sets merged that must grow together."""
    readers: dict[str, list[Node]] = defaultdict(list)
    for node in network.nodes:
        for source in dict.fromkeys(node.inputs):
            readers[source].append(node)
    found: dict[str, Widths] = {}
    for node in network.nodes:
        inputs = tuple(found[source].axes for source in node.inputs)
        found[node.name] = Widths(sets, network, readers, node, inputs)
    for name in network.outputs:
        sets.keep(found[name].axes)
    for name, owner in network.shared.items():
        pair = (network[node_of(one, network.by_name)] for one in (name, owner))
        _share(sets, found, name, *pair)
    return found


def _share(
    sets: DisjointSets, found: dict[str, Widths], tensor: str, one: Node, other: Node
) -> None:
    """Join the widths of two nodes that use the same weights, or the same tensor."""
    is_bias = tensor.endswith(".bias") and tensor != one.name
    inputs, others = (() if is_bias else node.inputs for node in (one, other))
    if one.operator.kind != other.operator.kind:
        why = f'has the weights of {other.operator.kind} "{other.name}"'
        for name in (one.name, *inputs, other.name, *others):
            for axis in found[name].axes:
                sets.refuse(axis, one, why)
        network = found[other.name].network
        if other.name in network.unbatched:
            for name in nx.ancestors(network.graph, other.name):
                sets.keep(found[name].axes)
        return
    names = zip((one.name, *inputs), (other.name, *others), strict=True)
    for mine, its in ((found[name], found[same]) for name, same in names):
        sides = zip(mine.axes, mine.extents, its.axes, its.extents)
        for axis, size, same, count in sides:
            if size == count:
                sets.join(axis, same)
            elif axis or same:
                why = f'shares the weights of "{other.name}" at other widths'
                sets.refuse(axis, one, why)
                sets.refuse(same, one, why)


def _grown(found: Widths, scale: Scale) -> Operator:
    """Return a node's operator with its widths multiplied; errors name the node."""
    operator = found.node.operator
    changes: dict[str, Any] = {}
    for held, axis in found.held.items():
        if axis is None or not scale.changes(axis):
            continue
        if isinstance(held, tuple):
            name, place = held
            sizes = list(changes.get(name, getattr(operator, name)))
            sizes[place] = scale.size(axis)
            changes[name] = tuple(sizes)
        elif held is not None:
            changes[held] = scale.size(axis)
    holds_shape = isinstance(operator.attributes.get("shape"), Shape)
    if holds_shape and any(map(scale.changes, found.axes)):
        changes["shape"] = _shape(found, scale)
    if not changes:
        return operator
    try:
        return replace(operator, **changes)
    except CostModelError as error:
        problem = f"{error}; width {scale.factor} is not legal here"
        raise at(operator.kind, found.node.name, problem) from None


def _shape(found: Widths, scale: Scale) -> Shape:
    """Return the shape that an operator holds, with its widths multiplied."""
    sizes = [
        Extent(scale.size(axis)) if axis and scale.changes(axis) else extent
        for axis, extent in zip(found.axes, found.extents, strict=True)
    ]
    return Shape(sizes[0].value, tuple(sizes[1:]))

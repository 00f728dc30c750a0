"""Where gradients go in a training step: which results get one, and which weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.annotations import Checkpoint
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import Weight


@dataclass(frozen=True)
class GradientFlow:
    """The tensors of a network that a gradient of its results gets to.

    What autograd saves depends on ``needs`` and ``learned``, whether or not a gradient
    comes back: behind a ``detach`` none does.
    """

    network: Network
    needs: Mapping[str, bool]
    """By node: whether its result depends on what learns, and so requires one."""
    learned: Mapping[str, tuple[str, ...]]
    """By node: its weights that learn, its own or another's."""

    @cached_property
    def reached(self) -> frozenset[str]:
        """Nodes whose result gets a gradient of the network's results."""
        network = self.network
        found = {name for name in network.outputs if self.needs[name]}
        for node in reversed(network.nodes):
            if node.name in found:
                found.update(s for s in _lenders(network, node) if self.needs[s])
                found.update(s for s in node.inputs if self.passes(node, s))
        return frozenset(found)

    def passes(self, node: Node, source: str) -> bool:
        """Say whether a gradient of a node's result gets to an operand's.

        A tensor derived from the weights of a layer does not depend on its result.
        """
        return self.needs[source] and not _is_of_weights(self.network, node, source)

    @cached_property
    def trained(self) -> tuple[Weight, ...]:
        """The stored tensors that have a gradient after backward; shared ones once."""
        network = self.network
        read = {source for node in network.nodes for source in node.inputs}
        read.update(network.outputs, network.shared.values())
        names = {
            f"{owner}.{key}"
            for node in network.nodes
            # A tensor that none reads is a part of some layer's weight, as its norm is.
            if node.name in self.reached
            or (node.operator.is_unbatched and node.name not in read)
            for owner in (node.name, network.shared.get(node.name, node.name))
            for key in self.learned[node.name]
        }
        names |= {network.shared.get(name, name) for name in names}
        names |= {
            f"{source}.{key}"
            for node in network.nodes
            for source in node.inputs
            if node.name in self.reached and _is_of_weights(network, node, source)
            for key in self.learned[source]
        }
        return tuple(
            weight
            for node in network.nodes
            for key, weight in network.weights_of(node).items()
            if f"{node.name}.{key}" in names
        )


def gradient_flow(network: Network) -> GradientFlow:
    """Return where gradients go in a training step of a network.

    A result gets one if it depends on any weight that learns and is not among the
    network's ``no_gradient``. The input depends on no weight, zeros depend on nothing,
    and comparisons have no derivative, unless an ``autograd.Function`` gives them one.
    Nothing in a reentrant checkpoint gets one if nothing that it reads from outside
    does.
    """
    needs: dict[str, bool] = {}
    learned: dict[str, tuple[str, ...]] = {}
    reentrant = {
        one.nodes[0]: one for one in network.checkpoints if not one.stops_early
    }
    stopped = set(network.no_gradient)
    for node in network.nodes:
        if (started := reentrant.get(node.name)) and not any(
            needs.get(source, False) for source in read_from_outside(network, started)
        ):
            stopped.update(started.nodes)
        is_own = node.name in network.own_backward
        stops = is_constant(node.operator) and not is_own
        stops = stops or node.name in stopped
        learned[node.name] = () if stops else _learned(network, node, needs)
        depends = any(
            learned[source] if _is_of_weights(network, node, source) else needs[source]
            for source in node.inputs
        )
        needs[node.name] = not stops and (depends or bool(learned[node.name]))
    return GradientFlow(network, needs, learned)


def read_from_outside(network: Network, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return the nodes outside of a checkpoint whose results its nodes read, once."""
    within = {*checkpoint.nodes}
    read = (source for name in checkpoint.nodes for source in network[name].inputs)
    return tuple(dict.fromkeys(one for one in read if one not in within))


def is_constant(operator: op.Operator) -> bool:
    """Say whether a result has no derivative: zeros, and what is true or false."""
    is_truth = isinstance(operator, op.Arithmetic) and operator.row.is_truth
    return is_truth or isinstance(operator, op.Zeros)


def own_backward(node: Node, what: str) -> CostModelError:
    """Return the error of a node whose backward is not that of its operator."""
    problem = (
        "has a backward of the code's own, as in an autograd.Function or where code "
        f"writes in place without autograd: what it {what} is not known"
    )
    return at(node.operator.kind, node.name, problem)


def _is_of_weights(network: Network, node: Node, source: str) -> bool:
    is_derived = isinstance(node.operator, op.Derived)
    return is_derived and source not in network.unbatched


def _learned(
    network: Network, node: Node, needs: Mapping[str, bool]
) -> tuple[str, ...]:
    """Return the names of the weights of a node that learn, its own or another's.

    Those of a node that uses an earlier one's learn as well, at each call; a fixed
    tensor in their place, such as a filter in a buffer, does not.
    """
    shared, stored = network.shared, node.operator.weights(*network.shapes_into(node))
    owner = network[shared.get(node.name, node.name)]
    names = []
    for name, weight in stored.items():
        own = f"{node.name}.{name}"
        lent = shared.get(own, own)
        stops = not network.no_gradient.isdisjoint((own, lent, f"{owner.name}.{name}"))
        if weight.learnable and not stops and needs.get(lent, True):
            names.append(name)
    if owner is node or not owner.operator.is_unbatched or needs[owner.name]:
        return tuple(names)
    if len(names) > 1:
        problem = "of its weights, only some are fixed; which others learn is not known"
        raise at(node.operator.kind, node.name, problem)
    return ()


def _lenders(network: Network, node: Node) -> list[str]:
    """Return the nodes whose results are weights of a node; layers' own are not."""
    if node.name not in network.sharing:
        return []
    weights = node.operator.weights(*network.shapes_into(node))
    names = (node.name, *(f"{node.name}.{one}" for one in weights))
    lent = {network.shared[one] for one in names if one in network.shared}
    return [one for one in network.by_name.keys() & lent if _is_result(network, one)]


def _is_result(network: Network, owner: str) -> bool:
    return network[owner].operator.is_unbatched

"""What a network says of its nodes besides the graph: whose weights, what trains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError, at, near
from costmodel.network.node import Node, node_of, unbatched, weights_at


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Nodes of which autograd saves no tensors, but what they read from outside.

    Before the first backward of one that needs what it saved, they all run again.
    ``stops_early``: only as far as saved tensors are wanted.

    **Source**: Chen et al. 2016, arXiv:1604.06174; PyTorch, ``torch.utils.checkpoint``,
    which stops early unless ``use_reentrant=True``.
    """

    nodes: tuple[str, ...]
    stops_early: bool = True


def checked(
    shared: Mapping[str, str],
    no_gradient: Iterable[str],
    checkpoints: Iterable[Checkpoint],
    own_backward: Iterable[str],
    nodes: Mapping[str, Node],
    network: str,
) -> tuple[dict[str, str], frozenset[str], tuple[Checkpoint, ...], frozenset[str]]:
    """Return what is said, or refuse what names no node, weight or parameter."""
    return (
        _shared(shared, nodes, network),
        _no_gradient(no_gradient, nodes, network),
        _checkpoints(checkpoints, nodes, network),
        _own_backward(own_backward, nodes, network),
    )


def _shared(
    shared: Mapping[str, str], nodes: Mapping[str, Node], network: str
) -> dict[str, str]:
    """Refuse weights that are shared with no earlier node that can have them.

    A node's are those of one of the same kind, or of another kind with a tensor as
    large, as where a transposed convolution undoes a convolution, or the result of a
    node made of stored tensors. A single tensor's is one as large, or such a result.
    """
    if not isinstance(shared, Mapping):
        raise CostModelError(f'network "{network}": shared {shared!r} is no mapping')
    order = {name: place for place, name in enumerate(nodes)}
    results = unbatched(nodes.values()) if shared else frozenset()
    for name, owner in shared.items():
        if {type(name), type(owner)} != {str}:
            wrong = f"{name!r}: {owner!r} are not names"
            raise CostModelError(f'network "{network}": shared {wrong}')
        user, lender = node_of(name, nodes), node_of(owner, nodes)
        known = {user, lender} <= nodes.keys() and not {owner, lender} & shared.keys()
        if not known or order[lender] >= order[user]:
            raise CostModelError(
                f'network "{network}": node "{name}" cannot share the weights of '
                f'"{owner}": no earlier node that stores weights'
            )
        for tensor, node in ((name, nodes[user]), (owner, nodes[lender])):
            weights = weights_at(node, nodes)
            if tensor != node.name and tensor.rpartition(".")[2] not in weights:
                raise at(node.operator.kind, node.name, f'stores no "{tensor}"')
        one, other = nodes[user].operator, nodes[lender].operator
        if owner == lender and (other.kind == one.kind or lender in results):
            continue
        if not _counts(nodes, name) & _counts(nodes, owner):
            why = "which stores no tensor as large as one of its own"
            if name != user:
                why = f"which is not as large as its {name.rpartition('.')[2]}"
            problem = f'shares the weights of {other.kind} "{owner}", {why}'
            raise at(one.kind, user, problem)
    return dict(shared)


def _counts(nodes: Mapping[str, Node], name: str) -> set[Dim]:
    """Return the numbers of elements of a tensor, or of those that a node may store."""
    weights = weights_at(nodes[node_of(name, nodes)], nodes)
    names = weights if name in nodes else [name.rpartition(".")[2]]
    return {weights[one].numel for one in names}


def _no_gradient(
    names: Iterable[str], nodes: Mapping[str, Node], network: str
) -> frozenset[str]:
    """Refuse names that are neither those of nodes nor of their learnable weights."""
    found = frozenset(_names(names, "no_gradient", network))
    if not found <= nodes.keys():
        known = {
            f"{node.name}.{key}"
            for node in nodes.values()
            for key, weight in weights_at(node, nodes).items()
            if weight.learnable
        }
        for name in sorted(found - nodes.keys() - known):
            raise CostModelError(
                f'network "{network}": no_gradient "{name}" is neither a node nor a '
                f"parameter; {near(name, known)}".removesuffix("; ")
            )
    return found


def _own_backward(
    names: Iterable[str], nodes: Collection[str], network: str
) -> frozenset[str]:
    """Refuse names that are not those of nodes."""
    found = frozenset(_names(names, "own_backward", network))
    for name in sorted(found - {*nodes}):
        raise CostModelError(f'network "{network}": own_backward "{name}" is no node')
    return found


def _names(names: object, word: str, network: str) -> tuple[str, ...]:
    """Return names as they are given, or refuse what are none."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise CostModelError(f'network "{network}": {word} {names!r} are not names')
    found = tuple(names)
    for one in found:
        if not isinstance(one, str):
            raise CostModelError(
                f'network "{network}": {word} {one!r}, which no name is'
            )
    return found


def _checkpoints(
    given: Iterable[Checkpoint], nodes: Collection[str], network: str
) -> tuple[Checkpoint, ...]:
    """Refuse checkpoints of nodes that are not there."""
    if not isinstance(given, Iterable):
        raise CostModelError(f'network "{network}": checkpoints {given!r} are none')
    found = tuple(given)
    for one in found:
        if not isinstance(one, Checkpoint):
            raise CostModelError(f'network "{network}": {one!r} is no Checkpoint')
        for name in _names(one.nodes, "checkpoint of", network):
            if name not in nodes:
                raise CostModelError(
                    f'network "{network}": checkpoint of "{name}", which is no node'
                )
    return tuple(one for one in found if one.nodes)

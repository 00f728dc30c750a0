"""Which parameters of a network are trained, by scope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from costmodel.errors import CostModelError, near
from costmodel.network.node import weights_at


if TYPE_CHECKING:
    from costmodel.network.graph import Network
    from costmodel.network.node import Node


ALL = "all"
"""The scope of every parameter."""


def trained(network: Network, scopes: Iterable[str]) -> Network:
    """Return a network with only the parameters of some scopes trained."""
    scopes = tuple(scopes)
    used = _used(network)
    known = list(dict.fromkeys(name for names in used.values() for name in names))
    for scope in scopes:
        if not isinstance(scope, str) or not any(_is_in(n, scope) for n in known):
            hint = near(str(scope), {ALL, *chain.from_iterable(map(scopes_of, known))})
            blocks = dict.fromkeys(name.partition(".")[0] for name in known)
            hint = hint or f"those with any are {', '.join(blocks)}"
            raise CostModelError(
                f'{network.name}: trained "{scope}": no parameter is there; {hint}'
            )
    fixed = {
        name
        for names in used.values()
        if not any(_is_in(name, scope) for name in names for scope in scopes)
        for name in names
    }
    stops = network.no_gradient & network.by_name.keys()
    return replace(network, no_gradient=stops | fixed)


def _used(network: Network) -> dict[str, dict[str, None]]:
    """Return by stored tensor its names: as its node has it, and as others that use it.

    A layer with a stored tensor in place of its weights names that tensor.
    """
    found: dict[str, dict[str, None]] = {}
    for node in network.nodes:
        for key, weight in weights_at(node, network.by_name).items():
            if weight.learnable:
                name = f"{node.name}.{key}"
                found.setdefault(_stored(network, node, key), {})[name] = None
    return found


def _stored(network: Network, node: Node, key: str) -> str:
    """Return the name of a weight as the node has it that stores it."""
    name = f"{node.name}.{key}"
    lent = network.shared.get(node.name, network.shared.get(name, name))
    if lent not in network.by_name:
        return lent
    owned = weights_at(network[lent], network.by_name)
    return f"{lent}.{key if key in owned else next(iter(owned), key)}"


def _is_in(name: str, scope: str) -> bool:
    return scope in (ALL, name) or name.startswith(f"{scope}.")


def scopes_of(name: str) -> Iterator[str]:
    """Return the names of the scopes around something, and its own.

    >>> list(scopes_of("stem.conv.weight"))
    ['stem', 'stem.conv', 'stem.conv.weight']
    """
    return accumulate(name.split("."), "{}.{}".format)

"""The sizes of a network's tensors, which have to be whole for it to be legal."""

from __future__ import annotations

from costmodel.algebra.extent import resolve
from costmodel.algebra.symbols import Dim
from costmodel.network.graph import Network


def tensor_sizes(network: Network) -> tuple[Dim, ...]:
    """Return every size of every tensor, weights included, each once and in order.

    Values are legal if all of these are positive whole numbers: ``largest`` and
    ``smallest`` take them as ``whole``.

    **Units**: channels and positions.

    >>> from costmodel.network.registry import load
    >>> tensor_sizes(load("mobilenet_v1", width="alpha", resolution=32))[:4]
    (3, 32, 32*alpha, 16)
    """
    found: dict[Dim, None] = {}
    for node in network.nodes:
        for size in node.output.sizes:
            found.setdefault(size)
        for weight in network.weights_of(node).values():
            for size in weight.shape:
                found.setdefault(resolve(size))
    return tuple(found)

"""What a network asks of a device: its kernels, in the order in which they run.

A kernel is one call of a routine that computes: a convolution of oneDNN, a sum of two
tensors. Views run none, and neither does dropout in evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.algebra.count import added
from costmodel.algebra.symbols import Dim
from costmodel.network.graph import Network
from costmodel.runtime.kernels.kernel_rules import Demand
from costmodel.runtime.kernels.lowering import lowered
from costmodel.runtime.setting import Setting


@dataclass(frozen=True, slots=True)
class Kernel:
    """What one kernel computes and moves, for a whole batch. Numbers are exact.

    **Units**: ``work`` in those of its kind (``KINDS`` in ``classes.py``),
    bytes read and written.
    """

    nodes: tuple[str, ...]
    """The network's nodes that it runs; it is named after the first."""
    kind: str
    work: Dim
    activation_bytes: Dim
    weight_bytes: Dim
    is_modelled: bool = True
    """False: no class is its own; it is taken for a copy."""
    when: Dim = 1
    """1 where it runs, 0 where another kernel runs in its place: what PyTorch picks
    depends on batch and size. All numbers known, only kernels that run are given."""

    calls: Dim = 1
    """How often its routine is called: once for each group of a native convolution."""

    @property
    def name(self) -> str:
        """The node that it is named after."""
        return self.nodes[0]


def kernels(network: Network, setting: Setting | None = None) -> tuple[Kernel, ...]:
    """Return what a network asks of a device in some setting, by default one thread.

    >>> from costmodel.network.build import conv_bn_relu, image, network
    >>> net = network(conv_bn_relu(image(3, 32, 32), 8, kernel=3), batch=1)
    >>> [kernel.kind for kernel in kernels(net)]
    ['conv_native', 'batch_norm', 'relu']
    """
    batch = network.batch
    known: dict[int, tuple[Dim, Dim, Dim]] = {}
    found = []
    launches = lowered(network, setting or Setting())
    for launch in launches:
        for demand in launch.demands:
            if id(demand) not in known:
                known[id(demand)] = _numbers(demand, batch)
            found.append(
                Kernel(launch.nodes, demand.kind, *known[id(demand)],
                       demand.is_modelled, demand.when, demand.calls)
            )  # fmt: skip
    return tuple(found)


def _numbers(demand: Demand, batch: Dim) -> tuple[Dim, Dim, Dim]:
    """Return work, activation bytes and weight bytes of a whole batch."""
    times = 1 if demand.is_stored else batch
    return (
        added([(1, demand.work)], times),
        added([(1, demand.activation_bytes)], times),
        added([(1, demand.weight_bytes)], batch if demand.reads_again else 1),
    )


__all__ = ["Kernel", "Setting", "kernels"]

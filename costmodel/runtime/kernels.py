"""What a network asks of a device: its kernels, in the order in which they run.

A kernel is one call of a routine that computes: a convolution of oneDNN, a sum of two
tensors. Views run none, and neither does dropout in evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.algebra.symbols import Dim
from costmodel.network.graph import Network
from costmodel.runtime.setting import Setting


@dataclass(frozen=True, slots=True)
class Kernel:
    """What one kernel computes and moves, for a whole batch. Numbers are exact.

    **Units**: ``work`` in those of its kind (:data:`costmodel.runtime.kinds.KINDS`),
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

    @property
    def name(self) -> str:
        """The node that it is named after."""
        return self.nodes[0]


def kernels(network: Network, setting: Setting | None = None) -> tuple[Kernel, ...]:
    """Return what a network asks of a device in some setting."""
    raise NotImplementedError


__all__ = ["Kernel", "Setting", "kernels"]

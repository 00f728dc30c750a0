"""The memory of stored tensors: weights, buffers, optimizer state."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from costmodel.algebra.extent import resolve
from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.algebra.tally import total
from costmodel.analysis.memory.gradient_flow import GradientFlow, gradient_flow
from costmodel.errors import CostModelError, known_are
from costmodel.network.graph import Network
from costmodel.network.operators import Weight


DTYPES = {
    "float64": 8, "float32": 4, "bfloat16": 2, "float16": 2, "float8": 1, "int8": 1,
}  # fmt: skip
"""Bytes per element of the dtypes that networks are run in."""

COUNTER_BYTES = 8
"""A scalar buffer counts batches, in 64 bits whatever the dtype."""


class OptimizerState(NamedTuple):
    """The state of an optimizer: tensors per weight, and bytes of each step count.

    **Source**: PyTorch, ``torch/optim/sgd.py`` and ``adam.py``.
    """

    tensors: int
    counter_bytes: int


OPTIMIZERS = {
    "sgd": OptimizerState(0, 0),
    "momentum": OptimizerState(1, 0),
    "adam": OptimizerState(2, 4),
}
"""SGD keeps nothing, momentum one tensor per weight, Adam two and a step count."""


class Stored:
    """Bytes of what a network stores, at so many bytes per element."""

    def __init__(self, network: Network, width: int) -> None:
        """Keep the network and the bytes per element."""
        self.network = network
        self.width = width

    @cached_property
    def weight_bytes(self) -> Dim:
        """Bytes of learnable parameters."""
        return bytes_of(w.numel * self.width for w in self._weights if w.learnable)

    @cached_property
    def trained_bytes(self) -> Dim:
        """Bytes of the parameters that a training step gives a gradient."""
        return bytes_of(weight.numel * self.width for weight in self.flow.trained)

    @cached_property
    def flow(self) -> GradientFlow:
        """Where gradients go in a training step."""
        return gradient_flow(self.network)

    @cached_property
    def buffer_bytes(self) -> Dim:
        """Bytes of buffers, which are not learned; counters of batches in 64 bits."""
        return bytes_of(
            w.numel * self.width if w.shape else COUNTER_BYTES
            for w in self._weights
            if not w.learnable
        )

    def optimizer_bytes(self, optimizer: str = "adam") -> Dim:
        """Return the bytes that an optimizer keeps: sgd, momentum or adam.

        It keeps nothing for weights without a gradient.
        """
        if not isinstance(optimizer, str) or optimizer not in OPTIMIZERS:
            known = known_are(optimizer, OPTIMIZERS)
            raise CostModelError(f"optimizer {optimizer!r}: {known}")
        state, count = OPTIMIZERS[optimizer], len(self.flow.trained)
        return bytes_of(
            [state.tensors * self.trained_bytes, state.counter_bytes * count]
        )

    @cached_property
    def _weights(self) -> list[Weight]:
        net = self.network
        return [w for node in net.nodes for w in net.weights_of(node).values()]


def bytes_of(counts: Iterable[Dim]) -> Dim:
    """Return a sum as ``int``, or as one expanded formula."""
    count = resolve(total(counts))
    return count if type(count) is int else as_dim(expand(count))

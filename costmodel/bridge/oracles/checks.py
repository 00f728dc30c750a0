"""Counts of one network compared with those of independent counters."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from costmodel.algebra.symbols import as_int
from costmodel.algebra.tally import total
from costmodel.analysis.cost import cost
from costmodel.analysis.evidence.printed import Check
from costmodel.bridge import oracles
from costmodel.bridge.compile import compile  # noqa: A004
from costmodel.errors import CostModelError
from costmodel.network.graph import Network


CONVOLUTIONS = ("conv", "table_conv")
"""Kinds that fvcore and PyTorch both count as convolution."""


def check(network: Network) -> tuple[Check, ...]:
    """Compile a bound network, and compare its counts with four independent oracles.

    The oracles are the module's own tensors, its executed shapes, PyTorch's
    ``FlopCounterMode`` and fvcore; the two counters see convolutions and linear layers.
    """
    if network.free_symbols:
        names = ", ".join(sorted(map(str, network.free_symbols)))
        raise CostModelError(f'check "{network.name}": bind {names} first')
    size = (as_int(network.batch), *map(as_int, network.inputs[0].output.sizes))
    # In inference a checkpoint does nothing, but hide nodes of the graph.
    module = compile(replace(network, checkpoints=()), device="meta")
    counted = cost(network)
    shapes = oracles.executed_shapes(module, size)
    flops = oracles.flop_counter_macs(module, size)
    fvcore = oracles.fvcore_macs(module.to_empty(device="cpu"), size)
    kinds = {kind: as_int(sums.macs) for kind, sums in counted.by_operator().items()}
    conv = sum(kinds.get(kind, 0) for kind in CONVOLUTIONS)
    linear = kinds.get("linear", 0)
    activations = sum(
        prod(shapes[row.name]) for row in counted.rows if row.node.operator.is_layer
    )
    stored = [prod(shape) for shape in oracles.stored_shapes(module).values()]
    ours = as_int(total((counted.parameters, counted.buffers)))
    return (
        Check("parameters", "module.parameters()", as_int(counted.parameters),
              oracles.learnable(module)),
        Check("stored scalars", "module.state_dict()", ours, sum(stored)),
        Check("activations", "executed shapes", as_int(counted.activations),
              activations),
        Check("conv MACs", "FlopCounterMode", conv, flops.get("aten.convolution", 0)),
        Check("linear MACs", "FlopCounterMode", linear, flops.get("aten.addmm", 0)
              + flops.get("aten.mm", 0)),
        Check("conv MACs", "fvcore", conv, fvcore.get("conv", 0)),
        Check("linear MACs", "fvcore", linear, fvcore.get("linear", 0)),
    )  # fmt: skip

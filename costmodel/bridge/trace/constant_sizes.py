"""Sizes of tensors that do not depend on the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from costmodel.algebra.polynomial import Size
from costmodel.bridge.importing.symbolic_int import SizeInt
from costmodel.bridge.trace.trace_graph import TraceGraph


def sizes_of(
    graph: TraceGraph,
    args: tuple[Any, ...],
    options: dict[str, Any],
    result: torch.Tensor,
) -> tuple[Size, ...]:
    """Return the sizes of a result, as formulas if the arguments have them.

    Every size that equals the value of a formula among the arguments, or of an
    operand's axis, is taken to be that; a second run detects a match by chance.
    """
    given: list[Size] = []
    operands: list[tuple[Size, ...]] = []
    for value in (*args, *options.values()):
        for one in value if isinstance(value, Sequence) else (value,):
            if isinstance(one, SizeInt):
                given.append(one.formula)
            known = graph.tensor(one) if isinstance(one, torch.Tensor) else None
            if known is not None:
                operands.append(known.sizes)
    # The length of a tensor, len(x), is a plain number.
    given.append(graph.batch)
    return graph.guessed(tuple(result.shape), operands, given, from_end=True)

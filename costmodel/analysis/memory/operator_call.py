"""Types of the table of saved tensors: a call of an operator, and what autograd saves.

The table itself is :mod:`costmodel.analysis.memory.autograd_saved`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape


Role = Literal["result", "intermediate", "indices", "mask", "statistics", "gradient"]
"""The role of a tensor for the operator that makes it."""


def element_width(role: Role, element_bytes: int) -> int:
    """Return the bytes per element of a tensor with that role.

    Indices are 64-bit, a mask is Boolean; statistics of half-precision batches are
    float32. **Source**: PyTorch, ``max_pool2d_with_indices``, ``native_dropout`` and
    ``native_batch_norm``.
    """
    fixed = {"indices": 8, "mask": 1, "statistics": max(4, element_bytes)}
    return fixed.get(role, element_bytes)


@dataclass(frozen=True, slots=True)
class Call:
    """An operator and its operands, which of them need a gradient, and if it learns.

    ``copied`` is the elements per sample of the copy that it makes of each, or 0;
    ``fixed`` are those of its learnable weights that get no gradient.
    """

    operator: Operator
    inputs: tuple[Shape, ...]
    output: Shape
    needs: tuple[bool, ...]
    learns: bool
    copied: tuple[Dim, ...] = ()
    fixed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Extra:
    """A saved tensor that is neither operand nor result.

    ``elements`` are per sample, or of the whole batch if not ``per_sample``.
    """

    role: Role
    elements: Dim
    per_sample: bool = True


@dataclass(frozen=True, slots=True)
class Saved:
    """What is saved for one operator: operands by number, its result, extra tensors."""

    operands: tuple[int, ...] = ()
    result: bool = False
    extras: tuple[Extra, ...] = ()

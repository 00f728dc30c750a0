"""Constant tensors of an ONNX graph, and arrays of sizes with formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.bridge.importing import graph as importing
from costmodel.bridge.importing import symbolic_int
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.symbolic_int import SizeInt, SizeRatio


@dataclass(frozen=True, slots=True)
class Constant(importing.Constant):
    """A tensor computed from stored ones or sizes alone, with its values if few."""

    dtype: int = 1
    is_learnable: bool = False
    """Whether it comes from a learnable tensor."""
    load: Callable[[], Any] | None = None
    """Returns its values, as an array that may contain sizes with their formulas."""

    @property
    def array(self) -> Any:
        """The values; None if they are too many, or unknown."""
        return None if self.load is None else self.load()


Tensor = Traced | Constant


def plain(array: Any) -> Any:
    """Return an array of sizes as their numbers for the sample.

    >>> plain(np.array([2, 3], dtype=object)).dtype.name
    'int64'
    """
    if array.dtype != object:
        return array
    flat = [symbolic_int.plain(v) for v in array.ravel()]
    kinds = {type(v) for v in flat}
    dtype: Any = np.int64
    if float in kinds:
        dtype = np.float32
    elif kinds == {bool}:
        dtype = np.bool_
    return np.array(flat, dtype=dtype).reshape(array.shape)


def has_formula(array: Any) -> bool:
    """Say whether an array contains sizes that depend on the input's."""
    return array.dtype == object and any(
        isinstance(v, (SizeInt, SizeRatio)) for v in array.ravel()
    )


def objects(array: Any) -> Any:
    """Return an array whose elements are Python's own numbers.

    >>> objects(np.array([1, 2])).dtype.name
    'object'
    """
    if array.dtype == object:
        return array
    made = np.empty(array.shape, dtype=object)
    for place in np.ndindex(array.shape):
        made[place] = array[place].item()
    return made


def is_small(shape: Any, most: int) -> bool:
    """Say whether there are at most so many elements."""
    return bool(math.prod(shape) <= most)


def int_of(value: Any) -> Any:
    """Return one of NumPy's numbers as one of Python's; sizes keep their formula."""
    return value if isinstance(value, int) else int(value)

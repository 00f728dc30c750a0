"""Operators on small arrays of numbers and sizes, from which graphs compute shapes.

Arrays contain Python numbers, and sizes that keep their formulas; NumPy moves the
elements, whose own arithmetic computes the formulas.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from costmodel.bridge.importing.symbolic_int import SizeInt, SizeRatio
from costmodel.bridge.onnx.tensors import objects


Array = Any
Rule = Callable[["Arguments"], Array | list[Array]]


class LostError(Exception):
    """A size became a plain number, so that its formula is lost."""


class Arguments:
    """The operand arrays of an operator, and its attributes."""

    def __init__(self, arrays: Sequence[Array], get: Callable[..., Any]) -> None:
        """Keep arrays of Python's numbers."""
        self.arrays = [None if a is None else objects(a) for a in arrays]
        self.get = get

    def __getitem__(self, place: int) -> Array:
        """Return an array; None if it is left out."""
        return self.arrays[place] if place < len(self.arrays) else None

    def listed(self, place: int, name: str) -> list[int] | None:
        """Return plain numbers from an array, or from an attribute.

        An array whose length depends on the input's size is refused.
        """
        if self[place] is not None:
            if any(map(_is_size, self[place].ravel())):
                raise KeyError(name)
            return [int(v) for v in self[place].ravel()]
        value = self.get(name)
        return None if value is None else list(value)


def each(function: Callable[..., Any], arity: int = 1) -> Rule:
    """Return a rule for an elementwise function of one or several arrays."""
    call = np.frompyfunc(_kept(function), arity, 1)

    def rule(given: Arguments) -> Array:
        return _array(call(*given.arrays))

    return rule


def _kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that fails if it makes a plain fraction from a size."""

    def called(*values: Any) -> Any:
        made = function(*values)
        if type(made) is float and any(map(_is_size, values)):
            raise LostError
        return made

    return called


def _is_size(value: Any) -> bool:
    return isinstance(value, (SizeInt, SizeRatio))


def folded(function: Callable[..., Any]) -> Rule:
    """Return a rule that folds a binary function over any number of arrays."""
    call = np.frompyfunc(function, 2, 1)

    def rule(given: Arguments) -> Array:
        return _array(reduce(call, given.arrays))

    return rule


def reduced(function: Callable[..., Any]) -> Rule:
    """Return a rule that folds a binary function over axes."""
    call = np.frompyfunc(function, 2, 1)

    def rule(given: Arguments) -> Array:
        axes = given.listed(1, "axes")
        chosen = tuple(range(given[0].ndim)) if not axes else tuple(axes)
        made, keep = given[0], bool(given.get("keepdims", 1))
        for axis in sorted((a % given[0].ndim for a in chosen), reverse=True):
            made = call.reduce(made, axis=axis, keepdims=keep)
        return _array(made)

    return rule


def _array(value: Any) -> Array:
    """Return an array; NumPy turns one of no axes into its element."""
    if isinstance(value, np.ndarray):
        return value
    made = np.empty((), dtype=object)
    made[()] = value
    return made


def _choose(condition: Any, left: Any, right: Any) -> Any:
    return left if condition else right


def _divide(left: Any, right: Any) -> Any:
    """Divide, integers towards zero as in ONNX; sizes are never negative."""
    if isinstance(left, int) and isinstance(right, int):
        if type(left) is int and type(right) is int and (left < 0) != (right < 0):
            return -(abs(left) // abs(right))
        return left // right
    if isinstance(left, SizeRatio) and type(right) is float and right.is_integer():
        return left / int(right)
    return left * (1 / right) if isinstance(left, SizeRatio) else left / right


def _subtract(left: Any, right: Any) -> Any:
    return left + -right if isinstance(left, SizeRatio) else left - right


def _truncate(value: Any) -> Any:
    """Return the integer part; sizes are never negative."""
    return math.floor(value) if _is_size(value) else math.trunc(value)


def _round(value: Any) -> Any:
    """Round half to even; a rounded fraction of a size has no formula."""
    if isinstance(value, SizeRatio):
        if value.denominator != 1:
            raise LostError
        return value
    return round(value)


def _as_fraction(value: Any) -> Any:
    if isinstance(value, SizeInt):
        return SizeRatio(value.formula, 1, value.record)
    return value if isinstance(value, SizeRatio) else float(value)


def _whole_fraction(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return floor or ceiling, whose result is a float in ONNX."""

    def called(value: Any) -> Any:
        return _as_fraction(function(value))

    return called


def _invert(value: Any) -> bool:
    return not value


def _both(left: Any, right: Any) -> bool:
    return bool(left) and bool(right)


def _either(left: Any, right: Any) -> bool:
    return bool(left) or bool(right)


def gather(given: Arguments) -> Array:
    """Return elements along an axis, by their indices."""
    flat = given.listed(1, "indices")
    places = np.array(flat, dtype=np.int64).reshape(given[1].shape)
    return _array(np.take(given[0], places, axis=given.get("axis", 0)))


def slice_(given: Arguments) -> Array:
    """Return slices along some axes."""
    starts, ends = given.listed(1, "starts"), given.listed(2, "ends")
    if starts is None or ends is None:
        raise KeyError("starts")
    axes = given.listed(3, "axes") or list(range(len(starts)))
    steps = given.listed(4, "steps") or [1] * len(starts)
    parts = [slice(None)] * given[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        stop = None if step < 0 and end < -given[0].shape[axis] else end
        parts[axis] = slice(start, stop, step)
    return given[0][tuple(parts)]


def squeeze(given: Arguments) -> Array:
    """Return the array without axes of one element."""
    axes = given.listed(1, "axes")
    return _array(np.squeeze(given[0], axis=None if axes is None else tuple(axes)))


def unsqueeze(given: Arguments) -> Array:
    """Return the array with new axes of one element."""
    axes = given.listed(1, "axes") or []
    return np.expand_dims(given[0], axis=tuple(axes))


def reshape(given: Arguments) -> Array:
    """Return the array in another shape."""
    wanted = given.listed(1, "shape") or []
    shape = [given[0].shape[i] if w == 0 else w for i, w in enumerate(wanted)]
    return given[0].reshape(shape)


def expand(given: Arguments) -> Array:
    """Return the array repeated along axes of one element."""
    wanted = given.listed(1, "shape") or []
    return np.broadcast_arrays(given[0], np.empty(wanted, dtype=object))[0]


def cast(given: Arguments) -> Array:
    """Return the numbers as integers, or unchanged."""
    kind = given.get("to", 1)
    rule = _as_fraction if kind in _FRACTIONS else bool if kind == 9 else _truncate
    return _array(np.frompyfunc(rule, 1, 1)(given[0]))


_FRACTIONS = {1, 10, 11, 16}
"""ONNX's numbers of float32, float16, float64 and bfloat16; 9 is bool."""


def split(given: Arguments) -> list[Array]:
    """Return the array split into parts."""
    axis, lengths = given.get("axis", 0), given.listed(1, "split")
    if lengths is None:
        return np.array_split(given[0], given.get("num_outputs", 0), axis=axis)
    places = np.cumsum(lengths)[:-1]
    return np.split(given[0], places, axis=axis)


def concat(given: Arguments) -> Array:
    """Return arrays concatenated along an axis."""
    parts = [array for array in given.arrays if array is not None]
    return np.concatenate(parts, axis=given.get("axis", 0))


def range_(given: Arguments) -> Array:
    """Return numbers from one to another."""
    bounds = [given[i][()] for i in range(3)]
    if any(map(_is_size, bounds)):
        raise KeyError("range")
    return objects(np.arange(*bounds))


VALUES: dict[str, Rule] = {
    "Identity": lambda given: given[0],
    "Cast": cast,
    "Gather": gather,
    "Slice": slice_,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Reshape": reshape,
    "Flatten": lambda given: given[0].reshape(1, -1),
    "Expand": expand,
    "Split": split,
    "Range": range_,
    "Concat": concat,
    "Transpose": lambda given: np.transpose(given[0], given.get("perm")),
    "Where": each(_choose, 3),
    "Add": each(operator.add, 2),
    "Sub": each(_subtract, 2),
    "Mul": each(operator.mul, 2),
    "Div": each(_divide, 2),
    "Mod": each(operator.mod, 2),
    "Neg": each(operator.neg),
    "Abs": each(operator.abs),
    "Floor": each(_whole_fraction(math.floor)),
    "Ceil": each(_whole_fraction(math.ceil)),
    "Round": each(_round),
    "Not": each(_invert),
    "And": each(_both, 2),
    "Or": each(_either, 2),
    "Equal": each(operator.eq, 2),
    "Greater": each(operator.gt, 2),
    "GreaterOrEqual": each(operator.ge, 2),
    "Less": each(operator.lt, 2),
    "LessOrEqual": each(operator.le, 2),
    "Max": folded(max),
    "Min": folded(min),
    "Sum": folded(operator.add),
    "ReduceProd": reduced(operator.mul),
    "ReduceSum": reduced(operator.add),
    "ReduceMax": reduced(max),
    "ReduceMin": reduced(min),
}
"""Rules by ONNX's names; others use ONNX's reference implementation."""

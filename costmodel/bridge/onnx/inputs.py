"""The inputs of an ONNX graph, and their axes N, D, H and W."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy

from costmodel.algebra.polynomial import size
from costmodel.algebra.symbols import D, H, N, W, symbol
from costmodel.bridge.importing.batch_axis import Sizes
from costmodel.bridge.importing.graph import DEPTH
from costmodel.bridge.onnx.names import clean
from costmodel.errors import CostModelError


@dataclass(frozen=True)
class Axes:
    """The sizes of every input, and the batch if the file has a number for it."""

    sizes: Mapping[str, Sizes]
    symbols: tuple[sympy.Symbol, ...]
    literal_batch: int | None = None
    named: Mapping[str, sympy.Symbol] = field(default_factory=dict)
    """Symbols by the names that the file gives to axes."""

    def of_one_sample(self) -> Axes:
        """Return the axes with batch 1, as the file has it."""
        sizes = {name: (size(1), *rest[1:]) for name, rest in self.sizes.items()}
        return Axes(sizes, self.symbols, None, self.named)

    def sample(self, count: int, height: int, width: int) -> dict[sympy.Symbol, int]:
        """Return values for the symbols; a batch that the file has is kept."""
        known = {N: self.literal_batch or count, D: DEPTH, H: height, W: width}
        others = {
            s: height + 8 * i for i, s in enumerate(self.symbols) if s not in known
        }
        return {s: known[s] for s in (N, *self.symbols) if s in known} | others


def inputs_of(model: Any) -> list[Any]:
    """Return the inputs of a graph; older files list their weights among them."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in stored]


def axes_of(model: Any) -> Axes:
    """Return the sizes of all inputs, with one symbol for each name of an axis.

    **Errors**: no input; one without axes, or with none for a batch.
    """
    known: dict[str, sympy.Symbol] = {}
    found: dict[str, list[Any]] = {}
    inputs = inputs_of(model)
    if not inputs:
        raise CostModelError("onnx: the graph has no input")
    for value in inputs:
        if not value.type.tensor_type.HasField("shape"):
            raise CostModelError(f'onnx: input "{value.name}" has no shape in the file')
        found[value.name] = _lengths(value, known)
    batch = _batch(found)
    if batch is not None:
        found = {name: [N, *lengths[1:]] for name, lengths in found.items()}
    sizes = {name: tuple(size(n) for n in lengths) for name, lengths in found.items()}
    used = {s for lengths in found.values() for s in lengths if not isinstance(s, int)}
    symbols = tuple(sorted(used - {N}, key=str))
    return Axes(sizes, symbols, batch, known)


def _batch(found: Mapping[str, list[Any]]) -> int | None:
    """Return the batch of all inputs if the file has a number for it."""
    for name, lengths in found.items():
        if not lengths:
            raise CostModelError(f'onnx: input "{name}" has no axis for a batch')
    batches = [lengths[0] for lengths in found.values()]
    if set(batches) != {batches[0]}:
        many = ", ".join(f"{name}: {n[0]}" for name, n in found.items())
        raise CostModelError(f"onnx: inputs have different batches: {many}")
    return batches[0] if isinstance(batches[0], int) else None


def _lengths(value: Any, known: dict[str, sympy.Symbol]) -> list[Any]:
    """Return an input's sizes: numbers, or symbols if the file has none."""
    dims = list(value.type.tensor_type.shape.dim)
    numbers = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None
               for d in dims]  # fmt: skip
    usual = _usual(numbers)
    found: list[Any] = []
    for axis, (dim, number) in enumerate(zip(dims, numbers, strict=True)):
        if number is not None:
            found.append(int(number))
            continue
        key = dim.dim_param or f"{value.name}_axis_{axis}"
        if key not in known:
            known[key] = _fresh(key, usual.get(axis), known)
        found.append(known[key])
    return found


def _usual(numbers: list[int | None]) -> dict[int, sympy.Symbol]:
    """Return the symbols of axes: of an image N × C × H × W, or N × H × W × C.

    A volume has its depth in front of the height.
    """
    sides = {4: (H, W), 5: (D, H, W)}.get(len(numbers))
    if sides is None:
        return {0: N}
    middle = numbers[1:-1]
    is_last = numbers[-1] is not None and all(number is None for number in middle)
    return {0: N} | dict(enumerate(sides, start=1 if is_last else 2))


def _fresh(
    key: str, usual: sympy.Symbol | None, known: dict[str, sympy.Symbol]
) -> sympy.Symbol:
    """Return a symbol that no other axis has."""
    taken = set(known.values())
    if usual is not None and usual not in taken:
        return usual
    base = clean(key).replace(".", "_") or "size"
    base = f"_{base}" if base[0].isdigit() else base
    name = base
    while symbol(name) in taken | {N, D, H, W}:
        name = f"{name}_"
    return symbol(name)

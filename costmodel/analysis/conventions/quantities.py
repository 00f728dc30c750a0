"""The quantities in which rules of conventions are written, for one operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy

from costmodel.algebra.count import Count, product
from costmodel.algebra.extent import Extent, normal
from costmodel.algebra.rounding import counted_in_doubles, printed_digits
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.algebra.tally import Tally
from costmodel.errors import CostModelError
from costmodel.network.axes import extents
from costmodel.network.operators import Conv, ConvTranspose, Operator
from costmodel.network.shape import Shape


@dataclass(frozen=True, slots=True)
class RuleInput:
    """The input of a rule: an operator, its shapes, and its operations per sample."""

    operator: Operator
    inputs: tuple[Shape, ...]
    output: Shape
    tally: Tally
    batch: Dim
    is_stored: bool = False
    """True if it is counted once per batch."""

    @property
    def weights(self) -> Count:
        """Learnable scalars."""
        return sum(w.numel for w in self._weights.values() if w.learnable)

    @property
    def biases(self) -> Count:
        """Learnable scalars that are added: one per channel, not one per position."""
        return sum(w.numel for n, w in self._weights.items() if n.endswith("bias"))

    @property
    def kernels(self) -> Count:
        """Learnable scalars that multiply."""
        return self.weights - self.biases

    @property
    def padding(self) -> Count:
        """MACs on padding: taps outside of the input, times channels.

        For a transposed convolution, which is a convolution from its output to its
        input, they are the taps that its padding cuts off.
        """
        operator, small, large = self.operator, self.output, self.inputs[0]
        if not isinstance(operator, (Conv, ConvTranspose)):
            raise CostModelError(f"taps of {operator} on padding are not known")
        if operator.attributes.get("padding_mode", "zeros") != "zeros":
            return 0
        if isinstance(operator, ConvTranspose):
            _require_whole_strides(operator)
            small, large = large, small
        fan_out, fan_in, *_ = self._weights["weight"].shape
        inside: Count = 1
        for axis, (after, before) in enumerate(zip(small.spatial, large.spatial)):
            inside = inside * _taps(operator, before, after, axis)
        return self.tally.mac - fan_out * fan_in * inside

    @property
    def left_columns(self) -> Count:
        """Elements of the left operand times columns of the right one."""
        columns = extents(self.inputs[1])[-1]
        return _numel(self.inputs[0]) * product(1, (columns,))

    @property
    def path(self) -> Count:
        """Twice the product of all letters' sizes and the batch, plus 1, as in numpy.

        Once if no letter is summed. **Source**: numpy, ``einsum_path``.
        """
        sizes = self.operator.attributes["equation"]
        before, _, after = sizes.partition("->")
        left, right = before.split(",")
        known = dict(zip(left[::-1], extents(self.inputs[0])[::-1], strict=False))
        known |= dict(zip(right[::-1], extents(self.inputs[1])[::-1], strict=False))
        summed = set(left + right) - set(after)
        count = self.batch * (2 if summed else 1)
        for extent in known.values():
            count = count * extent.atom
        return as_dim(count + 1)

    @property
    def einsum_half(self) -> Count:
        """Half of that, as fvcore reads it; for two equations it has its own count."""
        terms = self.operator.attributes["equation"]
        order = dict.fromkeys(letter for letter in terms if letter.isalpha())
        named = {letter: chr(97 + place) for place, letter in enumerate(order)}
        alike = "".join(named.get(letter, letter) for letter in terms)
        if alike in ("abc,abd->acd", "abc,adc->adb"):
            return self.batch * self.tally.mac
        return as_dim(sympy.floor(sympy.sympify(printed_digits(self.path)) / 2))

    @property
    def sums(self) -> Count:
        """Elements of the results of additions and multiplications, one by one."""
        if self.operator.attributes["operation"] not in ("add", "multiply"):
            return 0
        return max(1, len(self.inputs) - 1) * _numel(self.output)

    @property
    def doubles(self) -> Count:
        """The count of a batch of means in double precision, less the exact one."""
        sides, out = [extent.atom for extent in self.inputs[0].spatial], self.output
        made = [extent.base for extent in out.spatial]
        if all(count == 1 for count in made):
            return 0  # nothing is divided
        if len(sides) > 2:
            raise CostModelError(
                f"thop divides in doubles; what is lost of a volume {self.inputs[0]} "
                f"brought to {out} is not known"
            )
        height, width = (*sides, 1)[:2]
        rows, columns = (*made, 1)[:2]
        outputs = self.batch * out.channels * rows * columns
        counted = counted_in_doubles(height, width, rows, columns, outputs)
        exactly = _numel(self.inputs[0]) + _numel(out)
        return counted - self.batch * exactly

    @property
    def _weights(self) -> Mapping[str, Any]:
        return self.operator.weights(*self.inputs)


def _mode(*names: str) -> Callable[[RuleInput], Count]:
    """Return 1 for interpolation of that kind, else 0."""
    return lambda x: int(x.operator.attributes["mode"] in names)


QUANTITIES: dict[str, Callable[[RuleInput], Count]] = {
    "macs": lambda x: x.tally.mac,
    "adds": lambda x: x.tally.add,
    "muls": lambda x: x.tally.mul,
    "divs": lambda x: x.tally.div,
    "exps": lambda x: x.tally.exp,
    "compares": lambda x: x.tally.compare,
    "inputs": lambda x: _numel(x.inputs[0]),
    "outputs": lambda x: _numel(x.output),
    "positions": lambda x: product(1, x.output.spatial),
    "weights": lambda x: x.weights,
    "rows": lambda x: int(bool(x.inputs[0].spatial)),
    "biases": lambda x: x.biases,
    "affine": lambda x: int(x.operator.attributes["affine"]),
    "size": lambda x: x.operator.attributes["size"],
    "padding": lambda x: x.padding,
    "doubles": lambda x: x.doubles,
    "kernels": lambda x: x.kernels,
    "left_columns": lambda x: x.left_columns,
    "einsum_half": lambda x: x.einsum_half,
    "einsum_whole": lambda x: printed_digits(x.path),
    "plane": lambda x: product(1, x.output.spatial),
    "planar": lambda x: int(len(x.inputs[0].spatial) == 2),
    "by_scale": lambda x: int(x.operator.attributes["scale"] is not None),
    "to_shape": lambda x: int(x.operator.attributes["shape"] is not None),
    "nearest": _mode("nearest"),
    "linear": _mode("linear", "linear_corners"),
    "bilinear": _mode("bilinear", "bilinear_corners"),
    "bicubic": _mode("bicubic", "bicubic_corners"),
    "area": _mode("area"),
    "sums": lambda x: x.sums,
    "plain": lambda x: int(not x.operator.attributes["log"]),
}
"""The quantities in the amounts of rules, per sample, by name."""


def evaluate(amount: str, layer: RuleInput) -> Count:
    """Return a rule's amount: products of numbers and quantities, added."""
    total: Count = 0
    for term in amount.replace("- ", "+ -1*").split("+"):
        count: Count = 1
        for factor in map(str.strip, term.split("*")):
            known = factor.lstrip("-").isdigit()
            count = count * (int(factor) if known else _quantity(factor, layer))
        total = total + count
    return total


def _quantity(name: str, layer: RuleInput) -> Count:
    """Return a quantity, or raise if the operator lacks what it is computed from."""
    try:
        return QUANTITIES[name](layer)
    except KeyError as error:
        if not layer.operator.counted:
            raise
        raise CostModelError(
            f'{layer.operator.kind}: counted as "{layer.operator.counted}", but it has '
            f"no {error} to count {name} by"
        ) from None


def _numel(shape: Shape) -> Count:
    return product(shape.channels, shape.spatial)


def _require_whole_strides(conv: ConvTranspose) -> None:
    """Refuse output padding of a stride or more, which no convolution inverts."""
    if any(more and more >= s for more, s in zip(conv.output_padding, conv.stride)):
        raise CostModelError(
            f"xla: taps of {conv} with output_padding of a stride or more are not known"
        )


_MOST_TAPS = 10_000


def _taps(
    conv: Conv | ConvTranspose, extent: Extent, after: Extent, axis: int
) -> Count:
    """Return the number of taps, of all windows along an axis, inside of the input.

    Tap u of window i reads position s·i − r with r = p − d·u, which is one of n where
    ⌈r/s⌉ ≤ i < ⌈(n + r)/s⌉. Of the ⌊(n + c)/s⌋ windows, c = 2p − d(k−1) − 1 + s,

        max(0, ⌊(n + min(c, r + s − 1))/s⌋ − max(0, ⌈r/s⌉))

    read inside by tap u; a floor of a floor is one floor, so this stays exact for
    every n = ⌊(H + offset)/stride⌋.
    """
    sizes = (conv.kernel, conv.stride, conv.padding, conv.dilation)
    k, s, p, d = (size[axis] for size in sizes)
    if p == 0:
        return k * product(1, (after,))
    if not (type(k) is type(s) is type(p) is type(d) is int):
        raise CostModelError(
            f"xla counts the taps of {conv} that fall on padding, which takes a known "
            f"kernel, stride, padding and dilation; bind {k}, {s}, {p} and {d}"
        )
    if k > _MOST_TAPS:
        raise CostModelError(f"xla counts taps of {conv} one by one; {k} are too many")
    inside: Count = 0
    most = 2 * p - d * (k - 1) - 1 + s
    for reach in (p - d * u for u in range(k)):
        behind, rest = divmod(max(0, most - (reach + s - 1)), s)
        late = behind + max(0, -(-reach // s))
        inside = inside + _after(extent, most, rest, late, s)
    return inside


def _after(extent: Extent, most: int, rest: int, late: int, step: int) -> Count:
    """Return max(0, ⌊(n + most − rest)/step⌋ − late), without a needless max."""
    base, offset, stride = extent.base, extent.offset, extent.stride
    end = normal(base, offset + stride * (most - rest), stride * step)
    if type(end.base) is int:
        return max(0, end.base - late)
    if type(offset) is type(stride) is int:
        # The least base at which the input, and the output, have a position at all.
        least = max(_least(base), stride - offset, stride * (step - most) - offset)
        if stride * (step * late - most + rest) - offset <= least:
            return product(1, (end,)) - late
    # The formula and not the atom, which is taken to be positive.
    return as_dim(sympy.Max(0, end.value - late))


def _least(side: Dim) -> int:
    """Return the least value of a side: 1, or 32 for a multiple such as 32·M."""
    multiple, rest = sympy.sympify(side).as_coeff_Mul()
    counts = multiple.is_Integer and rest.is_Symbol and rest.is_integer
    return max(1, int(multiple)) if counts and rest.is_positive else 1

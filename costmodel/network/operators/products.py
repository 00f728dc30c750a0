"""Products of tensors: matrix products, attention, einsum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim
from costmodel.algebra.tally import Tally
from costmodel.errors import CostModelError
from costmodel.network.axes import elements, extents, shaped
from costmodel.network.flow import Flow, From, Repeated, Same, Together, aligned
from costmodel.network.operators.base import Product
from costmodel.network.shape import Shape, broadcast


@final
@dataclass(frozen=True, slots=True)
class MatMul(Product):
    """Matrix products, …×a×b times …×b×c; leading axes broadcast.

    MACs = … · a · b · c. A vector is a row on the left, and a column on the right;
    only a stored tensor may have fewer axes than the other operand.

    **Source**: PyTorch, ``torch.matmul``.

    >>> q = Shape(12, (Extent(197), Extent(64)))
    >>> k = Shape(12, (Extent(64), Extent(197)))
    >>> print(MatMul().output(q, k), MatMul().tally(MatMul().output(q, k), q, k).mac)
    12×197×197 29805312
    """

    kind: ClassVar[str] = "matmul"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    def output(self, *inputs: Shape) -> Shape:
        """Return …×a×c, or raise with the axes that do not fit."""
        left, right = (extents(x) for x in inputs)
        inner = right[-2] if len(right) > 1 else right[-1]
        if left[-1] != inner:
            raise CostModelError(
                f"inner sizes differ: {inputs[0]} times {inputs[1]}; "
                "is one to be transposed?"
            )
        leading = _common(left[:-2], right[:-2], inputs)
        rows, columns = left[:-1][-1:], right[1:][-1:]
        if not (leading or rows or columns):
            raise CostModelError(f"nothing is left of {inputs[0]} times {inputs[1]}")
        return shaped([*leading, *rows, *columns])

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return b MACs per output."""
        return Tally(mac=output.numel * elements(output, extents(inputs[0])[-1:]))

    def flow(self, *inputs: Shape) -> Flow:
        """Return ab, bc → ac, with leading axes together."""
        left, right = map(extents, inputs)
        rows = (Same(len(left) - 1),) if len(left) > 1 else ()
        columns = (Same(len(right), 1),) if len(right) > 1 else ()
        inner = Same(max(len(right) - 1, 1), 1)
        leading = _leading((0, left[:-2]), (1, right[:-2]))
        return Flow((*leading, *rows, *columns), (Together((Same(len(left)), inner)),))


@final
@dataclass(frozen=True, slots=True)
class Attention(Product):
    """Scaled dot-product attention, softmax(q·kᵀ/√E + mask)·v, in every head.

    For q …×L×E, k …×S×E and v …×S×V, MACs = heads · L · S · (E + V); a mask is an
    optional fourth operand. A causal mask saves nothing: all scores are computed.

    **Source**: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1, equation 1.

    >>> q = k = v = Shape(12, (Extent(197), Extent(64)))
    >>> Attention().tally(Attention().output(q, k, v), q, k, v).mac
    59610624
    """

    kind: ClassVar[str] = "attention"
    arity: ClassVar[tuple[int, int | None]] = (3, 4)
    defaults: ClassVar[Mapping[str, Any]] = {"scale": None, "is_causal": False}

    def output(self, *inputs: Shape) -> Shape:
        """Return …×L×V, or raise with the axes that do not fit."""
        query, key, value = (extents(x) for x in inputs[:3])
        if min(map(len, (query, key, value))) < 2:
            raise CostModelError(
                f"needs positions × features, got {_listed(inputs[:3])}"
            )
        if query[-1] != key[-1] or key[-2] != value[-2]:
            raise CostModelError(
                f"query, key and value do not fit: {_listed(inputs[:3])}"
            )
        leading = _common(query[:-2], key[:-2], inputs)
        leading = _common(leading, value[:-2], inputs)
        if len(inputs) > 3:
            scores = (*leading, query[-2], key[-2])
            if _common(scores, extents(inputs[3]), inputs) != scores:
                raise CostModelError(f"the mask {inputs[3]} does not fit the scores")
        return shaped([*leading, query[-2], value[-1]])

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Count both products, and the scaling, mask and softmax of every score."""
        query, value = extents(inputs[0]), extents(inputs[2])
        rows = elements(output, extents(output)[:-1])
        scores = rows * elements(output, value[-2:-1])
        features = elements(output, query[-1:]) + elements(output, value[-1:])
        return Tally(
            mac=scores * features,
            add=scores - rows + (scores if len(inputs) > 3 else 0),
            mul=scores,
            div=scores,
            exp=scores,
        )

    def flow(self, *inputs: Shape) -> Flow:
        """Return le, se, sv → lv, with leading axes together; a mask is ls."""
        query, key, value, *masks = (extents(x) for x in inputs)
        operands = [(0, query[:-2]), (1, key[:-2]), (2, value[:-2])]
        features = Together((Same(len(query)), Same(len(key), 1)))
        rows: tuple[From, ...] = (Same(len(query) - 1),)
        keys = Together((Same(len(key) - 1, 1), Same(len(value) - 1, 2)))
        for mask in masks:
            operands += [(3, mask[:-2])] if len(mask) > 2 else []
            beside = _beside(mask, query[-2:-1] + key[-2:-1])
            keys = Together((*keys.sources, *beside[-1:]))
            rows += beside[:-1]
        row = Together(rows) if len(rows) > 1 else rows[0]
        return Flow((*_leading(*operands), row, Same(len(value), 2)), (features, keys))


@final
@dataclass(frozen=True, slots=True)
class Einsum(Product):
    """The product of two tensors in letters: ``bhqd,bhkd->bhqk``.

    The first letter of an operand is its batch; a stored tensor has no batch, and one
    letter per axis. Letters that only one operand has are summed first. MACs are the
    product of the sizes of all other letters; if none of them is summed, they are
    plain multiplications.

    **Source**: PyTorch, ``aten/src/ATen/native/Linear.cpp`` (``sumproduct_pair``).

    >>> q = k = Shape(12, (Extent(197), Extent(64)))
    >>> scores = Einsum("bhqd,bhkd->bhqk")
    >>> print(scores.output(q, k), scores.tally(scores.output(q, k), q, k).mac)
    12×197×197 29805312
    """

    kind: ClassVar[str] = "einsum"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    equation: str

    def __post_init__(self) -> None:
        """Normalise the equation, and refuse one without exactly two operands."""
        super(Einsum, self).__post_init__()
        if not isinstance(self.equation, str):
            raise CostModelError(f"equation {self.equation!r} is not text")
        text = "".join(self.equation.split())
        object.__setattr__(self, "equation", text)
        terms = self._terms()
        if len(terms) != 3:
            raise CostModelError(f'equation "{text}" is not of the form ab,bc->ac')
        for term in terms:
            if not term.isalpha() or len(set(term)) != len(term):
                raise CostModelError(
                    f'equation "{text}": "{term}" is not a row of different letters'
                )
        if not set(terms[2]) <= set(terms[0] + terms[1]):
            raise CostModelError(f'equation "{text}": the result has a new letter')

    def _terms(self) -> list[str]:
        """Return the letters of both operands and of the result."""
        before, arrow, after = self.equation.partition("->")
        return [*before.split(","), after] if arrow else []

    def _own(self, inputs: tuple[Shape, ...]) -> list[tuple[str, tuple[Extent, ...]]]:
        """Return each operand's letters without its batch, and their extents."""
        found, batches = [], set()
        for letters, x in zip(self._terms(), inputs, strict=False):
            sides = extents(x)
            batches |= {letters[0]} if len(sides) == len(letters) - 1 else set()
            own = letters[len(letters) - len(sides) :]
            if len(letters) - len(sides) not in (0, 1):
                raise CostModelError(f'"{letters}" does not name the axes of {x}')
            found.append((own, sides))
        if len(batches) != 1:
            raise CostModelError(f"{self}: no one letter is the batch of both operands")
        if self._terms()[2][0] != batches.pop():
            raise CostModelError(f"{self}: the batch is not first in the result")
        return found

    def _sizes(self, inputs: tuple[Shape, ...]) -> dict[str, Extent]:
        """Return the extent of every letter but the batch."""
        sizes: dict[str, Extent] = {}
        for letters, sides in self._own(inputs):
            for letter, extent in zip(letters, sides, strict=True):
                if sizes.setdefault(letter, extent) != extent:
                    raise CostModelError(
                        f'{self}: "{letter}" is {sizes[letter]} and {extent}'
                    )
        return sizes

    def output(self, *inputs: Shape) -> Shape:
        """Return the axes that the equation names, behind the batch."""
        sizes = self._sizes(inputs)
        kept = self._terms()[2][1:]
        if not kept:
            raise CostModelError(f"{self}: nothing but the batch is left")
        if not set(kept) <= set(sizes):
            raise CostModelError(
                f"{self}: the batch of one operand is an axis of another"
            )
        return shaped([sizes[letter] for letter in kept])

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Count the sums over letters of one operand, then the products."""
        sizes, (left, right) = self._sizes(inputs), self._own(inputs)
        kept = set(self._terms()[2])
        shared = set(left[0]) & set(right[0])
        added: Dim = 0
        for letters, _ in (left, right):
            rest = [e for e in letters if e in kept | shared]
            if len(rest) < len(letters):
                whole = elements(output, (sizes[e] for e in letters))
                added = whole - elements(output, (sizes[e] for e in rest)) + added
        used = [e for e in sizes if e in kept | shared]
        products = elements(output, (sizes[letter] for letter in used))
        if shared - kept:
            return Tally(mac=products, add=added)
        return Tally(mul=products, add=added)

    def flow(self, *inputs: Shape) -> Flow:
        """Return the letters of the result, and those that are summed over."""
        sizes = self._sizes(inputs)
        where: dict[str, list[From]] = {letter: [] for letter in sizes}
        for number, (letters, _) in enumerate(self._own(inputs)):
            for axis, letter in enumerate(letters, start=1):
                where[letter].append(Same(axis, number))
        found = {
            letter: Together(tuple(axes)) if len(axes) > 1 else axes[0]
            for letter, axes in where.items()
        }
        kept = self._terms()[2][1:]
        summed = tuple(found[letter] for letter in sizes if letter not in kept)
        return Flow(tuple(found[letter] for letter in kept), summed)

    def __str__(self) -> str:
        """Write einsum bhqd,bhkd->bhqk."""
        return f"einsum {self.equation}"


def _common(
    left: tuple[Extent, ...], right: tuple[Extent, ...], inputs: tuple[Shape, ...]
) -> tuple[Extent, ...]:
    """Return the broadcast leading axes, or raise."""
    found = broadcast(left, right)
    if found is None:
        raise CostModelError(f"leading axes do not broadcast: {_listed(inputs)}")
    return found


def _leading(*operands: tuple[int, tuple[Extent, ...]]) -> tuple[From | Together, ...]:
    """Return the flow of leading axes, which broadcast."""
    return aligned(operands) if any(sizes for _, sizes in operands) else ()


def _beside(mask: tuple[Extent, ...], scores: tuple[Extent, ...]) -> tuple[From, ...]:
    """Return the flow of a mask's last axes, aligned with those of the scores."""
    least = max(0, len(mask) - 2)
    pairs = enumerate(zip(mask[least:], scores[-len(mask) :], strict=True), least + 1)
    return tuple(
        Same(axis, 3) if size == score else Repeated(axis, 3)
        for axis, (size, score) in pairs
    )


def _listed(shapes: tuple[Shape, ...]) -> str:
    return ", ".join(map(str, shapes))

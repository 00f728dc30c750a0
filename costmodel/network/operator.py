"""The base class of operators: frozen attributes, checked on creation, and five facts.

A fact is true of the operator alone and is written in algebra. What needs the graph
is a pass in ``analysis``; what names a library is a row of a table in ``bridge``.
No rule defaults to zero: an abstract class states no cost.

Networks and costs use operators through this interface alone, whatever their class.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import sympy

from costmodel.algebra.extent import Extent, normal, resolve, substitute
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network.shape import AXES, Shape, names_of


if TYPE_CHECKING:
    from costmodel.network.flow import Flow


Pair: TypeAlias = tuple[Dim, Dim]
"""Height and width of one attribute."""

Sizes: TypeAlias = tuple[Dim, ...]
"""One attribute along each spatial axis: (length), (height, width), or with a depth.

An operator's first one says how many axes there are. Of others that have a default, a
number, or a tuple of one, stands for every axis.
"""

Windows: TypeAlias = tuple[Window, ...]
"""Windows of the spatial axes from the first one on; along the others, one position."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A named tensor of an operator: learnable, or a buffer that is only stored."""

    shape: tuple[Dim, ...]
    learnable: bool = True

    @property
    def numel(self) -> Dim:
        """Elements of the tensor."""
        count: Dim = 1
        for size in self.shape:
            count = count * size
        return count


Weights: TypeAlias = dict[str, Weight]
Constants: TypeAlias = Mapping[str, Any]
OR_NONE = " | None"
"""The ending of the types of optional fields."""

COMPUTED = ("weight", "bias")
"""Stored tensors that may be no weight themselves, but what one is computed from in a
way that is not recorded, a normalized one: the constant ``weight=...`` says so."""

_SYMBOLIC = frozenset({"Dim", "Pair", "Sizes", "tuple[Dim, ...]", "Shape"})
"""The types of fields that may hold symbols."""


@dataclass(frozen=True, slots=True)
class Operator(ABC):
    """One layer: frozen attributes, checked on creation, and five facts.

    Facts take input shapes without the batch; costs are those of one sample.
    """

    constants: str = field(default="", kw_only=True, repr=False)
    """What changes its values, or what autograd saves of it, and no cost, as text:
    those of ``defaults`` that have another value; ``algebra/code/constants.py`` reads
    it.
    """
    kind: ClassVar[str]
    """Its name in tables, in names of nodes, and in the JSON of networks.

    A base has one if a rule for all its classes is named after it.
    """
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    view: ClassVar[bool] = False
    """True if the output is the input's memory under another name."""
    is_input: ClassVar[bool] = False
    """True for the inputs of a network."""
    is_unbatched: ClassVar[bool] = False
    """True if it has no operands and its output is the same for every sample."""
    is_unknown: ClassVar[bool] = False
    """True if no rule gives its cost."""
    is_layer: ClassVar[bool] = False
    """True if outputs count as activations: for convolutions and linear layers.

    **Source**: Radosavovic et al. 2020, arXiv:2003.13678, section 3.
    """
    allow_zero: ClassVar[frozenset[str]] = frozenset(
        {"padding", "before", "after", "start", "percent"}
    )
    signed: ClassVar[frozenset[str]] = frozenset()
    """Fields that may be below zero."""
    counted: ClassVar[str] = ""
    """The kind as which conventions count it, if not its own or that of a base."""
    defaults: ClassVar[Constants] = {}
    """PyTorch's names for its constants, and what these are if none are given."""
    saved: ClassVar[str | None] = None
    """What autograd saves, in the words of ``functions.SAVED``, if no table says it.

    The operand is its first one; an intermediate is a tensor as large as that.
    """

    def __post_init__(self) -> None:
        """Normalise numbers, and refuse values that no layer can have."""
        axes: int | None = None
        for one in fields(self):
            value, kind = getattr(self, one.name), one.type.removesuffix(OR_NONE)
            if value is None and kind != one.type:
                continue
            if kind == "Sizes":
                if axes and one.default is not MISSING:
                    value = on_every_axis(value, axes)
                clean = _clean_sizes(one.name, value, self._least(one.name), axes)
                axes = len(clean)
            else:
                clean = self._cleaned(one.name, kind, value)
            object.__setattr__(self, one.name, clean)
        if self.constants:
            from costmodel.algebra.code.constants import read_constants

            known = (*self.defaults, *COMPUTED)
            if odd := sorted(read_constants(self.constants).keys() - {*known}):
                names = ", ".join(known)
                raise CostModelError(f"constants {odd} are unknown; known: {names}")

    def _least(self, name: str) -> float:
        """Return the least number that a field may have."""
        if name in self.signed:
            return -math.inf
        return 0 if name in self.allow_zero else 1

    def _cleaned(self, name: str, kind: str, value: Any) -> Any:
        """Return a field's value in normal form; one of another type is refused."""
        match kind:
            case "Dim":
                return _clean(name, value, self._least(name))
            case "Pair":
                return _clean_sizes(name, value, self._least(name), 2)
            case "Shape":
                return _clean_shape(name, value)
            case "tuple[Dim, ...]":
                return _clean_each(name, value, least=-math.inf)
            case "tuple[int, ...]":
                return _clean_axes(name, value)
            case "bool" if type(value) is not bool:
                raise CostModelError(f"{name} {value!r} is not True or False")
            case "str" if type(value) is not str:
                raise CostModelError(f"{name} {value!r} is not text")
        return value

    @property
    def is_determined(self) -> bool:
        """Whether operands and weights determine its values, as far as it records.

        Its shape and its cost are determined in any case.
        """
        from costmodel.algebra.code.constants import read_constants

        given = read_constants(self.constants)
        return Ellipsis not in {**self.defaults, **given}.values()

    @abstractmethod
    def output(self, *inputs: Shape) -> Shape:
        """Return the shape of the result, or raise on inputs that do not fit."""

    @abstractmethod
    def weights(self, *inputs: Shape) -> Weights:
        """Return the tensors that it stores, by their ``state_dict`` names."""

    @abstractmethod
    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return the primitive operations for one sample, in evaluation mode."""

    def connections(self, tally: Tally) -> Dim:
        """Return links in the sense of LeCun et al. 1998: inputs seen, and a bias.

        LeNet-5's 340,908 are these; normalization has weights but is no layer of units.
        """
        return tally.mac + tally.add if self.is_layer else tally.mac

    @property
    @abstractmethod
    def window(self) -> Windows | None:
        """The windows along the spatial axes; None is the whole input."""

    @abstractmethod
    def flow(self, *inputs: Shape) -> Flow:
        """Return from which axes of its operands the output's axes come."""

    def __str__(self) -> str:
        """Write the operator in a paper's table notation; by default its name."""
        return self.kind.replace("_", " ")

    def bind(self, values: dict[sympy.Symbol, Dim]) -> Self:
        """Return the operator with symbols replaced."""
        changes = {
            one.name: _substitute(getattr(self, one.name), values)
            for one in fields(self)
            if one.type.removesuffix(OR_NONE) in _SYMBOLIC
        }
        return replace(self, **changes) if changes else self

    @property
    def attributes(self) -> dict[str, Any]:
        """The operator's fields by name, but the constants."""
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.kw_only}


def on_every_axis(value: Any, axes: int) -> Any:
    """Return a number, or a tuple of one, as so many; other values as they are.

    >>> on_every_axis(2, 3), on_every_axis((1,), 2), on_every_axis((1, 2), 2)
    ((2, 2, 2), (1, 1), (1, 2))
    """
    if isinstance(value, tuple):
        return value * axes if len(value) == 1 else value
    return (value,) * axes


def _clean_sizes(name: str, value: Any, least: float, axes: int | None) -> Sizes:
    """Return sizes of so many axes; without a number, of 1 to 3."""
    fits = isinstance(value, tuple) and len(value) in ((axes,) if axes else AXES)
    if not fits:
        raise CostModelError(f"{name} {value!r} is not {sizes_of(axes or 2)}")
    return tuple(_clean(name, part, least) for part in value)


def sizes_of(axes: int) -> str:
    """Return a description of sizes along so many axes, for error messages.

    >>> sizes_of(1), sizes_of(2), sizes_of(3)
    ('a (length,)', 'a (height, width) pair', 'a (depth, height, width) triple')
    """
    if axes == 1:
        return "a (length,)"
    return f"a ({', '.join(AXES[axes])}) {'pair' if axes == 2 else 'triple'}"


def _clean(name: str, value: Any, least: float) -> Any:
    count = as_dim(value, name)
    if isinstance(count, sympy.Expr) and count.is_number:
        raise CostModelError(f"{name} {count} is not an integer")
    if isinstance(count, sympy.Expr) and count.is_negative and least >= 0:
        raise CostModelError(f"{name} {count} is negative")
    if type(count) is int and count < least:
        raise CostModelError(f"{name} {count} is below {least}")
    return count


def _clean_each(name: str, value: Any, least: float) -> tuple[Dim, ...]:
    """Return numbers of axes, the first axis first."""
    if not isinstance(value, tuple):
        raise CostModelError(f"{name} {value!r} has no number for each axis")
    return tuple(_clean(name, part, least) for part in value)


def _clean_shape(name: str, value: Any) -> Shape:
    """Return a shape of plain expressions, without the opaque extents of sums."""
    if not isinstance(value, Shape):
        raise CostModelError(f"{name} {value!r} is not a Shape")
    if not all(isinstance(extent, Extent) for extent in value.spatial):
        raise CostModelError(f"{name} {value.spatial!r}: every axis needs an Extent")
    channels = _clean("channels", value.channels, 1)
    extents = tuple(
        normal(resolve(_clean(side, e.base, 1)), e.offset, e.stride)
        for side, e in zip(names_of(value)[1:], value.spatial, strict=True)
    )
    return Shape(resolve(channels), extents)


def _clean_axes(name: str, value: Any) -> tuple[int, ...]:
    """Return different axes, numbered from 1: the batch, axis 0, stays where it is."""
    axes = tuple(value) if isinstance(value, (tuple, list)) else ()
    if not axes or any(type(axis) is not int or axis < 1 for axis in axes):
        raise CostModelError(f"{name} {value!r} are not axes, counted from 1")
    if len(set(axes)) != len(axes):
        raise CostModelError(f"{name} {value!r} name an axis twice")
    return axes


def _substitute(value: Any, values: dict[sympy.Symbol, Dim]) -> Any:
    if value is None:
        return None
    if isinstance(value, Shape):
        return value.bind(values)
    if isinstance(value, tuple):
        return tuple(substitute(part, values) for part in value)
    return substitute(value, values)

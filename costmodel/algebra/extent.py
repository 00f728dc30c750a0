"""Spatial extents: every side of a feature map is ⌊(base + offset)/stride⌋."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache, lru_cache

import sympy

from costmodel.algebra.step_function import (
    StepFunction,
    UndecidedError,
    step_function,
    with_one_floor,
)
from costmodel.algebra.symbols import Dim, as_dim, as_int, expand, plain
from costmodel.algebra.window import Window, simple
from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Extent:
    """The number of positions along one axis, ⌊(base + offset)/stride⌋.

    ``base`` is the input side (``H``, ``W``, ``32*M``, or a number). Floors never
    nest: ⌊(⌊(n+c)/s⌋ + d)/t⌋ = ⌊(n + c + s·d)/(s·t)⌋ for every integer n, so the
    pair (offset, stride) is canonical: two extents of one base are equal for every
    input size exactly when their pairs are. A known number n is the extent (n, 0, 1).
    Where one floor does not do, as in 2·⌊H/2⌋ + 1, the base is an expression of floors.

    **Units**: positions (pixels of that feature map).
    **Source**: Graham, Knuth, Patashnik 1994, *Concrete Mathematics*, equation 3.11.

    >>> H = sympy.Symbol("H", positive=True, integer=True)
    >>> Extent(H).through(Window(size=7, stride=2, before=3, after=3))
    Extent(base=H, offset=1, stride=2)
    >>> Extent(224).through(Window(size=7, stride=2, before=3, after=3))
    Extent(base=112, offset=0, stride=1)
    """

    base: Dim
    offset: Dim = 0
    stride: Dim = 1
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hash once: extents are the keys that every count is added under."""
        parts = (self.base, self.offset, self.stride)
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        """Return the hash that was computed at construction."""
        return self._hash

    def through(self, window: Window) -> Extent:
        """Return the extent after a window has slid over this one.

        (c, s) → (c + s·(before + after − size + t), s·t) with t the window's stride.
        """
        step = window.stride
        gain = window.before + window.after - window.size + step
        return normal(self.base, self.offset + self.stride * gain, self.stride * step)

    def bind(self, values: dict[sympy.Symbol, Dim]) -> Extent:
        """Return the extent with symbols replaced, in its normal form again."""
        parts = (self.base, self.offset, self.stride)
        return normal(*(substitute(part, values) for part in parts))

    @property
    def smallest_base(self) -> Dim:
        """The least base at which the extent is at least 1: stride − offset."""
        return as_dim(self.stride - self.offset)

    @property
    def line(self) -> tuple[sympy.Symbol, StepFunction]:
        """The symbol x and the step function of an extent ⌊(a·x + c)/s⌋.

        **Errors**: an extent of no symbol or of several, or not of a multiple of it.

        >>> M = sympy.Symbol("M", positive=True, integer=True)
        >>> Extent(6 * M, offset=1, stride=4).line
        (M, StepFunction(slope=6, constant=1, floors=(), divisor=4))
        """
        return _line(self)

    @property
    def value(self) -> Dim:
        """The extent as a number, or as a plain sympy expression."""
        if self.offset == 0 and self.stride == 1:
            return self.base
        return _formula(self)

    @property
    def atom(self) -> Dim:
        """The number, or one opaque symbol for the whole extent.

        Sums of thousands of terms are added over these; :func:`resolve` puts the
        floors in at the end, once per total.
        """
        return self.base if type(self.base) is int else _atom(self)

    def __str__(self) -> str:
        """Write the extent as a formula, 56 or ⌊(H+1)/2⌋."""
        if self.offset == 0 and self.stride == 1:
            return str(self.base)
        shifted = sympy.sympify(self.base) + self.offset
        text = str(shifted).replace(" ", "")
        if self.stride == 1:
            return f"({text})"
        whole = f"({text})" if shifted.is_Add else text
        return f"⌊{whole}/{self.stride}⌋"


@lru_cache(maxsize=4096)
def normal(base: Dim, offset: Dim, stride: Dim) -> Extent:
    """Return ⌊(base + offset)/stride⌋ in its normal form."""
    if type(base) is int and type(offset) is int and type(stride) is int:
        return Extent((base + offset) // stride)
    offset, stride = simple(offset), simple(stride)
    if stride == 1 and not isinstance(offset, int) and not offset.is_integer:
        # A width such as 2·α is whole wherever it is legal, and needs no floor.
        base, offset = as_dim(expand(base + offset)), 0
    if not isinstance(base, int) and not base.is_Symbol:
        if base.has(*_STEPS):
            found = _joined(base, offset, stride)
            if found is not None:
                return found
        # A constant belongs to the offset, and ⌊(g·r + c)/(g·s)⌋ = ⌊(r + ⌊c/g⌋)/s⌋: a
        # side such as 32·M leaves no floor while the stride divides it.
        constant, rest = expand(base).as_coeff_Add()
        if constant.is_integer and rest.is_integer:
            base, offset = as_dim(rest), as_dim(offset + constant)
            shared = _shared(rest, stride)
            if shared != 1:
                offset = as_dim(sympy.floor(sympy.sympify(offset) / shared))
                stride = as_dim(sympy.cancel(sympy.sympify(stride) / shared))
                base = as_dim(expand(rest / shared))
    return Extent(base, offset, stride)


_STEPS = (sympy.floor, sympy.ceiling, sympy.Mod, sympy.Max, sympy.Min)


def _joined(base: sympy.Expr, offset: Dim, stride: Dim) -> Extent | None:
    """Return a base of floors with as few of them as there can be, if that is known.

    In one symbol functions are compared, whatever they are written as; in several, a
    floor of a floor is one: ⌊(⌊(n+c)/s⌋ + d)/t⌋ = ⌊(n + c + s·d)/(s·t)⌋.
    """
    sides = sorted(base.free_symbols, key=str)
    if len(sides) == 1 and type(offset) is int and type(stride) is int:
        try:
            whole = sympy.floor((base + offset) / stride)
            function = with_one_floor(step_function(whole, sides[0]))
        except UndecidedError:
            function = None
        if function is not None:
            return _stepping(function, sides[0])
    constant, floor = expand(base).as_coeff_Add()
    if not (constant.is_integer and isinstance(floor, sympy.floor)):
        return None
    numerator, divisor = sympy.together(floor.args[0]).as_numer_denom()
    if not (numerator.is_integer and divisor.is_integer and divisor.is_positive):
        return None
    inner = normal(as_dim(expand(numerator)), 0, as_dim(divisor))
    shifted = inner.offset + inner.stride * (offset + constant)
    return normal(inner.base, as_dim(shifted), as_dim(inner.stride * stride))


def _stepping(function: StepFunction, side: sympy.Symbol) -> Extent:
    """Return the extent ⌊(a·n + c)/s⌋, or k + m·⌊(a·n + c)/s⌋, of a side n."""
    if function.floors:
        ((factor, floor),) = function.floors
        base = factor * sympy.sympify(_stepping(floor, side).value)
        return Extent(as_dim(base), function.constant)
    if function.slope == 0:
        return Extent(function.constant)
    base = as_dim(function.slope * side)
    return Extent(base, function.constant, function.divisor)


def _shared(rest: sympy.Expr, stride: Dim) -> Dim:
    """Return a common divisor of a side and a stride: a number, or the whole stride."""
    content, _ = rest.as_content_primitive()
    if type(stride) is int and content.is_Integer:
        return math.gcd(int(content), stride)
    return stride if expand(rest / stride).is_integer else 1


def substitute(value: Dim, values: dict[sympy.Symbol, Dim]) -> Dim:
    """Return an expression with symbols replaced by numbers or other expressions."""
    if isinstance(value, int):
        return value
    return as_dim(value.subs(values, simultaneous=True))


def resolve(value: Dim) -> Dim:
    """Return an expression over opaque extents as a plain one, floors put in."""
    if isinstance(value, int):
        return value
    floors = {
        atom: sympy.sympify(_EXTENTS[atom].value)
        for atom in value.free_symbols
        if atom in _EXTENTS
    }
    return plain(value.xreplace(floors)) if floors else as_dim(value)


def extent_of(atom: sympy.Expr) -> Extent | None:
    """Return the extent that an opaque symbol stands for, or None."""
    return _EXTENTS.get(atom)


_EXTENTS: dict[sympy.Expr, Extent] = {}


@lru_cache(maxsize=4096)
def _formula(extent: Extent) -> Dim:
    """Return ⌊(base + offset)/stride⌋ in sympy's own normal form."""
    base, offset, stride = extent.base, extent.offset, extent.stride
    is_side = isinstance(base, sympy.Symbol) and base.is_integer
    if type(offset) is not int or type(stride) is not int or not is_side:
        return as_dim(sympy.floor((sympy.sympify(base) + offset) / stride))
    # What sympy's evaluation would come to; asking it costs a hundred times as much.
    whole, rest = divmod(offset, stride)
    if rest == 0:
        return plain((base if stride == 1 else _floor(base / stride)) + whole)
    part = sympy.Mul(sympy.Rational(1, stride), base, evaluate=False)
    shifted = sympy.Add(sympy.Rational(offset, stride), part, evaluate=False)
    return _floor(shifted)


def _floor(value: sympy.Expr) -> sympy.Expr:
    """Return ⌊value⌋ unevaluated, without a search for integer terms."""
    made = sympy.Expr.__new__(sympy.floor, value)
    made.nargs = _NARGS
    return made


_NARGS = sympy.floor(sympy.Symbol("x")).nargs
"""The number of a floor's arguments, which sympy would compute for each floor anew."""


@lru_cache(maxsize=4096)
def _line(extent: Extent) -> tuple[sympy.Symbol, StepFunction]:
    base = sympy.sympify(extent.base)
    if len(base.free_symbols) == 1:
        (symbol,) = base.free_symbols
        slope, rest = base.as_independent(symbol, as_Add=True)[::-1]
        factor = sympy.cancel(slope / symbol)
        if factor.is_Integer and factor > 0 and rest.is_Integer:
            offset = as_int(extent.offset) + int(rest)
            stride = as_int(extent.stride)
            return symbol, StepFunction(int(factor), offset, divisor=stride)
    raise CostModelError(f"{extent} is not of one symbol times a number")


@cache
def _atom(extent: Extent) -> sympy.Symbol:
    # A dummy: extents of two bases that print alike are still two extents.
    atom = sympy.Dummy("extent", positive=True, integer=True)
    _EXTENTS[atom] = extent
    return atom

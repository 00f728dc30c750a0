"""Options of an architecture: its keywords, their legal values, and their symbols."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import sympy

from costmodel.algebra.parse import exact
from costmodel.algebra.symbols import Dim, H, N, Rational, W, symbol
from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Option:
    """A keyword of an architecture: a count, a switch, or one of a few words."""

    name: str
    default: Any
    choices: tuple[Any, ...] | None
    is_structural: bool = False
    """True if it decides which layers there are, which no symbol can."""
    is_whole: bool = False
    """True if a number has to be whole: repetitions, channels of the input."""

    @property
    def is_repetition(self) -> bool:
        """Say whether it is a number of blocks, or one for each stage."""
        return self.is_whole and self.is_structural

    @property
    def can_be_symbol(self) -> bool:
        """Say whether formulas may keep the option as a symbol."""
        return self.choices is None and not self.is_structural

    def read(self, architecture: str, value: object) -> Any:
        """Return a user's value in the option's type, or raise with the legal ones."""
        where = f"{architecture}: option {self.name}"
        if self.choices is not None:
            by_text = {str(choice).lower(): choice for choice in self.choices}
            if str(value).lower() not in by_text:
                allowed = ", ".join(map(str, self.choices))
                raise CostModelError(f"{where} = {value!r}; allowed are {allowed}")
            return by_text[str(value).lower()]
        if not isinstance(self.default, tuple):
            return self._number(value, where)
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, (tuple, list)) or len(parts) != len(self.default):
            raise CostModelError(
                f"{where} = {value!r}; give {len(self.default)} numbers, such as "
                + ",".join(map(str, self.default))
            )
        return tuple(self._number(part, where) for part in parts)

    def _number(self, value: object, where: str) -> Dim:
        number = _count(value, where)
        formula = sympy.sympify(number)
        if self.is_structural and formula.free_symbols:
            raise CostModelError(
                f"{where} = {number}: a number is needed, it decides which layers "
                "there are"
            )
        may_be_whole = formula.free_symbols and formula.is_integer is not False
        if self.is_whole and type(number) is not int and not may_be_whole:
            raise CostModelError(f"{where} = {number} is not a whole number")
        return number

    @property
    def symbol(self) -> Any:
        """The symbol that stands for the option, or one for each of its numbers."""
        if isinstance(self.default, tuple):
            letter = _SYMBOLS.get(self.name, self.name[0])
            numbers = range(1, len(self.default) + 1)
            return tuple(symbol(f"{letter}{number}") for number in numbers)
        return symbol(_SYMBOLS.get(self.name, self.name))

    @property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """The symbols that stand for the option, also if there is one."""
        found = self.symbol
        return found if isinstance(found, tuple) else (found,)


@dataclass(frozen=True, slots=True)
class Default:
    """A member's own default of a keyword that stays an option."""

    value: Any


INPUT_CHANNELS = "input_channels"
"""The option that every architecture has: the channels of the image it is given."""

RESERVED = ("name", "resolution", "batch", INPUT_CHANNELS)
"""Names of common options, which no architecture may have as a keyword."""


def input_channels_option(default: int) -> Option:
    """Return the option that the registry itself reads, to make the image.

    **Errors**: a default that is no positive whole number.
    """
    if type(default) is not int or default < 1:
        raise CostModelError(f"{INPUT_CHANNELS} {default!r} is not a positive integer")
    return Option(INPUT_CHANNELS, default, None, is_whole=True)


def options_of(
    build: Callable[..., Any], preset: Mapping[str, Any]
) -> dict[str, Option]:
    """Return the function's keywords as options, except those that a member presets.

    **Errors**: a reserved name; a keyword without a default.
    """
    hints = get_type_hints(build)
    _, *keywords = inspect.signature(build).parameters
    for key in (*keywords, *preset):
        if key in RESERVED:
            raise CostModelError(
                f"{build.__name__}: {key} is not a keyword of its own, `load` takes it "
                f"for every architecture{_INSTEAD.get(key, '')}"
            )
    options = {}
    for key, parameter in inspect.signature(build).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        default = preset.get(key, Default(parameter.default))
        if not isinstance(default, Default):
            continue
        if default.value is inspect.Parameter.empty:
            raise CostModelError(f"{build.__name__}: {key} has no default")
        hint = hints[key]
        choices: tuple[Any, ...] | None = (True, False) if hint is bool else None
        if get_origin(hint) is Literal:
            choices = get_args(hint)
        whole = hint in (int, tuple[int, ...])
        structural = whole or hint == Rational
        options[key] = Option(key, default.value, choices, structural, whole)
    return options


def _count(value: object, where: str) -> Dim:
    """Return a positive number or an expression; N, H and W mean other things."""
    number = exact(value, where)
    if isinstance(number, sympy.Expr) and number.free_symbols & {N, H, W}:
        raise CostModelError(f"{where} = {number}: N, H and W are batch and input size")
    if sympy.sympify(number).is_positive is False:
        raise CostModelError(f"{where} = {number} is not positive")
    return number


_INSTEAD = {
    key: f"; @architecture({key}=…) says what its source has"
    for key in ("resolution", INPUT_CHANNELS)
}
_SYMBOLS = {"width": "alpha", "growth_rate": "k", "compression": "theta",
            "repeats": "n", "blocks": "n", "layers": "L"}  # fmt: skip

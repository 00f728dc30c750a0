"""Registration of operators and functions, also by other packages."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import chain
from typing import Any, TypeVar

from costmodel.entry_points import discover
from costmodel.errors import CostModelError
from costmodel.network.operator import OR_NONE, Operator
from costmodel.network.operators.functions import FUNCTIONS, SAVED, Function, by_word


OPERATORS: dict[str, type[Operator]] = {}
"""Every operator by its kind. :mod:`costmodel.network.operators` puts its own here."""

WORDS: dict[str, tuple[type, ...]] = {
    "counted": (str,), "saved": (str, type(None)),
    **dict.fromkeys(("view", "is_input", "is_unbatched", "is_unknown", "is_layer"),
                    (bool,)),
}  # fmt: skip
"""Class attributes of operators, and their types."""

Class = TypeVar("Class", bound=type[Operator])


def register_operator(operator: Class) -> Class:
    """Add an operator, so that every analysis, network file and report knows it.

    A package decorates its class with it, above ``@final`` and ``@dataclass``; the
    entry-point group ``costmodel.operators`` says which packages have one. Its module
    in PyTorch is registered apart, by :func:`costmodel.bridge.register_module`.

    **Errors**: a class that is not concrete, final and frozen, or whose kind is taken;
    a ``counted`` that is no operator's kind; a ``saved`` with unknown words.
    """
    name = getattr(operator, "__name__", repr(operator))
    for problem in chain(unfit(operator), _unlike_others(operator)):
        raise CostModelError(f"operator {name}: {problem}")
    OPERATORS[operator.kind] = operator
    return operator


def register_function(name: str, function: Function) -> None:
    """Add a row, so that every analysis, importer and compiler knows the function.

    A package calls it when it is imported; the entry-point group
    ``costmodel.operators`` names the packages to import.

    **Errors**: a name that is taken by a function or operator, or that no node could
    have; a ``counted`` or ``runtime`` that no other row has.
    """
    if not (isinstance(name, str) and name.isidentifier()):
        raise CostModelError(f"function {name!r}: the name is not an identifier")
    if not isinstance(function, Function):
        raise CostModelError(f'function "{name}": {function!r} is not a Function')
    for column in ("counted", "runtime"):
        known = {w for f in FUNCTIONS.values() for w in getattr(f, column).split()}
        if odd := set(getattr(function, column).split()) - known:
            raise CostModelError(
                f'function "{name}": {column} {", ".join(sorted(odd))} is none of '
                f"{', '.join(sorted(known))}"
            )
    if name in FUNCTIONS:
        raise CostModelError(f'function "{name}" is registered twice')
    if name in kinds():
        raise CostModelError(f'function "{name}": an operator has that name')
    FUNCTIONS[name] = function
    by_word.cache_clear()


def operators() -> Mapping[str, type[Operator]]:
    """Return every operator by its kind, those of other packages included."""
    discover()
    return OPERATORS


def kinds() -> set[str]:
    """Return the kinds of operators, of their bases, and of functions' names."""
    classes = (base for one in OPERATORS.values() for base in one.__mro__)
    return {*OPERATORS, *FUNCTIONS} | {c.kind for c in classes if hasattr(c, "kind")}


def unfit(operator: Any) -> Iterator[str]:
    """Give the first problems of an operator's class; each check relies on the last."""
    if not (isinstance(operator, type) and issubclass(operator, Operator)):
        yield "it is not a class derived from Operator"
    if inspect.isabstract(operator):
        missing = ", ".join(sorted(operator.__abstractmethods__))
        yield f"it is abstract; it lacks {missing}"
    own = vars(operator)
    if not own.get("__final__"):
        yield "it is not @final"
    if "__dataclass_params__" not in own or not own["__dataclass_params__"].frozen:
        yield "it is no @dataclass(frozen=True, slots=True)"
    kind = operator.kind if "kind" in own else None
    if not (isinstance(kind, str) and kind.isidentifier()):
        yield f"its kind {kind!r} is not an identifier"
    if any(type(field.type) is not str for field in fields(operator)):
        yield "its module needs: from __future__ import annotations"
    yield from _odd_words(operator)


def _odd_words(operator: type[Operator]) -> Iterator[str]:
    """Give the class attributes and fields of wrong types."""
    for word, types in WORDS.items():
        if not isinstance(getattr(operator, word), types):
            yield f"its {word} {getattr(operator, word)!r} is not a {types[0].__name__}"
    for field in fields(operator):
        if field.type.removesuffix(OR_NONE) in ("float", "complex", "list", "dict"):
            yield f"its field {field.name} is a {field.type}; costs are exact"


def _unlike_others(operator: type[Operator]) -> Iterator[str]:
    """Give the problems of a class beside the registered ones."""
    known = kinds()
    if operator.view:
        yield "it is a view, and how views lie in memory is known of ours alone"
    if operator.kind in known:
        yield f'the kind "{operator.kind}" is taken'
    if operator.counted and operator.counted not in known:
        yield f'counted as "{operator.counted}", which is not a kind of operator'
    if odd := set((operator.saved or "").split()) - SAVED:
        yield f"saved {sorted(odd)} is none of {', '.join(sorted(SAVED))}"


__all__ = [
    "OPERATORS", "kinds", "operators", "register_function", "register_operator",
    "unfit",
]  # fmt: skip

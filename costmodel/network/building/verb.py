"""Verbs made from operator classes: one parameter per field, with the field's default.

An operator's fields are declared on its class alone; a verb restates none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature
from typing import Any, Protocol, TypeAlias

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.building.builder import Value, apply
from costmodel.network.building.sizes import Size, pair, sizes
from costmodel.network.operator import OR_NONE
from costmodel.network.operators.base import are_all
from costmodel.network.shape import Shape


ShapeLike: TypeAlias = Shape | Sequence[Dim]
"""A shape, or its sizes without the batch: (3, 64, 49)."""

_TAKEN = {"Sizes": "Size", "Pair": "Size", "Shape": "ShapeLike"}
"""The types of a verb's parameters for fields of these types."""


class Verb(Protocol):
    """A function that appends an operator: values first, then the operator's fields."""

    __name__: str

    def __call__(
        self, x: Value, *given: Any, name: str | None = None, **named: Any
    ) -> Value:
        """Return the operator's result; ``name`` is the node's."""


def verb(operator: type[op.Operator], called: str | None = None) -> Verb:
    """Make a verb from an operator's class; by default it is named after the kind.

    It takes as many values as the operator does, then the fields in their order, flags
    and what follows them by name alone, and the node's ``name``. Sizes are one number
    for every axis, or a tuple; shapes may be tuples of sizes.

    **Errors**: an operator that takes no values, such as a stored tensor, stands in no
    network by itself. Those of the operator name the node. A call that does not fit
    the signature is a ``TypeError``.

    >>> from costmodel.network.build import image
    >>> group_norm = verb(op.GroupNorm)
    >>> help(group_norm)
    Help on function group_norm in module costmodel.network.building.verb:
    <BLANKLINE>
    group_norm(x: 'Value', groups: 'Dim', *, affine: 'bool' = True, \
name: 'str | None' = None) -> 'Value'
        Group normalization: μ and σ over the channels of a group, and all positions.
    <BLANKLINE>
        Fields, their checks and source: ``operators.GroupNorm``.
    <BLANKLINE>
    >>> print(verb(op.Unfold)(image(3, 7, 7), kernel=3).shape)
    27×25
    """
    declared = {one.name: str(one.type) for one in own_fields(operator)}
    operands, parameters = _operands(operator), _parameters(operator)
    if operands[0].kind is Parameter.VAR_POSITIONAL:
        parameters = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in parameters]
    signature = Signature([*operands, *parameters, _NAME], return_annotation="Value")
    defaults = [p.default for p in parameters]
    is_plain = not any(
        kind.removesuffix(OR_NONE) in _TAKEN for kind in declared.values()
    )
    orders: dict[tuple[int, tuple[str, ...]], list[int]] = {}

    def made(*given: Any, name: str | None = None, **named: Any) -> Value:
        # Binding takes as long as making a node: calls written alike are bound once.
        written = len(given), tuple(named)
        order = orders.get(written)
        if order is None:
            order = orders[written] = _order(signature, made.__name__, *written)
        everything = [*given, *named.values(), *defaults]
        found = [everything[place] for place in order]
        split = len(found) - len(declared)
        x, values = found[:split], found[split:]
        if not is_plain:
            values = _converted(operator.kind, declared, x, name, values)
        return apply(operator, x, name, *values)

    made.__name__ = made.__qualname__ = called or operator.kind
    made.__doc__ = _documented(operator)
    made.__annotations__ = {
        p.name: p.annotation for p in signature.parameters.values()
    } | {"return": "Value"}
    made.__signature__ = signature  # type: ignore[attr-defined]
    return made


def shape_from(sizes: ShapeLike, what: str) -> Shape:
    """Return the shape of these sizes; the operator says which of them cannot be."""
    if isinstance(sizes, Shape):
        return sizes
    if not isinstance(sizes, (tuple, list)) or not sizes:
        raise CostModelError(f"{what}: sizes {sizes!r} are not a tuple of sizes")
    first, *others = (as_dim(size, f"{what}: size") for size in sizes)
    return Shape(first, tuple(map(Extent, others)))


def own_fields(operator: type[op.Operator]) -> list[Field[Any]]:
    """Return an operator's own fields: all but its constants, which no verb takes."""
    return [one for one in fields(operator) if not one.kw_only]


_NAME = Parameter("name", Parameter.KEYWORD_ONLY, default=None, annotation="str | None")


def _operands(operator: type[op.Operator]) -> list[Parameter]:
    """Return the parameters for values.

    If their number depends on the fields, any number is taken, and the operator checks.
    """
    arity = operator.arity
    if isinstance(arity, property) or arity[0] != arity[1]:
        values = Parameter("values", Parameter.VAR_POSITIONAL, annotation="Value")
        return [values]
    kind = Parameter.POSITIONAL_OR_KEYWORD
    names = ("x", "y")[: arity[0]]
    if not names:
        raise CostModelError(f"{operator.kind}: no verb of what takes no values")
    return [Parameter(name, kind, annotation="Value") for name in names]


def _parameters(operator: type[op.Operator]) -> list[Parameter]:
    """Return a parameter for each field; from the first flag on, by name alone."""
    found, by_name = [], False
    for field in own_fields(operator):
        declared = field.type.removesuffix(OR_NONE)
        by_name = by_name or declared == "bool"
        kind = Parameter.KEYWORD_ONLY if by_name else Parameter.POSITIONAL_OR_KEYWORD
        ending = field.type[len(declared) :]
        annotation = _TAKEN.get(declared, declared) + ending
        default = Parameter.empty if field.default is MISSING else field.default
        if isinstance(default, tuple) and are_all(default, default[0]):
            default = default[0]
        found.append(
            Parameter(field.name, kind, default=default, annotation=annotation)
        )
    return found


def _documented(operator: type[op.Operator]) -> str:
    """Return the first sentence of the class, and a reference to the rest."""
    first = (operator.__doc__ or "").partition("\n")[0]
    known = f"Fields, their checks and source: ``operators.{operator.__name__}``."
    return f"{first}\n\n{known}\n"


def _order(
    signature: Signature, called: str, count: int, names: tuple[str, ...]
) -> list[int]:
    """Return the indices of values and fields among the arguments of a call.

    These are the positional ones, those by name, then the defaults of all fields.
    """
    places = {name: place for place, name in enumerate(names, start=count)}
    try:
        bound = signature.bind(*range(count), **places).arguments
    except TypeError as error:
        raise TypeError(f"{called}() {error}") from None
    order: list[int] = []
    default = count + len(names)
    for parameter in list(signature.parameters.values())[:-1]:  # the last is the name
        if parameter.kind is Parameter.VAR_POSITIONAL:
            order += bound.get(parameter.name, ())
        elif parameter.annotation == "Value":
            order.append(bound[parameter.name])
        else:
            order.append(bound.get(parameter.name, default))
            default += 1
    return order


def _converted(
    kind: str,
    declared: Mapping[str, str],
    x: Sequence[Value],
    name: str | None,
    given: Sequence[Any],
) -> list[Any]:
    """Return the fields' values as the operator takes them: tuples and shapes."""
    found = dict(zip(declared, given))
    kinds = {
        field: declared[field].removesuffix(OR_NONE)
        for field, value in found.items()
        if not (value is None and declared[field].endswith(OR_NONE))
    }
    along: dict[str, Size] = {
        field: found[field] for field, of in kinds.items() if of == "Sizes"
    }
    found |= dict(zip(along, sizes(x[0], kind, name, **along)))
    for field, of in kinds.items():
        if of == "Pair":
            found[field] = pair(found[field])
        elif of == "Shape":
            found[field] = shape_from(found[field], kind)
    return [*found.values()]

"""Networks as JSON, written and read without loss."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.parse import parse
from costmodel.errors import CostModelError, at
from costmodel.network.annotations import Checkpoint
from costmodel.network.constraint import Constraint, read_relation, write_relation
from costmodel.network.node import FORMS, Node
from costmodel.network.operator import OR_NONE
from costmodel.network.operators import OPERATORS, Input, Operator, operators
from costmodel.network.serialization.schema1 import (
    SCHEMA_1,
    Document,
    downgraded,
    upgraded,
)
from costmodel.network.shape import Shape


if TYPE_CHECKING:
    from costmodel.network.graph import Network

SCHEMA = "costmodel.network/2"
_ASSUMPTIONS = ("positive", "integer", "real", "nonnegative")


def to_json(network: Network) -> str:
    """Return the network as JSON: integers as numbers, formulas as strings."""
    text = _text(network, SCHEMA)
    _check_readable(text, network)
    return text


def digest(network: Network) -> str:
    """Return a hash that identifies a network by its definition.

    It is computed from the JSON of the first schema, so that a network keeps the
    digest under which it was measured or counted.
    """
    to_json(network)  # refuses networks whose JSON would be ambiguous
    return hashlib.sha256(_text(network, SCHEMA_1).encode()).hexdigest()[:16]


def _text(network: Network, schema: str) -> str:
    symbols = sorted(network.free_symbols, key=str)
    document = {
        "schema": schema,
        "name": network.name,
        "batch": _write(network.batch),
        "symbols": {str(s): _assumptions(s) for s in symbols},
        "nodes": [
            {
                "name": node.name,
                "operator": _document(network, node, schema),
                "inputs": list(node.inputs),
                **_form(node, schema),
            }
            for node in network.nodes
        ],
        "outputs": list(network.outputs),
    }
    if network.shared:
        document["shared"] = dict(network.shared)
    if network.no_gradient:
        document["no_gradient"] = sorted(network.no_gradient)
    if network.own_backward:
        document["own_backward"] = sorted(network.own_backward)
    if network.checkpoints:
        document["checkpoints"] = [
            {"nodes": list(c.nodes), "stops_early": c.stops_early}
            for c in network.checkpoints
        ]
    if network.constraints:
        document["constraints"] = [
            {"relation": write_relation(c.relation), "node": c.node, "why": c.why}
            for c in network.constraints
        ]
    return json.dumps(document, indent=1, ensure_ascii=False)


def _form(node: Node, schema: str) -> dict[str, str]:
    """Return a node's form if there is one to state; the first schema has none."""
    is_stated = schema != SCHEMA_1 and node.form != FORMS[0]
    return {"form": node.form} if is_stated else {}


def _document(network: Network, node: Node, schema: str) -> Document:
    written = {"kind": type(node.operator).kind} | _fields(node.operator)
    if schema != SCHEMA_1:
        return written
    shapes = network.shapes_into(node)
    return downgraded(written, is_vector=bool(shapes) and not shapes[0].spatial)


def _check_readable(text: str, network: Network) -> None:
    """Refuse what could not be read back: unknown functions, other assumptions."""
    try:
        again = read(text, network.assemble)
        lost = network.free_symbols - again.free_symbols
    except CostModelError as error:
        raise CostModelError(
            f'network "{network.name}" cannot be written: {error}'
        ) from None
    if lost:
        names = ", ".join(sorted(map(str, lost)))
        raise CostModelError(
            f'network "{network.name}" cannot be written: the assumptions on {names} '
            "would be lost; use symbols of costmodel.symbol"
        )


def read(text: str, assemble: Callable[..., Network]) -> Network:
    """Return the network of a JSON text, validated like any other.

    JSON of the first schema is read as well.
    """
    if not isinstance(text, (str, bytes)):
        raise CostModelError(f"network JSON: {text!r} is not text")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CostModelError(f"network JSON: not JSON: {error}") from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema not in (SCHEMA, SCHEMA_1):
        raise CostModelError(f"network JSON: schema is {schema!r}, not {SCHEMA!r}")
    try:
        names = {n: _symbol(n, known) for n, known in document["symbols"].items()}
        layers = [
            _layer(place, node, names, schema)
            for place, node in enumerate(document["nodes"])
        ]
        outputs, name = document["outputs"], document["name"]
        batch = _read(document["batch"], names)
        constraints = [
            Constraint(read_relation(c["relation"], names), c["node"], c["why"])
            for c in document.get("constraints", [])
        ]
        checkpoints = [
            Checkpoint(tuple(c["nodes"]), bool(c["stops_early"]))
            for c in document.get("checkpoints", [])
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise CostModelError(f"network JSON: malformed ({what})") from None
    if not (isinstance(name, str) and isinstance(outputs, list)):
        raise CostModelError("network JSON: name is not text or outputs is not a list")
    shared = document.get("shared", {})
    if not isinstance(shared, dict):
        raise CostModelError(f"network JSON: shared {shared!r} is not an object")
    stops, own = (document.get(key, []) for key in ("no_gradient", "own_backward"))
    for key, names in (("no_gradient", stops), ("own_backward", own)):
        if not isinstance(names, list):
            raise CostModelError(f"network JSON: {key} {names!r} is not a list")
    rest = (constraints, shared, stops, checkpoints, own)
    return assemble(layers, map(str, outputs), name, batch, *rest)


def _symbol(name: str, known: dict[str, bool]) -> sympy.Symbol:
    for key, value in known.items():
        if key not in _ASSUMPTIONS or type(value) is not bool:
            raise CostModelError(f'symbol "{name}": assumption {key!r}: {value!r}')
    return sympy.Symbol(name, **known)


def _fields(operator: Operator) -> dict[str, Any]:
    if isinstance(operator, Input):
        sides = [_write(extent.value) for extent in operator.shape.spatial]
        return {"channels": _write(operator.shape.channels), "spatial": sides}
    fields = {name: _write(value) for name, value in operator.attributes.items()}
    return fields | ({"constants": operator.constants} if operator.constants else {})


def _write(value: Any) -> Any:
    parts = value.sizes if isinstance(value, Shape) else value
    if isinstance(parts, tuple):
        return [_write(part) for part in parts]
    return str(value) if isinstance(value, sympy.Expr) else value


def _layer(
    place: int, node: Any, names: dict[str, sympy.Symbol], schema: str
) -> tuple[str, Operator, tuple[Any, ...], Any]:
    """Return a node's name, operator, inputs and form; an error names the node."""
    try:
        layer = node["name"], _operator(node, names, schema), _inputs(node)
        return *layer, node.get("form", FORMS[0])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        name = node.get("name") if isinstance(node, dict) else None
        which = f"{name!r}" if isinstance(name, str) else f"number {place}"
        what = f"{type(error).__name__}: {error}"
        raise CostModelError(
            f"network JSON: node {which} is malformed ({what})"
        ) from None


def _operator(
    node: dict[str, Any], names: dict[str, sympy.Symbol], schema: str
) -> Operator:
    given = dict(node["operator"])
    if schema == SCHEMA_1:
        given = upgraded(given)
    kind, name = given.pop("kind"), node["name"]
    if kind not in OPERATORS and kind not in operators():
        raise CostModelError(f'node "{name}": unknown operator kind {kind!r}')
    known = _SAMPLE if kind == Input.kind else _fields_of(OPERATORS[kind])
    for key in sorted(given.keys() - known.keys()):
        raise at(kind, name, f"unknown attribute {key!r}")
    for key in sorted(known.keys() - given.keys()):
        if known[key]:
            raise at(kind, name, f"attribute {key!r} is missing")
    try:
        types = {f.name: f.type for f in fields(OPERATORS[kind])}
        values = {
            key: _read_field(types.get(key), value, names)
            for key, value in given.items()
        }
        if kind != Input.kind:
            return OPERATORS[kind](**values)
        sides = tuple(Extent(side) for side in values["spatial"])
        return Input(Shape(values["channels"], sides))
    except CostModelError as error:
        raise at(kind, name, str(error)) from None


_SAMPLE = {"channels": True, "spatial": True}


def _fields_of(operator: type[Operator]) -> dict[str, bool]:
    """Return the names of an operator's attributes, and whether each is required."""
    return {f.name: f.default is MISSING for f in fields(operator)}


def _inputs(node: dict[str, Any]) -> tuple[Any, ...]:
    if not isinstance(node["inputs"], list):
        raise CostModelError(f'node "{node["name"]}": inputs are not a list of names')
    return tuple(node["inputs"])


def _read_field(kind: Any, value: Any, names: dict[str, sympy.Symbol]) -> Any:
    """Return an attribute of that type: text stays text, a shape is its sizes."""
    kind = str(kind).removesuffix(OR_NONE)
    if kind == "str" or value is None:
        return value
    read = _read(value, names)
    if kind != "Shape":
        return read
    if not (isinstance(read, tuple) and read):
        raise CostModelError(f"a shape is a list of sizes, got {value!r}")
    return Shape(read[0], tuple(Extent(size) for size in read[1:]))


def _read(value: Any, names: dict[str, sympy.Symbol]) -> Any:
    if isinstance(value, list):
        return tuple(_read(part, names) for part in value)
    return parse(value, names=names) if isinstance(value, str) else value


def _assumptions(symbol: sympy.Symbol) -> dict[str, bool]:
    given = symbol.assumptions0
    return {key: given[key] for key in _ASSUMPTIONS if given.get(key) is not None}

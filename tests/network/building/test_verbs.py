"""Verbs: every operator has one, and it makes the node that the class makes."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import MISSING
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costmodel.algebra.symbols import H, W
from costmodel.errors import CostModelError
from costmodel.network import build
from costmodel.network import operators as op
from costmodel.network.build import Value, image
from costmodel.network.building.builder import sample
from costmodel.network.building.verb import own_fields, verb
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.testing import networks
from costmodel.testing.products import enlarging_networks, product_networks
from costmodel.testing.tensors import tensor_networks


SOURCES = (op.Input, op.Opaque, op.Derived)
"""What starts a network, or what importers alone make: no architecture writes them."""
KINDS = sorted(
    kind for kind, operator in op.OPERATORS.items() if operator not in SOURCES
)
CHOSEN = {
    "conv": {"padding"},  # keeps the size
    "max_pool": {"stride"},  # the kernel
    "avg_pool": {"stride"},
    "adaptive_avg_pool": {"size"},  # is always given
    "adaptive_max_pool": {"size"},
}
"""Fields whose default is another one in the verb, which is written by hand."""


def verb_of(kind: str) -> Callable[..., Value]:
    name = build.RENAMED.get(kind, kind)
    assert name in build.__all__
    found: Callable[..., Value] = getattr(build, name)
    return found


def parameters_of(kind: str) -> dict[str, inspect.Parameter]:
    """Return the parameters of a verb that are fields, by the fields' names."""
    parameters = list(inspect.signature(verb_of(kind)).parameters.values())
    own = [field.name for field in own_fields(op.OPERATORS[kind])]
    assert parameters.pop().name == "name"
    return dict(zip(own, parameters[len(parameters) - len(own) :], strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_has_a_verb_with_its_fields_and_defaults(kind: str) -> None:
    found = parameters_of(kind)
    for field in own_fields(op.OPERATORS[kind]):
        parameter = found[field.name]
        is_sizes = kind in ("reshape", "parameter") and field.name == "shape"
        assert parameter.name == ("sizes" if is_sizes else field.name)
        if field.name in CHOSEN.get(kind, ()):
            continue
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        if isinstance(default, tuple):
            assert default == (parameter.default,) * len(default)
        else:
            assert parameter.default == default
        if field.type == "bool":
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("kind", KINDS)
def test_a_verb_reads_well(kind: str) -> None:
    made = verb_of(kind)
    assert made.__name__ == build.RENAMED.get(kind, kind)
    assert (inspect.getdoc(made) or "").splitlines()[0].endswith(".")
    assert typing.get_type_hints(made)["return"] is Value
    assert inspect.signature(made).parameters["name"].default is None


def names(kind: str, operator: op.Operator) -> dict[str, Any]:
    """Return an operator's fields as keywords of its verb."""
    found = parameters_of(kind)
    return {
        found[field].name: value
        for field, value in operator.attributes.items()
        if found[field].default is inspect.Parameter.empty
        or value != found[field].default
        or field in CHOSEN.get(kind, ())
    }


def rebuilt(net: Network) -> list[Node]:
    """Return the nodes of a network that was written anew, in verbs."""
    made: dict[str, Value] = {}
    for node in net.nodes:
        operator, kind = node.operator, type(node.operator).kind
        operands = [made[name] for name in node.inputs]
        if isinstance(operator, op.Input):
            made[node.name] = sample(operator.shape)
            continue
        given = names(kind, operator)
        use = verb_of(kind)
        if kind == "linear" and operands[0].shape.spatial:
            use = build.last_linear
        if kind == "parameter":
            operands = [next(iter(made.values()))]
        made[node.name] = use(*operands, **given, name=node.name)
    return [value.node for value in made.values()]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        networks(), networks(sides=(20,)), tensor_networks(), product_networks(),
        enlarging_networks(H, W),
    )
)  # fmt: skip
def test_a_verb_makes_the_node_that_the_class_makes(net: Network) -> None:
    assert rebuilt(net) == list(net.nodes)


OPERANDS = {"concat", "arithmetic", "attention", "matmul", "einsum", "parameter"}


@pytest.mark.parametrize("kind", sorted({*KINDS} - OPERANDS))
def test_a_verb_made_of_a_class_is_that_of_build(kind: str) -> None:
    made = inspect.signature(verb(op.OPERATORS[kind]))
    is_another = kind in CHOSEN or kind == "reshape"
    assert (inspect.signature(verb_of(kind)) != made) == is_another


SHAPES: list[tuple[str, Value, str]] = [
    ("layer_norm", build.layer_norm(build.permute(image(96, 7, 7), (2, 3, 1))),
     "7×7×96"),
    ("permute", build.permute(image(), (2, 3, 1)), "H×W×3"),
    ("conv_transpose", build.conv_transpose(image(8, 7, 7), 4, kernel=2, stride=2),
     "4×14×14"),
    ("slice", build.part(image(8, 7, 7), 2, start=1, step=2), "8×3×7"),
    ("pad", build.pad_axes(image(8, 7, 7), (1, 0, 2), (0, 3, 0)), "9×10×9"),
    ("expand", build.expand(image(1, 7, 7), (8, 7, 7)), "8×7×7"),
    ("pad_to", build.pad_to(image(1, 7, 7), shape=(1, 8, 8)), "1×8×8"),
    ("resize", build.resize(image(1, 7, 7), scale=3), "1×21×21"),
    ("resize", build.resize(image(1, 7, 7), "bilinear", shape=(1, 9, 9)), "1×9×9"),
    ("reduce", build.reduce(image(4, 7, 7), "mean", (2, 3)), "4"),
    ("pixel_shuffle", build.pixel_shuffle(image(8, 7, 7), 2), "2×14×14"),
    ("subsample", build.subsample(image(8, 6, 6)), "8×3×3"),
    ("unfold", build.unfold(build.volume(2, 4, 4, 4), (2, 2, 1)), "8×36"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "shape"), SHAPES)
def test_a_verb_infers_its_shape(kind: str, value: Value, shape: str) -> None:
    assert (kind, shape) == (type(value.node.operator).kind, str(value.shape))


def test_arithmetic_takes_as_many_values_as_its_operation() -> None:
    x = image(4, 7, 7)
    assert build.arithmetic(x, operation="divide", value="2").node.inputs == ("input",)
    assert build.arithmetic(x, x, operation="maximum").node.name == "maximum1"
    assert build.arithmetic(x, x, x, operation="add", name="sum").node.name == "sum"


def test_what_does_not_fit_names_the_verb_and_the_node() -> None:
    x = image(4, 7, 7)
    cases: list[tuple[str, Callable[[], object]]] = [
        ('unfold at "unfold": kernel (3,) is not a (height, width) pair',
         lambda: build.unfold(x, (3,))),
        ('slice at "slice1": start -1 is below 0', lambda: build.part(x, 1, -1)),
        ('zeros at "zeros1": stride None is neither an integer nor an exact '
         "expression; a count is never a float", lambda: build.zeros(x, 1, None)),
        ("crop: sizes None are not a tuple of sizes", lambda: build.crop(x, None)),
        ("parameter: no verb of what takes no values", lambda: verb(op.Parameter)),
        ("crop: sizes 3 are not a tuple of sizes", lambda: build.crop(x, 3)),
        ('divide at "divide1": takes 2 inputs, got 1',
         lambda: build.arithmetic(x, operation="divide")),
        ('concat at "concat1": takes 2 or more inputs, got 1', lambda: build.concat(x)),
        ("concat: takes values that other verbs returned", lambda: build.concat(3)),
        ("matmul: takes values that other verbs returned", lambda: build.matmul(x, 3)),
    ]  # fmt: skip
    for problem, call in cases:
        with pytest.raises(CostModelError) as caught:
            call()
        assert problem == str(caught.value)


def test_a_call_that_does_not_fit_is_a_type_error_as_any_function_s() -> None:
    x = image(4, 7, 7)
    for problem, call in [
        ("conv_transpose() missing a required argument: 'kernel'",
         lambda: build.conv_transpose(x, 4)),
        ("batch_norm() too many positional arguments",
         lambda: build.batch_norm(x, False)),
        ("part() got an unexpected keyword argument 'stride'",
         lambda: build.part(x, 1, stride=2)),
        ("concat() got an unexpected keyword argument 'dim'",
         lambda: build.concat(x, x, dim=2)),
        ("matmul() missing a required argument: 'y'", lambda: build.matmul(x)),
        ("dropout() multiple values for argument 'percent'",
         lambda: build.dropout(x, 5, percent=5)),
    ]:  # fmt: skip
        with pytest.raises(TypeError) as caught:
            call()
        assert problem == str(caught.value)


def test_values_and_fields_may_be_given_by_name() -> None:
    x = image(4, 7, 7)
    assert build.matmul(x=x, y=x).node.name == "matmul1"
    assert build.dropout(x=x, percent=20).node.operator == op.Dropout(20)
    assert build.zeros(x, stride=2, channels=8).node.operator == op.Zeros(8, (2, 2))

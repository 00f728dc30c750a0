"""What is malformed is refused by an error that names the node, and nothing else."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import networkx as nx
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import H, M, W, alpha, symbol
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import (
    Value,
    activation,
    add,
    concat,
    conv,
    depthwise,
    dropout,
    flatten,
    image,
    linear,
    max_pool,
    multiply,
    network,
    relu,
    scope,
    table_conv,
)
from costmodel.network.graph import Network
from costmodel.network.shape import Shape
from costmodel.testing import networks


INPUT = op.Input(Shape(3, (Extent(H), Extent(W))))
RELU = op.Pointwise("relu")


def check(problem: str, make: Callable[[], object]) -> None:
    with pytest.raises(CostModelError) as caught:
        make()
    assert problem == str(caught.value)


def graph(*edges: tuple[str, str], **operators: object) -> nx.DiGraph:
    made = nx.DiGraph()
    for name, operator in operators.items():
        made.add_node(name, **({} if operator is None else {"operator": operator}))
    made.add_edges_from(edges)
    return made


def wired(made: nx.DiGraph, **inputs: object) -> nx.DiGraph:
    for name, operands in inputs.items():
        made.nodes[name]["inputs"] = operands
    return made


X_A = ("x", "a")
GRAPHS = [
    (
        'node "a": is on the cycle a → b → a',
        wired(
            graph(X_A, ("b", "a"), ("a", "b"), x=INPUT, a=op.Arithmetic("add"), b=RELU),
            a=("x", "b"),
        ),
    ),
    ('node "a": is on the cycle a → a', graph(("a", "a"), x=INPUT, a=RELU)),
    ('relu at "a": takes 1 inputs, got 0', graph(x=INPUT, a=RELU)),
    (
        'relu at "a": takes 1 inputs, got 2',
        wired(graph(X_A, ("y", "a"), x=INPUT, y=INPUT, a=RELU), a=("x", "y")),
    ),
    (
        'add at "a": takes 2 or more inputs, got 1',
        graph(X_A, x=INPUT, a=op.Arithmetic("add")),
    ),
    ('input at "b": takes 0 inputs, got 1', graph(("a", "b"), a=INPUT, b=INPUT)),
    ('node "a": has no attribute "operator"', graph(X_A, x=INPUT, a=None)),
    ('node "a": needs an Operator, got str', graph(X_A, x=INPUT, a="relu")),
    ('node "a": needs an Operator, got ABCMeta', graph(X_A, x=INPUT, a=op.Pointwise)),
    (
        'node "a": input "gone" is missing from the graph',
        wired(graph(X_A, x=INPUT, a=RELU), a=("gone",)),
    ),
    (
        'node "a": give its operands in order, as the attribute "inputs"',
        graph(X_A, ("y", "a"), x=INPUT, y=INPUT, a=op.Concat()),
    ),
    (
        "node \"a\": inputs ('x', 'x') differ from its edges from ('x', 'y')",
        wired(
            graph(X_A, ("y", "a"), x=INPUT, y=INPUT, a=op.Arithmetic("add")),
            a=("x", "x"),
        ),
    ),
    ("node \"a\": inputs 'x' are not names", wired(graph(X_A, x=INPUT, a=RELU), a="x")),
    ('node "a": inputs 7 are not names', wired(graph(X_A, x=INPUT, a=RELU), a=7)),
    ('network "network": no input node', graph()),
    (
        'node "a": a scope has the same name',
        graph(("a", "a.b"), **{"a": INPUT, "a.b": RELU}),
    ),
    (
        "node 'a b': a name is words of letters, digits and _, joined by dots",
        graph(**{"a b": INPUT}),
    ),
    (
        "node 7: a name is words of letters, digits and _, joined by dots",
        nx.relabel_nodes(graph(x=INPUT), {"x": 7}),
    ),
    ("from_graph: needs a networkx.DiGraph, got Graph", nx.Graph()),
    ("from_graph: needs a networkx.DiGraph, got list", []),
    (
        'add at "a": operands differ: 3×H×W and 3×W×H; does the shortcut need a '
        "projection?",
        wired(
            graph(
                X_A,
                ("y", "a"),
                x=INPUT,
                y=op.Input(Shape(3, (Extent(W), Extent(H)))),
                a=op.Arithmetic("add"),
            ),
            a=("x", "y"),
        ),
    ),
]


@pytest.mark.parametrize(("problem", "made"), GRAPHS, ids=[text for text, _ in GRAPHS])
def test_a_malformed_graph_says_what_is_wrong(problem: str, made: nx.DiGraph) -> None:
    check(problem, lambda: Network.from_graph(made))


@pytest.mark.parametrize(
    ("problem", "outputs"),
    [
        ('network "network": output "gone" is missing', ["gone"]),
        ('network "network": output "[]" is missing', [[]]),
        ('network "network": no output node', []),
    ],
)
def test_outputs_have_to_be_nodes(problem: str, outputs: list[Any]) -> None:
    made = graph(X_A, x=INPUT, a=RELU)
    check(problem, lambda: Network.from_graph(made, outputs))


@pytest.mark.parametrize(
    ("problem", "batch"),
    [
        ("batch 0 is not a positive integer", 0),
        ("batch 1/2 is not a positive integer", alpha / alpha / 2),
        ("batch -M is not a positive integer", -M),
    ],
)
def test_a_batch_is_a_positive_integer(problem: str, batch: Any) -> None:
    check(problem, lambda: network(relu(image()), batch=batch))


def in_scope(name: str, make: Callable[[], Value]) -> Value:
    with scope(name):
        return make()


def named_as_its_scope(x: Value) -> Value:
    x = relu(x, name="a")
    return in_scope("a", lambda: relu(x))


def strided(x: Value) -> tuple[Value, Value]:
    return conv(x, 8, kernel=3, name="plain"), conv(x, 8, 3, stride=2, name="strided")


VERBS: list[tuple[str, Callable[[Value], object]]] = [
    (
        'add at "add1": operands differ: 8×H×W and 8×⌊(H+1)/2⌋×⌊(W+1)/2⌋; does the '
        "shortcut need a projection?",
        lambda x: add(*strided(x)),
    ),
    (
        'concat at "3a.concat1": branches differ in size: 8×H×W and '
        "8×⌊(H+1)/2⌋×⌊(W+1)/2⌋; did one use a stride?",
        lambda x: in_scope("3a", lambda: concat(*strided(x))),
    ),
    (
        'multiply at "multiply1": shapes do not broadcast: 8×H×W and '
        "8×⌊(H+1)/2⌋×⌊(W+1)/2⌋; did one use a stride?",
        lambda x: multiply(*strided(x)),
    ),
    (
        'multiply at "multiply1": shapes do not broadcast: 3×H×W and 8×H×W',
        lambda x: multiply(x, conv(x, 8, 3)),
    ),
    (
        'conv at "conv1": groups 2 do not divide the 3 input channels',
        lambda x: conv(x, 8, 3, groups=2),
    ),
    (
        'conv at "conv1": groups 3 do not divide the 8 output channels',
        lambda x: conv(x, 8, 3, groups=3),
    ),
    ('conv at "conv1": channels -8 is below 1', lambda x: conv(x, -8, 3)),
    ('conv at "conv1": padding -1 is below 0', lambda x: conv(x, 8, 3, padding=-1)),
    (
        'conv at "conv1": channels 1.5 is neither an integer nor an '
        "exact expression; a "
        "count is never a float",
        lambda x: conv(x, 1.5, 3),  # type: ignore[arg-type]
    ),
    (
        'conv at "body.wide": no padding keeps the size under the '
        "even kernel 2×2; give "
        "padding=",
        lambda x: in_scope("body", lambda: conv(x, 8, 2, name="wide")),
    ),
    (
        'linear at "linear1": needs a vector, got the feature map '
        "3×H×W; flatten it first",
        lambda x: linear(x, 10),
    ),
    (
        'conv at "conv1": needs a feature map channels × height × '
        "width, got the vector "
        "7; is it behind a flatten?",
        lambda _: conv(linear(flatten(image(3, 4, 4)), 7), 3, 1),
    ),
    (
        'max_pool at "max_pool1": padding 2×2 is over half of the kernel 3×3',
        lambda x: max_pool(x, 3, padding=2),
    ),
    (
        'table_conv at "C3": the table lists channel 3 of only 3',
        lambda x: table_conv(x, ((0, 3),), 5, name="C3"),
    ),
    (
        'conv at "conv1": input 3×4×4 is too small: a window of 5 '
        "does not fit its height "
        "4 with padding 0",
        lambda _: conv(image(3, 4, 4), 8, 5, padding=0),
    ),
    ('input at "input": channels 0 is below 1', lambda _: image(0)),
    ('input at "input": height -1 is below 1', lambda _: image(3, -1)),
    (
        'relu at "twice": the name is used twice',
        lambda x: relu(relu(x, name="twice"), name="twice"),
    ),
    (
        "node 'a b': a name is words of letters, digits and _, joined by dots",
        lambda x: relu(x, name="a b"),
    ),
    ('node "a": a scope has the same name', lambda x: network(named_as_its_scope(x))),
    ("add: values belong to different networks", lambda x: add(x, image())),
    ("relu: takes values that other verbs returned", lambda _: relu(3)),  # type: ignore[arg-type]
    ("network: takes values that other verbs returned", lambda _: network()),
    (
        "activation 'swish': known are abs, ceil, celu, clamp, cos, elu, erf, exp, "
        "expm1, floor, gelu, gelu_tanh, hardshrink, hardsigmoid, hardswish, hardtanh, "
        "leaky_relu, log, log1p, logsigmoid, mish, neg, reciprocal, relu, relu6, "
        "round, rsqrt, scaled_tanh, selu, sigmoid, sign, silu, sin, softplus, "
        "softshrink, softsign, sqrt, square, tanh, tanhshrink, threshold, trunc; "
        "did you mean hardswish, mish?",
        lambda x: activation(x, "swish"),
    ),
    (
        'network: H = 6 is too small; conv "big" needs H ≥ 7',
        lambda x: network(conv(x, 8, 7, padding=0, name="big")).bind(H=6),
    ),
    (
        'conv at "conv1": channels 3/2 is not an integer, with alpha '
        "= 1/2; alpha has to "
        "be a multiple of 1/3 here",
        lambda x: network(conv(x, 3 * alpha, 3)).bind(alpha=0.5),
    ),
    (
        'conv at "conv1": groups 4 do not divide the 6 input channels',
        lambda _: network(conv(image(12 * alpha), 8, 3, groups=4)).bind(alpha=0.5),
    ),
    (
        'conv at "conv1": input 3×10×W is too small: a window of 11 does not fit its '
        "height 10 with padding 0",
        lambda _: network(conv(image(3, 2 * M), 8, 11, padding=0)).bind(M=5),
    ),
]


@pytest.mark.parametrize(("problem", "make"), VERBS, ids=[text for text, _ in VERBS])
def test_a_verb_says_what_does_not_fit(
    problem: str, make: Callable[[Value], object]
) -> None:
    check(problem, lambda: make(image()))


def test_a_failing_block_leaves_its_scope() -> None:
    with pytest.raises(CostModelError), scope("failing"):
        conv(image(), 0, 3)
    assert relu(image()).node.name == "relu1"


def test_depthwise_needs_a_known_multiple() -> None:
    assert depthwise(image(alpha * 8), 3).channels == 8 * alpha


DOCUMENT = network(linear(flatten(relu(conv(image(3, 4, 4), 2, 3))), 5)).to_json()
CONV = ("nodes", 1, "operator")


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return the document with the value at a path replaced, or deleted by ``...``."""
    document = copy.deepcopy(document)
    *parents, last = path
    place = document
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("problem", "path", "value"),
    [
        ("network JSON: schema is None, not 'costmodel.network/2'", ("schema",), ...),
        ("network JSON: schema is 'x', not 'costmodel.network/2'", ("schema",), "x"),
        ("network JSON: malformed (KeyError: 'nodes')", ("nodes",), ...),
        ("network JSON: node 'conv1' is malformed (KeyError: 'operator')", CONV, ...),
        (
            "network JSON: node 'conv1' is malformed (KeyError: 'kind')",
            (*CONV, "kind"),
            ...,
        ),
        ("network JSON: name is not text or outputs is not a list", ("name",), 7),
        ("network JSON: name is not text or outputs is not a list", ("outputs",), "x"),
        ('network "network": output "x" is missing', ("outputs",), ["x"]),
        ("batch 0 is not a positive integer", ("batch",), 0),
        ("symbol \"N\": assumption 'kind': True", ("symbols", "N", "kind"), True),
        ("symbol \"N\": assumption 'positive': 1", ("symbols", "N", "positive"), 1),
        ("node \"conv1\": unknown operator kind 'conv3d'", (*CONV, "kind"), "conv3d"),
        ("conv at \"conv1\": unknown attribute 'depth'", (*CONV, "depth"), 3),
        (
            "input at \"input\": unknown attribute 'depth'",
            ("nodes", 0, "operator", "depth"),
            3,
        ),
        ('conv at "conv1": channels 0 is below 1', (*CONV, "channels"), 0),
        ('conv at "conv1": bias None is not True or False', (*CONV, "bias"), None),
        (
            'conv at "conv1": kernel 3 is not a (height, width) pair',
            (*CONV, "kernel"),
            3,
        ),
        ("conv at \"conv1\": attribute 'kernel' is missing", (*CONV, "kernel"), ...),
        (
            'conv at "conv1": expression "1/0": division by zero',
            (*CONV, "channels"),
            "1/0",
        ),
        (
            'conv at "conv1": expression "__import__(\'os\')": unknown function '
            "__import__",
            (*CONV, "channels"),
            "__import__('os')",
        ),
        (
            'relu at "relu1": input "x" is missing from the graph',
            ("nodes", 2, "inputs"),
            ["x"],
        ),
        ('relu at "relu1": takes 1 inputs, got 0', ("nodes", 2, "inputs"), []),
        ('node "conv1": the name is used twice', ("nodes", 2, "name"), "conv1"),
        ("node 7: a name is words of letters", ("nodes", 2, "name"), 7),
        ("node []: a name is words of letters", ("nodes", 2, "name"), []),
        ('relu at "relu1": inputs [[]] are not names', ("nodes", 2, "inputs"), [[]]),
        (
            'node "relu1": inputs are not a list of names',
            ("nodes", 2, "inputs"),
            "conv1",
        ),
        (
            'input at "input": height 0 is below 1',
            ("nodes", 0, "operator", "spatial", 0),
            0,
        ),
        (
            'input at "input": width 1.5 is neither',
            ("nodes", 0, "operator", "spatial", 1),
            1.5,
        ),
        (
            'conv at "conv1": needs a feature map',
            ("nodes", 0, "operator", "spatial"),
            [3],
        ),
    ],
)
def test_a_malformed_document_says_where(
    problem: str, path: tuple[Any, ...], value: Any
) -> None:
    document = changed(json.loads(DOCUMENT), path, value)
    with pytest.raises(CostModelError, match=f"^{re.escape(problem)}"):
        Network.from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        ("network JSON: not JSON: Expecting value", ""),
        ("network JSON: not JSON: Expecting value", "network"),
        ("network JSON: not JSON: ", "[" * 100_000),
        ("network JSON: schema is None", "[]"),
        ("network JSON: schema is None", "null"),
        ("network JSON: schema is []", '{"schema": []}'),
        ("network JSON: malformed", '{"schema": "costmodel.network/2"}'),
    ],
)
def test_text_that_is_no_document_is_refused(problem: str, text: str) -> None:
    with pytest.raises(CostModelError, match=f"^{re.escape(problem)}"):
        Network.from_json(text)


def paths(document: Any, start: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path of every value inside a document."""
    keys = document if isinstance(document, dict) else range(len(document))
    for key in keys:
        yield (*start, key)
        if isinstance(document[key], (dict, list)):
            yield from paths(document[key], (*start, key))


JSON = st.recursive(
    st.sampled_from(
        [
            ...,
            None,
            True,
            False,
            0,
            1,
            -1,
            2,
            7,
            10**30,
            1.5,
            float("inf"),
            float("nan"),
            "",
            "H",
            "N",
            "alpha",
            "1/2",
            "1/0",
            "-1",
            "H - 40",
            "0**-1",
            "(",
            "conv",
            "relu",
            "input",
            "conv1",
            "a.b",
            "concat",
            "9**9**9",
            "floor(H/0)",
            "make_divisible(H, 2, 0)",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "H", "positive", "x"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)
"""Values to put anywhere; ``...`` deletes, where it is the value itself."""


def plain(value: Any) -> Any:
    """Return a value without ``...`` inside."""
    if isinstance(value, list):
        return [plain(part) for part in value if part is not ...]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items() if part is not ...}
    return value


def is_network_or_error(make: Callable[[], Network]) -> None:
    """Assert that a corrupted network is legal, or an error of ours, nothing else."""
    try:
        net = make()
    except CostModelError:
        return
    assert isinstance(net, Network)
    # What was accepted can be written, printed and read again.
    assert net == Network.from_json(net.to_json())
    assert str(net)


@pytest.mark.malformed("network JSON")
@given(networks(most=4), st.data())
def test_a_corrupted_document_is_a_network_or_an_error(
    net: Network, data: st.DataObject
) -> None:
    document = json.loads(net.to_json())
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(paths(document)) or [("schema",)]))
        document = changed(document, path, plain(data.draw(JSON)))
        document.setdefault("schema", "costmodel.network/2")
    is_network_or_error(lambda: Network.from_json(json.dumps(document)))


STRANGE = st.sampled_from(
    [
        None,
        3,
        "relu",
        (),
        ("input",),
        ("input", "input"),
        ("gone",),
        [["input"]],
        {"a": 1},
        op.Pointwise,
        op.Pointwise("relu"),
        op.Arithmetic("add"),
        op.Concat(),
        op.Flatten(),
        op.Linear(3),
        op.Identity(),
        op.Conv(4, (9, 9)),
        op.AdaptiveAvgPool(),
        INPUT,
        op.Input(Shape(5)),
        object(),
        op.MaxPool((2, 2), (3, 3), (1, 1), (1, 1), True),
    ]
)


@pytest.mark.malformed("networkx graph")
@given(networks(most=4), st.data())
def test_a_corrupted_graph_is_a_network_or_an_error(
    net: Network, data: st.DataObject
) -> None:
    made = nx.DiGraph(net.graph)
    names = st.sampled_from([node.name for node in net.nodes])
    for _ in range(data.draw(st.integers(1, 3))):
        name, other = data.draw(names), data.draw(names)
        kind = data.draw(
            st.sampled_from(["set", "unset", "edge", "cut", "swap", "node"])
        )
        if name not in made or other not in made:
            continue
        if kind == "set":
            attribute = data.draw(st.sampled_from(["operator", "inputs", "shape"]))
            made.nodes[name][attribute] = data.draw(STRANGE)
        elif kind == "unset":
            made.nodes[name].pop(
                data.draw(st.sampled_from(["operator", "inputs"])), None
            )
        elif kind == "edge":
            made.add_edge(name, other)
        elif kind == "cut":
            made.remove_node(name)
        elif kind == "swap":
            made = nx.relabel_nodes(made, {name: other, other: name})
        else:
            made.add_node(data.draw(st.sampled_from([7, "new", "a b", (1, 2), ""])))
    outputs = data.draw(st.sampled_from([None, net.outputs, (), "input", [3]]))
    is_network_or_error(lambda: Network.from_graph(made, outputs))


def test_two_symbols_of_one_name_are_refused() -> None:
    x = conv(image(), symbol("C"), 1)
    with pytest.raises(CostModelError, match='two different symbols are named "C"'):
        network(conv(x, sympy.Symbol("C"), 1))


@pytest.mark.parametrize(
    ("problem", "make"),
    [
        ("name 3 is not text", lambda x: conv(x, 3, 3, name=3)),
        ("name 5 is not text", lambda x: network(x, name=5)),
        ("kernel '3'", lambda x: conv(x, 3, "3")),
        ("kernel 3.0 is neither", lambda x: conv(x, 3, 3.0)),
        ("kernel 0 is below 1", lambda x: conv(x, 3, 0)),
        ("is not a (height, width) pair", lambda x: conv(x, 3, (3,))),
        ("takes values that other verbs returned", lambda _: linear("x", 3)),
        ("takes values that other verbs returned", lambda _: depthwise("x", 3)),
        ("activation ['relu']: known are", lambda x: activation(x, ["relu"])),
        ("percent 200 is over 100", lambda x: dropout(x, 200)),
        ("channels -C is negative", lambda x: conv(x, -symbol("C"), 3)),
        (
            "outputs 'relu' are not names",
            lambda x: Network.from_graph(network(x).graph, "relu"),
        ),
    ],
)
def test_verbs_refuse_what_is_no_layer(
    problem: str, make: Callable[[Value], object]
) -> None:
    with pytest.raises(CostModelError) as caught:
        make(image())
    assert problem in str(caught.value)


def test_what_json_cannot_hold_is_refused_when_it_is_written() -> None:
    even = sympy.Symbol("C", even=True, positive=True)
    with pytest.raises(CostModelError, match="the assumptions on C would be lost"):
        network(conv(image(), even, 1)).to_json()
    root = sympy.ceiling(64 * sympy.log(symbol("C") + 2))
    with pytest.raises(CostModelError, match=r'cannot be written: conv at "conv1"'):
        network(conv(image(), root, 1)).to_json()

"""Bad input of every kind: an answer or one clear line, whatever is given."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sympy
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel.algebra.symbols import expand
from costmodel.analysis.conventions.counting import find as convention
from costmodel.analysis.conventions.tables import CONVENTIONS
from costmodel.analysis.cost import METRICS
from costmodel.analysis.evidence.claims import claims
from costmodel.cli.commands.verify import _chosen_claims
from costmodel.network.build import (
    avg_pool,
    batch_norm,
    concat,
    conv,
    flatten,
    global_average_pool,
    image,
    linear,
    max_pool,
    network,
    relu,
)
from costmodel.runtime.measure.result import Measurement
from costmodel.runtime.profile import Profile


NET = cm.load("lenet5", resolution=32, batch=1)


class Small(nn.Module):
    """One convolution."""

    def __init__(self) -> None:
        """Make it."""
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> Any:
        """Run it."""
        return self.conv(x)


def answered(ask: Callable[[], Any]) -> tuple[Any, str]:
    """Return an answer, or the one line of a refusal; any other error is a failure."""
    try:
        return ask(), ""
    except cm.CostModelError as error:
        said = str(error)
    assert said.isprintable(), said
    return None, said


def takes_networks() -> list[str]:
    """Return the public functions whose first argument is a network."""
    found = []
    for name in dir(cm):
        if inspect.isfunction(public := getattr(cm, name)):
            first, *_ = (*inspect.signature(public).parameters.values(), None)
            if first and "Network" in f"{first.annotation} Target".split(" | ")[0]:
                found.append(name)
    return found


WRONG = ["resnet50", None, 3, 2.5, [NET], {"net": NET}, Small(), Small, image(), cm]
MORE = {"widen": (2,), "predict": ("x",), "explain": ("x",), "diff": (NET,)}


@pytest.mark.parametrize("name", takes_networks())
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
def test_what_is_no_network_is_refused_with_what_to_call(name: str, wrong: Any) -> None:
    with pytest.raises(cm.CostModelError) as error:
        getattr(cm, name)(wrong, *MORE.get(name, ()))
    said = str(error.value)
    assert said.startswith(f"{name}: needs a costmodel.Network")
    assert "\n" not in said
    if wrong in ("resnet50", WRONG[6]):
        assert ("costmodel.load" if wrong == "resnet50" else "costmodel.trace") in said


def test_most_public_functions_of_networks_are_found() -> None:
    assert {"cost", "depth", "memory", "widen", "diff", "parts"} <= {*takes_networks()}
    assert cm.cost(network=NET).macs == cm.cost(NET).macs


LOOK_UPS: Mapping[str, tuple[Callable[[], list[str]], Callable[[str], object]]] = {
    "metric": (lambda: [*METRICS], lambda word: cm.cost(NET).metric(word)),
    "convention": (lambda: [*CONVENTIONS], convention),
    "claim": (lambda: [*claims()], lambda word: _chosen_claims((), (word,))),
    "architecture": (lambda: [*cm.architectures()], cm.load),
    "option": (
        lambda: [*cm.architectures()["resnet50"].options],
        lambda word: cm.load("resnet50", **{word: 1}),
    ),
    "node": (lambda: [*NET.by_name], lambda word: NET[word]),
    "profile": (lambda: [*cm.profiles()], cm.load_profile),
}


@pytest.mark.malformed("name")
@given(st.data(), st.sampled_from(sorted(LOOK_UPS)))
def test_a_mistyped_word_is_answered_with_the_one_that_was_meant(
    data: st.DataObject, kind: str
) -> None:
    known, look_up = LOOK_UPS[kind]
    words = [word for word in known() if len(word) > 5]
    word = data.draw(st.sampled_from(words))
    place = data.draw(st.integers(1, len(word) - 2))
    mistyped = data.draw(st.sampled_from([
        word[:place] + word[place + 1 :],
        word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        word[:place] + "q" + word[place:],
        word.title(),
    ]))  # fmt: skip
    if mistyped in known():
        return
    with pytest.raises(cm.CostModelError) as error:
        look_up(mistyped)
    asked = str(error.value).partition("did you mean ")[2].partition("?")[0]
    near = asked.split(", ")
    assert word in near or len(near) == 3


def test_flops_are_said_to_be_counted_under_a_named_convention() -> None:
    for wrong in ("flops", "FLOPs", "gflops"):
        with pytest.raises(cm.CostModelError, match="under a named convention"):
            cm.cost(NET).metric(wrong)


SAMPLE = torch.zeros(1, 3, 32, 32)
INPUTS: list[tuple[Any, str]] = [
    (SAMPLE, r"tensor of shape .*: input=\(3, 32, 32\)"),
    (SAMPLE.shape, "without its batch"),
    ({"image": SAMPLE}, "is a dict; a module is run on one tensor"),
    ([SAMPLE, SAMPLE], "is a list; a module is run on one tensor"),
    ([(3, 32, 32)], "is a list; a module is run on one tensor"),
    ((), "is not the shape of a sample"),
    (None, "is not the shape of a sample"),
    (224, "is not the shape of a sample"),
    ("3x224x224", "is not the shape of a sample"),
    ((3, 1.5, 2), "input 1.5 is neither an integer"),
]


@pytest.mark.parametrize(("wrong", "said"), INPUTS, ids=lambda x: type(x).__name__)
def test_an_input_that_is_no_shape_is_refused_with_what_to_give(
    wrong: Any, said: str
) -> None:
    with pytest.raises(cm.CostModelError, match=f"^trace: .*{said}") as error:
        cm.trace(Small(), input=wrong)
    assert "\n" not in str(error.value)


def test_a_module_of_two_inputs_is_refused_with_what_to_do() -> None:
    class Two(Small):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:  # type: ignore[override]
            return self.conv(x) + self.conv(y)

    with pytest.raises(cm.CostModelError, match="'y'; a module is run on one tensor"):
        cm.trace(Two())


SMALL = st.sampled_from(["H", "W", "1", "2", "3", "7", "M"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return formulas that grow fast: powers, products, and extremes of many."""
    many = st.tuples(st.sampled_from(["Max", "Min"]), inner, st.integers(1, 40)).map(
        lambda t: (
            f"{t[0]}("
            + ",".join(f"floor(({t[1]}+{i})/{i + 2})" for i in range(t[2]))
            + ")"
        )
    )
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "*"]), inner).map(
            lambda t: f"({t[0]}{t[1]}{t[2]})"
        ),
        st.tuples(inner, st.integers(1, 64)).map(lambda t: f"({t[0]}+1)**{t[1]}"),
        st.tuples(inner, st.integers(1, 500)).map(
            lambda t: "*".join(f"({t[0]}+{i})" for i in range(t[1]))
        ),
        many,
        st.tuples(inner, st.integers(1, 300)).map(
            lambda t: "(" * t[1] + t[0] + ")" * t[1]
        ),
    )


@pytest.mark.malformed("formula")
@given(st.recursive(SMALL, grown, max_leaves=4))
@settings(max_examples=settings().max_examples // 2)
def test_a_formula_of_a_user_is_counted_or_refused_before_it_grows(text: str) -> None:
    macs, said = answered(
        lambda: cm.cost(cm.load("lenet5", resolution=text, batch=1)).macs
    )
    assert len(said) < 500
    assert said or len(sympy.Add.make_args(sympy.sympify(macs))) < 20_000


REFUSED = [
    ("(H+1)**64", "over 32 products of terms"),
    ("*".join(f"(H+{i})" for i in range(500)), "over 32 products of terms"),
    (f"Max({','.join(f'floor(H/{i + 2})' for i in range(120))})", "Max of 120 values"),
    (f"Max({','.join(f'floor(Max(H/{i + 2}, W)/{i + 3})' for i in range(9))})", "18 v"),
    (
        "+".join(
            f"Max({','.join(f'floor(H/{i + k})' for i in range(2, 14))})"
            for k in range(9)
        ),
        "Max of 12 values; at most 16",
    ),
    ("(" * 250 + "H" + ")" * 250, "nested parentheses"),
    ("make_divisible(H, 2)", "make_divisible does not take 2 arguments"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=lambda x: x[:12])
def test_a_formula_that_would_grow_is_refused_with_the_reason(
    text: str, said: str
) -> None:
    with pytest.raises(cm.CostModelError, match=said) as error:
        cm.load("resnet20_cifar", resolution=text)
    assert "\n" not in str(error.value)


def test_a_product_of_three_formulas_is_refused_where_it_is_multiplied_out() -> None:
    with pytest.raises(cm.CostModelError, match="over 20000 products of terms"):
        expand(sympy.prod([(cm.H + cm.W + cm.M + 1) ** 6, (cm.N + cm.D + 1) ** 30]))


QUERIES = ("cost", "memory", "input_sizes", "receptive_field", "reconcile", "depth")
FIELDS = ("kernel", "stride", "padding", "dilation")


def small_document() -> Any:
    """Return the JSON of a small network of most kinds of operators."""
    y = conv(image(), 8, 3, stride=2)
    maps = concat(max_pool(relu(batch_norm(y)), 2), avg_pool(y, 2, stride=2))
    return json.loads(network(linear(flatten(global_average_pool(maps)), 9)).to_json())


@pytest.mark.malformed("network JSON")
@given(st.data(), st.sampled_from([3 * 10**25, 10**400, 2**31, 10**6, -1, 0]))
def test_numbers_of_a_network_may_be_huge(data: st.DataObject, number: int) -> None:
    document = small_document()
    node = data.draw(st.sampled_from([
        n for n in document["nodes"] if FIELDS[0] in n["operator"]
    ]))  # fmt: skip
    node["operator"][data.draw(st.sampled_from(FIELDS))] = [number] * 2
    for query in QUERIES:
        found, _ = answered(
            lambda: getattr(cm, query)(cm.Network.from_json(json.dumps(document)))  # noqa: B023
        )
        if found and query == "memory":
            assert found.peak_activation_bytes != 0


ODD = st.sampled_from(
    [None, True, -1, 0, 5, 2.5, 10**400, "x", [], {}, ["x"], {"a": []}, float("nan")]
)
ROW = json.loads(
    (Path(__file__).parent / "runtime" / "row.json").read_text(encoding="utf-8")
)


@pytest.mark.malformed("measurements")
@given(st.data())
def test_altered_rows_are_measurements_or_refused(data: st.DataObject) -> None:
    row = {**ROW, data.draw(st.sampled_from(sorted(ROW))): data.draw(ODD)}
    found, _ = answered(lambda: Measurement.from_row(row))
    assert not found or found.key


@pytest.mark.malformed("profile")
@given(st.data())
def test_altered_profiles_are_profiles_or_refused(data: st.DataObject) -> None:
    document = json.loads(next(iter(cm.profiles().values())).to_json())
    place = document
    for _ in range(data.draw(st.integers(0, 4))):
        values = [one for v in place.values()
                  for one in (v if isinstance(v, list) else [v])]  # fmt: skip
        inner = [v for v in values if isinstance(v, dict) and v]
        place = data.draw(st.sampled_from(inner)) if inner else place
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(ODD)
    answered(lambda: Profile.from_json(json.dumps(document)))


@pytest.mark.malformed("network JSON")
@given(st.data())
def test_altered_networks_are_networks_or_refused_by_node(data: st.DataObject) -> None:
    document = small_document()
    place = data.draw(st.integers(0, len(document["nodes"]) - 1))
    node = document["nodes"][place]
    name = node["name"]
    part = data.draw(st.sampled_from([node, node["operator"]]))
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(ODD)
    _, said = answered(lambda: cm.Network.from_json(json.dumps(document)))
    if said and node["name"] == name and "JSON" in said:
        assert f"node '{name}'" in said


@pytest.mark.malformed("network JSON")
@given(ODD | st.lists(ODD, max_size=2), st.sampled_from(["stops", "nodes", "all"]))
@example([{"a": 1}], "stops")
@example([["x"]], "nodes")
def test_what_trains_is_said_by_names(wrong: Any, place: str) -> None:
    document = small_document()
    if place == "stops":
        document["no_gradient"] = wrong
    else:
        again = {"nodes": wrong, "stops_early": True}
        document["checkpoints"] = wrong if place == "all" else [again]
    answered(lambda: cm.Network.from_json(json.dumps(document)))


@pytest.mark.malformed("networkx graph")
@given(ODD | st.dictionaries(st.sampled_from(sorted(NET.by_name)), ODD, max_size=2))
@example({NET.outputs[0]: ["x"]})
def test_weights_are_shared_by_a_mapping(wrong: Any) -> None:
    graph = NET.graph.copy()
    graph.graph["shared"] = wrong
    answered(lambda: cm.Network.from_graph(graph))


@dataclass
class Answer:
    """An output of a class of its own."""

    maps: Any


class Box(dict[str, Any]):
    """A mapping that PyTorch does not know."""


@given(
    st.recursive(
        st.just("tensor"),
        lambda inner: st.tuples(st.sampled_from([Answer, Box, list, tuple]), inner),
        max_leaves=4,
    )
)
def test_outputs_of_any_class_are_looked_into(form: Any) -> None:
    def made(form: Any, tensor: torch.Tensor) -> Any:
        if form == "tensor":
            return tensor
        kind, inner = form
        value = made(inner, tensor)
        return kind(a=value) if kind is Box else (
            kind(value) if kind is Answer else kind([value, 3, None])
        )  # fmt: skip

    class Wrapped(Small):
        def forward(self, x: torch.Tensor) -> Any:
            return made(form, self.conv(x))

    assert cm.trace(Wrapped(), check=False).outputs == cm.trace(Small()).outputs


def test_an_output_without_tensors_is_named() -> None:
    class Opaque(Small):
        def forward(self, x: torch.Tensor) -> Any:
            self.conv(x)
            return object()

    with pytest.raises(cm.CostModelError, match="output, of class object"):
        cm.trace(Opaque())

"""Constraints: what the code of a network asks of its input, checked when it is bound.

The oracle is PyTorch: U-Nets of random depth, run at every size.
"""

from __future__ import annotations

import json
from typing import Any

import networkx as nx
import pytest
import sympy
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.extent import Extent, normal
from costmodel.algebra.integer_sets.periodic_set import PeriodicSet
from costmodel.algebra.symbols import H, M, N, W, symbol
from costmodel.analysis.input_sizes import input_sizes, joint_conditions
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import conv, image, max_pool, network, relu
from costmodel.network.constraint import Constraint, read_relation, write_relation
from costmodel.network.graph import Network
from costmodel.network.shape import Shape


FLOOR = sympy.floor
HALF = FLOOR(H / 2)
EVEN = Constraint(sympy.Eq(2 * HALF, H), "up.cat", "both are joined")
SQUARE = Constraint(sympy.Eq(H, W), "max_pool1", "")


def constrained(*constraints: Constraint) -> Network:
    """Return a small network that carries constraints."""
    net = network(max_pool(relu(image()), 2), name="unet")
    return Network.from_graph(net.graph, constraints=constraints)


def check(problem: str, *constraints: Constraint, **values: object) -> None:
    with pytest.raises(CostModelError) as caught:
        constrained(*constraints).bind(**values)
    assert problem == str(caught.value)


MOST = 40
"""The largest side at which modules are run."""

Level = tuple[int, int, int]
"""Kernel, stride and padding of the convolution that leads a level down."""

LEVELS = st.lists(
    st.sampled_from([(2, 2, 0), (3, 2, 1), (3, 1, 0), (4, 4, 0), (3, 3, 1)]),
    min_size=1, max_size=3,
)  # fmt: skip


def down(size: Any, level: Level) -> Any:
    """Return what is left of a size below a level."""
    kernel, stride, padding = level
    return FLOOR(sympy.sympify(size + 2 * padding - kernel) / stride) + 1


def u_net(levels: list[Level]) -> Network:
    """Return the way down of a U-Net, and what its way up asks of the input."""
    x, sizes, constraints = image(2), [H], []
    for kernel, stride, padding in levels:
        x = conv(x, 2, kernel, stride, padding=padding)
        sizes.append(down(sizes[-1], (kernel, stride, padding)))
    up = sizes[-1]
    for number, (level, beside) in enumerate(zip(levels[::-1], sizes[-2::-1])):
        up = up * level[1]
        for here, there in ((H, H), (H, W)):
            equal = sympy.Eq(up.subs(here, there), sympy.sympify(beside).subs(H, there))
            constraints.append(Constraint(equal, f"cat{number}", "joined"))
    net = network(x, name="unet")
    return Network.from_graph(net.graph, constraints=constraints)


def runs(levels: list[Level], height: int, width: int) -> bool:
    """Say whether PyTorch runs the U-Net at a size."""
    x = torch.zeros((1, 1, height, width), device="meta")
    weight = torch.zeros((1, 1, 1, 1), device="meta")
    beside = []
    try:
        for kernel, stride, padding in levels:
            beside.append(x)
            x = torch.conv2d(x, weight.expand(1, 1, kernel, kernel), None, stride,
                             padding)  # fmt: skip
        for (_, stride, _), there in zip(levels[::-1], beside[::-1]):
            up = x.repeat_interleave(stride, 2).repeat_interleave(stride, 3)
            x = torch.cat([up, there], 1).sum(1, keepdim=True)
    except RuntimeError:
        return False
    return True


@given(LEVELS)
def test_a_u_net_runs_exactly_at_the_sizes_that_its_constraints_admit(
    levels: list[Level],
) -> None:
    try:
        net = u_net(levels)
        height, width = input_sizes(net)
    except CostModelError as error:
        assert "no size fits" in str(error) or "no H fits" in str(error)  # noqa: PT017
        assert not any(runs(levels, n, n) for n in range(1, MOST))
        return
    first, other = height.smallest, width.smallest
    for n in range(1, MOST):
        assert height.is_legal(n) == runs(levels, n, other)
        assert width.is_legal(n) == runs(levels, first, n)
    for n in range(first, first + 4):
        assert height.is_legal(n) == is_bound(net, n, other)


def is_bound(net: Network, height: int, width: int) -> bool:
    """Say whether a network takes a size."""
    try:
        bound = net.bind(H=height, W=width)
    except CostModelError:
        return False
    assert bound.constraints == ()
    return True


def test_four_levels_of_halving_need_a_multiple_of_sixteen() -> None:
    height, width = input_sizes(u_net([(2, 2, 0)] * 4))
    assert (str(height.admissible), height.smallest) == ("16 divides H", 16)
    assert (str(width.admissible), width.needed_by) == ("16 divides W", "conv4")
    assert (height.is_legal(223), height.is_legal(224)) == (False, True)


def test_a_size_that_does_not_fit_is_refused_with_those_that_do() -> None:
    sixteen = Constraint(sympy.Eq(16 * FLOOR(H / 16), H), "max_pool1")
    check(
        'unet: H = 223 does not fit: max_pool "max_pool1" needs 16 divides H',
        sixteen, H=223,
    )  # fmt: skip
    check(
        'unet: H = 223 does not fit: "up.cat" needs H even (both are joined)',
        EVEN, H=223, W=8,
    )  # fmt: skip
    check(
        'unet: H = 8, W = 9 does not fit: max_pool "max_pool1" needs H = W',
        SQUARE, H=8, W=9,
    )  # fmt: skip
    check(
        'unet: H = 2*M + 1 does not fit: "up.cat" needs H even (both are joined)',
        EVEN, H="2*M + 1",
    )  # fmt: skip
    check(
        'unet: no size fits: "code" needs no H',
        Constraint(sympy.Lt(H, HALF), "code"), W=9,
    )  # fmt: skip
    check(
        'unet: N = 3 does not fit: "code" needs N = 1',
        Constraint(sympy.Eq(N, 1), "code"), N=3,
    )  # fmt: skip


def test_what_is_bound_is_checked_as_soon_as_it_is_known() -> None:
    net = constrained(EVEN, SQUARE)
    assert net.constraints == (EVEN, SQUARE)
    half = net.bind(H=224)
    assert [str(c) for c in half.constraints] == ['"max_pool1" needs W = 224']
    assert half.bind(W=224).constraints == ()
    with pytest.raises(CostModelError, match=r"^unet: W = 9 does not fit: .* W = 224$"):
        half.bind(W=9)
    assert net.bind(H=2 * M, W=2 * M).constraints == ()
    assert net.bind(H=3 * M).constraints[0].needs == "M even"
    assert net.bind(N=3).constraints == net.constraints


def test_what_always_holds_is_dropped_and_the_same_is_kept_once() -> None:
    always = Constraint(sympy.Eq(FLOOR(HALF / 2), FLOOR(H / 4)), "code")
    assert constrained(always).constraints == ()
    again = Constraint(EVEN.relation, "elsewhere", "again")
    assert constrained(EVEN, again).constraints == (EVEN,)


RELATIONS = st.recursive(
    st.builds(
        lambda relation, left, right: relation(left, right),
        st.sampled_from([sympy.Eq, sympy.Ne, sympy.Ge, sympy.Gt, sympy.Le, sympy.Lt]),
        st.sampled_from([H, HALF, FLOOR((W + 1) / 2), H * W, sympy.Max(H, W) - 3]),
        st.sampled_from([sympy.Integer(7), W, 2 * HALF - 1, N, sympy.Mod(H, 4)]),
    ),
    lambda inner: (
        st.builds(sympy.And, inner, inner)
        | st.builds(sympy.Or, inner, inner)
        | st.builds(sympy.Not, inner)
    ),
    max_leaves=3,
)


@given(RELATIONS)
def test_networks_keep_their_constraints_in_json_and_networkx(relation: Any) -> None:
    constraint = Constraint(relation, "code", "because")
    if constraint.is_false:
        with pytest.raises(CostModelError, match="no size fits"):
            constrained(constraint)
        return
    net = constrained(constraint)
    assert net.constraints == (() if constraint.is_true else (constraint,))
    for again in (Network.from_json(net.to_json()), Network.from_graph(net.graph)):
        assert net == again
        assert net.constraints == again.constraints
        assert hash(net) == hash(again)
    layers = [(n.name, n.operator, n.inputs) for n in net.nodes]
    assert net == Network.assemble(layers, net.outputs, "unet", N, net.constraints)


@given(RELATIONS, st.integers(2, 9), st.integers(2, 9), st.integers(1, 9))
def test_binding_says_what_the_relation_says(
    relation: Any, height: int, width: int, batch: int
) -> None:
    constraint = Constraint(relation, "code")
    if constraint.is_true or constraint.is_false:
        return
    values = {H: height, W: width, N: batch}
    holds = relation.subs(values) == sympy.true
    try:
        bound = constrained(constraint).bind(values)
    except CostModelError:
        assert not holds
    else:
        assert holds
        assert bound.constraints == ()


def test_a_relation_is_written_in_lists() -> None:
    relation = sympy.Or(sympy.Not(sympy.And(H > 3, W < 4)), sympy.Eq(H, W))
    assert write_relation(relation) == [
        "or", ["=", "H", "W"], ["not", ["and", ["<", "W", "4"], [">", "H", "3"]]]
    ]  # fmt: skip
    assert relation == read_relation(write_relation(relation), {"H": H, "W": W})


@pytest.mark.parametrize(
    "document", [None, [], ["="], ["=", "H"], ["=", "H", 3], ["and"], ["xor", []], "H"]
)
def test_what_is_no_relation_is_not_read(document: object) -> None:
    text = json.loads(constrained(EVEN).to_json())
    text["constraints"][0]["relation"] = document
    with pytest.raises(CostModelError, match="is not a relation"):
        Network.from_json(json.dumps(text))


def test_malformed_constraints_are_refused() -> None:
    text = json.loads(constrained(EVEN).to_json())
    del text["constraints"][0]["why"]
    with pytest.raises(CostModelError, match="malformed"):
        Network.from_json(json.dumps(text))
    bad: Any
    for bad in (H, "H = 3", None, sympy.Gt(H, 7.5), True):
        with pytest.raises(
            CostModelError, match=r"^constraint: .* not an exact relation"
        ):
            Constraint(bad, "code")
    with pytest.raises(CostModelError, match=r"^constraint: 3, '' is not text$"):
        Constraint(EVEN.relation, 3)  # type: ignore[arg-type]
    with pytest.raises(
        CostModelError, match=r'^network "unet": 3 is not a Constraint$'
    ):
        constrained(3)  # type: ignore[arg-type]
    with pytest.raises(CostModelError, match="not a relation that can be written"):
        write_relation(sympy.Xor(H > 3, W > 3))


def test_symbols_of_constraints_are_free() -> None:
    k = symbol("k")
    net = constrained(Constraint(sympy.Ge(H, k), "code"))
    assert net.free_symbols == {H, W, N, k}
    assert [c.needs for c in net.bind(k=9).constraints] == ["H ≥ 9"]
    other = sympy.Symbol("H")
    with pytest.raises(CostModelError, match='two different symbols are named "H"'):
        constrained(Constraint(sympy.Ge(other, 3), "code"))


def test_a_changed_graph_keeps_its_constraints() -> None:
    graph = nx.DiGraph(constrained(EVEN).graph)
    graph.add_node("relu2", operator=op.Pointwise("relu"))
    graph.add_edge("max_pool1", "relu2")
    assert Network.from_graph(graph, outputs=["relu2"]).constraints == (EVEN,)


def test_sides_are_admissible_where_constraints_and_extents_admit_them() -> None:
    net = constrained(EVEN, Constraint(H >= 33, "code"), SQUARE)
    height, width = input_sizes(net)
    assert str(height.admissible) == "H ≥ 33 and H even"
    assert (height.smallest, height.needed_by) == (34, "up.cat")
    assert (str(width.admissible), width.needed_by) == ("W ≥ 2", "max_pool1")
    assert joint_conditions(net) == (SQUARE,)
    fixed = constrained(Constraint(sympy.Eq(H, 224), "head", "the linear layer"))
    height, _ = input_sizes(fixed)
    assert (str(height.admissible), height.smallest) == ("H = 224", 224)
    assert (height.needed_by, height.first_exact) == ("head", 224)
    assert height.admissible == PeriodicSet.only([224])


def test_constraints_that_exclude_each_other_are_named() -> None:
    odd = Constraint(sympy.Eq(2 * HALF + 1, H), "code")
    with pytest.raises(
        CostModelError,
        match=r'^input_sizes: no H fits "unet" of at least 2: '
        r'"up.cat" needs H even and "code" needs H odd$',
    ):
        input_sizes(constrained(EVEN, odd))


def test_what_cannot_be_decided_is_left_to_both_sides() -> None:
    areas = Constraint(sympy.Ge(H * W, 9), "code")
    squares = Constraint(sympy.Eq(H * H, 49), "code")
    batch = Constraint(sympy.Eq(N, 1), "code")
    net = constrained(areas, squares, batch)
    assert joint_conditions(net) == (areas, squares, batch)
    assert net.bind(H=7, W=8, N=1).constraints == ()
    with pytest.raises(CostModelError, match=r"needs H\*\*2 = 49$"):
        net.bind(H=8)


def tokens(more: int, base: sympy.Expr) -> Network:
    """Return a map and a tensor of so many positions that are no side."""
    sample = op.Input(Shape(2, (Extent(H), Extent(W))))
    shape = Shape(4, (normal(base, more, 1),))
    return Network.assemble([
        ("input", sample, ()), ("pool", op.MaxPool((2, 2), (2, 2)), ("input",)),
        ("view", op.Reshape(shape), ("pool",)),
    ])  # fmt: skip


def test_products_of_axes_have_a_position_wherever_the_axes_have() -> None:
    area = HALF * FLOOR(W / 2)
    assert joint_conditions(tokens(0, area)) == ()
    assert joint_conditions(tokens(1, area)) == ()
    (fewer,) = joint_conditions(tokens(-3, area))
    assert str(fewer) == (
        '"view" needs floor(H/2)*floor(W/2) - 3 ≥ 1 (enough positions)'
    )
    height, _ = input_sizes(tokens(-3, 2 * HALF))
    assert (str(height.admissible), height.needed_by) == ("H ≥ 4", "view")


def test_padding_by_reflection_needs_more_than_it_mirrors() -> None:
    sample = op.Input(Shape(2, (Extent(H), Extent(W))))
    for mode, least in (("reflect", 4), ("circular", 3), ("replicate", 1)):
        pad = op.Pad((0, 3, 0), (0, 1, 0), mode)
        net = Network.assemble([("input", sample, ()), ("pad", pad, ("input",))])
        height, _ = input_sizes(net)
        assert height.smallest == least
        for n in range(1, 7):
            assert height.is_legal(n) == pads(n, mode)


def pads(n: int, mode: str) -> bool:
    """Say whether PyTorch pads so many rows, three before and one after."""
    try:
        torch.nn.functional.pad(torch.zeros(1, 1, n, 4), (0, 0, 3, 1), mode)
    except RuntimeError:
        return False
    return True


def test_crops_need_what_they_are_to_hold() -> None:
    sample = op.Input(Shape(2, (Extent(H), Extent(W))))
    known = op.Crop(Shape(2, (Extent(12), Extent(W))))
    net = Network.assemble([("input", sample, ()), ("crop", known, ("input",))])
    height, _ = input_sizes(net)
    assert (height.smallest, height.needed_by) == (12, "crop")
    larger = op.PadTo(Shape(2, (normal(sympy.sympify(2 * HALF), 0, 1), Extent(W))))
    net = Network.assemble([("input", sample, ()), ("pad", larger, ("input",))])
    height, _ = input_sizes(net)
    assert str(height.admissible) == "H even"


def test_the_command_line_shows_admissible_sizes() -> None:
    result = CliRunner().invoke(main, ["sizes", "vgg16", "--json"])
    found = json.loads(result.stdout)
    assert found["joint"] == []
    assert found["sides"]["height"]["admissible"] == "H ≥ 32"


def test_costs_do_not_depend_on_constraints() -> None:
    net = constrained()
    assert cm.cost(net).macs == cm.cost(constrained(EVEN)).macs

"""A genotype is a value; every one of them builds a cell whose formula is right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import Dim
from costmodel.bridge import oracles
from costmodel.errors import CostModelError
from costmodel.network.build import (
    Value,
    add,
    avg_pool,
    batch_norm,
    conv,
    global_average_pool,
    image,
    linear,
    network,
    relu,
    scope,
)
from costmodel.network.cells.cell import (
    OPERATIONS,
    cell,
    factorized_reduction,
    fit,
    relu_conv_bn,
)
from costmodel.network.cells.genotype import Genotype
from costmodel.network.graph import Network, parameters_by_name
from costmodel.testing import genotypes


# The value


@given(genotypes())
def test_a_genotype_is_what_its_json_says(genotype: Genotype) -> None:
    again = Genotype(**json.loads(json.dumps(asdict(genotype))))
    assert (genotype, hash(genotype)) == (again, hash(again))
    assert replace(genotype, name="another") == genotype


@given(genotypes())
def test_its_graph_has_an_edge_for_every_summand(genotype: Genotype) -> None:
    graph = genotype.graph
    assert nx.is_directed_acyclic_graph(graph)
    edges = sorted(graph.edges(data="operation"))
    assert edges == sorted(
        (source, state, operation)
        for state, block in enumerate(genotype.blocks, start=genotype.inputs)
        for operation, source in block
    )
    chosen = {name: {s for s, is_so in graph.nodes(data=name) if is_so}
              for name in ("is_input", "is_output")}  # fmt: skip
    inputs, output = set(range(genotype.inputs)), set(genotype.output)
    assert chosen == {"is_input": inputs, "is_output": output}
    with pytest.raises(nx.NetworkXError, match="Frozen"):
        graph.add_node(99)


def test_the_output_is_by_default_what_no_block_reads() -> None:
    blocks = [[("identity", 0)], [("identity", 0), ("identity", 2)], [("identity", 0)]]
    assert Genotype(blocks).output == (3, 4)
    assert Genotype(blocks, output=[1, 2]).output == (1, 2)


def test_a_genotype_reads_like_a_figure() -> None:
    genotype = Genotype(
        [[("sep_conv_3x3", 0), ("identity", 1)], [("avg_pool_3x3", 2)]], name="small"
    )
    assert str(genotype).splitlines() == [
        "small",
        "2 = sep_conv_3x3(0) + identity(1)",
        "3 = avg_pool_3x3(2)",
        "output = 3",
    ]


SHAPE = "blocks are lists of (operation, state), and the output is a list of states"
WRONG: list[tuple[str, dict[str, object]]] = [
    ("has no block", {"blocks": []}),
    (SHAPE, {"blocks": 5}),
    (SHAPE, {"blocks": [["identity"]]}),
    (SHAPE, {"blocks": [[("identity", 0.5)]]}),
    (SHAPE, {"blocks": [[("identity", 0)]], "output": "all"}),
    ("inputs 0 is below 1", {"blocks": [[("identity", 0)]], "inputs": 0}),
    ("inputs '2' is below 1", {"blocks": [[("identity", 0)]], "inputs": "2"}),
    ("block 2: has no operation", {"blocks": [[]]}),
    ("block 2: operation 3 is no text", {"blocks": [[(3, 0)]]}),
    (
        "block 3: identity reads state 3; allowed are 0 to 2",
        {"blocks": [[("identity", 0)], [("identity", 3)]]},
    ),
    (
        "block 2: identity reads state -1; allowed are 0 to 1",
        {"blocks": [[("identity", -1)]]},
    ),
    (
        "block 1: identity reads state 1; allowed are 0 to 0",
        {"blocks": [[("identity", 1)]], "inputs": 1},
    ),
    (
        "the output stacks state 3; allowed are 0 to 2",
        {"blocks": [[("identity", 0)]], "output": [3]},
    ),
    (
        "output (2, 2) repeats a state",
        {"blocks": [[("identity", 0)]], "output": [2, 2]},
    ),
]


@pytest.mark.parametrize(("problem", "fields"), WRONG)
def test_what_is_no_cell_is_refused(problem: str, fields: dict[str, object]) -> None:
    start = 'cell "mine"' + (", " if problem.startswith("block ") else ": ")
    with pytest.raises(CostModelError, match=f"^{re.escape(start + problem)}$"):
        Genotype(**fields, name="mine")  # type: ignore[arg-type]


# The cell


def mine(x: Value, channels: Dim, stride: int) -> Value:
    return conv(x, channels, 3, stride)


ONE = Genotype([[("identity", 0), ("identity", 1)]], name="one")


@pytest.mark.parametrize(
    ("problem", "build"),
    [
        ('cell "one": takes 2 inputs, got 1', lambda x: cell(ONE, x, channels=4)),
        (
            'cell "one": stride 3; allowed are 1 and 2',
            lambda x: cell(ONE, x, x, channels=4, stride=3),
        ),
        (
            'cell "one": inputs differ in size: 4×H×W and 4×⌊(H+1)/2⌋×⌊(W+1)/2⌋; fit '
            "the earlier one first",
            lambda x: cell(ONE, x, conv(x, 4, 3, stride=2), channels=4),
        ),
        (
            'cell "cell", block 2: unknown operation "sep_conv3x3"; known '
            "are none, identity, skip_connect, avg_pool_3x3, "
            "max_pool_3x3, max_pool_5x5, max_pool_7x7, conv_1x1, conv_3x3, "
            "conv_1x3_3x1, conv_1x7_7x1, sep_conv_3x3, sep_conv_5x5, sep_conv_7x7, "
            "dil_conv_3x3, dil_conv_5x5; did you mean sep_conv_3x3, sep_conv_7x7, "
            "sep_conv_5x5?",
            lambda x: cell(Genotype([[("sep_conv3x3", 0)]]), x, x, channels=4),
        ),
        (
            'cell "cell", block 2: unknown operation "identity"; known are mine',
            lambda x: cell(
                Genotype([[("identity", 0)]]),
                x,
                x,
                channels=4,
                operations={"mine": mine},
            ),
        ),
    ],
)
def test_a_cell_that_cannot_be_built_says_why(
    problem: str, build: Callable[[Value], Value]
) -> None:
    with pytest.raises(CostModelError) as caught:
        build(image(4))
    assert str(caught.value) == problem


def test_nodes_are_named_by_state_and_operation() -> None:
    x = image(4)
    blocks = [[("conv_1x1", 0), ("identity", 1)], [("max_pool_3x3", 2)]]
    with scope("tiny"):
        net = network(cell(Genotype(blocks, [2, 3]), x, x, channels=4))
    assert [node.name for node in net.nodes] == [
        "input",
        "tiny.block2.conv_1x1.relu1",
        "tiny.block2.conv_1x1.conv1",
        "tiny.block2.conv_1x1.bn1",
        "tiny.block2.add1",
        "tiny.block3.max_pool_3x3.max_pool1",
        "tiny.concat1",
    ]


def test_operations_may_be_given_another_meaning() -> None:
    x = image(4)
    net = network(cell(Genotype([[("mine", 0)]], inputs=1), x, channels=5, stride=2,
                       operations={"mine": mine}))  # fmt: skip
    assert [str(node.operator) for node in net.nodes[1:]] == ["3×3 conv, 5, /2"]


@st.composite
def cells(draw: st.DrawFn) -> Network:
    """Draw two cells behind a convolution, at sizes odd and small, and a batch."""
    x = image(
        draw(st.integers(1, 4)), draw(st.integers(1, 20)), draw(st.integers(1, 9))
    )
    with scope("stem"):
        x = previous = relu_conv_bn(x, draw(st.integers(4, 9)), kernel=3)
    for number in range(2):
        genotype, channels = draw(genotypes()), draw(st.sampled_from([4, 5, 8]))
        with scope(f"cell_{number}"):
            inputs = [x, fit(previous, x, channels)][: genotype.inputs]
            stride = draw(st.integers(1, 2))
            y = cell(genotype, *inputs, channels=channels, stride=stride)
        x, previous = y, x
    return network(x, batch=draw(st.integers(1, 2)))


@given(cells())
def test_every_genotype_runs_as_its_formula_says(net: Network) -> None:
    size = (int(net.batch), *map(int, net.inputs[0].output.sizes))
    module, cost = cm.compile(net, device="meta"), cm.cost(net)
    executed = oracles.executed_shapes(module, size)
    assert executed == {n.name: (net.batch, *n.output.sizes) for n in net.nodes}
    assert parameters_by_name(net) == oracles.stored_shapes(module)
    assert cost.parameters == oracles.learnable(module)
    # Blocks that nothing reads are built and counted; fvcore would drop them.
    counted = oracles.flop_counter_macs(module, size)
    assert cost.macs == counted.get("aten.convolution", 0)


@given(genotypes(), st.integers(1, 2), st.integers(1, 4))
def test_a_cell_of_symbolic_channels_is_every_cell(
    genotype: Genotype, stride: int, eighths: int
) -> None:
    def built(channels: Dim) -> Network:
        x = image(channels)
        inputs = [x] * genotype.inputs
        return network(cell(genotype, *inputs, channels=channels, stride=stride))

    symbolic, numeric = built(8 * cm.symbol("n")), built(8 * eighths)
    assert numeric == symbolic.bind(n=eighths)


# The operations

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@pytest.mark.parametrize("name", OPERATIONS)
@given(SIZES, st.integers(1, 2), st.sampled_from([4, 6, 8]), st.sampled_from([5, 8]))
def test_every_operation_gives_the_cells_channels_and_the_strides_size(
    name: str, size: tuple[int, int], stride: int, before: int, channels: int
) -> None:
    y = OPERATIONS[name](image(before, *size), channels, stride)
    assert y.shape.sizes == (channels, *(-(-side // stride) for side in size))


c, f = 6, 8
PARAMETERS = {
    # 3² and 5² taps a map, the maps mixed, scales and shifts; twice, or once
    "sep_conv_3x3": 9 * c + c * f + 2 * f + 9 * f + f * f + 2 * f,
    "sep_conv_5x5": 25 * c + c * f + 2 * f + 25 * f + f * f + 2 * f,
    "sep_conv_7x7": 49 * c + c * f + 2 * f + 49 * f + f * f + 2 * f,
    "dil_conv_3x3": 9 * c + c * f + 2 * f,
    "dil_conv_5x5": 25 * c + c * f + 2 * f,
    "conv_1x1": c * f + 2 * f,
    "conv_3x3": 9 * c * f + 2 * f,
    # a quarter or three eighths of the maps between two 1×1
    "conv_1x7_7x1": (c * 2 + 4) + (7 * 4 + 4) + (7 * 4 + 4) + (2 * f + 2 * f),
    "conv_1x3_3x1": (c * 3 + 6) + (3 * 9 + 6) + (3 * 9 + 6) + (3 * f + 2 * f),
    # what changes the channels, where they differ
    **dict.fromkeys(
        ("identity", "skip_connect", "avg_pool_3x3", "max_pool_3x3", "max_pool_5x5",
         "max_pool_7x7"),
        c * f + 2 * f,
    ),
    "none": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_the_parameters_of_its_paper(name: str) -> None:
    cost = cm.cost(network(OPERATIONS[name](image(c), f, 1)))
    assert PARAMETERS[name] == cost.parameters


@pytest.mark.parametrize("name", ["identity", "skip_connect", "avg_pool_3x3"])
def test_what_fits_costs_no_parameters(name: str) -> None:
    assert cm.cost(network(OPERATIONS[name](image(f), f, 1))).parameters == 0


def test_a_strided_identity_is_nasnets_and_a_strided_skip_is_dartss() -> None:
    kinds = {
        name: [n.operator.kind for n in network(OPERATIONS[name](image(f), f, 2)).nodes]
        for name in ("identity", "skip_connect")
    }
    assert kinds == {
        "identity": ["input", "relu", "conv", "batch_norm"],
        "skip_connect": [
            "input", "relu", "conv", "pad", "conv", "concat", "batch_norm",
        ],
    }  # fmt: skip


@pytest.mark.parametrize("side", [4, 5])
def test_a_factorized_reduction_reads_both_diagonals(side: int) -> None:
    module = cm.compile(network(factorized_reduction(image(1), 2)))
    with torch.no_grad():
        for name in ("conv1", "conv2"):
            module.get_submodule(name).weight.fill_(1)
        module.get_submodule("bn1").eps = 0.0
        x = torch.arange(1.0, side * side + 1).reshape(1, 1, side, side)
        even, odd = module(x)[0]
    assert torch.equal(even, x[0, 0, ::2, ::2])
    shifted = torch.zeros(side, side)
    shifted[:-1, :-1] = x[0, 0, 1:, 1:]  # zeros move in
    assert torch.equal(odd, shifted[::2, ::2])


def test_an_odd_number_of_channels_is_halved_as_released() -> None:
    net = network(factorized_reduction(image(3), 27))
    assert [node.output.channels for node in net.nodes] == [3, 13, 3, 14, 27, 27]


# NAS-Bench-201: a cell of one input and three sums. Dong & Yang 2020, arXiv:2001.00326

OPS = {"none": "none", "skip": "skip_connect", "1x1": "conv_1x1", "3x3": "conv_3x3",
       "avg": "avg_pool_3x3"}  # fmt: skip


def bench(edges: str) -> Genotype:
    """Return the cell of its six edges, from 0 to 1, then to 2, then to 3."""
    first, *others = (OPS[word] for word in edges.split())
    return Genotype(
        [[(first, 0)], list(zip(others[:2], (0, 1))), list(zip(others[2:], (0, 1, 2)))],
        output=[3],
        inputs=1,
        name=edges,
    )


def bench_network(genotype: Genotype, classes: int = 10, side: int = 32) -> Network:
    """Stack it five times at 16, 32 and 64 channels, residual blocks between."""
    x = batch_norm(conv(image(3, side, side), 16, 3, bias=False))
    for channels in (16, 32, 64):
        if channels > 16:
            y = relu_conv_bn(relu_conv_bn(x, channels, 3, 2), channels, 3)
            x = add(y, conv(avg_pool(x, 2), channels, 1, bias=False))
        for _ in range(5):
            x = cell(genotype, x, channels=channels)
    return network(linear(global_average_pool(relu(batch_norm(x))), classes))


# NATS-Bench, topology search space, records 0, 11 and 284: parameters and "FLOPs" in
# millions on CIFAR-10 and CIFAR-100 at 32×32 and on ImageNet16-120 at 16×16.
RECORDS = {
    "avg 1x1 skip 1x1 skip skip": (
        (129_306, "15.64737"), (135_156, "15.65322"), (136_456, "3.91948"),
    ),
    "3x3 3x3 avg none 3x3 avg": (
        (802_426, "113.95137"), (808_276, "113.95722"), (809_576, "28.49548"),
    ),
    "skip skip skip none 1x1 none": (
        (101_306, "11.71521"), (107_156, "11.72106"), (108_456, "2.93644"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("edges", RECORDS)
@pytest.mark.parametrize(("index", "classes", "side"),
                         [(0, 10, 32), (1, 100, 32), (2, 120, 16)])  # fmt: skip
def test_cells_cost_what_nats_bench_recorded(
    edges: str, index: int, classes: int, side: int
) -> None:
    net = bench_network(bench(edges), classes, side).bind(N=1)
    cost, (parameters, millions) = cm.cost(net), RECORDS[edges][index]
    assert parameters == cost.parameters
    # Its counter adds the classifier's biases.
    assert millions == f"{(cost.macs + classes) / 10**6:.5f}".rstrip("0")


@given(st.lists(st.sampled_from(sorted(OPS)), min_size=6, max_size=6))
def test_the_whole_bench_costs_by_the_number_of_its_convolutions(
    edges: list[str],
) -> None:
    ones, threes = edges.count("1x1"), edges.count("3x3")
    cost = cm.cost(bench_network(bench(" ".join(edges))).bind(N=1))
    assert 73_306 + 28_000 * ones + 243_040 * threes == cost.parameters
    macs = 7_783_050 + 3_932_160 * ones + 35_389_440 * threes
    assert macs == cost.macs + 10


def test_a_sum_of_nothing_is_zeros_and_runs() -> None:
    net = bench_network(bench("none none none 3x3 none none"), side=8)
    cell_of_zeros = [n.operator.kind for n in net.nodes if n.name.startswith("block")]
    assert cell_of_zeros.count("zeros") == 2 * 15  # states 1 and 2
    with torch.no_grad():
        output = cm.compile(net)(torch.randn(2, 3, 8, 8))
    assert torch.isfinite(output).all()

"""Products of tensors, stored operands and interpolation, against what really runs."""

from __future__ import annotations

import warnings
from math import prod

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import H, N, W
from costmodel.analysis.receptive_field.exact_support import support
from costmodel.bridge import oracles
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import conv, conv_transpose, image, network, upsample
from costmodel.network.graph import Network, parameters_by_name
from costmodel.network.operators.resizing import modes_of
from costmodel.network.shape import Shape
from costmodel.testing.products import enlarging_networks, product_networks
from tests.bridge.test_memory_snapshot import LAYERS, check, check_saved
from tests.drawn import input_size


FEWER = settings(max_examples=settings().max_examples // 2)
"""fvcore takes a while an example."""


def tokens(*layers: tuple[str, op.Operator, tuple[str, ...]]) -> Network:
    """Return a network of six tokens of four features, a symbolic batch."""
    shape = Shape(6, (Extent(4),))
    return Network.assemble([("input", op.Input(shape), ()), *layers])


OPAQUE = op.Opaque("roi_align", Shape(8, (Extent(7), Extent(7))))


@given(product_networks())
def test_products_have_the_executed_shapes(net: Network) -> None:
    executed = oracles.executed_shapes(cm.compile(net), input_size(net))
    batch = {n.name: 1 if n.name in net.unbatched else net.batch for n in net.nodes}
    assert executed == {n.name: (batch[n.name], *n.output.sizes) for n in net.nodes}


@given(product_networks())
def test_stored_operands_are_parameters_once(net: Network) -> None:
    module, cost = cm.compile(net, device="meta"), cm.cost(net)
    stored = oracles.stored_shapes(module)
    assert parameters_by_name(net) == stored
    assert cost.parameters == oracles.learnable(module)
    assert cost.parameters + cost.buffers == sum(map(prod, stored.values()))


@given(product_networks())
def test_products_are_flop_counter_modes(net: Network) -> None:
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        counted = oracles.flop_counter_macs(cm.compile(net), input_size(net))
    assert cm.cost(net).macs == sum(counted.values())
    assert cm.cost(net).flops("torch") == 2 * sum(counted.values())


@FEWER
@given(product_networks())
def test_fvcore_counts_products_as_its_convention_says(net: Network) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counted = oracles.fvcore_macs(cm.compile(net), input_size(net))
    assert cm.cost(net).flops("fvcore") == sum(counted.values())


@given(product_networks())
def test_a_network_of_products_is_read_back(net: Network) -> None:
    assert Network.from_json(net.to_json()) == net


@given(enlarging_networks(H, W), st.data())
def test_one_module_makes_maps_larger_as_the_formulas_say(
    net: Network, data: st.DataObject
) -> None:
    module = cm.compile(net, device="meta")
    channels = int(net.inputs[0].output.channels)
    for _ in range(3):
        height, width = data.draw(st.integers(4, 19)), data.draw(st.integers(4, 19))
        size, at = (2, channels, height, width), {H: height, W: width}
        expected = {
            n.name: (2, *(int(sympy.sympify(s).subs(at)) for s in n.output.sizes))
            for n in net.nodes
        }
        assert expected == dict(oracles.executed_shapes(module, size))
        counted = sum(oracles.flop_counter_macs(module, size).values())
        assert counted == sympy.sympify(cm.cost(net).macs).subs({**at, N: 2})


def looked_at(net: Network, row: int, column: int) -> object:
    """Return which pixels a position's gradient reaches, of positive weights."""
    module = cm.compile(net).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(0.5, 1.5)
    x = torch.rand(input_size(net), dtype=torch.double, requires_grad=True)
    module(x)[..., row, column].sum().backward()
    return (x.grad[0] != 0).numpy()


@pytest.mark.parametrize("mode", sorted(modes_of(2)))
@pytest.mark.parametrize("sides", [(4, 6), (3, 3), (9, 4), (8, 13), (1, 2)])
def test_interpolation_looks_where_its_gradient_is(
    mode: str, sides: tuple[int, int]
) -> None:
    x = Shape(1, (Extent(4), Extent(6)))
    resize = op.Resize(mode, shape=Shape(1, tuple(map(Extent, sides))))
    layers = [("input", op.Input(x), ()), ("resize", resize, ("input",))]
    net = Network.assemble(layers, batch=1)
    for row in range(sides[0]):
        for column in range(sides[1]):
            expected = looked_at(net, row, column)
            assert np.array_equal(expected, support(net, "resize", (row, column)))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_borders_and_transposed_kernels_look_where_their_gradient_is(mode: str) -> None:
    x = conv(image(1, 5, 6), 2, kernel=3, stride=2, padding=2, padding_mode=mode)
    x = conv_transpose(x, 1, kernel=(3, 2), stride=2, padding=1, output_padding=1)
    net = network(x, batch=1)
    name, shape = x.node.name, x.shape
    for row in range(int(shape.spatial[0].base)):
        for column in range(int(shape.spatial[1].base)):
            expected = looked_at(net, row, column)
            assert np.array_equal(expected, support(net, name, (row, column)))


def test_u_nets_halves_are_joined_at_sizes_that_two_divides() -> None:
    half = upsample(conv(image(3), 8, kernel=3, stride=2))
    assert str(half.shape) == "8×2*⌊(H+1)/2⌋×2*⌊(W+1)/2⌋" or half.shape.spatial
    there = network(half).bind(H=7, W=8)
    assert there.nodes[-1].output.sizes == (8, 8, 8)


@pytest.mark.parametrize(
    ("kind", "layer"), [("resize", "upsample"), ("conv_transpose", "conv_transpose")]
)
def test_a_field_of_fractional_strides_is_refused_by_name(
    kind: str, layer: str
) -> None:
    x = image(4)
    x = upsample(x) if layer == "upsample" else conv_transpose(x, 4, 2, 2)
    with pytest.raises(CostModelError, match=f'^{kind} at "{layer}1": '):
        assert cm.receptive_field(network(x)).size


def test_bytes_of_a_stored_operand_are_read_once_a_batch() -> None:
    stored = op.Parameter(Shape(4, (Extent(3),)))
    layers = [("table", stored, ()), ("matmul", op.MatMul(), ("input", "table"))]
    cost = cm.cost(tokens(*layers))
    assert cost.parameters == 12
    assert cost.bytes_read == 4 * (24 * N + 12)
    assert cost.bytes_written == 4 * 18 * N
    assert cost.macs == 72 * N


def test_what_is_made_of_stored_tensors_alone_is_counted_once() -> None:
    stored = op.Parameter(Shape(4, (Extent(3),)))
    layers = [
        ("table", stored, ()),
        ("relu", op.Pointwise("relu"), ("table",)),
        ("matmul", op.MatMul(), ("input", "relu")),
    ]
    cost = cm.cost(tokens(*layers))
    assert cost.tally.compare == 12
    assert cost.of("relu").bytes_written == 48
    assert cost.flops("all") == 144 * N + 12


def test_products_train_at_the_cost_of_both_gradients() -> None:
    stored = op.Parameter(Shape(4, (Extent(3),)))
    layers = [
        ("linear", op.Linear(4, bias=False), ("input",)),
        ("table", stored, ()),
        ("matmul", op.MatMul(), ("linear", "table")),
        ("scores", op.Einsum("nqd,nkd->nqk"), ("matmul", "matmul")),
    ]
    net = tokens(*layers).bind(N=2)
    costs = cm.training_cost(net)
    module = cm.compile(net)
    from costmodel.bridge.oracles.training_products import flop_counter_training_macs

    counted = sum(flop_counter_training_macs(module, (2, 6, 4)).values())
    assert costs.macs == counted
    assert costs.backward_weight == 2 * (6 * 4 * 4 + 6 * 4 * 3)


def test_totals_say_which_operators_are_unknown() -> None:
    x = op.Input(Shape(3, (Extent(8), Extent(8))))
    layers = [
        ("input", x, ()),
        ("pool", OPAQUE, ("input",)),
        ("conv", op.Conv(4, (1, 1)), ("pool",)),
    ]
    net = Network.assemble(layers)
    cost = cm.cost(net)
    assert cost.unknown == ("pool",)
    assert cost.partial == "partial: 1 operator unknown"
    assert cost.of("pool").partial == cost.partial
    assert cost.of("conv").partial == ""
    assert cost.macs == 8 * 4 * 49 * N
    assert Network.from_json(net.to_json()) == net


@pytest.mark.parametrize(
    ("ask", "problem"),
    [
        (cm.memory, 'opaque at "pool": which memory it takes is not known'),
        (lambda net: cm.receptive_field(net).size, 'opaque at "pool": roi_align: no'),
        (cm.training_cost, "opaque: what its backward multiplies is not known"),
        (cm.compile, 'opaque at "pool": has no PyTorch module'),
    ],
)
def test_what_an_unknown_operator_hides_is_an_error(ask: object, problem: str) -> None:
    x = op.Input(Shape(3, (Extent(8), Extent(8))))
    net = Network.assemble([("input", x, ()), ("pool", OPAQUE, ("input",))])
    with pytest.raises(CostModelError, match=f"^{problem}"):
        ask(net)  # type: ignore[operator]


Q, T = Shape(2, (Extent(5), Extent(3))), Shape(5, (Extent(3),))
WRONG = [
    ("inner sizes differ: 5×3 times 5×3", op.MatMul(), (T, T)),
    ("leading axes do not broadcast", op.MatMul(), (Q, Shape(4, (Extent(3),) * 2))),
    ("query, key and value do not fit", op.Attention(), (T, Shape(5, (Extent(4),)), T)),
    ('einsum nqd,nkd->nqk: "d" is 3 and 4', op.Einsum("nqd, nkd -> nqk"),
     (T, Shape(5, (Extent(4),)))),
    ("the batch is not first", op.Einsum("nqd,nkd->qnk"), (T, T)),
    ("needs channels × length", op.Conv(4, (3,)), (Q,)),
    ("groups 2 do not divide the 5 input channels", op.Conv(4, (3,), groups=2), (T,)),
    ("nothing of the output", op.ConvTranspose(1, (1, 1), padding=(3, 3)), (Q,)),
    ("channels differ", op.Resize("area", shape=Shape(3, Q.spatial)), (Q,)),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "layer", "inputs"), WRONG)
def test_operands_that_do_not_fit_are_named(
    problem: str, layer: op.Operator, inputs: tuple[Shape, ...]
) -> None:
    with pytest.raises(CostModelError) as caught:
        layer.output(*inputs)
    assert problem in str(caught.value)


BAD = [
    ("is not of the form ab,bc->ac", lambda: op.Einsum("nqd->nd")),
    ("is not a row of different letters", lambda: op.Einsum("nqq,nqd->nd")),
    ("the result has a new letter", lambda: op.Einsum("nq,nd->nz")),
    ("mode 'cubic' is none of nearest", lambda: op.Resize("cubic", (2, 2))),
    ("padding_mode 'mirror'", lambda: op.Conv(1, (1, 1), padding_mode="mirror")),
    ("output_padding 1×1 is not below",
     lambda: op.ConvTranspose(1, (2, 2), output_padding=(1, 1))),
    ("name '' is not text", lambda: op.Opaque("", T)),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "make"), BAD)
def test_operators_that_cannot_be_are_refused(problem: str, make: object) -> None:
    with pytest.raises(CostModelError) as caught:
        make()  # type: ignore[operator]
    assert problem in str(caught.value)


def behind_a_layer(layer: op.Operator, shape: Shape, *reads: str) -> Network:
    """Return a layer behind one that learns, perhaps beside a stored matrix."""
    side = shape.spatial[-1].base
    stored = op.Parameter(Shape(side, (Extent(7),)))
    layers = [("input", op.Input(shape), ()), ("x", op.Linear(side), ("input",))]
    layers += [("table", stored, ())] if "table" in reads else []
    return Network.assemble([*layers, ("layer", layer, reads or ("x",))], batch=2)


MAP = Shape(4, (Extent(5), Extent(6)))
SIZED = Shape(4, (Extent(8), Extent(3)))
REMEMBERED = [
    behind_a_layer(op.Linear(7), MAP),
    behind_a_layer(op.Conv(8, (3,), 2, 1, 1, 2), Shape(4, (Extent(6),))),
    behind_a_layer(op.ConvTranspose(6, (3, 2), (2, 3), (1, 0)), MAP),
    *(behind_a_layer(op.Conv(3, (3, 3), padding=(1, 2), padding_mode=mode), MAP)
      for mode in ("reflect", "replicate", "circular")),
    *(behind_a_layer(op.Resize(mode, (2, 3)), MAP) for mode in modes_of(2)),
    *(behind_a_layer(op.Resize(mode, shape=SIZED), MAP) for mode in modes_of(2)),
    behind_a_layer(op.MatMul(), MAP, "x", "table"),
    behind_a_layer(op.Einsum("nhqd,de->nhqe"), MAP, "x", "table"),
    behind_a_layer(op.Einsum("nhqd,nhkd->nhqk"), MAP, "x", "x"),
    behind_a_layer(op.Einsum("nhqd,nhqd->nhqd"), MAP, "x", "x"),
]  # fmt: skip


@pytest.mark.parametrize("net", REMEMBERED, ids=lambda net: str(net.nodes[-1].operator))
def test_every_step_has_the_bytes_that_pytorch_holds(net: Network) -> None:
    check(net)
    check(net, training=True)
    check_saved(net)


def test_layers_of_every_operator_are_executed() -> None:
    nets = [network(layer(image(4, 6, 6))) for layer in LAYERS]
    kinds = {type(n.operator).kind for net in [*nets, *REMEMBERED] for n in net.nodes}
    # Attention is asked below; the others hold nothing, or nobody knows what.
    assert set(op.OPERATORS) - {"attention", "derived", "opaque"} == kinds


def test_fused_attention_saves_what_its_rule_says() -> None:
    net = behind_a_layer(op.Attention(), MAP, "x", "x", "x")
    saved = [t for t in cm.memory(net, training=True).tensors if t.node == "layer"]
    q, k, v = (torch.rand(2, 4, 5, 6, requires_grad=True) for _ in range(3))
    seen: list[torch.Tensor] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        seen.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        torch.nn.functional.scaled_dot_product_attention(q, k, v)
    operands = {id(q), id(k), id(v)}
    own = [t.nbytes for t in seen if id(t) not in operands]
    assert len(seen) == 5
    assert sorted(own) == sorted(t.bytes for t in saved if t.is_saved)


@pytest.mark.parametrize(
    ("net", "problem"),
    [
        (behind_a_layer(op.Einsum("nhqd,nhqd->nhd"), MAP, "x", "x"), "copies operands"),
        (behind_a_layer(op.Einsum("nhqd,nhkd->nqk"), MAP, "x", "x"), "copies operands"),
    ],
)
def test_what_a_product_keeps_unknown_is_an_error(net: Network, problem: str) -> None:
    with pytest.raises(CostModelError, match=problem):
        cm.memory(net, training=True)

"""The laws of DESIGN on tensors of any rank, against modules that really run."""

from __future__ import annotations

from math import prod

import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import H, N, W, is_equal
from costmodel.algebra.tally import KINDS
from costmodel.bridge import oracles
from costmodel.network.graph import Network, parameters_by_name
from costmodel.testing import ROOMY
from costmodel.testing.tensors import tensor_networks


SIDES = st.integers(ROOMY, ROOMY + 24)


def sized(net: Network, batch: int, height: int, width: int) -> tuple[int, ...]:
    sizes = (sympy.sympify(s) for s in net.inputs[0].output.sizes)
    return (batch, *(int(s.subs({H: height, W: width})) for s in sizes))


@given(tensor_networks(), st.lists(st.tuples(SIDES, SIDES), min_size=2, max_size=2))
def test_one_compiled_module_has_the_formulas_shapes_at_every_size(
    net: Network, sizes: list[tuple[int, int]]
) -> None:
    module = cm.compile(net, device="meta")
    for height, width in sizes:
        at = {H: height, W: width}
        expected = {
            n.name: (2, *(int(sympy.sympify(s).subs(at)) for s in n.output.sizes))
            for n in net.nodes
        }
        executed = oracles.executed_shapes(module, sized(net, 2, height, width))
        assert expected == dict(executed)


@given(tensor_networks())
def test_parameters_are_those_of_the_module_and_its_state_dict(net: Network) -> None:
    module, cost = cm.compile(net, device="meta"), cm.cost(net)
    stored = oracles.stored_shapes(module)
    assert parameters_by_name(net) == stored
    assert cost.parameters == oracles.learnable(module)
    assert cost.parameters + cost.buffers == sum(map(prod, stored.values()))


@given(tensor_networks(), SIDES, SIDES)
def test_binding_and_counting_commute(net: Network, height: int, width: int) -> None:
    values = {H: height, W: width, N: 3}
    chosen = {s: v for s, v in values.items() if s in net.free_symbols}
    free, bound = cm.cost(net), cm.cost(net.bind(chosen))
    for kind in KINDS:
        late = sympy.sympify(getattr(free.tally, kind)).subs(values)
        assert late == getattr(bound.tally, kind)
    for metric in ("bytes_read", "bytes_written", "parameters"):
        assert sympy.sympify(free.metric(metric)).subs(values) == bound.metric(metric)


@given(tensor_networks())
def test_json_gives_the_network_back(net: Network) -> None:
    back = Network.from_json(net.to_json())
    assert [n.operator for n in back.nodes] == [n.operator for n in net.nodes]
    for one, other in zip(net.nodes, back.nodes, strict=True):
        assert one.output.same_as(other.output)
    assert is_equal(cm.cost(net).bytes_written, cm.cost(back).bytes_written)


FEWER = settings(max_examples=settings().max_examples // 2)


@FEWER
@given(tensor_networks(most=5))
def test_fvcore_and_flop_counter_mode_count_what_their_conventions_say(
    net: Network,
) -> None:
    values = {s: v for s, v in {H: 17, W: 16, N: 2}.items() if s in net.free_symbols}
    bound = net.bind(values)
    size, cost = sized(bound, 2, 17, 16), cm.cost(bound)
    counted = oracles.fvcore_macs(cm.compile(bound), size)
    assert cost.flops("fvcore") == sum(counted.values())
    macs = oracles.flop_counter_macs(cm.compile(bound, device="meta"), size)
    assert cost.flops("torch") == 2 * sum(macs.values())

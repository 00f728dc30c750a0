"""What is compiled and traced is what it was; what nobody can follow is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest
import sympy
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel.algebra.symbols import Dim, H, W
from costmodel.algebra.tally import KINDS
from costmodel.analysis.cost import METRICS
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network, parameters_by_name
from costmodel.testing import networks
from costmodel.testing.products import enlarging_networks, product_networks
from costmodel.testing.tensors import tensor_networks
from tests.bridge.trace.modules import Branching, Code


FEWER = settings(max_examples=settings().max_examples // 2)
LARGEST = 1000
"""More nodes than that, and a proof of isomorphism is left to the order of nodes."""


@given(networks())
def test_a_generated_network_comes_back_as_it_was(net: Network) -> None:
    # Padding by nothing is nothing.
    assume(op.Pad((0, 0, 0), (0, 0, 0)) not in {node.operator for node in net.nodes})
    net = two_at_a_time(net)
    traced = again(net)
    assert is_same(net, traced)
    assert parameters_by_name(net) == parameters_by_name(traced)
    assert everything(net) == everything(traced)


@FEWER
@given(st.one_of(tensor_networks(), product_networks(), enlarging_networks(H, W)))
def test_networks_of_tensors_come_back_with_their_work_and_shapes(net: Network) -> None:
    traced = again(net)
    costs, others = cm.cost(net), cm.cost(traced)
    assert (costs.macs, costs.parameters) == (others.macs, others.parameters)
    # A product with a stored tensor comes back as a layer, which stores it itself; a
    # leading 1 of a tensor without a batch is where the batch would be.
    assert operands(traced).items() <= operands(net).items()
    assert sizes(net, 37, 51) == sizes(traced, 37, 51)
    assert sizes(net, 64, 80) == sizes(traced, 64, 80)


def sampled(_: Any, x: torch.Tensor) -> torch.Tensor:
    places = x.mean(1).unsqueeze(-1).expand(-1, -1, -1, 2)
    return F.grid_sample(x, places, align_corners=False)


def recurrent(module: Any, x: torch.Tensor) -> torch.Tensor:
    rows = module.rows(x.reshape(x.shape[0], -1, 1))[0]
    return x * rows.mean((1, 2)).reshape(-1, 1, 1, 1)


UNRULY: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    "fft_fft": lambda _, x: torch.fft.fft(x).real,
    "sort": lambda _, x: torch.sort(x).values,
    "grid_sample": sampled,
    "lstm": recurrent,
    "its control flow depends on data": lambda module, x: module.branch(x),
}


@FEWER
@given(networks(), st.sampled_from(sorted(UNRULY)), st.data())
def test_what_nobody_can_follow_is_refused_by_name(
    net: Network, unruly: str, data: st.DataObject
) -> None:
    module = cm.compile(net, device="meta")
    maps = [n for n in net.nodes if len(n.output.spatial) == 2]
    place = data.draw(st.sampled_from(maps)).name
    extra = Code(
        UNRULY[unruly], rows=nn.LSTM(1, 2, batch_first=True, device="meta"),
        branch=Branching(),
    )  # fmt: skip
    insert(module, place, extra)
    with pytest.raises(CostModelError) as error:
        trace(module, net.inputs[0].output.sizes)
    assert unruly in str(error.value)
    assert "unruly" in str(error.value)


def insert(module: Any, place: str, extra: nn.Module) -> None:
    """Call a module between a node of a compiled network and those that read it."""
    module.add_module("unruly", extra)
    node = next(n for n in module.graph.nodes if n.meta.get("node") == place)
    with module.graph.inserting_after(node):
        call = module.graph.call_module("unruly", (node,))
    node.replace_all_uses_with(call, delete_user_cb=lambda user: user is not call)
    module.recompile()


def again(net: Network) -> Network:
    """Return a network compiled and traced."""
    image = net.inputs[0].output.sizes
    return trace(cm.compile(net, device="meta"), image, batch=net.batch, name=net.name)


def two_at_a_time(net: Network) -> Network:
    """Return a network whose sums are of two, as they are when they are compiled."""
    layers: list[tuple[str, op.Operator, tuple[str, ...]]] = []
    for node in net.nodes:
        first, *others = node.inputs or ("",)
        if isinstance(node.operator, op.Arithmetic) and others:
            for number, other in enumerate(others[:-1]):
                part = f"{node.name}_part{number}"
                layers.append((part, node.operator, (first, other)))
                first = part
            layers.append((node.name, node.operator, (first, others[-1])))
        else:
            layers.append((node.name, node.operator, node.inputs))
    return Network.assemble(layers, net.outputs, net.name, net.batch)


def is_same(net: Network, other: Network) -> bool:
    """Say whether two networks have the same operators, read by the same ones.

    The order of the nodes is one isomorphism; networkx finds one by itself.
    """
    places = [{node.name: i for i, node in enumerate(x.nodes)} for x in (net, other)]
    ours, theirs = (
        [(n.operator, [place[source] for source in n.inputs]) for n in x.nodes]
        for x, place in zip((net, other), places, strict=True)
    )
    if len(net.nodes) > LARGEST:
        return ours == theirs
    found = nx.vf2pp_is_isomorphic(net.graph, other.graph, node_label="operator")
    return ours == theirs and bool(found)


def everything(net: Network) -> list[Dim]:
    """Return every quantity of a network, formulas or numbers."""
    costs = cm.cost(net)
    return [
        *(costs.metric(name) for name in METRICS),
        *(getattr(costs.tally, kind) for kind in KINDS),
    ]


def operands(net: Network) -> dict[str, tuple[Dim, ...]]:
    """Return the shapes of stored operands by name, without an axis for the batch."""
    stored = {n.name for n in net.nodes if isinstance(n.operator, op.Parameter)}
    found = parameters_by_name(net).items()
    return {
        name: shape[1:] if shape[0] == 1 and shape[1:] else shape
        for name, shape in found
        if name.rpartition(".")[0] in stored
    }


def sizes(net: Network, height: int, width: int) -> list[list[Any]]:
    """Return the sizes of every output at one size of the input."""
    shapes = [[sympy.sympify(s) for s in net[end].output.sizes] for end in net.outputs]
    return [[s.subs({H: height, W: width}) for s in shape] for shape in shapes]

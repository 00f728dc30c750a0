"""Chains of pointwise operators as one kernel: what has to hold for every network."""

from __future__ import annotations

import pytest
from hypothesis import given

import costmodel as cm
from costmodel.network.build import (
    activation,
    add,
    batch_norm,
    concat,
    conv,
    image,
    network,
    relu,
)
from costmodel.network.graph import Network
from costmodel.runtime.kernels import Setting, kernels
from tests.drawn import bound_networks


EAGER, COMPILED = Setting(), Setting(mode="compile")


def ran(net: Network, setting: Setting) -> list[str]:
    """Return the nodes that kernels run, in order."""
    return [name for kernel in kernels(net, setting) for name in kernel.nodes]


@given(bound_networks())
def test_fusing_runs_every_operator_once_and_moves_no_more(net: Network) -> None:
    assert set(ran(net, COMPILED)) == set(ran(net, EAGER))
    apart, fused = kernels(net, EAGER), kernels(net, COMPILED)
    assert len(fused) <= len(apart)
    for total in ("activation_bytes", "weight_bytes"):
        before, after = (sum(getattr(k, total) for k in ks) for ks in (apart, fused))
        assert after <= before
    assert sum(k.work for k in fused) == sum(k.work for k in apart)


@given(bound_networks())
def test_a_kernel_runs_after_all_that_it_reads(net: Network) -> None:
    step = {}
    for number, kernel in enumerate(kernels(net, COMPILED)):
        step |= dict.fromkeys(kernel.nodes, number)
    for node in net.nodes:
        ready = [step[source] for source in node.inputs if source in step]
        if node.name in step and ready:
            assert max(ready) <= step[node.name]


def test_two_chains_that_meet_are_one_kernel() -> None:
    x = image(4, 8, 8)
    left, right = batch_norm(conv(x, 4, kernel=1)), batch_norm(conv(x, 4, kernel=1))
    net = network(relu(add(left, right)), batch=1)
    last = kernels(net, COMPILED)[-1]
    # Two results of convolutions in, one out: 3 · 4·8·8 elements of 4 bytes.
    assert (last.kind, len(last.nodes), last.activation_bytes) == ("fused", 4, 3072)


def test_chains_that_wait_for_each_other_stay_apart() -> None:
    x = image(4, 8, 8)
    one, other = relu(x), activation(x, "silu")
    there = add(one, other)
    back = add(other, conv(one, 4, kernel=3, padding=1))
    kinds = [k.kind for k in kernels(network(concat(there, back), batch=1), COMPILED)]
    # The last sum waits for the convolution, which waits for the first loop.
    assert kinds.count("fused") + kinds.count("add") == 2
    assert kinds[0] == "fused"


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_no_norm_or_sum_before_a_rectifier_runs_alone(name: str) -> None:
    net = cm.load(name, resolution=64, batch=1)
    chained = {"batch_norm", "add"}
    assert not chained & {kernel.kind for kernel in kernels(net, COMPILED)}

"""Activations in place: the same results, and never over what is still needed."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from torch import nn

from costmodel.bridge.compile import compile as compile_
from costmodel.bridge.oracles.in_place import ACTIVATIONS, overwrite
from costmodel.network import build
from costmodel.network.graph import Network
from tests.drawn import bound_networks, input_size


def results(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    with torch.inference_mode():
        found = module(x.clone())
    return found if isinstance(found, tuple) else (found,)


@settings(max_examples=max(60, settings().max_examples))
@given(bound_networks())
def test_what_a_network_computes_stays_the_same(net: Network) -> None:
    module = compile_(net)
    x = torch.randn(input_size(net))
    before = results(module, x)
    after = results(overwrite(module), x)
    # A window in the padding alone has the maximum −∞, whose softmax is no number.
    torch.testing.assert_close(after, before, rtol=0, atol=0, equal_nan=True)


def in_place(net: Network) -> list[bool]:
    module = overwrite(compile_(net))
    return [leaf.inplace for leaf in module.modules() if isinstance(leaf, ACTIVATIONS)]


def test_an_operand_that_something_else_reads_is_left_alone() -> None:
    def x() -> build.Value:
        return build.conv(build.image(3, 8, 8), 4, kernel=3)

    alone = build.network(build.relu(build.batch_norm(x())))
    summed = build.network(build.relu(build.add(y := x(), build.conv(y, 4, kernel=1))))
    shared = build.network(build.add(build.relu(z := x()), z))
    of_the_input = build.network(build.relu(build.image(3, 8, 8)))
    assert in_place(alone) == in_place(summed) == [True]
    assert in_place(shared) == in_place(of_the_input) == [False]


def test_a_view_is_left_alone() -> None:
    x = build.conv(build.image(4, 8, 8), 4, kernel=1)
    one, other = build.split(x, 2)
    net = build.network(build.concat(build.relu(one), other))
    assert in_place(net) == [False]

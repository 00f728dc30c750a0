"""What modules and files share: the same calls are read as the same operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import costmodel as cm
from costmodel.algebra.polynomial import size
from costmodel.bridge.importing.batch_axis import split
from costmodel.bridge.importing.graph import Graph
from costmodel.bridge.importing.symbolic_int import Record
from costmodel.bridge.onnx import read
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from tests.bridge.test_onnx import exported, in_memory, in_order
from tests.bridge.trace.modules import Code
from tests.bridge.trace.test_trace_modules import CODE


SAME = [
    "gate of linear layers", "gate of convolutions", "standardized weights",
    "functions", "padding same", "padding by reflection", "scales and shifts",
    "x.shape[-2:]", "whole factors", "one and a half", "pixels from channels",
    "transposed", "channels last", "einsum", "einsum of two",
    "split and joined", "stacked and summed",
]  # fmt: skip
"""Modules that PyTorch's exporter writes call by call."""


def said(net: Network) -> list[tuple[Any, ...]]:
    """Return the operators of a network, and what they read, by their places."""
    places = {node.name: place for place, node in enumerate(net.nodes)}
    return [
        (node.operator, node.output, *(places[name] for name in node.inputs))
        for node in net.nodes
    ]


@pytest.mark.parametrize("name", SAME)
def test_a_file_is_read_as_the_module_is_traced(name: str, tmp_path: Path) -> None:
    module = in_order(CODE[name].to_empty(device="cpu"))
    file = read(exported(module, tmp_path, 2, 3, 32, 40))
    assert said(file) == said(cm.trace(module))


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5"])
def test_a_network_is_the_same_node_by_node(name: str, tmp_path: Path) -> None:
    module = in_memory(name)
    file = read(exported(module, tmp_path, 2, 3, 224, 224))
    assert said(file) == said(cm.trace(module))


def traced(code: Any) -> Network:
    return cm.trace(Code(lambda _, x: code(x)))


def conditions(net: Network) -> list[str]:
    return [constraint.needs for constraint in net.constraints]


def test_a_slice_that_ends_beyond_the_axis_says_where_it_does() -> None:
    whole = traced(lambda x: torch.relu(x[:, :, :300]))
    assert conditions(whole) == ["H ≤ 300"]
    assert conditions(traced(lambda x: torch.relu(x[:, :, :100]))) == ["H ≥ 100"]
    assert conditions(traced(lambda x: torch.relu(x[:, :, : 2**31]))) == []


def test_a_slice_may_go_from_one_formula_to_another() -> None:
    net = traced(lambda x: x[:, :, x.shape[2] // 4 : x.shape[2] // 2])
    assert [n.operator.kind for n in net.nodes] == ["input", "slice", "reshape"]
    assert [net.bind(H=h).nodes[-1].output.sizes[1] for h in (8, 9, 11)] == [2, 2, 3]


def test_functions_are_read_however_they_order_their_arguments() -> None:
    stored = [torch.ones(3) for _ in range(4)]
    kernel = traced(lambda x: torch.batch_norm(x, *stored, False, 0.1, 1e-5, True))
    mean, var, weight, bias = stored
    function = traced(
        lambda x: nn.functional.batch_norm(x, mean, var, weight, bias, training=False)
    )
    assert kernel.nodes[-1].operator == function.nodes[-1].operator
    none = (None,) * 4
    plain = traced(lambda x: torch.instance_norm(x, *none, True, 0.1, 1e-5, True))
    assert plain.nodes[-1].operator.kind == "instance_norm"


def test_sizes_are_guessed_from_the_same_axis_first() -> None:
    values = {cm.N: 13, cm.H: 256, cm.W: 320}
    graph = Graph(batch=size(cm.N), record=Record(values))
    operand = (size(cm.N), size(256), size(cm.H), size(cm.W))
    assert graph.guessed((13, 256, 320), [operand]) == (
        size(cm.N), size(256), size(cm.W),
    )  # fmt: skip
    assert graph.guessed((256, 5), [operand], from_end=True) == (size(cm.H), size(5))


def test_two_axes_of_the_batch_leave_no_sample() -> None:
    with pytest.raises(CostModelError, match="two axes depend on the batch"):
        split((size(cm.N), size(2 * cm.N)), size(cm.N))

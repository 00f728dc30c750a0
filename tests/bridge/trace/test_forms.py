"""The form in which code calls an operator: read, kept, and written again."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from hypothesis import given, settings
from torch import nn
from torch.nn.functional import relu as imported

import costmodel as cm
from costmodel.analysis.conventions import CONVENTIONS
from costmodel.errors import CostModelError
from costmodel.network import build
from costmodel.network.graph import Network
from costmodel.testing import networks
from costmodel.testing.forms import in_forms
from tests.bridge.trace.modules import Code
from tests.bridge.trace.test_trace_round_trips import again
from tests.drawn import bound_networks


FEWER = settings(max_examples=settings().max_examples // 2)


class Norm(nn.LayerNorm):
    """A normalization of torchvision's and timm's kind: channels come first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalize the channels at each position."""
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class Own(nn.ReLU):
    """A class of one's own, without weights."""


CALLS: dict[str, tuple[Callable[[Any, torch.Tensor], Any], str, str]] = {
    "nn.ReLU": (lambda m, x: m.act(x), "relu", "module"),
    "nn.Conv2d": (lambda m, x: m.conv(x), "conv", "module"),
    "a ReLU of one's own": (lambda m, x: m.own(x), "relu", "function"),
    "a LayerNorm of one's own": (lambda m, x: m.norm(x), "layer_norm", "subclass"),
    "F.relu": (lambda _, x: F.relu(x), "relu", "function"),
    "F.relu in place": (lambda _, x: F.relu(x, inplace=True), "relu", "function"),
    "F.relu_": (lambda _, x: F.relu_(x), "relu", "method"),
    "F.relu by its name": (lambda _, x: imported(x), "relu", "method"),
    "torch.relu": (lambda _, x: torch.relu(x), "relu", "method"),
    "x.relu": (lambda _, x: x.relu(), "relu", "method"),
    "F.conv2d": (lambda m, x: F.conv2d(x, m.conv.weight), "conv", "function"),
    "torch.conv2d": (lambda m, x: torch.conv2d(x, m.conv.weight), "conv", "method"),
    "F.max_pool2d": (lambda _, x: F.max_pool2d(x, 2), "max_pool", "function"),
    "torch.max_pool2d": (lambda _, x: torch.max_pool2d(x, 2), "max_pool", "method"),
    "F.avg_pool2d": (lambda _, x: F.avg_pool2d(x, 2), "avg_pool", "function"),
    "F.adaptive_max_pool2d with places": (
        lambda _, x: F.adaptive_max_pool2d(x, 3, return_indices=True)[0],
        "adaptive_max_pool", "function"),
    "F.dropout": (lambda _, x: F.dropout(x), "dropout", "function"),
    "F.softmax": (lambda _, x: F.softmax(x, 1), "softmax", "function"),
    "x.softmax": (lambda _, x: x.softmax(1), "softmax", "method"),
    "x + y": (lambda _, x: x + x, "add", "method"),
    "x += y": (lambda _, x: x.__iadd__(x), "add", "method"),
    "torch.add": (lambda _, x: torch.add(x, x), "add", "function"),
    "x.add": (lambda _, x: x.add(x), "add", "function"),
    "x * 2": (lambda _, x: 2 * x, "multiply", "method"),
    "x.mul": (lambda _, x: x.mul(2), "multiply", "function"),
    "torch.addcmul": (lambda _, x: torch.addcmul(x, x, x), "add", "method"),
    "F.glu": (lambda _, x: F.glu(x, 1), "gated", "method"),
    "x @ y": (lambda _, x: x @ x, "matmul", "method"),
    "x.matmul": (lambda _, x: x.matmul(x), "matmul", "function"),
    "torch.matmul": (lambda _, x: torch.matmul(x, x), "matmul", "function"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Code. . parameters are never used")
@pytest.mark.parametrize("call", CALLS)
def test_the_form_of_a_call_is_kept(call: str) -> None:
    run, kind, form = CALLS[call]
    parts = {"act": nn.ReLU(), "own": Own(), "conv": nn.Conv2d(4, 4, 1, bias=False)}
    module = Code(run, norm=Norm(4), **parts).eval()
    before = dict(vars(F)), dict(vars(torch.Tensor)), torch.add
    net = cm.trace(module, (4, 8, 8), batch=1)
    assert before == (dict(vars(F)), dict(vars(torch.Tensor)), torch.add)
    found = [node.form for node in net.nodes if node.operator.kind == kind]
    assert found == [form]
    assert {node.form for node in net.nodes if not node.inputs} == {"module"}


@FEWER
@given(networks().flatmap(in_forms))
def test_every_way_of_making_a_network_again_keeps_its_forms(net: Network) -> None:
    sides = {
        symbol: 2 * symbol for symbol in (cm.H, cm.W) if symbol in net.free_symbols
    }
    for made in (
        Network.from_json(net.to_json()), Network.from_graph(net.graph),
        net.bind(sides), cm.widen(net, 1),
    ):  # fmt: skip
        assert [node.form for node in net.nodes] == [node.form for node in made.nodes]
    assert Network.from_json(net.to_json()) == net


@FEWER
@given(bound_networks().flatmap(in_forms))
def test_what_is_compiled_in_any_form_and_traced_counts_alike(net: Network) -> None:
    counts, others = cm.cost(net), cm.cost(again(net))
    for name in CONVENTIONS:
        assert counts.flops(name) == others.flops(name), name


def test_compiled_forms_can_be_copied_and_stored() -> None:
    x = build.relu(build.batch_norm(build.image(3, 8, 8)))
    written = {"relu": "function", "batch_norm": "subclass"}
    module = cm.compile(build.network(x, written=written))
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):  # noqa: S301
        assert [type(part) for part in twin.children()] == [
            type(part) for part in module.children()
        ]
        assert all(isinstance(p, (nn.ReLU, nn.BatchNorm2d)) for p in twin.children())


def test_old_files_are_of_modules_and_unknown_forms_are_refused() -> None:
    x = build.relu(build.image(3, 8, 8))
    net, plain = build.network(x, written={"relu": "method"}), build.network(x)
    text = net.to_json()
    assert '"form": "method"' in text
    assert "form" not in plain.to_json()
    with pytest.raises(
        CostModelError,
        match=r"^relu at \"relu1\": form 'macro' is none of module, func",
    ):
        Network.from_json(text.replace("method", "macro"))
    with pytest.raises(CostModelError, match=r"form \['module'\] is none of"):
        Network.from_json(text.replace('"method"', '["module"]'))
    assert cm.cost(net).macs == cm.cost(plain).macs
    assert net != plain

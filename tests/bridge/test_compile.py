"""Compiled modules: real leaves, readable code, names that follow scopes."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn

import costmodel as cm
from costmodel.bridge.compile.leaf_table import FUNCTIONS, LEAVES, SIZED
from costmodel.network import operators as op
from costmodel.network.build import (
    concat,
    conv,
    flatten,
    image,
    linear,
    network,
    relu,
    scope,
)
from costmodel.network.shape import Shape


def test_leaves_are_torch_modules_named_by_scope() -> None:
    module = cm.compile(cm.load("resnet18"), device="meta")
    assert isinstance(module, fx.GraphModule)
    leaf = module.get_submodule("stage2.block1.conv1")
    assert isinstance(leaf, nn.Conv2d)
    assert (leaf.in_channels, leaf.out_channels, leaf.stride) == (64, 128, (2, 2))


def test_code_reads_like_the_network() -> None:
    with_scope = image(1)
    with scope("body"):
        x = relu(conv(with_scope, 2, kernel=1))
        y = conv(with_scope, 3, kernel=1)
    module = cm.compile(network(concat(x, y), name="two_branches"))
    lines = [line.split(";")[0].strip() for line in module.code.strip().splitlines()]
    assert lines == [
        "def forward(self, x):",
        "body_conv1 = self.body.conv1(x)",
        "body_relu1 = self.body.relu1(body_conv1)",
        "body_conv2 = self.body.conv2(x)",
        "concat1 = torch.cat((body_relu1, body_conv2), 1)",
        "return concat1",
    ]


def test_every_operator_has_a_module_or_a_function() -> None:
    in_graph = {op.Input, op.Concat, op.Parameter}
    compiled = in_graph | set(LEAVES) | set(map(type, FUNCTIONS)) | set(SIZED)
    not_known = {op.Opaque, op.Derived}
    assert set(op.OPERATORS.values()) == compiled | not_known


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "resnet20_cifar"])
def test_real_numbers_come_out_and_depend_on_the_input(name: str) -> None:
    architecture = cm.architectures()[name]
    torch.manual_seed(0)
    module = cm.compile(cm.load(name, resolution=architecture.resolution))
    shape = (
        2,
        architecture.input_channels,
        architecture.resolution,
        architecture.resolution,
    )
    with torch.no_grad():
        output = module(torch.randn(shape))
    assert torch.isfinite(output).all()
    assert not torch.allclose(output[0], output[1])


def test_lenet5_subsampling_is_a_scaled_sum_with_a_bias() -> None:
    module = cm.compile(cm.load("lenet5", resolution=32))
    layer = module.get_submodule("S2")
    x = torch.arange(6 * 16.0).reshape(1, 6, 4, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(6.0))
        layer.bias.fill_(1)
        output = layer(x)
    corner = x[0, 3, :2, :2].sum().item()
    assert output[0, 3, 0, 0].item() == 3 * corner + 1


def test_lenet5_c3_sees_only_the_maps_of_its_table() -> None:
    module = cm.compile(cm.load("lenet5", resolution=32))
    layer = module.get_submodule("C3")
    x = torch.zeros(1, 6, 14, 14, requires_grad=True)
    layer(x)[0, 6].sum().backward()  # map 6 sees maps 0, 1, 2 and 3
    seen = [bool(x.grad[0, c].abs().sum() > 0) for c in range(6)]
    assert seen == [True, True, True, True, False, False]


def test_a_symbol_left_names_the_node_and_what_to_bind() -> None:
    with pytest.raises(
        cm.CostModelError,
        match=r'conv at "stem.conv1": .* 64\*alpha is symbolic; bind alpha first',
    ):
        cm.compile(cm.load("resnet18", width=cm.alpha))


def test_a_head_whose_weights_depend_on_the_size_says_so() -> None:
    net = network(linear(flatten(conv(image(), 4, kernel=3)), 10))
    with pytest.raises(
        cm.CostModelError, match=r'linear at "linear1": .* 4\*H\*W .* bind H, W first'
    ):
        cm.compile(net)


def test_any_size_and_batch_run_while_they_are_free() -> None:
    module = cm.compile(cm.load("mobilenet_v1", width="1/32"))
    with torch.no_grad():
        assert module(torch.zeros(3, 3, 33, 65)).shape == (3, 1000)


def test_several_inputs_are_several_arguments() -> None:
    net = cm.Network.assemble([
        ("left", op.Input(Shape(4)), ()),
        ("right", op.Input(Shape(4)), ()),
        ("sum", op.Arithmetic("add"), ("left", "right")),
    ])  # fmt: skip
    one = torch.ones(2, 4)
    assert torch.equal(cm.compile(net)(one, one), 2 * one)


@pytest.mark.parametrize(
    "name",
    ["for", "forward", "training", "parameters", "graph", "self", "_buffers", "_code"],
)
def test_names_that_modules_keep_for_themselves_are_refused(name: str) -> None:
    net = network(relu(image(), name=name))
    with pytest.raises(cm.CostModelError, match=f'relu at "{name}": .* rename it'):
        cm.compile(net)


def test_an_unknown_device_is_one_clear_error() -> None:
    with pytest.raises(cm.CostModelError, match='relu at "relu1": PyTorch refuses it'):
        cm.compile(network(relu(image())), device="nope")

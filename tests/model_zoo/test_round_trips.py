"""Known networks compiled and traced, and the originals beside our definitions."""

from __future__ import annotations

import pytest
import sympy

import costmodel as cm
from costmodel.algebra.symbols import Dim
from costmodel.bridge.trace import trace
from costmodel.network.graph import Network, parameters_by_name
from costmodel.network.registry import architectures, find, load
from tests.bridge.trace.chosen import either, spread
from tests.bridge.trace.test_trace_round_trips import again, everything, is_same
from tests.model_zoo.test_timm import PAIRS
from tests.model_zoo.test_timm import theirs as timms
from tests.model_zoo.test_torchvision import NAMES
from tests.zoo import torchvision_network


OF_EVERY_FAMILY = [
    "lenet5", "alexnet", "googlenet", "vgg11_bn", "bn_inception", "inception_v4",
    "resnet50", "densenet121", "extreme_inception", "preact_resnet18", "squeezenet1_1",
    "se_resnext50_32x4d", "shufflenet_v1", "shufflenet_v2_x0_5", "nasnet_a_mobile",
    "mobilenet_v3_small", "efficientnet_b0", "regnet_y_400mf", "darts_cifar",
]  # fmt: skip


@pytest.mark.parametrize("name", either(list(architectures()), OF_EVERY_FAMILY))
def test_an_architecture_comes_back_as_it_was(name: str) -> None:
    net = load(name)
    if has_fixed_head(net):
        net = load(name, resolution=find(name).resolution)
    once = again(net)
    assert is_same(net, once)
    assert parameters_by_name(net) == parameters_by_name(once)
    assert everything(net) == everything(once)
    assert is_same(net, again(once))


@pytest.mark.parametrize("name", spread(NAMES, 12))
def test_torchvisions_original_has_the_cost_of_our_definition(name: str) -> None:
    ours, traced = load(name, variant="torchvision"), trace(torchvision_network(name))
    if has_fixed_head(ours):
        side = find(name).resolution
        ours, traced = ours.bind(H=side, W=side), traced.bind(H=side, W=side)
    assert totals(ours) == totals(traced)


@pytest.mark.parametrize("name", spread(list(PAIRS), 8))
def test_timms_original_has_the_cost_of_our_definition(name: str) -> None:
    other, options = PAIRS[name]
    ours, traced = totals(load(name, **options)), totals(trace(timms(other)))
    assert ours == traced


def has_fixed_head(net: Network) -> bool:
    """Say whether a linear layer takes one size of the image only."""
    weights = [w for node in net.nodes for w in net.weights_of(node).values()]
    sizes = [sympy.sympify(size) for weight in weights for size in weight.shape]
    return any(size.free_symbols for size in sizes)


def totals(net: Network) -> dict[str, Dim]:
    """Return what does not depend on how a network is written."""
    costs = cm.cost(net)
    return {name: costs.metric(name) for name in ("macs", "parameters", "activations")}

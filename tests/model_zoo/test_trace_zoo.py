"""Networks of torchvision and timm: traced, and counted to the last integer."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
from torch import nn

import costmodel as cm
from costmodel.algebra.extent import Extent, normal
from costmodel.algebra.polynomial import size
from costmodel.algebra.symbols import H, N, W
from costmodel.analysis.input_sizes import Side
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from tests.bridge.trace.chosen import either, listed, spread
from tests.bridge.trace.executed import Counts, executed
from tests.zoo import timm, torchvision_models, torchvision_network


TORCHVISION = listed("torchvision.txt")
TIMM = listed("timm_cnns.txt")

FAMILIES = [
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s",
    "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v2",
    "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50",
    "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t",
    "vgg11_bn", "vit_b_16", "wide_resnet50_2",
]  # fmt: skip
"""One of each family of torchvision's."""

FAILURES = {
    # Frequencies are picked by an index that a buffer holds.
    "csatv2": r"rule: getitem with a list or a tensor of places \(1×\) in stem_dct;",
    # Filters are mixed anew for each image.
    "efficientnet_cc_b0_4e": r"rule: conv2d with a weight for each sample \(24×\) "
    r"in blocks\.4\.0\.conv_pw,",
    "efficientnet_cc_b1_8e": r"rule: conv2d with a weight for each sample \(33×\) "
    r"in blocks\.4\.0\.conv_pw,",
}
"""Networks of timm's with operators that nobody has a rule for, and what is said."""

ONE_SIZE = {"maxvit_t", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32"}
"""Networks that take the one size that they were made for."""

PROBES = [(257, 291), (205, 317)]
"""Odd sizes; where a network takes others only, the nearest of those."""

MIXED = re.compile(
    "swin|maxvit|vit_|bat_|.*gcres|resnet50_clip$|efficientnet_[hx]|tf_|fastvit"
    "|mobilenetv4_hybrid|mobilenetv5|hrnet|nasnet|dm_nfnet|pnasnet|shvit|efficientvi"
    "|iformer|lowformer|swiftformer|pvt"
)
"""Networks with sizes that are more than one floor: tokens h·w, maps made larger."""


@pytest.mark.parametrize("name", either(TORCHVISION, FAMILIES))
def test_torchvision_is_traced_to_the_last_integer(name: str) -> None:
    agrees_with(torchvision_network(name), name)


@pytest.mark.parametrize("name", spread([n for n in TIMM if n not in FAILURES], 25))
def test_timm_is_traced_to_the_last_integer(name: str) -> None:
    agrees_with(timm_network(name), name)


@pytest.mark.parametrize("name", FAILURES)
def test_what_has_no_rule_is_refused_by_name(name: str) -> None:
    with pytest.raises(CostModelError, match=FAILURES[name]):
        trace(timm_network(name))


def test_the_lists_are_all_of_torchvision_and_timm_by_and_large() -> None:
    models = torchvision_models()
    assert sorted(models.list_models(module=models)) == TORCHVISION
    assert set(FAMILIES) <= set(TORCHVISION)
    assert set(TIMM) <= set(timm().list_models())
    assert len(TIMM) == len(set(TIMM)) >= 200
    assert len(FAILURES) <= 0.02 * len(TIMM)
    families = {timm().models.model_entrypoint(n).__module__ for n in TIMM}
    assert len(families) >= 45


def timm_network(name: str) -> nn.Module:
    """Return one of timm's networks in evaluation mode, without memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm's own deprecated calls
        with torch.device("meta"):
            return timm().create_model(name, pretrained=False).eval()


def agrees_with(module: nn.Module, name: str) -> None:
    """Hold a traced network against its module at its usual size and two odd ones."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        net = trace(module)
    extents = {extent for node in net.nodes for extent in node.output.spatial}
    assert [e for e in extents if not is_normal(e)] == []
    assert bool(MIXED.match(name)) or all(map(is_pure, extents))
    sizes = [near(net, 224, 224), *(near(net, *probe) for probe in PROBES)]
    bound = {place: bound_to(net, *place) for place in sizes}
    taken = {place: one for place, one in bound.items() if one is not None}
    assert len(taken) == (1 if name in ONE_SIZE else 3)
    macs = cm.lambdify(cm.cost(net).macs, (N, H, W))
    for place, one in taken.items():
        counts, costs = executed(module, (2, 3, *place)), cm.cost(one)
        ours = Counts(costs.macs, costs.parameters, costs.activations, counts.unused)
        assert counts == ours
        assert counts.macs == macs(2, *place)
        assert bool(counts.unused) == bool(said)
    for place in {*sizes, *PROBES} - taken.keys():
        is_refused_rightly(net, module, *place)


def bound_to(net: Network, height: int, width: int) -> Network | None:
    """Return a network at a size, if it takes that."""
    try:
        return net.bind(N=2, H=height, W=width)
    except CostModelError:
        return None


def is_refused_rightly(
    net: Network, module: nn.Module, height: int, width: int
) -> None:
    """Check that a module fails at a size that is refused, or runs other code there."""
    with pytest.raises(CostModelError, match=r"does not fit|too small"):
        net.bind(N=2, H=height, W=width)
    try:
        counts = executed(module, (2, 3, height, width))
    except (RuntimeError, AssertionError):
        return
    there = trace(module, (3, height, width))
    assert kinds(there) != kinds(net)
    assert cm.cost(there.bind(N=2)).macs == counts.macs


def kinds(net: Network) -> list[str]:
    """Return what the nodes are, in their order."""
    return [node.operator.kind for node in net.nodes]


def near(net: Network, height: int, width: int) -> tuple[int, int]:
    """Return the admissible size nearest to one, an odd one where there are two."""
    sides = zip(cm.input_sizes(net), (height, width), strict=True)
    best = [nearest(side, wanted) for side, wanted in sides]
    return best[0], best[1]


def nearest(side: Side, wanted: int) -> int:
    """Return the admissible side that is nearest to a number."""
    return min(
        (n for n in range(1, 1025) if side.is_legal(n)),
        key=lambda n: (abs(n - wanted), n % 2 == 0),
    )


def is_normal(extent: Extent) -> bool:
    """Say whether an extent is written as every one equal to it is."""
    parts: Any = (extent.base, extent.offset, extent.stride)
    return normal(*parts) == extent == size(extent).extent


def is_pure(extent: Extent) -> bool:
    """Say whether an extent is a number, or ⌊(H + c)/s⌋ with numbers c and s."""
    numbers = type(extent.offset) is int and type(extent.stride) is int
    return numbers and (type(extent.base) is int or extent.base in (H, W))

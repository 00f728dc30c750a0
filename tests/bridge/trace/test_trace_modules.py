"""What users write in modules is understood: views, gates, attention, resampling."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import nn

import costmodel as cm
from costmodel.algebra.symbols import H, W
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network
from tests.bridge.trace import modules
from tests.bridge.trace.executed import executed
from tests.bridge.trace.modules import Code, UNet, conv


def agrees(module: nn.Module, *sizes: tuple[int, ...]) -> Network:
    """Trace a module, and compare its counts with executed ones at (N, H, W)."""
    net = trace(module)
    meta = module.to("meta")
    for count, *image in sizes:
        bound = cm.cost(net.bind(dict(zip((cm.N, H, W), (count, *image), strict=True))))
        counts = executed(meta, (count, 3, *image))
        totals = bound.macs, bound.parameters, bound.activations
        assert (counts.macs, counts.parameters, counts.activations) == totals
    return net


def kinds(net: Network) -> list[str]:
    return [node.operator.kind for node in net.nodes]


def linear(before: int, after: int) -> nn.Linear:
    return nn.Linear(before, after)


CODE: dict[str, nn.Module] = {
    "channel shuffle": Code(modules.shuffled, conv=conv(3, 8)),
    "gate of linear layers": Code(
        modules.excited, conv=conv(3, 8), down=linear(8, 2), up=linear(2, 8)
    ),
    "gate of convolutions": Code(
        lambda m, x: x * torch.sigmoid(m.gate(x.mean((2, 3), keepdim=True))),
        gate=nn.Conv2d(3, 3, 1),
    ),
    "standardized weights": Code(
        modules.standardized, weight=nn.Parameter(torch.zeros(8, 3, 3, 3))
    ),
    "functions": Code(
        lambda m, x: F.relu(F.conv2d(x, m.weight, m.bias, stride=2)),
        weight=nn.Parameter(torch.zeros(8, 3, 3, 3)), bias=nn.Parameter(torch.zeros(8)),
    ),
    "fixed filter": Code(lambda _, x: F.conv2d(x, torch.ones(3, 1, 3, 3), groups=3)),
    "padding as TensorFlow's": Code(
        modules.padded_same, conv=nn.Conv2d(3, 8, 3, stride=2)
    ),
    "padding same": nn.Sequential(nn.Conv2d(3, 4, 4, padding="same"), nn.ReLU()),
    "padding by reflection": nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
    "scales and shifts": Code(
        lambda m, x: m.scale * x + m.shift,
        scale=nn.Parameter(torch.ones(3, 1, 1)), shift=nn.Parameter(torch.ones(1)),
    ),
    "x.shape[-2:]": Code(
        lambda m, x: F.interpolate(m.conv(x), x.shape[-2:], mode="bilinear"),
        conv=nn.Conv2d(3, 4, 3, stride=4),
    ),
    "whole factors": nn.Sequential(
        nn.Upsample(scale_factor=2), conv(3, 4),
        nn.Upsample(scale_factor=0.5), conv(4, 4),
    ),
    "one and a half": nn.Sequential(nn.Upsample(scale_factor=1.5), conv(3, 4)),
    "pixels from channels": nn.Sequential(conv(3, 16), nn.PixelShuffle(2), conv(4, 4)),
    "transposed": nn.Sequential(
        nn.ConvTranspose2d(3, 8, 3, 2, 1, 1), nn.ConvTranspose2d(8, 4, 2, groups=2)
    ),
    "transposed to a size": Code(
        lambda m, x: m.up(m.down(x), output_size=x.shape[-2:]),
        down=nn.Conv2d(3, 4, 3, 2, 1), up=nn.ConvTranspose2d(4, 3, 3, 2, 1),
    ),
    "normalizations": nn.Sequential(
        conv(3, 8), nn.GroupNorm(2, 8), nn.InstanceNorm2d(8, affine=True),
        nn.LocalResponseNorm(3), nn.BatchNorm2d(8), nn.PReLU(8), nn.Softmax(1),
    ),
    "channels last": Code(
        lambda m, x: m.mix(m.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2),
        norm=nn.LayerNorm(3), mix=linear(3, 8),
    ),
    "einsum": Code(
        lambda m, x: torch.einsum("nchw,oc->nohw", x, m.mix),
        mix=nn.Parameter(torch.zeros(5, 3)),
    ),
    "einsum of two": Code(lambda _, x: torch.einsum("nchw,nckw->nhk", x, x)),
    "products of matrices": Code(
        lambda _, x: torch.bmm(x.flatten(2).transpose(1, 2), x.flatten(2))
    ),
    "attention": Code(
        lambda m, x: m.attention(*[x.flatten(2).transpose(1, 2)] * 3)[0],
        attention=nn.MultiheadAttention(3, 3, batch_first=True),
    ),
    "attention, tokens first": Code(
        lambda m, x: m.attention(*[x.flatten(2).permute(2, 0, 1)] * 3)[0],
        attention=nn.MultiheadAttention(3, 1),
    ),
    "a transformer's layer": Code(
        lambda m, x: m.layer(m.conv(x).flatten(2).transpose(1, 2)),
        conv=conv(3, 8), layer=nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
    ),
    "tokens without positions": modules.Tokens(positions=False),
    "split and joined": Code(
        lambda m, x: torch.cat([m.b(y) for y in m.a(x).chunk(2, dim=1)], dim=1),
        a=conv(3, 8), b=conv(4, 2),
    ),
    "stacked and summed": Code(
        lambda m, x: torch.stack([m.a(x), m.b(x)], dim=1).sum(dim=1),
        a=conv(3, 4), b=conv(3, 4),
    ),
    "coordinates": Code(
        lambda m, x: m.conv(torch.cat([x, x.new_zeros(len(x), 1, *x.shape[2:])], 1)),
        conv=conv(4, 8),
    ),
    "noise": Code(lambda m, x: m.conv(x + torch.randn_like(x)), conv=conv(3, 4)),
    "half precision": nn.Sequential(conv(3, 4), nn.BatchNorm2d(4)).half(),
}  # fmt: skip


@pytest.mark.parametrize("name", CODE)
def test_code_has_the_executed_counts(name: str) -> None:
    agrees(CODE[name], (2, 56, 64), (3, 41, 59))


def test_a_shuffle_a_gate_and_padding_are_what_they_are_called() -> None:
    shuffle = trace(CODE["channel shuffle"])
    assert kinds(shuffle)[-1] == "channel_shuffle"
    gate = trace(CODE["gate of convolutions"])
    expected = ["input", "adaptive_avg_pool", "conv", "sigmoid", "multiply"]
    assert expected == kinds(gate)
    assert shuffle.constraints == gate.constraints == ()
    padded, same = (
        trace(CODE["padding as TensorFlow's"]),
        trace(nn.Conv2d(3, 8, 3, 2, 1)),
    )
    assert padded.nodes[-1].output == same.nodes[-1].output


def test_a_small_vision_transformer_takes_as_many_tokens_as_it_has_places() -> None:
    net = agrees(modules.Tokens(positions=True), (2, 32, 32), (1, 16, 64))
    with pytest.raises(CostModelError, match=r"floor\(H/8\)\*floor\(W/8\) - 16 = 0"):
        net.bind(H=40, W=32)
    assert [c.needs for c in cm.joint_conditions(net)] == [
        "floor(H/8)*floor(W/8) - 16 = 0"
    ]


@pytest.mark.parametrize(
    "join", [modules.padded, modules.resized, modules.cropped], ids=lambda f: f.__name__
)
def test_a_unet_that_fits_its_maps_takes_every_size(join: Any) -> None:
    net = agrees(UNet(join), (1, 64, 64), (2, 83, 119), (2, 257, 31))
    assert net.constraints == ()
    assert net.smallest(H)[0] == 16


def test_a_unet_that_joins_maps_as_they_are_says_what_divides_its_sides() -> None:
    net = agrees(UNet(modules.as_they_are), (1, 64, 64), (2, 80, 112))
    height, width = cm.input_sizes(net)
    assert (str(height.admissible), str(width.admissible)) == (
        "16 divides H", "16 divides W",
    )  # fmt: skip
    with pytest.raises(CostModelError, match="all in all, 16 divides H"):
        net.bind(H=72, W=64)


def test_windows_say_what_divides_the_sides() -> None:
    net = agrees(Code(modules.windowed), (2, 8, 12), (1, 16, 4))
    assert [str(side.admissible) for side in cm.input_sizes(net)] == [
        "4 divides H", "4 divides W",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "flat",
    [
        lambda m, x: m.head(m.conv(x).flatten(1)),
        lambda m, x: m.head(m.conv(x).view(x.size(0), -1)),
        lambda m, x: m.head(m.conv(x).view(-1, 8 * 32 * 32)),
    ],
    ids=["flatten", "view(n, -1)", "view(-1, features)"],
)
def test_a_linear_layer_of_a_map_asks_for_as_many_positions(flat: Any) -> None:
    net = agrees(
        Code(flat, conv=conv(3, 8), head=linear(8192, 5)), (2, 32, 32), (1, 16, 64)
    )
    with pytest.raises(CostModelError, match=r"8\*H\*W - 8192 = 0"):
        net.bind(H=31, W=32)


def test_tensors_of_any_rank_are_traced() -> None:
    vector = trace(nn.Sequential(linear(10, 5), nn.ReLU(), nn.BatchNorm1d(5)), (10,))
    assert (cm.cost(vector).macs, cm.cost(vector).parameters) == (50 * cm.N, 65)
    tokens = trace(nn.Sequential(nn.Conv1d(3, 8, 3, stride=2), nn.ReLU()), (3, H))
    assert str(tokens.nodes[-1].output) == "8×⌊(H-1)/2⌋"


def test_sizes_may_be_numbers_and_so_may_the_batch() -> None:
    module = nn.Sequential(conv(3, 8), nn.Flatten(), linear(8192, 5))
    net = trace(module, (3, 32, 32), batch=4)
    assert cm.cost(net).macs == 4 * (27 * 8 * 1024 + 8192 * 5)
    assert net.free_symbols == set()


def test_branches_on_sizes_are_kept_as_conditions() -> None:
    net = trace(
        Code(lambda m, x: m.conv(x) if x.shape[2] > 100 else x, conv=conv(3, 4))
    )
    assert kinds(net) == ["input", "conv"]
    assert str(cm.input_sizes(net)[0].admissible) == "H ≥ 101"


def test_asserts_on_sizes_are_conditions() -> None:
    def checked(module: Any, x: torch.Tensor) -> torch.Tensor:
        torch._assert(x.shape[2] % 32 == 0, "rows in blocks of 32")
        assert x.shape[3] >= 48
        result: torch.Tensor = module.conv(x)
        return result

    net = trace(Code(checked, conv=conv(3, 4)))
    sides = [str(side.admissible) for side in cm.input_sizes(net)]
    assert sides == ["32 divides H", "W ≥ 48"]


def test_extremes_of_sizes_stay_formulas() -> None:
    def larger(_: Any, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, size=(max(x.shape[2], x.shape[3]), min(x.shape[2], 64)))

    net = trace(Code(larger))
    shapes = [
        tuple(net.bind(H=h, W=w).nodes[-1].output.sizes)
        for h, w in [(50, 70), (90, 80)]
    ]
    assert shapes == [(3, 70, 50), (3, 90, 64)]


def test_loops_on_sizes_are_conditions() -> None:
    def halved(_: Any, x: torch.Tensor) -> torch.Tensor:
        while x.shape[2] > 8:
            x = F.max_pool2d(x, 2)
        return x

    net = trace(Code(halved))
    assert kinds(net) == ["input", *["max_pool"] * 5]
    assert str(cm.input_sizes(net)[0].admissible) == "144 ≤ H ≤ 287"


def test_layers_are_of_the_shape_that_their_weights_have() -> None:
    norm = nn.LayerNorm([3, 56, 56])
    net = trace(Code(lambda m, x: m.norm(F.max_pool2d(x, 4)), norm=norm))
    assert cm.cost(net).parameters == sum(p.numel() for p in norm.parameters())
    assert [str(side.admissible) for side in cm.input_sizes(net)] == [
        "224 ≤ H ≤ 227", "224 ≤ W ≤ 227",
    ]  # fmt: skip
    assert net["norm"].operator == op.LayerNorm(3)


def test_a_normalization_of_other_channels_is_refused_as_pytorch_refuses_it() -> None:
    with pytest.raises(CostModelError, match="should contain 8 elements not 5"):
        trace(nn.Sequential(conv(3, 8), nn.BatchNorm2d(5)))


def test_what_is_computed_for_every_sample_costs_every_sample() -> None:
    def placed(module: Any, x: torch.Tensor) -> torch.Tensor:
        places = torch.ones(x.shape[0], 2, *x.shape[2:], device=x.device)
        result: torch.Tensor = module.mix(x) + module.embed(places)
        return result

    module = Code(placed, mix=conv(3, 8), embed=nn.Conv2d(2, 8, 1))
    agrees(module, (2, 32, 40), (3, 17, 31))

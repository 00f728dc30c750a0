"""A module that does not run is told why: layer, what it takes, what came."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel.algebra.symbols import H, W
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from tests.bridge.trace.modules import Code, conv


def said(module: nn.Module, *sizes: Any) -> str:
    with pytest.raises(CostModelError) as raised:
        trace(module, sizes)
    return str(raised.value)


class Unfinished(nn.Module):
    """A module without a forward."""


LAYERS: dict[str, tuple[Any, ...]] = {
    "conv2d": (nn.Conv2d, (3, 1), (H, W), "channels"),
    "conv1d": (nn.Conv1d, (3, 1), (H,), "channels"),
    "linear": (nn.Linear, (3,), (), "features"),
    "batch_norm": (nn.BatchNorm2d, (), (H, W), "channels"),
}


@given(st.sampled_from(sorted(LAYERS)), st.integers(1, 9), st.integers(1, 9))
def test_a_layer_names_what_it_takes_and_what_it_gets(
    kind: str, wanted: int, given_: int
) -> None:
    layer, rest, sides, word = LAYERS[kind]
    module = nn.Sequential(nn.ReLU(), layer(wanted, *rest))
    if wanted == given_:
        assert trace(module, (given_, *sides))
        return
    sizes = "×".join(map(str, ("N", given_, *sides)))
    words = f'{kind} at "1" takes {wanted} {word}, and gets {given_} of them in {sizes}'
    assert f"trace: Sequential: {words} (" in said(module, given_, *sides)


@pytest.mark.parametrize("sides", [(224, 200), (H, W), (32 * H, 64)])
def test_channels_that_come_last_are_recognised(sides: tuple[Any, ...]) -> None:
    first = ", ".join(map(str, (3, *sides)))
    question = f"are the channels last? They come first: ({first})"
    assert question in said(conv(3, 8), *sides, 3)
    assert "channels last" not in said(conv(3, 8), 4, *sides)


def quantized() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own: it will move
        layers = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
        made: nn.Module = torch.ao.quantization.quantize_dynamic(layers, {nn.Linear})
        return made


def first(_: Any, x: torch.Tensor) -> Any:
    return list(x.shape)[9]


@pytest.mark.parametrize(
    ("module", "sizes", "words"),
    [
        (conv(3, 8), (3, H), 'conv2d at "forward" takes 4 axes with the batch\'s, and '
         "gets N×3×H"),
        (Unfinished(), (3, H, W), "Unfinished has no forward"),
        (nn.ModuleList([conv(3, 3)]), (3, H, W), "ModuleList has no forward"),
        (nn.Sequential(nn.LazyConv2d(8, 3), nn.ReLU()), (3, H, W),
         '"0" in Sequential is lazy, and has no weights before it has run'),
        (quantized(), (3, 2, 2), '"1" in Sequential is quantized'),
        (Code(first), (3, H, W),
         "Code fails alike at all 10 sizes tried: IndexError: list index out of range"),
        (Code(first), (3, 8, 8), "Code fails at N = 13: IndexError"),
    ],
)  # fmt: skip
def test_what_is_not_about_sizes_is_not_put_down_to_them(
    module: nn.Module, sizes: tuple[Any, ...], words: str
) -> None:
    found = said(module, *sizes)
    assert words in found
    assert "runs at no size" not in found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_modules_and_functions_are_traced_as_they_were_written() -> None:
    layers = nn.Sequential(conv(3, 8), nn.ReLU())
    plain = trace(layers)
    whole = trace(torch.compile(layers))
    assert (whole.nodes, whole.name) == (plain.nodes, plain.name)
    function = torch.compile(lambda m, x: m.conv(x).relu())
    in_place = nn.Sequential(conv(3, 8), nn.ReLU())
    in_place.compile()
    inside = nn.Sequential(torch.compile(conv(3, 8)), nn.ReLU())
    for module in (in_place, inside, Code(function, conv=conv(3, 8))):
        net = trace(module)
        assert [n.operator for n in net.nodes] == [n.operator for n in plain.nodes]
        assert cm.cost(net).parameters == cm.cost(plain).parameters


@pytest.mark.parametrize("code", [lambda m, x: x @ m.row, lambda m, x: m.column @ x])
def test_products_with_a_vector_lose_its_axis(code: Any) -> None:
    row, column = torch.ones(10), torch.ones(8)
    net = trace(Code(code, row=row, column=column), (3, 8, 10))
    assert cm.cost(net).macs == 240 * cm.N

"""Tensors made of sizes, and sizes that became plain numbers, against what runs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel import H, N, Network, W
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from tests.bridge.trace.executed import executed
from tests.bridge.trace.modules import Code, conv


SIZES = ((1, 320, 320), (2, 640, 480), (3, 57, 91), (2, 224, 224), (1, 33, 160))


def agrees(net: Network, module: nn.Module, *sizes: tuple[int, int, int]) -> int:
    """Compare shapes and products with what runs, wherever the network can be bound.

    Return at how many sizes that was.
    """
    meta, compared, known = module.to("meta"), 0, net.inputs[0].output.sizes[1:]
    for count, height, width in sizes:
        symbols = {N: count, H: height, W: width}
        at = {s: v for s, v in symbols.items() if s == N or str(s) in str(known)}
        try:
            bound = net.bind(at)
        except CostModelError:
            continue
        image = count, 3, height, width
        with torch.device("meta"):
            made = meta(torch.empty(image))
            counts = executed(meta, image)
        shapes = [tuple(one.shape) for one in outputs(made)]
        ours = [(count, *bound[name].output.sizes) for name in bound.outputs]
        assert ours == shapes, (count, height, width)
        assert cm.cost(bound).macs == counts.macs, (count, height, width)
        compared += 1
    return compared


def outputs(made: Any) -> list[torch.Tensor]:
    return [made] if isinstance(made, torch.Tensor) else list(made)


def admissible(net: Network) -> list[str]:
    return [str(side.admissible) for side in cm.input_sizes(net)]


# Tensors made of sizes, and stored tensors cut to sizes.


def anchors(
    maps: list[torch.Tensor], strides: list[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make the points of maps as YOLOv8 does (Ultralytics, ``make_anchors``)."""
    points, scales = [], []
    for one, stride in zip(maps, strides, strict=True):
        height, width = one.shape[2:]
        columns = torch.arange(end=width, dtype=torch.float32) + 0.5
        rows = torch.arange(end=height, dtype=torch.float32) + 0.5
        rows, columns = torch.meshgrid(rows, columns, indexing="ij")
        points.append(torch.stack((columns, rows), -1).view(-1, 2))
        scales.append(torch.full((height * width, 1), float(stride)))
    return torch.cat(points), torch.cat(scales)


def detect(module: Any, x: torch.Tensor) -> torch.Tensor:
    """Find boxes on two maps, as distances from points."""
    maps = [module.first(x)]
    maps.append(module.second(maps[0]))
    points, scales = (one.transpose(0, 1) for one in anchors(maps, [8, 16]))
    flat = torch.cat([one.view(one.shape[0], 8, -1) for one in maps], 2)
    low, high = flat[:, :4].chunk(2, 1)
    return torch.cat([(points.unsqueeze(0) - low) * scales, points[None] + high], 1)


def detector() -> Code:
    first, second = nn.Conv2d(3, 8, 3, 8, 1), nn.Conv2d(8, 8, 3, 2, 1)
    return Code(detect, first=first, second=second)


def placed(module: Any, x: torch.Tensor) -> torch.Tensor:
    """Add an interpolated embedding, and multiply."""
    y = module.conv(x)
    place = F.interpolate(module.pos, size=y.shape[2:])
    result: torch.Tensor = module.mlp((y.flatten(2) + place.flatten(2)).transpose(1, 2))
    return result


def stored(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))


MADE: dict[str, tuple[nn.Module, list[str]]] = {
    "flattened zeros": (
        Code(
            lambda _, x: x.flatten(2) + torch.zeros(x.shape[2], x.shape[3]).flatten()
        ),
        ["every H", "every W"],
    ),
    "a parameter that is cut": (
        Code(
            lambda m, x: x + m.p[:, :, : x.shape[2], : x.shape[3]],
            p=stored(1, 3, 224, 224),
        ),
        ["H ≤ 224", "W ≤ 224"],
    ),
    "a parameter that is interpolated": (
        Code(
            placed, conv=nn.Conv2d(3, 8, 4, 4), pos=stored(1, 8, 14, 14),
            mlp=nn.Linear(8, 8),
        ),
        ["H ≥ 4", "W ≥ 4"],
    ),
    "anchors": (detector(), ["every H", "every W"]),
    "rows that are looked up": (
        Code(
            lambda m, x: x + m.p[torch.arange(x.shape[2])].mean(-1, True),
            p=stored(2000, 3),
        ),
        ["every H", "every W"],
    ),
    "numbers counted from the length": (
        Code(lambda _, x: x + x.new_zeros(len(x), 1, *x.shape[2:])),
        ["every H", "every W"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_of_sizes_has_their_formulas(name: str) -> None:
    module, sides = MADE[name]
    net = trace(module)
    assert admissible(net) == sides
    assert agrees(net, module, *SIZES) == (len(SIZES) if "≤" not in sides[0] else 3)


def test_a_product_for_every_sample_has_one_term() -> None:
    net = trace(MADE["a parameter that is interpolated"][0])
    rows = cm.cost(net).by_operator()["linear"].macs
    assert str(rows) == "64*N*floor(H/4)*floor(W/4)"


Step = Callable[[torch.Tensor], torch.Tensor]

STEPS: dict[str, Step] = {
    "transpose": lambda t: t.t(),
    "flatten and view": lambda t: t.flatten().view(t.shape),
    "column": lambda t: t.reshape(-1, 1),
    "row": lambda t: t.contiguous().view(1, -1),
    "cat": lambda t: torch.cat([t, t[:1]]),
    "cat of columns": lambda t: torch.cat([t, t * 2], dim=-1),
    "stack": lambda t: torch.stack([t, -t], -1).flatten(1),
    "half": lambda t: t[: t.shape[0] // 2 + 1],
    "every other": lambda t: t[:, ::2],
    "pad": lambda t: F.pad(t, (1, 2, 0, 1)),
    "repeat": lambda t: t.repeat(2, 1),
    "expand": lambda t: t[None].expand(2, -1, -1).reshape(-1, t.shape[1]),
    "roll": lambda t: t.roll(1, 0),
    "mask": lambda t: t.masked_fill(t > 0, 1.0),
    "where": lambda t: torch.where(t > 0, t, t.sin()),
    "grid": lambda t: torch.meshgrid(t[0], t[:, 0], indexing="xy")[0],
    "narrow": lambda t: t.narrow(0, 0, t.shape[0] // 3 + 1),
    "sum": lambda t: t + t.mean(0, keepdim=True),
}
"""What is done with a matrix whose sizes are formulas, at any of them."""

STARTS: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    "zeros": lambda _, x: torch.zeros(x.shape[2], x.shape[3]),
    "counted": lambda _, x: torch.arange(x.shape[2])[:, None] * torch.ones(x.shape[3]),
    "halves": lambda _, x: torch.arange(0.5, x.shape[3], 2)[None].float(),
    "linspace": lambda _, x: torch.linspace(0, 1, x.shape[2] + x.shape[3])[None],
    "unit": lambda _, x: torch.eye(x.shape[2] // 2 + 1, x.shape[3]),
    "like": lambda _, x: torch.rand_like(torch.ones(x.shape[3], x.shape[2])),
    "cut": lambda m, x: m.p[0, 0, : x.shape[2], : x.shape[3] // 2 + 1],
    "interpolated": lambda m, x: F.interpolate(m.pos, size=x.shape[2:])[0, 0],
}

sides = st.integers(3, 900)
images = st.lists(st.tuples(st.integers(1, 3), sides, sides), min_size=6, max_size=6)


@given(
    st.sampled_from(sorted(STARTS)),
    st.lists(st.sampled_from(sorted(STEPS)), max_size=4),
    images,
)
def test_generated_tensors_of_sizes_have_the_sizes_that_run(
    start: str, steps: list[str], sizes: list[tuple[int, int, int]]
) -> None:
    def run(module: Any, x: torch.Tensor) -> torch.Tensor:
        made = STARTS[start](module, x)
        for step in steps:
            made = STEPS[step](made)
        flat = made.flatten().view(1, 1, -1).expand(x.shape[0], 3, -1)
        whole = torch.cat([x.flatten(2), flat], dim=2)
        result: torch.Tensor = module.mlp(whole.transpose(1, 2))
        return result

    parts = {
        "cut": {"p": stored(1, 1, 900, 451)},
        "interpolated": {"pos": stored(1, 1, 7, 7)},
    }
    module = Code(run, mlp=nn.Linear(3, 4), **parts.get(start, {}))
    net = trace(module)
    assert agrees(net, module, *sizes) == len(sizes)


# Sizes that became plain numbers.


def repeated(times: Callable[[Any], int]) -> Code:
    def run(module: Any, x: torch.Tensor) -> torch.Tensor:
        for _ in range(times(x.shape[2])):
            x = module.conv(x)
        return x

    return Code(run, conv=conv(3, 3))


def resized(height: Callable[[Any], Any]) -> Code:
    return Code(
        lambda _, x: F.interpolate(x, size=(height(x.shape[2]), x.shape[3]))
    )  # fmt: skip


REFUSED: dict[str, tuple[nn.Module, str]] = {
    "power of a logarithm": (
        resized(lambda h: 2 ** int(math.log2(h))),
        "3×256×W is 3×64×1031 there; sizes lost their formula: log2() of H in forward",
    ),
    "rounds by a logarithm": (
        repeated(lambda h: int(math.log2(h))),
        '"conv_7", it is nothing there; sizes lost their formula: log2() of H',
    ),
    "the smaller of an integer": (
        resized(lambda h: min(int(h), 64)), "3×64×W is 3×15×7 there",
    ),
    "the larger of an integer": (
        resized(lambda h: max(int(h), 640)), "3×640×W is 3×1025×61 there",
    ),
    "digits": (resized(lambda h: len(str(h))), "str() of H in forward"),
    "bits": (resized(lambda h: h.bit_length()), "bit_length() of H in forward"),
    "remainder by bits": (resized(lambda h: h & 31), "and() of H in forward"),
    "a fraction that is none": (resized(lambda h: int(h * 0.3)), "mul() of H"),
    "a square root": (resized(lambda h: int(h**0.5)), "float() of H in forward"),
    "in a tensor": (
        resized(lambda h: int(torch.tensor(h, device="cpu").sqrt().item())),
        "item() of a tensor made of sizes in forward",
    ),
    "rounds by a quotient": (
        repeated(lambda h: h // 64), '"conv_2", it is nothing there',
    ),
    "a branch on half": (
        repeated(lambda h: 1 if 0.5 * h < 200 else 2), '"conv_2", it is nothing here',
    ),
    "zeros": (
        Code(lambda _, x: x + torch.zeros(int(x.shape[2]), int(x.shape[3]))),
        '"forward" seems to need H - 256 = 0 (the operands\' sizes have to be equal), '
        "but it runs at H = 289, N = 11, W = 231; sizes lost their formula: int() of H "
        "in forward; int() of W in forward; at one size it can be traced: give numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_size_that_decided_something_as_a_plain_number_is_found(name: str) -> None:
    module, said = REFUSED[name]
    with pytest.raises(CostModelError, match=re.escape(said)):
        trace(module)
    assert agrees(trace(module, (3, 77, 45)), module, (2, 77, 45)) == 1


HARMLESS: dict[str, Callable[[Any, torch.Tensor], Any]] = {
    "a message": lambda m, x: (f"{x.shape[2]:d} rows", m.conv(x))[1],
    "a sentence of an assertion": lambda m, x: (
        torch._assert(x.shape[2] > 2, f"{x.shape} is too small"), m.conv(x),
    )[1],
    "a key": lambda m, x: ({x.shape[2]: x}, m.conv(x))[1],
    "an integer": lambda m, x: (int(x.shape[2]), float(x.shape[3]), m.conv(x))[2],
    "a list": lambda m, x: (list(range(x.shape[2])), m.conv(x))[1],
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_a_size_that_decided_nothing_is_not_in_the_way(name: str) -> None:
    module = Code(HARMLESS[name], conv=conv(3, 4))
    net = trace(module)
    assert cm.cost(net).macs == 108 * H * N * W
    assert agrees(net, module, *SIZES) == len(SIZES)


def test_a_size_that_is_required_may_be_told() -> None:
    def checked(module: Any, x: torch.Tensor) -> Any:
        height = x.shape[2]
        assert height == 224, f"{height} is not 224"
        return module.conv(x)[:, :, : int(height) - 1]

    net = trace(Code(checked, conv=conv(3, 4)))
    assert admissible(net) == ["H = 224", "every W"]


def test_ratios_are_compared_exactly() -> None:
    def wide(module: Any, x: torch.Tensor) -> Any:
        return module.conv(x) if x.shape[2] / 2 > 50.5 else x

    assert admissible(trace(Code(wide, conv=conv(3, 4))))[0] == "H ≥ 102"


ESCAPES: dict[str, Callable[[Any, int], int]] = {
    "int": lambda h, k: int(h) + k,
    "float": lambda h, k: math.ceil(float(h) / k),
    "logarithm": lambda h, k: int(math.log2(h)) + k,
    "least": lambda h, k: min(int(h), k),
    "most": lambda h, k: max(int(h), k),
    "bits": lambda h, k: h.bit_length() + k,
    "digits": lambda h, k: len(str(h)) * k,
    "quotient": lambda h, k: int(h) // k,
    "branch": lambda h, k: 1 if int(h) > k else 2,
    "kept": lambda h, k: h // k,
    "kept, halved": lambda h, k: (h + k) // 2,
}


@given(
    st.sampled_from(sorted(ESCAPES)),
    st.integers(8, 700),
    st.sampled_from(["resized", "filled", "repeated"]),
    images,
)
def test_generated_escapes_are_exact_or_refused(
    name: str, number: int, use: str, sizes: list[tuple[int, int, int]]
) -> None:
    escape = ESCAPES[name]

    def run(module: Any, x: torch.Tensor) -> torch.Tensor:
        many = escape(x.shape[2], number)
        if use == "repeated":
            for _ in range(many % 7):
                x = module.conv(x)
            return x
        if use == "filled":
            more = torch.zeros(1, 3, many + 1, x.shape[3]).expand(
                x.shape[0], -1, -1, -1
            )
            result: torch.Tensor = module.conv(torch.cat([x, more], dim=2))
            return result
        return module.conv(F.interpolate(x, size=(many + 1, x.shape[3])))

    module = Code(run, conv=conv(3, 3))
    try:
        net = trace(module)
    except CostModelError as error:
        assert "kept" not in name or use == "repeated", error  # noqa: PT017
        return
    agrees(net, module, *sizes)

"""Values of stored tensors and constants that code asks for while it is traced."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel.algebra.symbols import H, N, W
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from tests.bridge.trace.modules import Code, conv
from tests.bridge.trace.test_trace import at_random, seeds


def asking(ask: Callable[[Any, torch.Tensor], Any]) -> nn.Module:
    """Return a module that runs one more layer if what it asks for is true."""
    module = Code(
        lambda m, x: m.wide(m.first(x)) if ask(m, x) else m.first(x),
        first=conv(3, 3), wide=conv(3, 3), flag=nn.Parameter(torch.tensor(0.5)),
        several=nn.Parameter(torch.arange(6.0).view(2, 3)),
    )  # fmt: skip
    module.register_buffer("step", torch.tensor(0))
    module.register_buffer("share", torch.tensor(0.25))
    module.register_buffer("keeps", torch.tensor([True, False, True]))
    module.register_buffer("large", torch.arange(300.0))
    module.loose = torch.tensor([1.0, 2.0])
    return module


def counted(m: Any, _: Any) -> Any:
    m.step += 1
    return m.step > 0


def in_place(m: Any, _: Any) -> Any:
    m.share.mul_(2).add_(m.flag)
    return m.share == 1


def of_a_view(m: Any, _: Any) -> Any:
    m.several[1].zero_()
    return m.several.sum() == 3


def put(m: Any, _: Any) -> Any:
    m.several.data[0, 1] = 7
    return m.several[0].max() == 7


ASKED: dict[str, Callable[[Any, torch.Tensor], Any]] = {
    "buffer": lambda m, _: m.share > 0.1,
    "parameter": lambda m, _: m.flag > 0.1,
    "float": lambda m, _: float(m.share * 2) > 0.1,
    "item": lambda m, _: (m.flag + m.share).item() == 0.75,
    "tolist": lambda m, _: m.several[0].tolist() == [0, 1, 2],
    "of both": lambda m, _: torch.max(m.several) > m.flag.sigmoid(),
    "against a constant": lambda m, _: m.share < torch.tensor(0.5),
    "equal": lambda m, _: torch.equal(m.several[1], torch.tensor([3.0, 4.0, 5.0])),
    "large": lambda m, _: (m.large.view(3, 100).sum(1) > 5000).any(),
    "loop": lambda m, _: sum(bool(k) for k in m.keeps) == 2,
    "nonzero": lambda m, _: len(m.keeps.nonzero().flatten().tolist()) == 2,
    "masked": lambda m, _: m.several[:, m.keeps].shape[1] == 2,
    "numpy": lambda m, _: (m.several.detach() * 2).numpy().max() == 10,
    "moved": lambda m, x: m.share.to(x.device).to(torch.float64) > 0.1,
    "there": lambda _, x: torch.arange(4, device=x.device).sum() == 6,
    "new": lambda _, x: x.new_tensor([1.0, 2.0]).prod() == 2,
    "ones": lambda m, x: x.new_ones(3).sum() > m.flag,
    "filled": lambda _, x: x.new_empty(2).fill_(3)[1] == 3,
    "attribute": lambda m, _: m.loose.add_(m.flag)[0] == 1.5,
    "counted": counted, "in place": in_place, "of a view": of_a_view, "put": put,
}  # fmt: skip


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
@pytest.mark.filterwarnings("ignore:.*never used")
def test_values_of_stored_tensors_and_constants_are_known(ask: Any) -> None:
    for is_turned in (False, True):
        module = asking(lambda m, x: bool(ask(m, x)) is not is_turned)  # noqa: B023
        before = {n: t.tolist() for n, t in module.state_dict().items()}
        wanted = 81 * N * H * W * (1 if is_turned else 2)
        for _ in range(2):
            assert cm.cost(trace(module)).macs == wanted
        assert before == {n: t.tolist() for n, t in module.state_dict().items()}
        assert module.loose.tolist() == [1, 2]
        assert module.step is module._buffers["step"]


def test_an_average_over_all_batches_is_traced_and_counts_as_before() -> None:
    norm = nn.BatchNorm2d(3, momentum=None).train()
    net = trace(nn.Sequential(conv(3, 3), norm))
    assert net.nodes[-1].operator.kind == "batch_norm"
    assert norm.num_batches_tracked == 0


@given(st.lists(st.booleans(), min_size=8, max_size=8), st.sampled_from([0, 1, 2]))
def test_a_constant_mask_takes_out_the_channels_it_says(
    mask: list[bool], way: int
) -> None:
    mask = mask if any(mask) else [True] * 8
    ways: list[Callable[[Any], Any]] = [
        lambda m: m.mask, lambda _: torch.tensor(mask), lambda _: mask,
    ]  # fmt: skip
    module = Code(lambda m, x: m.conv(x)[:, ways[way](m)], conv=conv(3, 8))
    module.register_buffer("mask", torch.tensor(mask))
    net = trace(module, on_unknown="mark")
    assert net.nodes[-1].output.channels == sum(mask)
    places = [place for place, is_kept in enumerate(mask) if is_kept]
    if len({after - one for one, after in pairwise(places)}) < 2:
        assert trace(module).nodes == net.nodes


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: torch.rand([], device=x.device) < 0.5,
        lambda x: x.new_empty(1).bernoulli_(0.5),
        lambda x: x.new_zeros(()).uniform_() < 0.5,
    ],
)
def test_a_draw_where_the_sample_is_decides_as_any_other(draw: Any) -> None:
    module, numbers = asking(lambda _, x: draw(x)), seeds()
    with pytest.raises(CostModelError, match=r'random draw, in "forward".*outcomes'):
        trace(module)
    assert seeds() == numbers


def test_a_draw_against_a_stored_bound_decides() -> None:
    module = asking(lambda m, _: torch.rand(()) < m.share)
    with pytest.raises(CostModelError, match=r'random draw, in "forward"'):
        trace(module)
    assert at_random(lambda: True)


def of_many(m: Any, x: torch.Tensor) -> Any:
    m.share.mul_(x.new_ones(1000, 1000).sum())
    return m.share > 0


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (asking(of_many), r'"forward" asks for a value \(truth\(\)\)'),
        (asking(lambda m, _: m.share > 0).to("meta"), "stored in memory"),
        (asking(lambda m, _: m.large.repeat(50).sum() > 0), "up to 4096 elements"),
        (asking(lambda _, x: x.sum() > 0), "depends on data"),
    ],
)
def test_values_that_are_not_known_are_refused(module: nn.Module, said: str) -> None:
    with pytest.raises(CostModelError, match=said):
        trace(module)

"""What code does with the axis of the batch: of several samples, and of one."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel import H, N, W
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from tests.bridge.trace.faithful import filled, is_faithful, load
from tests.bridge.trace.modules import Code, conv


MIXING: dict[str, Any] = {
    "rolled flat": lambda _, x: torch.roll(x, 1),
    "rolled in one axis": lambda _, x: x.flatten().roll(1).view(x.shape),
    "rolled frames": lambda _, x: x.flatten(0, 1).roll(1, 0).view(x.shape),
    "flipped": lambda _, x: x.flip(0, 2),
    "flipped frames": lambda _, x: x.flatten(0, 1).flip(0),
    "softmax of frames": lambda _, x: x.flatten(0, 1).softmax(0),
    "mean of frames": lambda _, x: x.flatten(0, 1).mean(0),
    "some frames": lambda _, x: x.flatten(0, 1)[:2],
    "joined frames": lambda _, x: torch.cat([x.flatten(0, 1)] * 2),
    "running sum": lambda _, x: x.flatten(0, 1).cumsum(0),
    "normalized": lambda _, x: F.layer_norm(x, x.shape),
}


@pytest.mark.parametrize("name", MIXING)
def test_code_that_mixes_the_samples_of_a_batch_is_refused(name: str) -> None:
    with pytest.raises(CostModelError, match=r"samples, which are not apart|the batch"):
        trace(Code(MIXING[name]))


@pytest.mark.parametrize("run", [
    lambda _, x: x.flatten(0, 1).softmax(-1).view(x.shape),
    lambda _, x: x.flatten(0, 1).flip(1).view(x.shape),
    lambda _, x: x.flatten(1).roll(1, 1).view(x.shape),
])  # fmt: skip
def test_code_along_other_axes_than_the_batch_is_read(run: Any) -> None:
    assert is_faithful(Code(run))


NORMS: dict[str, Any] = {
    "a sample": lambda _, x: F.layer_norm(x, x.shape[1:]),
    "a map": lambda _, x: F.layer_norm(x, x.shape[-2:], eps=0.2),
    "a row": lambda _, x: F.layer_norm(x, (x.shape[-1],)),
    "a list": lambda _, x: F.layer_norm(x, [x.shape[2], x.shape[3]]),
    "its square": lambda _, x: F.rms_norm(x, x.shape[1:]),
    "pooled": lambda _, x: F.layer_norm(y := F.max_pool2d(x, 2), y.shape[2:]),
}


@pytest.mark.parametrize("name", NORMS)
def test_a_normalization_without_weights_fits_every_size(name: str) -> None:
    module = Code(NORMS[name])
    assert trace(module).constraints == ()
    assert is_faithful(module)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda _, x: F.layer_norm(x, (224,)), "it normalizes 224"),
        (lambda m, x: m.norm(x), "its weights are for 224"),
        (lambda m, x: F.rms_norm(x, x.shape[3:], m.norm.weight), "are for 224"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*never used")
def test_a_normalization_for_one_size_says_so(run: Any, said: str) -> None:
    net = trace(Code(run, norm=nn.LayerNorm(224)))
    with pytest.raises(CostModelError, match=said):
        net.bind(W=225)


# One sample.

ONE: dict[str, tuple[Any, dict[str, Any]]] = {
    "viewed": (lambda _, x: x.view(1, *x.shape[1:]).relu(), {}),
    "indexed": (lambda _, x: x[0][None], {}),
    "squeezed": (lambda _, x: x.squeeze(0).unsqueeze(0), {}),
    "squeezed alone": (lambda _, x: x.squeeze(0), {}),
    "convolved": (lambda m, x: m.one(x[0])[None], {"one": conv(4, 4)}),
    "padded to the same": (
        lambda m, x: m.one(x[0]), {"one": nn.Conv2d(4, 4, 3, padding="same")}),
    "transposed": (lambda m, x: m.one(x[0]), {"one": nn.ConvTranspose2d(4, 2, 3)}),
    "pooled": (lambda _, x: F.max_pool2d(x.squeeze(0), 2).unsqueeze(0), {}),
    "a vector": (lambda m, x: m.one(x.mean((2, 3)).squeeze()),
                 {"one": nn.Linear(4, 3)}),
    "joined": (lambda _, x: torch.cat([x[0], x[0]], 0)[None], {}),
    "in parts": (lambda _, x: torch.stack([*x]), {}),
    "turned": (lambda _, x: x[0].transpose(1, 2).sum(0), {}),
    "softmax": (lambda _, x: x[0].softmax(0), {}),
    "a product": (lambda _, x: x[0].flatten(1) @ x[0].flatten(1).t(), {}),
    "attention": (lambda _, x: F.scaled_dot_product_attention(*[x[0]] * 3), {}),
    "scaled": (lambda m, x: x[0] * m.g, {"g": nn.Parameter(torch.ones(4, 1, 1))}),
    "repeated": (lambda _, x: x.squeeze(0).repeat(2, 1, 1)[None], {}),
    "gated": (lambda _, x: x * x[0].mean((1, 2))[:, None, None], {}),
    "normalized": (lambda _, x: F.layer_norm(x[0], x.shape[1:]), {}),
}  # fmt: skip
"""What is right for a single sample, and for no other batch."""


def is_right_for_one(module: nn.Module, sample: Any, sides: tuple[int, int]) -> None:
    """Hold what a trace of one sample compiles to against the module."""
    module = filled(module).eval()
    net = cm.trace(module, sample, batch=1)
    assert net.batch == 1
    known = dict(zip((H, W), sides, strict=True))
    compiled = cm.compile(net.bind({s: n for s, n in known.items() if s in sample}))
    assert load(compiled, module)
    x = torch.randn(1, sample[0], *sides)
    with torch.no_grad():
        ours, theirs = compiled(x), module(x)
    assert ours.shape[1:] == theirs.shape[theirs.dim() - ours.dim() + 1 :]
    torch.testing.assert_close(ours.reshape(theirs.shape), theirs)


@pytest.mark.parametrize("sample", [(4, 8, 6), (4, H, W)], ids=["fixed", "free"])
@pytest.mark.parametrize("name", ONE)
def test_one_sample_is_read_as_it_is(name: str, sample: Any) -> None:
    run, parts = ONE[name]
    is_right_for_one(Code(run, **parts), sample, (8, 6))


@given(
    st.lists(st.sampled_from([*ONE][:4]), min_size=1, max_size=3),
    st.sampled_from([*ONE]),
)
def test_one_sample_is_read_however_it_is_taken(names: list[str], last: str) -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        for name in names:
            x = ONE[name][0](m, x).view(1, 4, 8, 6)
        return ONE[last][0](m, x)

    is_right_for_one(Code(forward, **ONE[last][1]), (4, 8, 6), (8, 6))


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda _, x: x.sum(0), "sum at .*: works along the batch$"),
        (lambda m, x: m.one(x.permute(1, 0, 2, 3)), "is no longer the first axis"),
        (lambda _, x: x[0, 0] @ x, "one operand has the axis of the batch"),
    ],
)
def test_what_is_not_read_of_one_sample_is_refused_truly(run: Any, said: Any) -> None:
    with pytest.raises(CostModelError, match=said) as error:
        trace(Code(run, one=nn.Conv2d(1, 4, 3)), (4, 8, 8), batch=1)
    assert "apart" not in str(error.value)
    assert "reader" not in str(error.value)


@pytest.mark.parametrize("run", [
    lambda _, x: x.squeeze(0), lambda _, x: x.squeeze(), lambda _, x: x.squeeze(0, 1),
    lambda _, x: x.mean((2, 3), keepdim=True).squeeze(),
])  # fmt: skip
def test_a_squeeze_of_the_batch_needs_more_samples_than_one(run: Any) -> None:
    net = trace(Code(run), (3, 8, 8))
    assert net.bind({N: 2}).outputs == net.outputs
    with pytest.raises(CostModelError, match=re.escape("needs N")):
        net.bind({N: 1})


def test_a_squeeze_of_an_axis_that_may_be_one_needs_more() -> None:
    net = trace(Code(lambda _, x: x.squeeze(2)))
    assert is_faithful(Code(lambda _, x: x.squeeze(2)))
    with pytest.raises(CostModelError, match=re.escape("needs H")):
        net.bind({H: 1})

"""Zero-cost proxies, by what they are where that has a closed form."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.network.build import conv, image, network, relu
from costmodel.network.graph import Network


torch = pytest.importorskip("torch")
from costmodel.bridge.proxies import scores  # noqa: E402 - which needs PyTorch


def stack(*widths: int, rectified: bool) -> Network:
    x = image(3, 8, 8)
    for width in widths:
        x = conv(x, width, kernel=3, bias=False)
        x = relu(x) if rectified else x
    return network(x, name="stack", batch=1)


widths = st.lists(st.integers(1, 6), min_size=1, max_size=3)


@given(widths, st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_synflow_of_linear_layers_is_their_number_times_the_output(
    sizes: list[int], seed: int
) -> None:
    """R is linear in each layer's weights θ, so that Σ θ·∂R/∂θ is R, by Euler."""
    net = stack(*sizes, rectified=False)
    (found,) = scores(net, "synflow", seeds=[seed])
    torch.manual_seed(seed)
    module = cm.compile(net).double()
    with torch.no_grad():
        for value in module.parameters():
            value.abs_()
        total = module(torch.ones(1, 3, 8, 8, dtype=torch.float64)).sum()
    assert found == pytest.approx(len(sizes) * float(total), rel=1e-9)


@given(widths)
@settings(max_examples=10, deadline=None)
def test_naswot_of_one_sample_is_the_logarithm_of_the_units(sizes: list[int]) -> None:
    found = scores(stack(*sizes, rectified=True), "naswot", batch=1)
    assert found == pytest.approx([log(64 * sum(sizes))] * 3)


def test_jacob_cov_of_a_linear_network_is_that_of_equal_rows() -> None:
    """Its gradients are the same for each sample: eigenvalues 4, 0, 0 and 0."""
    found = scores(stack(4, rectified=False), "jacob_cov", batch=4)
    values = [4 + 1e-5, *[1e-5] * 3]
    expected = -sum(log(v) + 1 / v for v in values)
    assert found == pytest.approx([expected] * 3, rel=1e-6)


def test_scores_are_repeated_and_no_accuracies() -> None:
    space = cm.space("nasbench201", dataset="imagenet16", cells=1)
    net = space.network((3, 1, 2, 1, 3, 4))
    state = torch.random.get_rng_state()
    for proxy in ("synflow", "naswot", "jacob_cov"):
        one = scores(net, proxy)
        assert one == scores(net, proxy)
        assert len(set(one)) == 3
    assert torch.equal(state, torch.random.get_rng_state())
    found = cm.search(space, maximize="proxy:naswot", minimize="parameters",
                      evaluations=6)  # fmt: skip
    assert found.objectives[1].unit == "naswot score, untrained, noise input"


def test_what_a_proxy_cannot_score_is_said() -> None:
    linear = stack(2, rectified=False)
    with pytest.raises(cm.CostModelError, match="needs ReLUs"):
        scores(linear, "naswot")
    with pytest.raises(cm.CostModelError, match="did you mean naswot"):
        scores(linear, "naswots")
    with pytest.raises(cm.CostModelError, match="sizes are numbers"):
        scores(cm.load("lenet5"), "synflow")

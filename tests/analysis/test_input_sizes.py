"""Input sizes: legal and exact-fit ones, against modules that run at every size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, note
from hypothesis import strategies as st
from torch import fx, nn

import costmodel as cm
from costmodel.algebra.symbols import Dim, H, M, W
from costmodel.algebra.window import sliding
from costmodel.analysis.input_sizes import Remainder, Side, input_sizes, remainders
from costmodel.bridge.compile import modules
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import (
    adaptive_avg_pool,
    add,
    avg_pool,
    concat,
    conv,
    image,
    max_pool,
    network,
    pad,
    relu,
)
from costmodel.network.graph import Network
from costmodel.testing import networks


MORE = 12
"""How far above the smallest size modules are run."""


class Run(fx.Interpreter):
    """A module that runs on ``meta``; where it breaks, and what its strides leave over.

    Both are PyTorch's own: its errors, and the attributes of its layers.
    """

    def __init__(self, net: Network) -> None:
        """Compile a network."""
        super().__init__(cm.compile(net, device="meta"))
        self.channels = int(net.inputs[0].output.channels)
        self.broken_at: str | None = None
        self.left = 0

    def at(self, height: int, width: int) -> Run:
        """Run at a size."""
        self.broken_at, self.left = None, 0
        try:
            self.run(torch.zeros((1, self.channels, height, width), device="meta"))
        except RuntimeError:
            assert self.broken_at is not None
        return self

    def run_node(self, n: fx.Node) -> Any:
        """Run one node."""
        try:
            if n.op == "call_module":
                layer, (x,) = self.module.get_submodule(str(n.target)), n.args
                assert isinstance(x, fx.Node)
                self.left += left_over(layer, tuple(self.env[x].shape))
            result = super().run_node(n)
        except RuntimeError:
            self.broken_at = n.meta.get("node")
            raise
        if isinstance(result, torch.Tensor) and not result.numel():
            # PyTorch crops to nothing without a word; a network is broken there.
            self.broken_at = n.meta.get("node")
            raise RuntimeError(n.name)
        return result


def left_over(layer: nn.Module, size: tuple[int, ...]) -> int:
    """Return Σ (n + 2p − d(k−1) − 1) mod s, from the attributes of PyTorch's layers."""
    if len(size) != 4:
        return 0
    if isinstance(layer, modules.Subsample2d):
        return sum(n % k for n, k in zip(size[2:], layer.kernel, strict=True))
    if isinstance(layer, modules.Zeros):
        return sum((n - 1) % s for n, s in zip(size[2:], layer.stride, strict=True))
    if not isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        return 0
    attributes = [
        getattr(layer, name, 1)
        for name in ("kernel_size", "stride", "padding", "dilation")
    ]
    left = 0
    for axis in (0, 1):
        k, s, p, d = (a[axis] if isinstance(a, tuple) else a for a in attributes)
        left += (size[2 + axis] + 2 * p - d * (k - 1) - 1) % s
    return left


@given(networks())
def test_modules_run_at_legal_sizes_and_at_no_others(net: Network) -> None:
    height, width = sides(net)
    run = Run(net)
    for value in range(1, height.smallest + MORE):
        broken = run.at(value, width.smallest + MORE).broken_at
        assert (broken is None) == height.is_legal(value)
    for value in range(1, width.smallest + MORE):
        broken = run.at(height.smallest + MORE, value).broken_at
        assert (broken is None) == width.is_legal(value)


@given(networks())
def test_below_the_smallest_size_modules_break_at_the_node_that_is_named(
    net: Network,
) -> None:
    height, width = sides(net)
    run = Run(net)
    tall, wide = height.smallest + MORE, width.smallest + MORE
    below = [(height.smallest - 1, wide), (tall, width.smallest - 1)]
    for side, size in zip((height, width), below, strict=True):
        if side.smallest > 1:
            assert run.at(*size).broken_at == side.needed_by


@given(networks(), st.data())
def test_no_stride_leaves_a_remainder_exactly_at_the_sizes_that_fit(
    net: Network, data: st.DataObject
) -> None:
    height, width = sides(net)
    run = Run(net)
    rows = data.draw(st.integers(0, MORE)) + height.smallest
    columns = data.draw(st.integers(0, MORE)) + width.smallest
    sizes = [(height.smallest + n, columns) for n in range(MORE)]
    sizes += [(rows, width.smallest + n) for n in range(MORE)]
    sizes += [(side.first_exact or 99, other.first_exact or 99)
              for side, other in [(height, width)]]  # fmt: skip
    for h, w in sizes:
        fits = height.is_exact(h) and width.is_exact(w)
        assert (run.at(h, w).left == 0) == fits
    assert (not remainders(net.bind(H=rows, W=columns))) == (
        height.is_exact(rows) and width.is_exact(columns)
    )


def sides(net: Network) -> tuple[Side, Side]:
    """Return what is known of height and width, and note it."""
    found = input_sizes(net)
    note(f"{net}\n{found}")
    assert [(side.smallest, side.needed_by) for side in found] == [
        net.smallest(H), net.smallest(W)
    ]  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("name", "smallest", "exact"),
    [
        ("vgg16", 32, "32 divides H"),
        ("alexnet", 67, "H ≡ 3 (mod 32)"),  # of which 227 is one, and 224 is not
        ("lenet5", 32, "4 divides H"),
        ("resnet50", 1, "H ≡ 1 (mod 32)"),
        ("densenet121", 29, "H ≡ 29 (mod 32)"),
        ("inception_v3", 75, "H ≡ 11 (mod 32)"),  # of which 299 is one
        ("googlenet", 31, "H ≡ 29 (mod 32)"),
        ("squeezenet1_0", 21, "H ≡ 3 (mod 16)"),  # of which 227 is one
        ("nasnet_a_large", 3, "H ≡ 3 (mod 32)"),
        ("resnet20_cifar", 1, "H ≡ 1 (mod 4)"),
    ],
)
def test_architectures_take_and_fit_these_sizes(
    name: str, smallest: int, exact: str
) -> None:
    height, width = cm.input_sizes(cm.load(name))
    assert (height.smallest, str(height.exact)) == (smallest, exact)
    assert (width.smallest, str(width.exact)) == (smallest, exact.replace("H", "W"))


@pytest.mark.parametrize(
    "name", ["vgg16", "googlenet", "squeezenet1_0", "inception_v3"]
)
def test_a_size_that_fits_leaves_no_remainder_in_the_bound_network(name: str) -> None:
    net = cm.load(name)
    height, _ = cm.input_sizes(net)
    first = height.first_exact
    assert first is not None
    assert remainders(net.bind(H=first + 64, W=first)) == ()
    assert remainders(net.bind(H=first + 63, W=first)) != ()


def test_remainders_tell_padding_from_pixels() -> None:
    # 224: of 3×3/2 on 56 rows the one left over is padding; unpadded layers lose rows
    found = remainders(cm.load("resnet50", variant="torchvision", resolution=224))
    assert {(r.rows, r.lost) for r in found if not r.name.endswith("conv4")} == {(1, 0)}
    found = remainders(cm.load("alexnet", resolution=(224, 227)))
    assert found[0] == Remainder("conv1", "height", 1, 1)
    assert {r.axis for r in found} == {"height"}


def test_rounding_up_loses_nothing_and_still_leaves_a_remainder() -> None:
    x = image(4)
    up = network(max_pool(x, 2, ceil_mode=True))
    height, _ = cm.input_sizes(up)
    assert (height.smallest, str(height.exact)) == (1, "H even")
    assert remainders(up.bind(H=9, W=8)) == (Remainder("max_pool1", "height", 1, 0),)
    # what ceil_mode adds is no remainder to the layers behind
    height, _ = cm.input_sizes(network(conv(max_pool(x, 2, ceil_mode=True), 4, 3, 2)))
    assert str(height.exact) == "H ≡ 2 (mod 4)"


def test_strides_that_exclude_each_other_are_named() -> None:
    x = image(4)
    joined = concat(conv(x, 4, 3, stride=2), max_pool(x, 2, ceil_mode=True))
    height, width = cm.input_sizes(network(joined))
    assert (str(height.exact), height.first_exact) == ("no H", None)
    assert width.why == '"conv1" needs W odd and "max_pool1" needs W even'
    assert not height.is_exact(9)
    fixed = network(conv(adaptive_avg_pool(image(4), 6), 4, 3, stride=2))
    height, _ = cm.input_sizes(fixed)
    assert height.why == '"conv1" leaves a remainder at every size'


def test_sides_may_be_multiples_of_a_symbol() -> None:
    height, width = cm.input_sizes(cm.load("vgg16", resolution=16 * M))
    assert height == width
    assert (height.symbol, height.smallest, str(height.exact)) == (M, 2, "M even")
    shifted = cm.load("alexnet", resolution=32 * M + 3)
    assert str(cm.input_sizes(shifted)[0].exact) == "every M"
    both = image(4, 6 * M, M)  # one symbol: both sides ask of it
    height, width = cm.input_sizes(network(max_pool(both, 4)))
    assert height == width
    assert (height.smallest, str(height.exact)) == (4, "4 divides M")


def test_a_crop_needs_what_it_takes_away() -> None:
    net = network(pad(image(4), before=-5, after=7))
    height, _ = cm.input_sizes(net)
    assert (height.smallest, height.needed_by) == (5, "pad1")
    for value in (4, 5):
        assert (Run(net).at(value, 9).broken_at is None) == height.is_legal(value)


WINDOWS = st.builds(
    sliding, st.integers(1, 4), st.integers(1, 3), st.integers(0, 2),
    ceil_mode=st.booleans(),
)  # fmt: skip


@given(WINDOWS, WINDOWS)
def test_branches_can_be_joined_at_exactly_the_admissible_sizes(
    one: Any, other: Any
) -> None:
    def build(side: Dim) -> Network:
        x = image(2, side, side)
        return network(add(pooled(x, one), pooled(x, other)))

    def pooled(x: Any, w: Any) -> Any:
        padded = pad(x, w.before, w.after)
        return conv(padded, 2, w.size, w.stride, padding=0)

    def fits(side: int) -> bool:
        try:
            build(side)
        except CostModelError:
            return False
        return True

    sizes = range(36, 36 + 18)
    if any(fits(side) for side in sizes):
        found = cm.admissible(build, modulus=6)
        assert [side in found for side in sizes] == [fits(side) for side in sizes]
    else:
        with pytest.raises(CostModelError, match=r"^admissible: at no size mod 6: add"):
            cm.admissible(build, modulus=6)


def test_pools_that_round_up_fit_beside_convolutions_at_even_sizes() -> None:
    def caffe(side: Dim) -> Network:
        x = image(8, side, side)
        for _ in range(3):
            pool = max_pool(x, 3, stride=2, ceil_mode=True)
            x = concat(conv(x, 8, 3, stride=2), pool)
        return network(x)

    assert str(cm.admissible(caffe, 16)) == "8 divides H"


def test_sizes_are_asked_of_networks_of_one_image_of_open_size() -> None:
    with pytest.raises(
        CostModelError, match=r'the height of "vgg16" is 224 already; as'
    ):
        cm.input_sizes(cm.load("vgg16", resolution=224))
    with pytest.raises(CostModelError, match="the width of"):
        cm.input_sizes(network(relu(image(3, H, 8))))
    shape = image().shape
    two = Network.assemble([
        ("a", op.Input(shape), ()), ("b", op.Input(shape), ()),
        ("add", op.Arithmetic("add"), ("a", "b")),
    ])  # fmt: skip
    with pytest.raises(CostModelError, match="does not take one image"):
        cm.input_sizes(two)
    s = cm.symbol("s")
    with pytest.raises(
        CostModelError, match=r'^avg_pool at "avg_pool1": .* is symbolic'
    ):
        cm.input_sizes(network(avg_pool(image(3), 4, stride=s)))
    with pytest.raises(CostModelError, match=r'^remainders: "network" has symbols$'):
        remainders(network(max_pool(image(3), 2)))

"""Claims about small networks, searched cells and compound scaling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from math import factorial

from costmodel.algebra.symbols import Rational
from costmodel.analysis.evidence.claims import Evidence, claim
from costmodel.zoo.claims.counted import built, costs, ratio
from costmodel.zoo.spaces.nasbench101 import NasBench101
from costmodel.zoo.spaces.nasnet import NasNetCells


EFFICIENTNET = "Tan & Le 2019"
NOTES = "lecture notes on the history of CNNs"

PNAS = (
    "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "conv_1x7_7x1",
    "identity", "avg_pool_3x3", "max_pool_3x3", "dil_conv_3x3",
)  # fmt: skip
"""The 8 operations of Liu et al. 2017, section 3.1."""


@claim(
    says="EfficientNet's operations grow as 2^φ.",
    source=f"{EFFICIENTNET}, section 3.3",
    about=["efficientnet"],
    convention="multiply-accumulates of Bφ over those of B0, released coefficients",
    verdict="depends",
    because="α·β²·γ² is 1.92 and not 2; depth and channels are rounded up to whole "
    "ones, and the resolutions are chosen.",
)
def efficientnet_grows_as_2_to_phi() -> Iterator[Evidence]:
    one = costs("efficientnet_b0").macs
    for phi in range(1, 8):
        grown = ratio(costs(f"efficientnet_b{phi}").macs, one)
        yield Evidence(f"φ = {phi}", 2**phi, grown)
    law = Rational("1.2") * Rational("1.1") ** 2 * Rational("1.15") ** 2
    yield Evidence("α·β²·γ²", 2, law)


@claim(
    says="Doubling the depth doubles the operations; doubling the width or the "
    "resolution makes them four times as many.",
    source=f"{EFFICIENTNET}, section 3.3",
    about=["efficientnet"],
    convention="multiply-accumulates over those of B0, one axis doubled",
    verdict="approximately",
)
def efficientnet_axes_cost_1_2_2() -> Iterator[Evidence]:
    one = costs("efficientnet_b0").macs
    doubled = (("depth", 2, 2), ("width", 2, 4), ("resolution", 448, 4))
    for axis, value, times in doubled:
        grown = ratio(costs("efficientnet_b0", **{axis: value}).macs, one)
        yield Evidence(f"{axis} doubled", times, grown)


@claim(
    says="SqueezeNet has 50× fewer parameters than AlexNet.",
    source="Iandola et al. 2016, section 1",
    about=["squeezenet", "alexnet"],
    convention="learnable scalars of both as published",
    verdict="approximately",
)
def squeezenet_has_50_times_fewer_parameters() -> Iterator[Evidence]:
    parameters = (costs(name).parameters for name in ("alexnet", "squeezenet1_0"))
    yield Evidence("times", "50", ratio(*parameters))


@claim(
    says="NASNet repeats two cells that were searched for once.",
    source=f"Zoph et al. 2017, section 3; {NOTES}",
    about=["nasnet"],
    convention="cells by the kernels of their depthwise convolutions, in order",
    verdict="holds",
    because="How a cell takes in the one before the last differs with its size.",
)
def nasnet_repeats_two_cells() -> Iterator[Evidence]:
    for name, cells in (("nasnet_a_mobile", 4), ("nasnet_a_large", 6)):
        found = Counter(_cells(name))
        normal, reduction = (number for _, number in found.most_common(2))
        yield Evidence(f"different cells in {name}", 2, len(found))
        yield Evidence(f"normal cells in {name}", 3 * cells, normal)
        yield Evidence(f"reduction cells in {name}, two in the stem", 4, reduction)


@claim(
    says="NASNet's cells are searched for on CIFAR-10; ImageNet takes more copies of "
    "them.",
    source=f"Zoph et al. 2017, sections 1 and 3; {NOTES}",
    about=["nasnet"],
    convention="cells by the kernels of their depthwise convolutions, in order",
    verdict="depends",
    because="The cells are the same two. Their copies are 20 on CIFAR-10 with 6 in each "
    "stage, 22 in the large network and 16 in the mobile one.",
)
def nasnet_stacks_the_cells_of_cifar() -> Iterator[Evidence]:
    small = _cells("nasnet_a_cifar")
    for name in ("nasnet_a_mobile", "nasnet_a_large"):
        found = _cells(name)
        other = len(set(found) - set(small))
        yield Evidence(f"cells in {name} that are other ones", 0, other)
        yield Evidence(f"copies in {name}, CIFAR's are {len(small)}", len(small),
                       len(found), ">")  # fmt: skip


@claim(
    says="NASNet's networks are too many to try all; PNASNet starts with the 136 cells "
    "of one block.",
    source="Liu et al. 2017, section 3.2",
    about=["nasnet", "pnasnet"],
    convention="pairs of a normal and a reduction cell of 5 blocks, a block's two "
    "operations in any order; over those of a million years at a million a second",
    verdict="holds",
    because="6,216,413,045,023,995,573,296,033,640,000 pairs can be written, each in at "
    "most 5!² orders of its blocks.",
)
def nasnet_cells_are_too_many_to_list() -> Iterator[Evidence]:
    size, tried = NasNetCells().size(), 10**12 * 31_557_600
    yield Evidence("networks as they are written", tried, size, ">")
    different = ratio(size, factorial(5) ** 2)
    yield Evidence("different ones at least", tried, different, ">")
    one = NasNetCells(blocks=1, operations=PNAS, cells=1)
    yield Evidence("different cells of one block of PNASNet", 136, one.size("function"))


@claim(
    says="NAS-Bench-101's 423,624 different cells are roughly a third of those that can "
    "be written.",
    source="google-research/nasbench, generate_graphs.py; Ying et al. 2019, section 2",
    about=["nasnet"],
    convention="at most 7 vertices and 9 edges, 3 operations, up to isomorphism, over "
    "upper triangular matrices of which each vertex is on a path",
    verdict="approximately",
)
def nas_bench_101_is_a_third_of_its_matrices() -> Iterator[Evidence]:
    space = NasBench101()
    different, written = space.size("graph"), space.size()
    yield Evidence("different cells", "423,624", different)
    yield Evidence("of those written", Rational(1, 3), ratio(different, written))


@cache
def _cells(name: str) -> tuple[tuple[object, ...], ...]:
    """Return the kernels of the depthwise convolutions of each cell."""
    kernels: dict[str, tuple[object, ...]] = {}
    for node in built(name).nodes:
        groups = getattr(node.operator, "groups", 1)
        if node.operator.kind == "conv" and groups != 1:
            cell = node.name.split(".")[0]
            kernel = getattr(node.operator, "kernel", None)
            kernels[cell] = (*kernels.get(cell, ()), kernel)
    return tuple(kernels.values())

"""Claims about small networks, searched cells and compound scaling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from costmodel.algebra.symbols import Rational
from costmodel.analysis.evidence.claims import Evidence, claim
from costmodel.network.graph import Network
from costmodel.zoo.claims.counted import built, costs, ratio


EFFICIENTNET = "Tan & Le 2019"


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
    source="Zoph et al. 2017, section 3; lecture notes on the history of CNNs",
    about=["nasnet"],
    convention="cells by the kernels of their depthwise convolutions, in order",
    verdict="holds",
    because="How a cell takes in the one before the last differs with its size.",
)
def nasnet_repeats_two_cells() -> Iterator[Evidence]:
    for name, cells in (("nasnet_a_mobile", 4), ("nasnet_a_large", 6)):
        found = Counter(_cells(built(name)).values())
        normal, reduction = (number for _, number in found.most_common(2))
        yield Evidence(f"different cells in {name}", 2, len(found))
        yield Evidence(f"normal cells in {name}", 3 * cells, normal)
        yield Evidence(f"reduction cells in {name}, two in the stem", 4, reduction)


def _cells(net: Network) -> dict[str, tuple[object, ...]]:
    """Return the kernels of the depthwise convolutions of each cell."""
    kernels: dict[str, tuple[object, ...]] = {}
    for node in net.nodes:
        groups = getattr(node.operator, "groups", 1)
        if node.operator.kind == "conv" and groups != 1:
            cell = node.name.split(".")[0]
            kernel = getattr(node.operator, "kernel", None)
            kernels[cell] = (*kernels.get(cell, ()), kernel)
    return kernels

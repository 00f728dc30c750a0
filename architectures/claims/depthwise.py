"""Claims about depthwise separable convolution, MobileNet and Xception."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import sympy

from costmodel.algebra.questions.asymptotics import leading, relax
from costmodel.algebra.symbols import Dim, H, Rational, W, alpha, symbol
from costmodel.analysis.cost import cost
from costmodel.analysis.evidence.claims import Evidence, claim
from costmodel.network.build import Value, conv, depthwise
from costmodel.network.registry import load
from costmodel.zoo.claims.counted import built, costs, costs_of, count, ratio
from costmodel.zoo.claims.early import CS231N


NOTES = "lecture notes on the history of CNNs"
MOBILENET = "Howard et al. 2017"

KERNEL, MAPS, FILTERS, SIDE = (symbol(s) for s in ("D_K", "M", "N_F", "D_G"))


def standard(x: Value, filters: Dim, kernel: Dim) -> Value:
    return conv(x, filters, kernel, bias=False)


def separable(x: Value, filters: Dim, kernel: Dim) -> Value:
    """Filter each channel by itself, then mix the channels by 1×1."""
    return conv(depthwise(x, kernel, bias=False), filters, 1, bias=False)


def saving(maps: Dim, filters: Dim, kernel: Dim, metric: str = "macs") -> Dim:
    """Return the cost of the separable convolution over that of the standard one."""
    one, other = (
        costs_of(partial(block, filters=filters, kernel=kernel), maps, SIDE).metric(
            metric
        )
        for block in (separable, standard)
    )
    return ratio(one, other)


@claim(
    says="Depthwise costs D_K²·D_G²·M multiplications and D_K²·M parameters, pointwise "
    "D_G²·M·N and M·N.",
    source=f"{MOBILENET}, equations 3 to 5; {NOTES}",
    about=["mobilenet_v1"],
    convention="M maps of D_G×D_G, N filters of D_K×D_K, size kept, no biases",
    verdict="holds",
)
def separable_convolution_costs_two_terms() -> Iterator[Evidence]:
    first = costs_of(lambda x: depthwise(x, KERNEL, bias=False), MAPS, SIDE)
    second = costs_of(lambda x: conv(x, FILTERS, 1, bias=False), MAPS, SIDE)
    yield Evidence("depthwise MACs", KERNEL**2 * SIDE**2 * MAPS, first.macs)
    yield Evidence("depthwise parameters", KERNEL**2 * MAPS, first.parameters)
    yield Evidence("pointwise MACs", SIDE**2 * MAPS * FILTERS, second.macs)
    yield Evidence("pointwise parameters", MAPS * FILTERS, second.parameters)


@claim(
    says="Separable over standard convolution is 1/N + 1/D_K².",
    source=f"{MOBILENET}, section 3.1",
    about=["mobilenet_v1"],
    convention="M maps to N, kernel D_K×D_K, no biases",
    verdict="holds",
)
def separable_convolution_follows_its_law() -> Iterator[Evidence]:
    law = 1 / FILTERS + 1 / KERNEL**2
    yield Evidence("MACs", law, saving(MAPS, FILTERS, KERNEL))
    yield Evidence("parameters", law, saving(MAPS, FILTERS, KERNEL, "parameters"))


@claim(
    says="A depthwise separable convolution costs 1/10 of a standard one.",
    source=NOTES,
    about=["mobilenet_v1"],
    convention="multiply-accumulates of the standard one over the separable one",
    verdict="depends",
    because="A 3×3 one is never below 1/9: 7.9 to 8.9 times cheaper for 64 to 1024 "
    "filters, which the paper calls 8 to 9. A 5×5 one is 18 to 24 times cheaper.",
)
def separable_convolution_costs_a_tenth() -> Iterator[Evidence]:
    for kernel in (3, 5):
        for filters in (64, 256, 1024):
            times = 1 / sympy.sympify(saving(MAPS, filters, kernel))
            yield Evidence(f"times, {kernel}×{kernel} to {filters} maps", 10, times)
        most = sympy.limit(1 / saving(MAPS, FILTERS, kernel), FILTERS, sympy.oo)
        yield Evidence(f"times at most, {kernel}×{kernel}", 10, most)
    full, parts = costs("mobilenet_v1", convolution="full"), costs("mobilenet_v1")
    yield Evidence("times, all of MobileNet", 10, ratio(full.macs, parts.macs))
    fewer = ratio(full.parameters, parts.parameters)
    yield Evidence("times fewer parameters, all of MobileNet", 10, fewer)


@claim(
    says="MobileNet spends 95 % of its operations in 1×1 convolutions.",
    source=f"{MOBILENET}, Table 2",
    about=["mobilenet_v1"],
    convention="percent of multiply-accumulates; of parameters, weights alone count",
    verdict="holds",
)
def mobilenet_is_1x1_convolutions() -> Iterator[Evidence]:
    whole = costs("mobilenet_v1")
    kernels = {row.name: getattr(row.node.operator, "kernel", None)
               for row in whole.rows if row.kind == "conv"}  # fmt: skip
    point = whole.of_nodes(name for name, size in kernels.items() if size == (1, 1))
    yield Evidence("percent of MACs", "94.86", 100 * ratio(point.macs, whole.macs))
    weights = sum(
        row.parameters for row in whole.rows if row.kind in ("conv", "linear")
    )
    biases = 1000
    share = 100 * ratio(point.parameters, weights - biases)
    yield Evidence("percent of parameters", "74.59", share)


@claim(
    says="MobileNet costs D_K²·αM·(ρD_G)² + αM·αN·(ρD_G)², about α²ρ².",
    source=f"{MOBILENET}, equations 6 and 7; {NOTES}",
    about=["mobilenet_v1"],
    convention="multiply-accumulates over those at α = 1 and ρ = 1",
    verdict="depends",
    because="ρ² is exact for convolutions whose sizes divide. α is squared in 1×1 "
    "convolutions alone: depthwise ones and the stem are linear in it, which shows "
    "at α = 1/4.",
)
def mobilenet_costs_alpha_squared_rho_squared() -> Iterator[Evidence]:
    size = symbol("M")
    macs = relax(cost(load("mobilenet_v1", width=alpha, batch=1)).macs)
    law = sympy.sympify(macs).subs({H: 32 * size, W: 32 * size})
    highest = leading(sympy.expand(law), alpha, size)
    power = ratio(highest, alpha**2 * size**2)
    yield Evidence("powers of α and M left beside α²M², 32·M pixels", 0,
                   len(sympy.sympify(power).free_symbols))  # fmt: skip
    full = costs("mobilenet_v1").macs
    for width in (Rational(3, 4), Rational(1, 2), Rational(1, 4)):
        share = ratio(costs("mobilenet_v1", width=width).macs, full)
        yield Evidence(f"α = {width}", width**2, share)
    for side in (192, 160, 128):
        share = ratio(costs("mobilenet_v1", resolution=side).macs, full)
        yield Evidence(f"ρ = {side}/224", Rational(side, 224) ** 2, share)


@claim(
    says="MobileNet v2's inverted residuals end in a linear bottleneck.",
    source="Sandler et al. 2018, section 3; " + NOTES,
    about=["mobilenet_v2"],
    convention="activations that read a block's last 1×1 convolution",
    verdict="holds",
)
def mobilenet_v2_has_linear_bottlenecks() -> Iterator[Evidence]:
    net = built("mobilenet_v2")
    blocks = {n.name.split(".")[0] for n in net.nodes if n.name.startswith("block")}
    ends = [[n for n in net.nodes if n.name.split(".")[0] == block][-1]
            for block in sorted(blocks)]  # fmt: skip
    linear = sum(n.operator.kind in ("add", "batch_norm") for n in ends)
    yield Evidence("blocks that end without activation", len(blocks), linear)
    yield Evidence("blocks", 17, len(blocks))
    widest = max(n.output.channels for n in ends)
    inner = max(
        n.output.channels
        for n in net.nodes
        if n.operator.kind == "conv" and getattr(n.operator, "groups", 1) != 1
    )
    yield Evidence(
        "widest map inside over widest at an end", 1, ratio(inner, widest), ">"
    )
    yield Evidence("shortcuts between bottlenecks", 10, count(net, "add"))


@claim(
    says="Xception has the parameters of Inception v3.",
    source="Chollet 2016, section 4.6 and Table 3; " + CS231N,
    about=["xception", "inception_v3"],
    convention="learnable scalars, without the auxiliary classifier",
    verdict="approximately",
)
def xception_is_as_large_as_inception_v3() -> Iterator[Evidence]:
    both = [costs(name).parameters for name in ("xception", "inception_v3")]
    yield Evidence("Xception over Inception v3", 1, ratio(*both))

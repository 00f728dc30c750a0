"""Common parts of searched networks. Zoph et al. 2017, arXiv:1707.07012, Figure 2."""

from __future__ import annotations

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    batch_norm,
    conv,
    dropout,
    global_average_pool,
    linear,
    relu,
    scope,
)
from costmodel.network.cells.cell import cell, fit, relu_conv_bn, share
from costmodel.network.cells.genotype import Genotype


def searched(
    genotype: Genotype, x: Value, previous: Value | None, filters: Dim, stride: int = 1
) -> Value:
    """Bring both inputs to the cell's filters by 1×1 (appendix A.4), then build it."""
    before = x if previous is None else fit(previous, x, filters)
    h = relu_conv_bn(x, filters)
    return cell(genotype, h, before, channels=filters, stride=stride)


def imagenet_stem(
    x: Value, genotype: Genotype, channels: Dim, filters: Dim
) -> tuple[Value, Value]:
    """Reduce to an eighth by a 3×3 convolution, then two narrow, strided cells."""
    with scope("conv0"):
        x = batch_norm(conv(x, channels, 3, stride=2, padding=0, bias=False))
    before, previous = x, None
    for number, of in enumerate((4, 2)):
        with scope(f"cell_stem_{number}"):
            y = searched(genotype, x, previous, share(filters, 1, of), stride=2)
            x, before, previous = y, x, x
    return x, before


def cifar_stem(x: Value, filters: Dim) -> tuple[Value, None]:
    """Convolve by 3×3 at full size; there is no earlier state."""
    with scope("conv0"):
        return batch_norm(conv(x, 3 * filters, 3, bias=False)), None


def stages(
    x: Value,
    previous: Value | None,
    normal: Genotype,
    reduction: Genotype,
    cells: int,
    filters: Dim,
    *,
    skips: bool = False,
) -> list[Value]:
    """Repeat the normal cell in three stages, reductions between; return their ends.

    A reduction halves the feature map and doubles the filters. With ``skips`` the cell
    after it reads the reduction's second input, not its first.
    """
    ends = []
    for stage in range(3):
        maps = 2**stage * filters
        if stage:
            with scope(f"reduction_cell_{stage - 1}"):
                reduced = searched(reduction, x, previous, maps, stride=2)
            x, previous = reduced, previous if skips else x
        for number in range(stage * cells, (stage + 1) * cells):
            with scope(f"cell_{number}"):
                x, previous = searched(normal, x, previous, maps), x
        ends.append(x)
    return ends


def head(x: Value, classes: Dim) -> Value:
    """Classify by global average pooling and a linear layer."""
    with scope("head"):
        return linear(dropout(global_average_pool(relu(x))), classes)

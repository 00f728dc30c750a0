"""Dense blocks. Huang et al. 2016, arXiv:1608.06993, section 3."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.algebra.symbols import Dim, floor, is_equal, maximum
from costmodel.network.build import (
    Value,
    avg_pool,
    batch_norm,
    concat,
    conv,
    relu,
    require,
    scope,
)


def layer(x: Value, growth_rate: Dim, bottleneck: Dim | None = None) -> Value:
    """Concatenate BN-ReLU-3×3 of k channels to its input; B: a 1×1 first (section 3)."""
    y = x
    if bottleneck is not None:
        y = relu(batch_norm(y))
        y = conv(y, bottleneck * growth_rate, kernel=1, bias=False)
    y = conv(relu(batch_norm(y)), growth_rate, kernel=3, bias=False)
    # Each layer sees every earlier one: the running concatenation is all of them.
    return concat(x, y)


def transition(x: Value, compression: Dim) -> Value:
    """BN-ReLU-1×1 to ⌊θm⌋ of m channels, then 2×2 average pooling."""
    require(
        is_equal(compression, 1) or not is_equal(maximum(compression, 1), compression),
        f"option compression = {compression}: no more than 1, all maps, is kept",
    )
    maps = floor(compression * x.channels)
    return avg_pool(conv(relu(batch_norm(x)), maps, kernel=1, bias=False), 2)


def dense_blocks(
    x: Value,
    counts: Sequence[int],
    growth_rate: Dim,
    compression: Dim,
    bottleneck: Dim | None,
) -> Value:
    """Stack dense blocks of so many layers, with transitions between them."""
    for stage, count in enumerate(counts, start=1):
        for number in range(1, count + 1):
            with scope(f"stage{stage}"), scope(f"layer{number}"):
                x = layer(x, growth_rate, bottleneck)
        if stage < len(counts):
            with scope(f"transition{stage}"):
                x = transition(x, compression)
    with scope("head"):
        return relu(batch_norm(x))

"""Zero-cost proxies: numbers of untrained networks that go with accuracy, somewhat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from costmodel.bridge.compile import compile as compiled
from costmodel.errors import CostModelError, known_are
from costmodel.network.graph import Network


BATCH = 16
SEEDS = (0, 1, 2)
"""Initializations, and inputs of Gaussian noise, that a score is the mean of."""


def scores(
    network: Network, proxy: str, *, batch: int = BATCH, seeds: Sequence[int] = SEEDS
) -> list[float]:
    """Return a proxy's score for each seed of weights and noise.

    **Errors**: an unknown proxy; a network that has no layer the proxy reads, or whose
    sizes are symbols.
    """
    if proxy not in _SCORES:
        raise CostModelError(f'unknown proxy "{proxy}"; {known_are(proxy, _SCORES)}')
    sizes = network.inputs[0].output.sizes
    if len(network.inputs) != 1 or not all(type(size) is int for size in sizes):
        raise CostModelError(
            f"{network.name}: a proxy needs one input whose sizes are numbers"
        )
    found = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # one order of additions, so that scores are repeatable
    try:
        for seed in seeds:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                module = compiled(network)
                x = torch.randn(batch, *sizes)
                found.append(float(_SCORES[proxy](network, module, x)))
    finally:
        torch.set_num_threads(threads)
    return found


def _jacob_cov(_network: Network, module: nn.Module, x: torch.Tensor) -> float:
    """Return −Σ (log v + 1/v) over eigenvalues of the correlation of input gradients.

    Each sample's gradient is that of its outputs' sum.

    **Source**: Mellor et al. 2020, arXiv:2006.04647 (version 1), equation 2; constants
    of Abdelfattah et al. 2021, arXiv:2101.08134.
    """
    x = x.requires_grad_()
    module.train()
    (gradient,) = torch.autograd.grad(module(x).sum(), x)
    rows = gradient.flatten(1).double()
    values = torch.linalg.eigvalsh(torch.corrcoef(rows)) + 1e-5
    return float(-(values.log() + 1 / values).sum())


def _naswot(network: Network, module: nn.Module, x: torch.Tensor) -> float:
    """Return log |det K|, K how many ReLUs two samples agree in: both on or both off.

    **Source**: Mellor et al. 2021, arXiv:2006.04647, equation 2.
    """
    agreed = torch.zeros(len(x), len(x), dtype=torch.float64)
    seen = []

    def add(_layer: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        on = (output > 0).flatten(1).double()
        agreed.add_(on @ on.T + (1 - on) @ (1 - on).T)
        seen.append(1)

    for layer in module.modules():
        if isinstance(layer, (nn.ReLU, nn.ReLU6)):
            layer.register_forward_hook(add)
    module.train()
    with torch.no_grad():
        module(x)
    if not seen:
        raise CostModelError(f"{network.name}: naswot needs ReLUs, it has none")
    return float(torch.linalg.slogdet(agreed).logabsdet)


def _synflow(network: Network, module: nn.Module, x: torch.Tensor) -> float:
    """Return Σ |θ · ∂R/∂θ| over layers' weights, all |θ|; R sums the outputs of ones.

    Normalizations are left as they are before training: the identity.

    **Source**: Tanaka et al. 2020, arXiv:2006.05467, equation 4.
    """
    module.eval().double()
    with torch.no_grad():
        for value in module.parameters():
            value.abs_()
    module(torch.ones_like(x[:1], dtype=torch.float64)).sum().backward()
    weights = [
        layer.weight
        for layer in module.modules()
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear))
    ]
    if not weights:
        raise CostModelError(f"{network.name}: synflow needs layers with weights")
    parts = ((w * w.grad).abs().sum() for w in weights if w.grad is not None)
    return float(sum(part.detach() for part in parts))


_SCORES: dict[str, Callable[[Network, nn.Module, torch.Tensor], float]] = {
    "jacob_cov": _jacob_cov, "naswot": _naswot, "synflow": _synflow,
}  # fmt: skip

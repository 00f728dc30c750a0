"""Other ways to predict seconds, each fitted to the same networks as ours.

Papers compare networks by FLOPs, activations and similar counts; ConvMeter is the
simplest published model of this kind; PyTorch's own formula comes with PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np

from costmodel.errors import CostModelError
from costmodel.runtime.profile.least_squares import nonnegative
from costmodel.runtime.validate.features import Totals


@dataclass(frozen=True, slots=True)
class Case:
    """A measured network: its family, its totals, and its seconds per batch."""

    name: str
    family: str
    batch: int
    totals: Totals
    seconds: float
    elsewhere: float | None = field(default=None, kw_only=True)
    """Seconds of the same network and batch on another device, if they are known."""


Model: TypeAlias = Callable[[Case], float]


class Predictor(Protocol):
    """What is fitted to some networks and then predicts others."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def fit(self, cases: Sequence[Case]) -> Model:
        """Return what predicts seconds."""


Features: TypeAlias = Callable[[Case], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Linear:
    """Seconds as a sum of features, each times a coefficient that is not negative.

    Coefficients minimise the soft L1 loss of relative errors, as ours do.
    """

    name: str
    features: Features

    def fit(self, cases: Sequence[Case]) -> Model:
        """Return the best sum."""
        design = np.array([self.features(case) for case in cases], float)
        theta = nonnegative(design, np.array([case.seconds for case in cases]))

        def predict(case: Case) -> float:
            return float(np.asarray(self.features(case), float) @ theta)

        return predict


@dataclass(frozen=True, slots=True)
class Datasheet:
    """A device's datasheet: peak FLOP/s (2 per MAC) and bytes/s of its memory."""

    flop_per_s: float
    byte_per_s: float

    @property
    def ridge(self) -> float:
        """MACs per byte at which PyTorch's formula turns from memory to computing."""
        return PEAK_SHARE * self.flop_per_s / self.byte_per_s


PEAK_SHARE = 0.75
"""The share of the peak that PyTorch takes to be reached."""

DATASHEETS = {
    "rtx3090": Datasheet(71e12, 936e9),
    "rtx4090": Datasheet(165.2e12, 1008e9),
}
"""Peak of dense float16 with float32 accumulation, and memory bandwidth.

**Source**: NVIDIA 2020, "Ampere GA102 GPU architecture", and 2022, "Ada GPU
architecture", appendix A of each.
"""


@dataclass(frozen=True, slots=True)
class Roofline:
    """PyTorch's formula: Σ over operators of max(FLOPs/2/(0.75·peak), bytes/bandwidth).

    The halving stands in PyTorch although its peaks count an FMA as two; views are
    free, and no call costs anything. ``is_scaled`` fits one factor to the whole.

    **Source**: PyTorch 2.13, ``torch.utils._runtime_estimation`` (``flops_to_ns``,
    ``get_transfer_time``) and ``RuntimeEstimator._roofline_estimate``. It asks for a
    GPU; this is the formula on our counts, which equal ``FlopCounterMode``'s.
    """

    name: str
    datasheet: Datasheet
    device: str | None = None
    """Which of a table's roofs it is; None sums over operators."""
    is_scaled: bool = False

    def fit(self, cases: Sequence[Case]) -> Model:
        """Return the formula, as it is or times the factor that fits best."""
        if not self.is_scaled:
            return self.seconds
        fitted = Linear(self.name, lambda case: [self.seconds(case)])
        return fitted.fit(cases)

    def seconds(self, case: Case) -> float:
        """Return the formula's seconds."""
        rate = PEAK_SHARE * self.datasheet.flop_per_s
        width, found = self.datasheet.byte_per_s, case.totals
        if self.device is not None:
            macs, moved = found.roofs[self.device]
            return macs / rate + moved / width
        return sum(
            step.count * max(step.macs / rate, step.moved_bytes / width)
            for step in found.steps
        )


def _elsewhere(case: Case) -> Sequence[float]:
    if case.elsewhere is None:
        raise CostModelError(f"{case.name}: not measured on the other device")
    return [case.elsewhere]


ELSEWHERE = Linear("another device × scalar", _elsewhere)
"""The same network measured on another device: no model, and hard to beat."""


BASELINES: tuple[Linear, ...] = (
    Linear("FLOPs", lambda case: [case.totals.macs]),
    Linear("parameters", lambda case: [case.batch * case.totals.parameters]),
    Linear("activations", lambda case: [case.totals.activations]),
    Linear(
        "FLOPs + activations", lambda case: [case.totals.macs, case.totals.activations]
    ),
    Linear(
        "ConvMeter-like",
        lambda case: [
            case.totals.macs,
            case.totals.activation_bytes,
            case.totals.parameters,
            case.totals.operators,
            1,
        ],
    ),
)
"""The usual baselines. FLOPs are MACs here: a factor of two is fitted away.

ConvMeter-like: FLOPs, tensor I/O, parameters, operators and a constant.
**Source**: "ConvMeter", ICPP 2024; activations: Radosavovic et al. 2020,
arXiv:2003.13678, section 3.
"""

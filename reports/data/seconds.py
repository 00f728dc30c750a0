"""Predicted seconds of a network on every device that comes with the package."""

from __future__ import annotations

from dataclasses import dataclass, field

from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.runtime.predict import Prediction, predict
from costmodel.runtime.profile import load_profile, profiles


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a network takes on a device, by stage; or why that is not known.

    **Units**: seconds per batch.
    """

    device: str
    seconds: float = 0.0
    low: float = 0.0
    high: float = 0.0
    by_stage: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    reason: str = ""


def timings(bound: Network) -> tuple[Timing, ...]:
    """Return what each shipped profile predicts of a network whose sizes are known."""
    return tuple(_timing(bound, name) for name in profiles())


def _by_stage(found: Prediction) -> dict[str, float]:
    """Return the seconds of each stage: equal kernels are added up once."""
    known: dict[tuple[int, ...], float] = {}
    stages: dict[str, float] = {}
    for row in found.rows:
        key = (id(row.compute), id(row.memory), id(row.call))
        if key not in known:
            known[key] = float(row.seconds)
        stage = row.name.partition(".")[0]
        stages[stage] = stages.get(stage, 0.0) + known[key]
    return stages


def _timing(bound: Network, device: str) -> Timing:
    try:
        found = predict(bound, load_profile(device))
        stages = _by_stage(found)
        seconds, low, high = map(float, (found.seconds, found.low, found.high))
        return Timing(device, seconds, low, high, stages, found.warnings)
    except CostModelError as error:
        return Timing(device, reason=f"It is not known: {error}.")

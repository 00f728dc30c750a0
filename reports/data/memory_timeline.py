"""The memory that a network takes over time, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from costmodel.algebra.symbols import Dim
from costmodel.analysis.memory import Memory, memory
from costmodel.errors import CostModelError
from costmodel.reports.data.subject import Subject
from costmodel.reports.formulas.numbers import human


WIDTH, HEIGHT = 1280, 240
"""Of the drawing, in its own units."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A headline of the memory that a network takes."""

    title: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The memory that a network takes, or why that is not known.

    ``path`` is the outline of the bytes alive at each step, in a drawing of
    ``WIDTH`` × ``HEIGHT``; the highest step is as high as the drawing.
    """

    rows: tuple[Bytes, ...] = ()
    path: str = ""
    peak: int = 0
    at: str = ""
    steps: int = 0
    reason: str = ""
    size: tuple[int, int] = (WIDTH, HEIGHT)

    @property
    def words(self) -> str:
        """The drawing in words."""
        return (
            f"Bytes in memory over {self.steps} steps; the peak, {human(self.peak)}B, "
            f"is at {self.at}"
        )


def timeline(subject: Subject) -> Timeline:
    """Return what weights and activations take, to infer and to train."""
    try:
        infers = memory(subject.bound)
        rows = tuple(Bytes(title, int(n)) for title, n in _bytes(subject, infers))
    except CostModelError as error:
        return Timeline(reason=f"It is not known: {error}.")
    alive = [int(moment.bytes) for moment in infers.timeline]
    peak = max(alive)
    at = infers.timeline[alive.index(peak)].node
    return Timeline(rows, _path(alive, peak), peak, at, len(alive))


def _bytes(subject: Subject, infers: Memory) -> Iterator[tuple[str, Dim]]:
    trains = memory(subject.bound, training=True)
    yield "Weights", infers.weight_bytes
    yield "Peak of activations, inference", infers.peak_activation_bytes
    what = ", partly frozen" if subject.bound.no_gradient else ""
    yield f"Peak of activations, training step{what}", trains.peak_activation_bytes
    yield "Optimizer state, Adam", trains.optimizer_bytes("adam")


def _path(alive: list[int], peak: int) -> str:
    """Return a stair of the steps, closed at the bottom."""
    step = WIDTH / len(alive)
    points = [f"M0,{HEIGHT}"]
    for place, count in enumerate(alive):
        high = HEIGHT - HEIGHT * count / (peak or 1)
        points.append(f"V{high:.0f}H{(place + 1) * step:.0f}")
    return "".join([*points, f"V{HEIGHT}z"])

"""optuna's samplers as engines, for objectives that take long."""

from __future__ import annotations

import warnings
from typing import Any

from costmodel.errors import CostModelError, known_are
from costmodel.nas.engines import Engine, Seen, Values
from costmodel.nas.spaces.choices import Choices
from costmodel.nas.spaces.space import Point, Space
from costmodel.nas.workers import imported


SAMPLERS = ("nsga2", "nsga3", "tpe")


class Optuna(Engine):
    """A sampler of optuna over the choices of a space.

    It proposes points again and again; they cost nothing, since values are kept.

    **Errors**: optuna is not installed; an unknown sampler; a space that is no product
    of choices.
    """

    def __init__(
        self, space: Space, seed: int, seen: Seen, sampler: str, directions: int
    ) -> None:
        """Start a study with so many numbers to minimize."""
        super().__init__(space, seed, seen)
        if sampler not in SAMPLERS:
            known = known_are(sampler, SAMPLERS)
            raise CostModelError(f'unknown sampler "{sampler}" of optuna; {known}')
        if not isinstance(space, Choices):
            raise CostModelError(
                f"{space.name}: optuna needs a product of choices, which cells that "
                "are graphs are not; engines for them are evolution and random"
            )
        optuna = imported("optuna", "search")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        make = {
            "nsga2": optuna.samplers.NSGAIISampler,
            "nsga3": optuna.samplers.NSGAIIISampler,
            "tpe": optuna.samplers.TPESampler,
        }[sampler]
        with warnings.catch_warnings():  # that a sampler is new to optuna
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            chosen = make(seed=seed)
        ways = ["minimize"] * directions
        self._study = optuna.create_study(directions=ways, sampler=chosen)
        self._failed = optuna.trial.TrialState.FAIL
        choices = zip(space.choices, space.counts)
        self._spread = {
            name: optuna.distributions.CategoricalDistribution(range(count))
            for name, count in choices
        }
        self._waiting: list[tuple[Point, Any]] = []

    def ask(self, count: int) -> list[Point]:
        """Return what the sampler proposes next."""
        for _ in range(count):
            trial = self._study.ask(self._spread)
            point = tuple(trial.params[name] for name in self._spread)
            self._waiting.append((point, trial))
        return [point for point, _ in self._waiting]

    def tell(self, point: Point, values: Values | None) -> None:
        """Give the sampler a point's values."""
        asked, trial = self._waiting.pop(0)
        assert asked == point  # noqa: S101 - points are told in order
        if values is None:
            self._study.tell(trial, state=self._failed)
        else:
            self._study.tell(trial, list(values))

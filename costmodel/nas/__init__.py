"""Search: the best networks of a space, by exact costs and by what users measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.errors import CostModelError, known_are, short
from costmodel.nas.engines import BATCH, Engine, Evolution, Exhaustive, RandomSearch
from costmodel.nas.engines.branch_bound import BranchAndBound
from costmodel.nas.engines.optuna import SAMPLERS, Optuna
from costmodel.nas.found import Evaluation, Found
from costmodel.nas.journal import Journal
from costmodel.nas.objectives import Constraint, Given, Objective, evaluated
from costmodel.nas.objectives import constraints as read_constraints
from costmodel.nas.objectives import objectives as read_objectives
from costmodel.nas.spaces.space import MOST, Level, Point, Space
from costmodel.nas.workers import Workers


ENGINES = ("exhaustive", "branch-and-bound", "random", "evolution",
           *(f"optuna:{sampler}" for sampler in SAMPLERS))  # fmt: skip

ENGINE_BATCH = {"exhaustive": 1000, "branch-and-bound": 1000}
"""Points of a batch, of engines that decide nothing between batches."""

USUAL = 1000
"""Evaluations of a space that is too large to try all."""

_STALLED = 50
"""Batches without a new point after which a space counts as exhausted."""

_FRUITLESS = 20_000
"""Points out of limits, and none within, after which a search gives up."""


def search(
    space: Space,
    *,
    minimize: Given = (),
    maximize: Given = (),
    constraints: str | Mapping[str, object] | Iterable[str] = (),
    engine: str | None = None,
    evaluations: int | None = None,
    seed: int = 0,
    level: Level | None = None,
    batch: int | None = None,
    journal: str | Path | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    advance: Callable[[int], object] | None = None,
) -> Found:
    """Return the front of a space: the networks that no other is better than.

    ``minimize`` and ``maximize`` name metrics (``"macs"``, ``"flops:fvcore"``,
    ``"seconds:PROFILE"``, ``"proxy:naswot"``), or map names to functions of a network
    or to tables by :meth:`Space.text`. ``constraints`` are limits of metrics, such as
    ``"macs <= 100M"``, or of objectives by name; points out of a metric's limits are no
    evaluations. ``evaluations`` counts points that are distinct at ``level``: by
    default all of a space of at most 2,000,000 points if costs are looked up, or of
    1,000 if networks are built for them, and else 1,000.

    ``engine`` is one of :data:`ENGINES`: by default every point is tried where the
    evaluations allow it, and else "evolution". All engines decide between batches, of
    10 points or as many as ``batch`` says, so that one seed gives one set of
    evaluations, however many ``jobs`` (processes) or workers of a dask ``scheduler``
    share them; no more than a batch has can be busy. ``journal`` is a file to which
    each evaluation is appended; a search that is started again goes on from it.

    **Errors**: unknown names; limits that no point keeps; an objective that fails or
    gives no number; a journal of another search; a scheduler that does not answer.

    >>> from costmodel.nas.spaces.catalogue import space
    >>> cells = space("nasbench201")
    >>> found = search(cells, minimize="macs", constraints="parameters >= 500K")
    >>> found.front[0].values, len(found.evaluations)
    ((78561920,), 5385)
    """
    objectives = read_objectives(minimize, maximize)
    return _Search(
        space, objectives, read_constraints(constraints, [o.name for o in objectives]),
        engine, evaluations, seed, level, batch, journal, advance,
    ).run(jobs, scheduler)  # fmt: skip


class _Search:
    """A search under way: what is known of each key, and what is allowed."""

    def __init__(
        self, space: Space, objectives: tuple[Objective, ...],
        limits: tuple[Constraint, ...], engine: str | None, evaluations: int | None,
        seed: int, level: Level | None, batch: int | None, journal: str | Path | None,
        advance: Callable[[int], object] | None,
    ) -> None:  # fmt: skip
        """Choose what is not given."""
        if not isinstance(space, Space):
            raise CostModelError(
                f"search: {space!r} is no space; costmodel.space(name) makes one"
            )
        if type(seed) is not int or seed < 0:
            raise CostModelError(f"search: seed {seed!r} is no whole number from 0")
        for name, count in (("evaluations", evaluations), ("batch", batch)):
            if count is not None and (type(count) is not int or count < 1):
                raise CostModelError(
                    f"search: {name} {count!r} is no whole number from 1"
                )
        if journal is not None and not isinstance(journal, (str, Path)):
            raise CostModelError(f"search: journal {short(journal)} is no file's path")
        self.space, self.objectives = space, objectives
        self.all_limits = limits
        # Limits of what only an evaluation tells: a table's numbers, a function's.
        told = {one.name: n for n, one in enumerate(objectives) if one.metric is None}
        self.after = [(told[one.name], one) for one in limits if one.name in told]
        self.limits = tuple(one for one in limits if one.name not in told)
        self.level = space.distinct if level is None else space.known_level(level)
        self.seed, self.batch, self.advance = seed, batch, advance
        # Looked up, points by the thousand; all else needs the network.
        self.named = [one.metric for one in objectives]
        self.named += [one.name for one in self.limits]
        self.sums = tuple(dict.fromkeys(m for m in self.named if m and space.is_sum(m)))
        self.engine = self._engine(engine, evaluations)
        everything = self.engine in ("exhaustive", "branch-and-bound")
        self.evaluations = evaluations or (None if everything else USUAL)
        self.signs = [-1 if one.is_maximized else 1 for one in objectives]
        self.journal = None if journal is None else Journal(Path(journal), self.header)
        self.known: dict[str, tuple[float, ...] | None] = {}
        self.recorded = (
            {} if self.journal is None else self.journal.read(len(objectives))
        )
        self.found: list[Evaluation] = []
        self.rejected = 0
        self.spent = 0

    def _engine(self, engine: str | None, evaluations: int | None) -> str:
        if engine is not None:
            if engine not in ENGINES:
                known = known_are(engine, ENGINES)
                raise CostModelError(f'search: unknown engine "{engine}"; {known}')
            return engine
        most = evaluations or (MOST if set(self.named) <= {*self.sums} else USUAL)
        return "exhaustive" if self.space.size() <= most else "evolution"

    @cached_property
    def header(self) -> dict[str, Any]:
        """Return what decides which evaluations there are, and what they mean."""
        return {
            "space": repr(self.space),
            "objectives": [
                {"name": one.name, "source": one.told, "maximized": one.is_maximized}
                for one in self.objectives
            ],
            "constraints": [str(one) for one in self.all_limits],
            "level": self.level,
            "engine": self.engine,
            "seed": self.seed,
            "batch": self.batch or ENGINE_BATCH.get(self.engine, BATCH),
        }

    def run(self, jobs: int, scheduler: str | None) -> Found:
        """Ask, evaluate and tell until nothing is left to try."""
        engine, size = self._made(), self.header["batch"]
        with Workers(jobs, scheduler) as workers:
            stalled = 0
            while self.evaluations is None or self.spent < self.evaluations:
                left = size if self.evaluations is None else (
                    self.evaluations - self.spent
                )  # fmt: skip
                asked = engine.ask(min(size, left))
                before = len(self.known)
                keys = [self.space.key(point, self.level) for point in asked]
                self._evaluate(workers, asked, keys)
                for point, key in zip(asked, keys):
                    engine.tell(point, self._signed(self.known[key]))
                stalled = 0 if len(self.known) > before else stalled + 1
                if not asked or stalled == _STALLED:
                    break
                if not self.found and self.rejected >= _FRUITLESS:
                    break
        if not self.found:
            raise self._none()
        return Found(self.space, self.objectives, self.all_limits, self.header,
                     tuple(self.found), self.rejected)  # fmt: skip

    def _made(self) -> Engine:
        seen = self._seen
        if self.engine == "branch-and-bound":
            return self._bounded()
        if self.engine.startswith("optuna:"):
            sampler = self.engine.partition(":")[2]
            return Optuna(self.space, self.seed, seen, sampler, len(self.signs))
        kinds: dict[str, type[Engine]] = {
            "exhaustive": Exhaustive, "random": RandomSearch, "evolution": Evolution,
        }  # fmt: skip
        return kinds[self.engine](self.space, self.seed, seen)

    def _bounded(self) -> Engine:
        metrics = [one.metric or one.name for one in self.objectives]
        names = [*metrics, *(one.name for one in self.limits)]
        ends = self.limits

        def holds(low: np.ndarray, high: np.ndarray) -> bool:
            places = range(len(metrics), len(names))
            return all(
                (end.high is None or low[place] <= end.high)
                and (end.low is None or high[place] >= end.low)
                for place, end in zip(places, ends)
            )

        return BranchAndBound(
            self.space, self.seed, self._seen, names, self.signs, holds
        )

    def _seen(self, point: Point) -> bool:
        return self.space.key(point, self.level) in self.known

    def _signed(self, values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is None:
            return None
        return tuple(sign * value for sign, value in zip(self.signs, values))

    def _evaluate(
        self, workers: Workers, asked: Sequence[Point], keys: Sequence[str]
    ) -> None:
        """Find the values of points that are new; record them in the order asked."""
        new = {k: p for k, p in zip(keys, asked) if k not in self.known}
        looked_up = self._looked_up(list(new.values()))
        ready: dict[str, tuple[float, ...] | None] = {}
        tasks = []
        for number, (key, point) in enumerate(new.items()):
            costs: dict[str, float] = {
                metric: int(column[number]) for metric, column in looked_up.items()
            }
            if not self._within(costs):
                ready[key] = None
            elif key in self.recorded:
                ready[key] = self.recorded[key]
            else:
                tasks.append((key, point, costs | self._tabled(point)))
        # What a table says is known here, and no worker needs it.
        sent = tuple(
            replace(one, source={}) if isinstance(one.source, Mapping) else one
            for one in self.objectives
        )
        work = partial(evaluated, self.space, sent, self.limits)
        for (key, point, _), values in self._done(workers, work, tasks):
            ready[key] = values
            if self.journal is not None and values is not None:
                self.journal.add(key, point, values)
        for key, point in new.items():
            values = ready[key]
            self.spent += values is not None
            if values is not None and not self._keeps(values):
                values = None
            self.known[key] = values
            if values is None:
                self.rejected += 1
                continue
            self.found.append(Evaluation(point, key, self.space.text(point), values))
        if self.advance is not None:
            self.advance(self.spent)

    def _tabled(self, point: Point) -> dict[str, float]:
        """Return what tables say of a point, by objective."""
        return {
            one.name: one.of(self.space, point, lambda: self.space.network(point))
            for one in self.objectives
            if isinstance(one.source, Mapping)
        }

    def _keeps(self, values: tuple[float, ...]) -> bool:
        return all(one.holds(values[place]) for place, one in self.after)

    def _done(
        self, workers: Workers, work: Callable[..., Any], tasks: list[Any]
    ) -> Iterator[tuple[Any, tuple[float, ...] | None]]:
        """Give each task's values: what is looked up needs no workers."""
        is_cheap = all(
            one.metric in self.sums or isinstance(one.source, Mapping)
            for one in self.objectives
        ) and all(one.name in self.sums for one in self.limits)
        if is_cheap:
            return ((task, work(task)) for task in tasks)
        return workers.spread(work, tasks)

    def _looked_up(self, points: list[Point]) -> dict[str, np.ndarray]:
        return self.space.costs(points, self.sums) if points and self.sums else {}

    def _within(self, costs: Mapping[str, float]) -> bool:
        return all(
            one.holds(costs[one.name]) for one in self.limits if one.name in costs
        )

    def _none(self) -> CostModelError:
        limits = ", ".join(map(str, self.all_limits)) or "none"
        if self.engine == "branch-and-bound":
            return CostModelError(f"{self.space.name}: nothing keeps limits: {limits}")
        return CostModelError(
            f"{self.space.name}: none of {self.rejected:,} points tried keeps the "
            f"limits: {limits}"
        )


__all__ = ["ENGINES", "Evaluation", "Found", "search"]

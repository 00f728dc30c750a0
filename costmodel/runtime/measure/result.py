"""A measurement: a network's seconds, their spread, and the machine.

Nothing here needs PyTorch: a file's rows can be read on any machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from sympy.utilities.iterables import sift

from costmodel.errors import CostModelError
from costmodel.runtime.measure import jsonl
from costmodel.runtime.measure.environment import machine
from costmodel.runtime.setting import Setting, checked


SCHEMA = "costmodel.measurement/1"

CLOCKS = ("thread", "wall", "events")

SHORTEST = 1e-12
"""Seconds that nothing falls below."""

MANY_FAULTS = 100
"""Page faults per run above which the allocator distorts the measurement."""

WIDE_SPLIT = 0.05
"""Difference between halves of the rounds above which a measurement is too noisy."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """How long one network takes per batch, in one setting on one machine.

    **Units**: seconds per batch; ``split_half`` is a share of them, ``faults`` are
    minor page faults per run.
    """

    name: str
    setting: Setting
    batch: int
    shape: tuple[int, ...]
    """Of a sample, channels first."""
    seconds: float
    """The median of all samples, by ``clock``."""
    iqr: float
    """Between the quartiles of the samples."""
    split_half: float
    """|median of odd rounds − median of even rounds| / median of all."""
    least: float
    rounds: int
    samples: int
    clock: str
    """``thread``: processor time of the one thread that ran; ``wall``; ``events``: the
    GPU's own time."""
    wall_seconds: float
    """The median wall time, whatever ``clock`` is."""
    faults: float
    stamp: Mapping[str, Any]
    operators: Mapping[str, float] = field(default_factory=dict)
    """Median seconds of every node, run inside the network; empty if not asked for."""
    anchor: float | None = None
    """Seconds of a small fixed network before and after each turn of this one: how fast
    the machine was."""
    options: Mapping[str, Any] = field(default_factory=dict)
    sitting: int = 0
    """Which pass over all networks this measurement is from, counted from 0."""

    @property
    def key(self) -> str:
        """What identifies a measurement: a known key need not be measured again."""
        return key_of(self.to_row())

    @property
    def overhead(self) -> float | None:
        """Seconds of the whole over those of its operators together."""
        total = sum(self.operators.values())
        return self.seconds / total if total else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What distorts this measurement, one sentence each."""
        said = []
        if self.faults > MANY_FAULTS:
            said.append(
                f"{self.name}: {self.faults:.0f} page faults per run; the allocator "
                "gives memory back between operators. The command measure sets it"
            )
        if self.split_half > WIDE_SPLIT:
            said.append(
                f"{self.name}: halves of the rounds differ by {self.split_half:.1%}; "
                "is the machine busy with something else?"
            )
        return tuple(said)

    def to_row(self) -> dict[str, Any]:
        """Return the measurement as plain values: one line of a file."""
        return {"schema": SCHEMA, **asdict(self), "shape": list(self.shape)}

    @staticmethod
    def from_row(row: Mapping[str, Any]) -> Measurement:
        """Return the measurement of such a line."""
        if row.get("schema") != SCHEMA:
            raise CostModelError(f"measurement: schema {row.get('schema')!r}: {SCHEMA}")
        given = {name: value for name, value in row.items() if name != "schema"}
        values = checked(Measurement, given, "measurement")
        values["setting"] = Setting.from_json(values["setting"])
        values["shape"] = tuple(values["shape"])
        try:
            key_of(row)
        except (AttributeError, KeyError, TypeError):
            raise CostModelError("measurement: its stamp names no machine") from None
        is_long = values["seconds"] >= SHORTEST
        if not (is_long and min(values["batch"], *values["shape"], 1) > 0):
            raise CostModelError("measurement: seconds, batch and shape are above 0")
        _check_numbers(values)
        return Measurement(**values)


def _check_numbers(values: Mapping[str, Any]) -> None:
    """Refuse what no clock gives."""
    names = ("iqr", "split_half", "least", "wall_seconds", "faults")
    given = {name: values[name] for name in names} | dict(values.get("operators", {}))
    for name, number in given.items():
        if number < 0 or (0 < number < SHORTEST and name not in names):
            raise CostModelError(f"measurement: {name} is {number}; nothing takes that")
    anchor = values.get("anchor")
    if anchor is not None and anchor < SHORTEST:
        raise CostModelError(f"measurement: anchor is {anchor}, not above 0")
    if values["clock"] not in CLOCKS:
        raise CostModelError(
            f"measurement: clock {values['clock']!r} is none of {', '.join(CLOCKS)}"
        )


def key_of(row: Mapping[str, Any]) -> str:
    """Return what identifies a row: network, options, size, batch, setting, machine.

    A network may have several rows, one per sitting.
    """
    parts = {name: row[name] for name in _TELLING}
    where = machine(row["stamp"])
    torch = row["stamp"].get("versions", {}).get("torch")
    return json.dumps([parts, where, torch], sort_keys=True)


_TELLING = ("name", "options", "shape", "batch", "setting", "sitting")


def combined(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return one measurement per network from those of several sittings.

    Seconds are medians over sittings, all at one speed of the machine
    (:func:`at_one_speed`). What differs between odd and even sittings then is the
    noise.
    """
    steady = at_one_speed(measurements)
    groups = sift(steady, _network)
    return [_combined(group) if group[1:] else group[0] for group in groups.values()]


def _network(one: Measurement) -> str:
    """Return what identifies a network that is measured in several sittings."""
    return replace(one, sitting=0).key


def at_one_speed(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return measurements as if the machine had been equally fast all the time.

    A machine is faster in one minute than in another. Networks take turns in groups, in
    each sitting in others, so each group tells how fast the machine was: by what its
    networks, and the anchor beside them, took there and in their other groups. Log
    seconds are taken as a network's plus a group's, by medians. Groups without a
    network in common are compared by their anchors alone.

    **Source**: Tukey 1977, "Exploratory Data Analysis", chapter 10: median polish.
    """
    rows = list(measurements)
    names = [_network(one) for one in rows]
    graph = nx.Graph((name, ("group", *_group(one))) for name, one in zip(names, rows))
    parts = enumerate(nx.connected_components(graph))
    place = {node: number for number, part in parts for node in part}
    found: dict[Any, tuple[float, float | None]] = {}
    for some in sift(zip(names, rows), lambda pair: place[pair[0]]).values():
        found |= _speeds(some)
    return [
        _times(one, 1 / found[_group(one)][0], found[_group(one)][1]) for one in rows
    ]


def _group(one: Measurement) -> tuple[object, ...]:
    """Return what rows that took turns with one another have in common."""
    return one.sitting, str(one.stamp.get("date")), machine(one.stamp)


_ROUNDS = 20
"""Medians taken in turn over networks and over groups; 5 to 10 are enough."""


def _speeds(
    named: Sequence[tuple[str, Measurement]],
) -> dict[tuple[object, ...], tuple[float, float | None]]:
    """Return how long things took in each group, and the anchor at the usual speed.

    A network in one group alone says nothing of that group's speed.
    """
    groups = sift((one for _, one in named), _group)
    seen: dict[str, set[object]] = {}
    for name, one in named:
        seen.setdefault(name, set()).add(_group(one))
    table = [(name, _group(one), np.log(one.seconds)) for name, one in named
             if len(seen[name]) > 1]  # fmt: skip
    anchors = {
        group: float(np.median([one.anchor for one in some]))
        for group, some in groups.items()
        if all(one.anchor for one in some)
    }
    if len(anchors) == len(groups):
        table += [("", group, np.log(anchor)) for group, anchor in anchors.items()]
    speed = dict.fromkeys(groups, 0.0)
    for _ in range(_ROUNDS if table else 0):
        usual = _middles((name, t - speed[group]) for name, group, t in table)
        speed |= _middles((group, t - usual[name]) for name, group, t in table)
        middle = float(np.median([*speed.values()]))
        speed = {group: value - middle for group, value in speed.items()}
    usual_anchor = (
        float(np.median([a / np.exp(speed[group]) for group, a in anchors.items()]))
        if len(anchors) == len(groups) else None
    )  # fmt: skip
    return {group: (float(np.exp(s)), usual_anchor) for group, s in speed.items()}


def _middles(pairs: Iterable[tuple[Any, float]]) -> dict[Any, float]:
    """Return each name's median."""
    values: dict[Any, list[float]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: float(np.median(some)) for name, some in values.items()}


def _times(one: Measurement, factor: float, anchor: float | None) -> Measurement:
    """Return a measurement at another speed of the machine."""
    operators = {node: factor * seconds for node, seconds in one.operators.items()}
    return replace(
        one,
        seconds=factor * one.seconds,
        wall_seconds=factor * one.wall_seconds,
        iqr=factor * one.iqr,
        least=factor * one.least,
        anchor=anchor,
        operators=operators,
    )


def _combined(group: Sequence[Measurement]) -> Measurement:
    def middle(name: str) -> float:
        return float(np.median([getattr(one, name) for one in group]))

    seconds = middle("seconds")
    odd, even = (
        float(np.median([one.seconds for one in group[start::2]])) for start in (0, 1)
    )
    return replace(
        group[0],
        seconds=seconds,
        iqr=middle("iqr"),
        split_half=abs(odd - even) / seconds,
        least=min(one.least for one in group),
        rounds=sum(one.rounds for one in group),
        samples=sum(one.samples for one in group),
        wall_seconds=middle("wall_seconds"),
        faults=middle("faults"),
        operators=medians([one.operators for one in group]),
        sitting=0,
    )


def rows_of(path: Path | str) -> list[jsonl.Row]:
    """Return the rows of a file, each of which is a measurement."""
    rows = jsonl.read(path)
    for number, row in enumerate(rows, 1):
        try:
            Measurement.from_row(row)
        except CostModelError as error:
            raise CostModelError(f"{path}, row {number}: {error}") from None
    return rows


def load(path: Path | str) -> list[Measurement]:
    """Return the measurements of a file, those of several sittings combined."""
    rows = rows_of(path)
    return combined(Measurement.from_row(row) for row in rows)


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed run. **Units**: seconds, minor page faults."""

    seconds: float
    wall: float
    faults: float = 0.0


def summarized(rounds: Sequence[Sequence[Sample]]) -> dict[str, Any]:
    """Return the figures of a measurement from samples by rounds.

    Rounds are split odd against even, so that a drift of the machine is in both halves.

    >>> even, odd = [Sample(2.0, 3.0)], [Sample(4.0, 5.0)]
    >>> found = summarized([even, odd])
    >>> found["seconds"], found["least"], round(found["split_half"], 3)
    (3.0, 2.0, 0.667)
    """
    samples = [sample for one in rounds for sample in one]
    seconds = np.array([sample.seconds for sample in samples])
    middle = float(np.median(seconds))
    halves = [[s.seconds for one in rounds[start::2] for s in one] for start in (0, 1)]
    apart = (
        abs(float(np.median(halves[0]) - np.median(halves[1]))) if halves[1] else 0.0
    )
    low, high = np.percentile(seconds, [25, 75])
    return {
        "seconds": middle,
        "iqr": float(high - low),
        "split_half": apart / middle,
        "least": float(seconds.min()),
        "rounds": len(rounds),
        "samples": len(samples),
        "wall_seconds": float(np.median([sample.wall for sample in samples])),
        "faults": float(np.median([sample.faults for sample in samples])),
    }


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each name's median over dictionaries of the same names."""
    if not rows:
        return {}
    return {name: float(np.median([row[name] for row in rows])) for name in rows[0]}

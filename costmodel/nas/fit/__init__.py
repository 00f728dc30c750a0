"""A device's profile from measured networks of a space, and its errors elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.errors import CostModelError, known_are, short
from costmodel.nas.fit.class_totals import CLASSES, ClassTotals
from costmodel.nas.fit.errors import Errors, baselines
from costmodel.nas.fit.left_out import margin, regress
from costmodel.nas.fit.space_record import record, restored
from costmodel.nas.fit.table import read_point
from costmodel.nas.spaces.space import Point, Space
from costmodel.network.graph import Network
from costmodel.runtime.measure.jsonl import write_whole
from costmodel.runtime.predict import predict
from costmodel.runtime.profile import SLOWEST, LeftOut, Profile, load_profile
from costmodel.runtime.profile.least_squares import Array
from costmodel.runtime.setting import Setting


UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
"""Units of times, in seconds."""

FEWEST = 20
"""Networks that a fit needs; with fewer, parts to be left out are a handful."""

OURS = "classes of kernels"
"""What tables of errors call the fit itself."""

Times = Mapping[str, float] | Mapping[Point, float]
"""Times by a network's text, as :meth:`Space.text` writes it, or by its point."""


@dataclass(frozen=True)
class Fitted:
    """A profile fitted to ``count`` networks, drawn by ``seed`` from those measured.

    ``errors`` are those on the ``unseen`` other networks: of the profile, and of simple
    ways fitted to the same draw. There are none where all were drawn.

    **Units**: seconds of what was timed, be it one sample or a batch.
    """

    space: Space
    profile: Profile
    count: int
    seed: int
    unseen: int = 0
    errors: Mapping[str, Errors] = field(default_factory=dict)

    def seconds(self, points: Iterable[Sequence[int]]) -> Array:
        """Return the seconds of points, an array.

        They are those that ``costmodel.predict`` gives of each network, found from the
        few networks that the space's costs are sums of.
        """
        totals = self._totals.table(points)
        return np.asarray(totals.reshape(len(totals), -1) @ self._rates)

    def of(self, network: Network) -> float:
        """Return the seconds of a network, of the space or not."""
        return float(predict(network, self.profile))

    def table(self, points: Iterable[Sequence[int]] | None = None) -> dict[str, float]:
        """Return seconds by text, by default of all points: an objective of a search.

        ``costmodel.search(space, minimize={"seconds": fitted.table()})`` looks them up.
        """
        own = list(self.space.enumerate("encoding") if points is None else points)
        texts = map(self.space.text, own)
        return dict(zip(texts, self.seconds(own).tolist()))

    def save(self, path: str | Path) -> None:
        """Write the profile, as ``costmodel.predict`` takes it, with its errors."""
        write_whole(path, self.profile.to_json() + "\n")

    @staticmethod
    def load(path: str | Path, space: Space | None = None) -> Fitted:
        """Return what :meth:`save` wrote.

        ``space`` is needed if it was one of the user's own, which has no name.

        **Errors**: no profile; one that no fit made; a space that is not known.
        """
        profile = load_profile(Path(path))
        told = profile.stamp.get("fit")
        if not isinstance(told, dict):
            raise CostModelError(
                f"{path}: is the profile of a calibration, not of costmodel fit"
            )
        try:
            found = Fitted(
                restored(told["space"]) if space is None else space, profile,
                _whole(told, "count"), _whole(told, "seed"), _whole(told, "unseen"),
                {name: Errors.from_json(one) for name, one in told["errors"].items()},
            )  # fmt: skip
        except CostModelError as error:
            raise CostModelError(f"{path}: {error}") from None
        except (KeyError, TypeError, AttributeError) as error:
            raise CostModelError(f"{path}: not what a fit writes: {error!r}") from None
        return found

    @property
    def _totals(self) -> ClassTotals:
        return _totals_of(self.space, self.profile.setting)

    @cached_property
    def _rates(self) -> Array:
        """Seconds per unit of each class's four terms, those of a whole network."""
        own = self.profile
        rates = np.array([own.coefficients[own.class_of(k)].values for k in CLASSES])
        rates *= own.overhead
        rates[:, -1] += own.between
        return rates.ravel()


def fit(
    space: Space, times: Times, *, count: int = 100, seed: int = 0, unit: str = "s",
    name: str = "", setting: Setting | None = None,
) -> Fitted:  # fmt: skip
    """Fit a device's profile to ``count`` measured networks of a space.

    They are drawn at random by ``seed`` from the points of ``times``, whatever their
    order; all others only tell how wrong the profile is. Seconds are a sum over classes
    of kernels, as ``costmodel.predict`` takes it: per unit of work and per byte of each
    class, per byte of weights, and per call. None is negative. ``unit`` is that of the
    times, ``name`` what the profile is called, ``setting`` how networks are run.

    **Errors**: no network of the space, a network twice, a time that is no positive
    number, fewer times than ``count``, an unknown unit.

    >>> from costmodel.nas.spaces.catalogue import space
    >>> cells = space("nasbench201", cells=1)
    >>> points = [cells.sample(seed) for seed in range(200)]
    >>> macs = cells.costs(points, ["macs"])["macs"]
    >>> found = fit(cells, dict(zip(points, 1e-3 + macs * 1e-9)), count=50)
    >>> found.unseen > 100 and found.errors["classes of kernels"].mape < 1e-3
    True
    """
    known = _checked(space, times, unit)
    _check_draw(len(known), count, seed)
    # Sorted, so that the draw does not depend on the order of a file's rows.
    ordered = sorted(known)
    drawn = np.random.default_rng(seed).permutation(len(known)).tolist()
    points = [ordered[number] for number in drawn]
    seconds = np.array([known[point] for point in points])
    totals = _totals_of(space, setting or Setting())
    profile, chosen = _profile(totals, points[:count], seconds[:count], name)
    made = Fitted(space, profile, count, seed, len(points) - count)
    errors = {}
    if made.unseen:
        ours = Errors.of(made.seconds(points[count:]), seconds[count:])
        errors = {OURS: ours, **baselines(space, points, seconds, count)}
    told = {
        "space": record(space), "count": count, "seed": seed, "unseen": made.unseen,
        "errors": {key: asdict(one) for key, one in errors.items()}, **chosen,
    }  # fmt: skip
    return replace(made, profile=replace(profile, stamp={"fit": told}), errors=errors)


@lru_cache(maxsize=4)
def _totals_of(space: Space, setting: Setting) -> ClassTotals:
    """Return the totals of a space; a few spaces' networks are kept."""
    return ClassTotals(space, setting)


def _profile(
    totals: ClassTotals, points: Sequence[Point], seconds: Array, name: str
) -> tuple[Profile, dict[str, Any]]:
    """Return the profile of the drawn networks, and how it was chosen."""
    found = regress(totals.table(points), seconds)
    factor, coverage = margin(found.predicted, seconds)
    told = Errors.of(found.predicted, seconds)
    # A profile is for networks of any kind: look-ups of one space are no rivals.
    left_out = LeftOut(len(points), told.mape, told.median, coverage)
    profile = Profile(
        name=name or f"fitted to {totals.space.name}",
        setting=totals.setting,
        coefficients=found.coefficients,
        box=totals.box(points),
        margin=factor,
        left_out=left_out,
        notes=(
            f"fitted to whole networks of {totals.space!r}: they say little of how "
            "seconds are divided among kernels, so that other networks may be far off",
        ),
    )
    is_held = math.isfinite(found.way.deviation)
    return profile, {"scale": found.way.scale, "classes_held_alike": is_held}


def _checked(space: Space, times: Times, unit: str) -> dict[Point, float]:
    """Return seconds by point; refuse what is no network or no time."""
    if not isinstance(space, Space):
        raise CostModelError(
            f"fit: {short(space)} is no space; costmodel.space(name) makes one"
        )
    if unit not in UNITS:
        raise CostModelError(
            f'fit: unknown unit "{short(unit)}"; {known_are(unit, UNITS)}'
        )
    if not isinstance(times, Mapping):
        raise CostModelError(f"fit: {short(times)} is no mapping of networks to times")
    found: dict[Point, float] = {}
    for key, value in times.items():
        point = read_point(space, key) if isinstance(key, str) else space.checked(key)
        if point in found:
            raise CostModelError(f"fit: {space.text(point)} is given twice")
        found[point] = positive(value, space.text(point)) * UNITS[unit]
    if found and max(found.values()) > SLOWEST * 1e3:
        raise CostModelError(
            f"fit: a time of {max(found.values()):g} s; is it in {unit}?"
        )
    return found


def positive(value: Any, what: str) -> float:
    """Return a time; refuse what is no positive number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not (math.isfinite(number) and number > 0):
        raise CostModelError(f"{what}: the time {short(value)} is no positive number")
    return number


def _check_draw(there: int, count: int, seed: int) -> None:
    if type(count) is not int or count < FEWEST:
        raise CostModelError(f"fit: count {count!r} is no whole number from {FEWEST}")
    if type(seed) is not int or seed < 0:
        raise CostModelError(f"fit: seed {seed!r} is no whole number from 0")
    if there < count:
        raise CostModelError(
            f"fit: {there} networks have a time, fewer than the {count} to be drawn; "
            f"count may be as low as {FEWEST}"
        )


def _whole(told: Mapping[str, Any], name: str) -> int:
    value = told[name]
    if type(value) is not int or value < 0:
        raise CostModelError(f"fit: {name} {short(value)} is no whole number from 0")
    return value


__all__ = ["Errors", "Fitted", "fit"]

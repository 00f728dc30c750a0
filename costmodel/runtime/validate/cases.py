"""Measured networks as cases: their totals beside their seconds, and our estimate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.runtime.measure.result import Measurement, load
from costmodel.runtime.predict import predict
from costmodel.runtime.profile import Profile
from costmodel.runtime.random_networks import drawn, identity
from costmodel.runtime.setting import Setting
from costmodel.runtime.validate import Estimate
from costmodel.runtime.validate.baselines import Case
from costmodel.runtime.validate.features import totals


_SAME = ("device", "dtype", "layout", "mode", "threads")
"""Fields in which profile and measurement have to agree; lanes only affect counts."""


def measurements(path: Path | str) -> list[Measurement]:
    """Return the measurements of a file, one per network, size and batch."""
    where = Path(path)
    if not where.is_file():
        raise CostModelError(f"{where}: there is no such file")
    found = load(where)
    if not found:
        raise CostModelError(f"{where}: holds no measurement")
    return found


def setting_of(found: Iterable[Measurement], source: str) -> Setting:
    """Return the setting that all measurements share."""
    settings = list(dict.fromkeys(one.setting for one in found))
    if len(settings) != 1:
        raise CostModelError(
            f"{source}: measured in {len(settings)} settings: "
            f"{'; '.join(map(str, settings))}; keep one file for each"
        )
    return settings[0]


def check_profile(profile: Profile, setting: Setting) -> None:
    """Refuse measurements in another setting than the profile's."""
    for key in _SAME:
        ours, theirs = getattr(profile.setting, key), getattr(setting, key)
        if ours != theirs:
            raise CostModelError(
                f'validate: profile "{profile.name}" is of {profile.setting}, the '
                f"measurements are of {setting}: their {key} differs"
            )


def label(one: Measurement) -> str:
    """Return what tables call a measurement: network, side or sides, and batch.

    ``pkg.models:resnet18`` on a batch of 8 images of 224×224 is resnet18@224×8.
    """
    name = one.name.rpartition(":")[2] or one.name
    sides = one.shape[1:]
    size = sides[0] if len(set(sides)) == 1 else "x".join(map(str, sides))
    batch = f"×{one.batch}" if one.batch > 1 else ""
    return f"{name}@{size}{batch}"


_DRAWN = re.compile(r"drawn-(\d+)-(\d+)-(\w+)")
"""Names of networks that a calibration draws: seed, number and family."""


def drawn_network(one: Measurement) -> tuple[Network, str] | None:
    """Draw a network of a calibration again, with its family; None if it is another.

    >>> from costmodel.runtime.random_networks import drawn, identity
    >>> _DRAWN.fullmatch(drawn(1, seed=3).name).groups()
    ('3', '1', 'bottleneck')
    """
    named = _DRAWN.fullmatch(one.name)
    if named is None:
        return None
    net = drawn(int(named[2]), int(named[1]))
    if one.options != identity(net):
        raise CostModelError(
            f"{one.name}: measured as {dict(one.options)}, drawn now as "
            f"{identity(net)}; was it drawn with other batches, or another version?"
        )
    return net, named[3]


def case_of(
    one: Measurement,
    network: Network,
    family: str,
    setting: Setting,
    elsewhere: Mapping[tuple[object, ...], float] | None = None,
) -> Case:
    """Return a measured network with its exact totals at that size and batch."""
    there = (elsewhere or {}).get(place(one))
    return Case(
        label(one), family, one.batch, totals(network, setting), one.seconds,
        elsewhere=there,
    )  # fmt: skip


def place(one: Measurement) -> tuple[object, ...]:
    """Return what identifies a measurement on any device."""
    options = sorted((name, str(value)) for name, value in one.options.items())
    return one.name, tuple(options), one.shape, one.batch


def estimate(network: Network, profile: Profile) -> Estimate:
    """Return the seconds that a profile predicts for a network without symbols."""
    found = predict(network, profile)
    seconds, low, high = map(float, (found.seconds, found.low, found.high))
    share = float(found.unmodelled_share)
    return Estimate(seconds, low, high, share, found.warnings)


def at_speed(found: Estimate, factor: float) -> Estimate:
    """Return an estimate for a machine that takes ``factor`` times as long.

    >>> at_speed(Estimate(2.0, 1.0, 3.0), 1.5)
    Estimate(seconds=3.0, low=1.5, high=4.5, unmodelled=0.0, warnings=())
    """
    low, high = (
        None if end is None else factor * end for end in (found.low, found.high)
    )
    return replace(found, seconds=factor * found.seconds, low=low, high=high)

"""The command ``validate``: errors of predictions, compared with baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli import target
from costmodel.cli.options import JSON, Asked, how_traced
from costmodel.cli.program import main, open_network
from costmodel.cli.sample import at_sample, read_sample
from costmodel.cli.validation_tables import MANY, print_validation
from costmodel.errors import CostModelError
from costmodel.terminal import note, progress


if TYPE_CHECKING:
    from costmodel.network.graph import Network
    from costmodel.runtime.measure.result import Measurement
    from costmodel.runtime.profile import Profile
    from costmodel.runtime.setting import Setting
    from costmodel.runtime.validate import Estimate, Validation
    from costmodel.runtime.validate.baselines import Case, Predictor

SHOWN_PROBLEMS = 5
"""The most skipped lines of a table that are named."""


def _share(_context: Any, _parameter: Any, text: str | None) -> float | None:
    """Read 5% or 0.05."""
    if text is None:
        return None
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise click.BadParameter(f'"{text}" is not an error such as 5% or 0.05')
    return value


_FILE = click.Path(dir_okay=False, path_type=Path)


@main.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option("--device", metavar="PROFILE",
              help="A device profile, by name or file, whose predictions are judged; "
              "a CSV needs none.")  # fmt: skip
@click.option("--split", type=click.Choice(["family", "network", "none"]),
              default="family", show_default=True,
              help="Networks that fits leave out when they predict one.")  # fmt: skip
@click.option("--fit", "others", type=_FILE,
              help="Measurements of other networks, such as those calibrated on: every "
              "baseline is fitted to these.")  # fmt: skip
@click.option("--totals", type=_FILE,
              help="A table of networks' totals for a CSV; without it they are "
              "traced.")  # fmt: skip
@click.option("--elsewhere", type=_FILE,
              help="Times of the same networks on another device.")  # fmt: skip
@click.option("--networks/--no-networks", default=None,
              help=f"One line per network; by default for up to {MANY}.")  # fmt: skip
@click.option("--fail-over", callback=_share, metavar="ERROR",
              help="Exit with 1 if the mean error is larger, e.g. 5%.")  # fmt: skip
@how_traced
@JSON
@click.pass_context
def validate(
    context: click.Context, files: tuple[Path, ...], device: str | None, split: Any,
    others: Path | None, totals: Path | None, elsewhere: Path | None,
    *, networks: bool | None, fail_over: float | None, as_json: bool,
) -> None:  # fmt: skip
    """Compare predictions with the measurements in all FILEs together.

    A FILE is what `costmodel measure -o` wrote; a single one may be a CSV of timm's
    benchmark. Every way
    to predict is judged on the same networks: fitted without a network's family it
    predicts that family; a profile was calibrated before, and is not fitted at all.
    """
    if any(file.suffix == ".csv" for file in files):
        if len(files) > 1:
            raise click.UsageError("a CSV is compared with by itself")
        if device or others:
            raise click.UsageError(
                "--device and --fit are of measurements, not of a CSV"
            )
        found, title = _of_table(files[0], split, totals, elsewhere)
    else:
        if totals:
            raise click.UsageError("--totals is of a CSV, not of measurements")
        found, title = _of_measurements(files, device, split, others, elsewhere)
    print_validation(found, title, networks=networks, as_json=as_json)
    error = found.scores[0].summary.mape
    if fail_over is not None and error > fail_over:
        note(f"{found.scores[0].name}: mean error {error:.2%} is over {fail_over:.2%}")
        context.exit(1)


def _of_measurements(
    files: Sequence[Path], device: str | None, split: Any, others: Path | None,
    elsewhere: Path | None,
) -> tuple[Validation, str]:  # fmt: skip
    """Validate a profile, and the baselines, on files of measurements."""
    from costmodel.runtime.profile import load_profile
    from costmodel.runtime.validate import validate
    from costmodel.runtime.validate.baselines import BASELINES, ELSEWHERE
    from costmodel.runtime.validate.cases import (
        check_profile,
        measurements,
        place,
        setting_of,
    )

    found = [one for file in files for one in measurements(file)]
    source = ", ".join(map(str, files))
    setting = setting_of(found, source)
    profile = load_profile(device) if device else None
    if profile:
        check_profile(profile, setting)
        setting = profile.setting
    there = {place(one): one.seconds for one in measurements(elsewhere)} \
        if elsewhere else {}  # fmt: skip
    cases, estimates = _read(found, setting, profile, there)
    ways: list[Predictor] = [*BASELINES, ELSEWHERE] if elsewhere else [*BASELINES]
    if profile:
        ways = [*_ours(profile, found, estimates), *ways, *_roofs(profile)]
    fitted = _read(measurements(others), setting, None, {})[0] if others else None
    halves = [(m.seconds * (1 - m.split_half / 2), m.seconds * (1 + m.split_half / 2))
              for m in found]  # fmt: skip
    result = validate(cases, ways, split=split, fitted_to=fitted, halves=halves)
    return result, f"{source}: {setting}"


def _of_table(
    file: Path, split: Any, totals: Path | None, elsewhere: Path | None
) -> tuple[Validation, str]:
    """Validate fits to a CSV, each network by fits without its family."""
    from costmodel.runtime.validate import numbered, timm_results, validate

    timings, problems = timm_results.read_timings(file)
    for problem in problems[:SHOWN_PROBLEMS]:
        note(problem)
    if len(problems) > SHOWN_PROBLEMS:
        note(f"{file}: {len(problems) - SHOWN_PROBLEMS} more lines are left out")
    there, _ = timm_results.read_timings(elsewhere) if elsewhere else ([], [])
    entries = timm_results.read_totals(totals) if totals else _traced(timings)
    cases = numbered(timm_results.cases(timings, entries, there))
    if not cases:
        raise CostModelError(f"{file}: none of its networks is known")
    if elsewhere:
        cases = [case for case in cases if case.elsewhere is not None]
    ways = timm_results.predictors(file.name, is_elsewhere=bool(elsewhere))
    return validate(cases, ways, split=split), f"{file}: {len(timings)} lines"


def _traced(timings: Sequence[Any]) -> dict[Any, Any]:
    """Return totals of the networks of a table that are in the registry or timm."""
    from costmodel.runtime.validate import timm_results

    found = {}
    missing: dict[str, str] = {}
    with progress("counting", len(timings)) as advance:
        for timing in timings:
            try:
                found[timing.key] = timm_results.entry_of(timing)
            except CostModelError as error:
                missing[timing.model] = str(error)
            advance(timing.model)
    for name, why in list(missing.items())[:SHOWN_PROBLEMS]:
        note(f"{name}: {why}")
    return found


def _read(
    found: Sequence[Measurement], setting: Setting, profile: Profile | None,
    elsewhere: dict[Any, float],
) -> tuple[list[Case], dict[str, Estimate]]:  # fmt: skip
    """Return measured networks with their totals, and a profile's estimates."""
    from costmodel.runtime.validate import numbered
    from costmodel.runtime.validate.cases import case_of, estimate

    cases, estimates = [], []
    with progress("counting", len(found)) as advance:
        for one in found:
            net, family = _opened(one)
            cases.append(case_of(one, net, family, setting, elsewhere))
            if profile:
                estimates.append(estimate(net, profile))
            advance(one.name)
    named = numbered(cases)
    return named, {case.name: e for case, e in zip(named, estimates)}


def _opened(one: Measurement) -> tuple[Network, str]:
    """Return the measured network and its family, which shares code with it.

    timm/NAME and torchvision/NAME are theirs, those of a calibration are drawn again;
    every other name is a target.
    """
    from costmodel.runtime.validate.cases import drawn_network

    if found := drawn_network(one):
        return found
    library, _, name = one.name.partition("/")
    sample = read_sample("x".join(map(str, one.shape)))
    if library in ("timm", "torchvision"):
        from costmodel.bridge import model_zoo

        net, family = getattr(model_zoo, f"{library}_network")(name)
        net = at_sample(net, sample)
        return net.bind({net.batch: one.batch}), family
    settings = tuple(f"{key}={_typed(value)}" for key, value in one.options.items())
    chosen, net, _ = open_network(Asked(one.name, settings, sample, str(one.batch)))
    if chosen.family:
        return net, chosen.family
    module = target.open_target(one.name, settings, sample).module
    return net, one.name if module is None else type(module).__module__


def _typed(value: object) -> str:
    """Return an option's value as it is typed: 3,4,6,3 is a list."""
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _ours(
    profile: Profile, found: Sequence[Measurement], estimates: dict[str, Estimate]
) -> list[Predictor]:
    """Return a profile's predictions, and these scaled to the machine's speed.

    Calibration and measurements both timed a small fixed network in the same minutes;
    if its times differ, the machine was not equally fast.
    """
    from costmodel.runtime.validate import Known
    from costmodel.runtime.validate.cases import at_speed

    name, before = f"costmodel, {profile.name}", profile.stamp.get("anchor")
    ways: list[Predictor] = [Known(name, estimates)]
    speeds = [one.anchor / before for one in found if one.anchor and before]
    if len(speeds) == len(found):
        ways.append(Known(f"{name}, at the measured speed", {
            key: at_speed(e, speed)
            for (key, e), speed in zip(estimates.items(), speeds)
        }))  # fmt: skip
    return ways


def _roofs(profile: Profile) -> list[Predictor]:
    """Return PyTorch's roofline with the highest rates measured in calibration."""
    from costmodel.runtime.validate.baselines import Datasheet, Roofline

    if not (profile.peak_flop_per_s and profile.peak_byte_per_s):
        return []
    peaks = Datasheet(profile.peak_flop_per_s, profile.peak_byte_per_s)
    return [
        Roofline("PyTorch's roofline", peaks),
        Roofline("PyTorch's roofline × scalar", peaks, is_scaled=True),
    ]

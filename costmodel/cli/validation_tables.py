"""The printed comparison of predictors, by network and by predictor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from costmodel.terminal import note, print_json, print_table


if TYPE_CHECKING:
    from costmodel.runtime.validate import Score, Validation
    from costmodel.runtime.validate.metrics import Summary

UNITS = {
    "seconds": "seconds per batch, measured",
    "predicted": "seconds per batch",
    "mape": "mean of |predicted/measured − 1|, with a 95 % bootstrap interval",
    "within": "share of networks off by 10 % or less",
    "bias": "median of predicted/measured",
    "tau": "Kendall's rank correlation",
    "rho": "Spearman's rank correlation",
    "coverage": "share of measurements in their 80 % interval",
    "unmodelled": "share of the predicted seconds without a class of its own",
    "noise_floor": "mean relative difference of two halves of the measurements",
}

MANY = 100
"""The most networks that are listed by default."""


def print_validation(
    found: Validation, title: str, *, networks: bool | None, as_json: bool
) -> None:
    """Print networks, predictors, and remarks on both."""
    if as_json:
        print_json("costmodel.validate/1", UNITS, source=title, **found.to_json())
        return
    many = len(found.cases) > MANY
    click.echo(
        f"{title}; {len(found.cases)} networks; left out of fits: {found.split}\n"
    )
    if networks or (networks is None and not many):
        _print_networks(found)
        click.echo("")
    cells = [[s.name, *_cells(s.summary)] for s in found.scores]
    header = ("predictor", "MAPE", "95 %", "median", "p90", "max", "≤ 10 %", "bias",
              "τ", "ρ")  # fmt: skip
    print_table(header, cells, right=range(1, len(header)))
    best = found.scores[0]
    worst = (f"{name} {error:+.1%}" for name, error in found.worst(best.name))
    click.echo(f"\nfarthest off, {best.name}: {', '.join(worst)}")
    if found.floor is not None:
        click.echo(
            f"noise floor: halves of the measurements differ by {found.floor:.1%}"
        )
    covered = best.coverage(found.measured)
    if covered is not None:
        click.echo(f"80 % intervals hold {covered:.0%} of the measurements")
    if best.estimates:
        click.echo(_guessed(found, best))
    for name, why in found.refused.items():
        note(f"left out: {name}: {why}")


def _guessed(found: Validation, best: Score) -> str:
    """Return the share of unmodelled seconds, and the number of warnings, as text."""
    shares = [estimate.unmodelled for estimate in best.estimates]
    mean, most = sum(shares) / len(shares), max(shares)
    name = found.cases[shares.index(most)].name
    warned = sum(1 for estimate in best.estimates if estimate.warnings)
    return (
        f"guessed, without a class of its own: {mean:.1%} of the seconds, at most "
        f"{most:.1%} ({name}); with a warning: {warned}"
    )


def _print_networks(found: Validation) -> None:
    """Print one line per network: measured, predicted by the first, signed error."""
    from costmodel.runtime.validate.metrics import errors

    first = found.scores[0]
    off = errors(first.predicted, found.measured)
    cells = [
        [
            case.name,
            f"{case.seconds * 1e3:.3f}",
            f"{seconds * 1e3:.3f}",
            f"{error:+.1%}",
        ]
        for case, seconds, error in zip(found.cases, first.predicted, off)
    ]
    print_table(("network", "measured ms", f"{first.name} ms", "off"), cells,
                right=(1, 2, 3))  # fmt: skip


def _cells(s: Summary) -> list[str]:
    low, high = s.interval
    ranks = ("—" if value != value else f"{value:.3f}" for value in (s.tau, s.rho))  # noqa: PLR0124
    return [f"{s.mape:.1%}", f"{low:.1%}–{high:.1%}", f"{s.median:.1%}", f"{s.p90:.1%}",
            f"{s.largest:.1%}", f"{s.within:.0%}", f"{s.bias:.3f}", *ranks]  # fmt: skip

"""Write docs/validation-timm.md's tables, from timm's result files and our totals.

    python -m tests.runtime.timm_table FOLDER

FOLDER holds the ``benchmark-infer-*.csv``; nothing is traced or measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np

from costmodel.runtime.validate import Validation, timm_results, validate
from costmodel.runtime.validate.metrics import Summary, errors
from tests.runtime.timm_features import TABLE


PAGE = Path(__file__).parents[2] / "docs" / "validation-timm.md"
MARK = "<!-- written by tests.runtime.timm_table -->"

FILES = {
    "RTX 3090": "benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv",
    "RTX 4090": "benchmark-infer-amp-nchw-pt240-cu124-rtx4090.csv",
}
OTHER = {"RTX 3090": "RTX 4090", "RTX 4090": "RTX 3090"}

HEADER = "| predictor | MAPE | 95 % | median | p90 | max | ≤ 10 % | bias | τ |"


@cache
def entries() -> dict[timm_results.Key, timm_results.Entry]:
    """Return the committed totals."""
    return timm_results.read_totals(TABLE)


@cache
def validated(folder: Path, device: str, split: Any = "family") -> Validation:
    """Predict every network that was timed on both devices."""
    here, there = (folder / FILES[name] for name in (device, OTHER[device]))
    cases = timm_results.cases(
        timm_results.read_timings(here)[0],
        entries(),
        timm_results.read_timings(there)[0],
    )
    both = [case for case in cases if case.elsewhere is not None]
    ways = timm_results.predictors(here.name, is_elsewhere=True)
    return validate(both, ways, split=split)


def cells(s: Summary) -> str:
    """Return a predictor's figures as a row's cells."""
    low, high = s.interval
    return (
        f"{s.mape:.1%} | {low:.1%}–{high:.1%} | {s.median:.1%} | {s.p90:.1%} | "
        f"{s.largest:.0%} | {s.within:.0%} | {s.bias:.3f} | {s.tau:.3f}"
    )


def lines(folder: Path) -> Iterator[str]:
    """Give the tables, line by line."""
    for device in FILES:
        found = validated(folder, device)
        families = {case.family for case in found.cases}
        yield f"## {device}: {len(found.cases)} networks, {len(families)} families"
        yield from ("", HEADER, "|---|" + "--:|" * (HEADER.count("|") - 2))
        yield from (f"| {s.name} | {cells(s.summary)} |" for s in found.scores)
        ours = found.scores[0]
        names = (f"{n} {e:+.0%}" for n, e in found.worst(ours.name))
        yield from ("", f"Farthest off: {', '.join(names)}.", "")
        yield f"By family, mean error: {', '.join(by_family(found))}."
        once = validated(folder, device, "none").scores[0].summary.mape
        yield from ("", f"Fitted to all of them, none left out: {once:.1%}.", "")


def by_family(found: Validation) -> list[str]:
    """Return what each family's error is, the largest first."""
    off = np.abs(errors(found.scores[0].predicted, found.measured))
    families = np.array([case.family for case in found.cases])
    means = {str(name): off[families == name] for name in np.unique(families)}
    ordered = sorted(means, key=lambda name: -means[name].mean())
    return [f"{name} ({len(means[name])}) {means[name].mean():.0%}" for name in ordered]


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def main(folder: Path) -> None:
    """Write the page's tables."""
    text = PAGE.read_text(encoding="utf-8")
    before, *_ = text.partition(MARK)
    page = "\n".join((before + MARK, "", *lines(folder))).rstrip()
    PAGE.write_text(f"{page}\n", encoding="utf-8")


if __name__ == "__main__":
    main()

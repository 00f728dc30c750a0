"""Count the networks of timm's tables, and write their totals: minutes of tracing.

    python -m tests.runtime.timm_features FOLDER [PART/PARTS -o OUTPUT]

FOLDER holds the ``benchmark-infer-*.csv``. A network is counted if it is convolutional
by ``is_convolutional`` of ``timm_results.py``, and traced within two minutes.
Families of transformers and mixers are not tried, which saves most of the time.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from costmodel.bridge.model_zoo import timm_network_and_scalars
from costmodel.errors import CostModelError
from costmodel.runtime.validate import timm_results
from tests import zoo


TABLE = Path(__file__).with_name("timm_features.json.gz")
NOT_TRIED = (
    "beit", "bot", "cait", "coat", "convit", "crossvit", "davit", "deit", "edgenext",
    "efficientformer", "efficientvit", "eva", "fastvit_mci", "flexivit", "gc_vit",
    "gcvit", "gmixer", "gmlp", "halo", "hiera", "jx_nest", "lambda", "lamhalo", "levit",
    "maxvit", "maxxvit", "mixer", "mobilevit", "mvit", "naflex", "nest_", "nextvit",
    "pit_", "poolformer_", "resmlp", "samvit", "sehalo", "sequencer", "swin",
    "test_vit", "tiny_vit", "tnt", "twins", "visformer", "vit", "volo", "xcit",
)  # fmt: skip
"""How the names of families begin that mix positions by attention, or by products."""

PATIENCE = 120
"""Seconds that one network may take."""


def sizes(folder: Path) -> dict[str, list[int]]:
    """Return the sizes at which each network was timed, in any table."""
    found: dict[str, set[int]] = {}
    for path in sorted(folder.glob("benchmark-infer-*.csv")):
        for timing in timm_results.read_timings(path)[0]:
            if not timing.model.startswith(NOT_TRIED):
                found.setdefault(timing.model, set()).add(timing.resolution)
    return {model: sorted(found[model]) for model in sorted(found)}


def counted(
    model: str, resolutions: list[int]
) -> dict[timm_results.Key, timm_results.Entry]:
    """Return the totals of one network, at all sizes that it takes."""
    net, family, scalars = timm_network_and_scalars(model)
    if not timm_results.is_convolutional(net):
        raise CostModelError(f"{model} is not convolutional")
    return {
        (model, size): timm_results.entry(net, family, size, scalars)
        for size in resolutions
    }


@contextmanager
def patience(seconds: int) -> Iterator[None]:
    """Give up after so many seconds."""

    def stop(_number: int, _frame: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.argument("part", default="1/1")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=TABLE)
def main(folder: Path, part: str, output: Path) -> None:
    """Write the table, or every so many-th network of it."""
    zoo.timm()
    first, step = map(int, part.split("/"))
    entries: dict[timm_results.Key, timm_results.Entry] = {}
    for model, resolutions in list(sizes(folder).items())[first - 1 :: step]:
        try:
            with patience(PATIENCE):
                entries |= counted(model, resolutions)
        except (CostModelError, TimeoutError, RuntimeError) as error:
            sys.stderr.write(f"{model}: {type(error).__name__}: {error!s:.200}\n")
    timm_results.write_totals(output, entries)
    click.echo(f"{output}: {len(entries)} networks and sizes")


if __name__ == "__main__":
    main()

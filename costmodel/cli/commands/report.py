"""The commands ``report`` and ``doctor``."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli import target
from costmodel.cli.options import JSON, RESOLUTION, SET, TRAINED, how_traced
from costmodel.cli.program import chosen_architectures, main
from costmodel.cli.report_subjects import own_subject, with_files
from costmodel.terminal import note, print_json, print_table, progress


if TYPE_CHECKING:
    from costmodel.analysis.evidence.claims import Ruling
    from costmodel.cli.report_subjects import Oracles
    from costmodel.network.registry import Architecture
    from costmodel.reports import Part, Subject, Written


@main.command()
@click.argument("names", nargs=-1, metavar="[TARGET]...")
@how_traced
@SET
@RESOLUTION
@TRAINED
@click.option("--all", "everything", is_flag=True, help="Every architecture.")
@click.option("-o", "--output", metavar="FOLDER", default="report", show_default=True,
              help="The folder to write; an earlier report in it is "
              "replaced.")  # fmt: skip
@click.option("--oracles/--no-oracles", default=None,
              help="Compile and count each network with fvcore and PyTorch now, or "
              "show no such counts; by default those recorded before.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1,
              help="Networks to write at a time; by default the number of "
              "processors.")  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS",
              help="Write them on a dask cluster, tcp://HOST:PORT, whose workers see "
              "this folder.")  # fmt: skip
@JSON
def report(
    names: tuple[str, ...], output: str, jobs: int, scheduler: str | None,
    settings: tuple[str, ...], resolution: Any, *, everything: bool,
    oracles: bool | None, as_json: bool,
) -> int:  # fmt: skip
    """Write an HTML report: an index, and one page per network.

    A TARGET is a registered name, or a network of your own, as in `analyze`: only
    those take --option and --input. Pages that have not changed since an earlier
    report are not written again. With --trained, the memory of a training step is that
    of training these parts alone.
    """
    if bool(names) == everything:
        raise click.UsageError("name architectures, or give --all")
    if not output:
        raise click.UsageError("-o names no folder")
    own = [name for name in dict.fromkeys(names) if target.is_target(name)]
    named = tuple(name for name in names if name not in own)
    chosen = chosen_architectures(named) if named or everything else []
    if (settings or resolution is not None) and not own:
        raise click.UsageError("--option and --input are for networks of your own")
    try:
        which: Oracles = "recorded" if oracles is None else "run" if oracles else "none"
        opened = [own_subject(name, settings, resolution, checked=oracles is not False)
                  for name in own]  # fmt: skip
        written = _report(
            chosen,
            opened,
            Path(output),
            which,
            scheduler or jobs,
            everything=everything,
        )
    except KeyboardInterrupt:
        raise click.Abort("an earlier report is as it was") from None
    for failure in written.wrong:
        note(f"disagrees: {failure}")
    index = written.index.resolve()
    if as_json:
        print_json("costmodel.report/1", {}, index=str(index),
                   pages=len(chosen) + len(own), written=written.anew,
                   disagreements=list(written.wrong))  # fmt: skip
    else:
        click.echo(f"{index}\n{index.as_uri()}")
    return 1 if written.wrong else 0


def _report(
    chosen: list[Architecture], opened: list[Subject], folder: Path,
    oracles: Oracles, jobs: int | str, *, everything: bool,
) -> Written:  # fmt: skip
    """Write the report; return its place, and failed checks."""
    from costmodel import reports
    from costmodel.cli.commands.search.examples import worked_searches
    from costmodel.network.registry.lineage import lineage

    reports.check_folder(folder)
    parts = [_part(a, oracles) for a in chosen]
    found: list[Part | Subject] = [
        *parts,
        *with_files(opened, [part.file for part in parts]),
    ]
    families = {a.family for a in chosen}
    with progress("written", len(found)) as advance:
        return reports.write(
            found, folder, jobs=jobs, advance=advance,
            claims=partial(_judged, families) if families else None,
            lineage=lineage() if len(families) > 1 else None,
            searches=worked_searches if everything else None,
        )  # fmt: skip


def _part(a: Architecture, oracles: Oracles) -> Part:
    """Return an architecture as a part of a report, for any process to write."""
    from costmodel.cli.report_subjects import registered_subject
    from costmodel.reports import Part

    trained = click.get_current_context().meta.get(target.TRAINED, ())
    make = partial(registered_subject, a.name, oracles, trained)
    key = f"{a.name} {oracles} {' '.join(trained)}"
    return Part(a.name, a.family, a.name, make, key=key)


def _judged(families: set[str]) -> list[Ruling]:
    from costmodel.analysis.evidence.claims import claims, judge

    return list(judge(c for c in claims().values() if families & set(c.about)))


@main.command()
@JSON
def doctor(*, as_json: bool) -> None:
    """Show what is installed, and the purpose of each missing part."""
    from costmodel.doctor import findings

    found = findings()
    if as_json:
        print_json("costmodel.doctor/1", {}, findings=[f._asdict() for f in found])
        return
    header = ("part", "version", "for", "state")
    print_table(header, [[f.part, f.version, f.purpose, f.state] for f in found])

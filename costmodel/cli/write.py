"""Commands that write a report and what is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from costmodel.cli.options import JSON, RESOLUTION, SET, how_traced
from costmodel.cli.own import own_subject, with_files
from costmodel.cli.program import chosen_architectures, main
from costmodel.cli.target import is_target
from costmodel.errors import MissingDependencyError
from costmodel.terminal import note, print_json, print_table, progress


if TYPE_CHECKING:
    from costmodel.analysis.published import Check
    from costmodel.network.registry import Architecture
    from reports import Subject


@main.command()
@click.argument("names", nargs=-1, metavar="[TARGET]...")
@how_traced
@SET
@RESOLUTION
@click.option("--all", "everything", is_flag=True, help="Every architecture.")
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    default="report",
    show_default=True,
    help="The folder to write; an earlier report in it is replaced.",
)
@click.option(
    "--oracles/--no-oracles",
    default=True,
    show_default=True,
    help="Compile each network, and count it with fvcore and PyTorch.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    help="Networks to check at a time; by default as many as processors.",
)
@JSON
def report(
    names: tuple[str, ...], output: str, jobs: int, settings: tuple[str, ...],
    resolution: Any, *, everything: bool, oracles: bool, as_json: bool,
) -> int:  # fmt: skip
    """Write an HTML report: an index, and a page a network.

    A TARGET is a registered name, or a network of your own, as in `analyze`: only
    those take --option and --input.
    """
    if bool(names) == everything:
        raise click.UsageError("name architectures, or give --all")
    if not output:
        raise click.UsageError("-o names no folder")
    own = [name for name in dict.fromkeys(names) if is_target(name)]
    named = tuple(name for name in names if name not in own)
    chosen = chosen_architectures(named) if named or everything else []
    if (settings or resolution is not None) and not own:
        raise click.UsageError("--option and --input are for networks of your own")
    try:
        jobs = min(jobs, len(chosen)) if oracles else 0
        opened = [own_subject(name, settings, resolution, checked=oracles)
                  for name in own]  # fmt: skip
        index, failed = _report(chosen, opened, Path(output), jobs)
    except KeyboardInterrupt:
        raise click.Abort("an earlier report is as it was") from None
    for failure in failed:
        note(f"disagrees: {failure}")
    if as_json:
        print_json("costmodel.report/1", {}, index=str(index),
                   pages=len(chosen) + len(own),
                   disagreements=failed)  # fmt: skip
    else:
        click.echo(f"{index}\n{index.as_uri()}")
    return 1 if failed else 0


def _report(
    chosen: list[Architecture], own: list[Subject], folder: Path, jobs: int
) -> tuple[Path, list[str]]:
    """Write the report; return its index page, and what turned out false."""
    import reports
    from costmodel.analysis.claims import claims, judge
    from costmodel.network.lineage import lineage

    reports.check_folder(folder)
    families = {a.family for a in chosen}
    rulings = list(judge(c for c in claims().values() if families & set(c.about)))
    with progress("checked", len(chosen)) as advance:
        checked = zip(chosen, _checks(chosen, jobs), strict=True)
        subjects = [_subject(a, checks, advance) for a, checks in checked]
    subjects = with_files([*subjects, *own])
    with progress("written", len(subjects)) as advance:
        index = reports.write(
            subjects, folder, rulings=rulings,
            lineage=lineage() if len(families) > 1 else None, advance=advance,
        ).resolve()  # fmt: skip
    failed = [
        f"{subject.architecture.name}: {check.quantity} by {check.oracle}"
        for subject in subjects
        for check in subject.checks
        if not check.agrees
    ]
    failed += [f"{v.name}: {v.row.quantity} {v.row.printed}" for subject in subjects
               for v in subject.verdicts if v.is_wrong]  # fmt: skip
    failed += [f"{r.claim.name}: {r.verdict}" for r in rulings if r.is_wrong]
    return index, failed


def _subject(a: Architecture, checks: Checks, advance: Any) -> Any:
    from costmodel.analysis import published
    from costmodel.network.registry import load
    from reports import Subject

    bound = load(a.name, resolution=a.resolution, batch=1)
    verdicts = tuple(published.verify([a]))
    # The width of the layers is the knob that every cost law is about.
    knobs = {"width": a.options["width"].symbol} if "width" in a.options else {}
    advance(a.name)
    return Subject(a, load(a.name, **knobs), bound, verdicts, *checks)


Checks: TypeAlias = "tuple[tuple[Check, ...], str]"
"""What oracles say of a network, or why nothing."""


def _checks(chosen: list[Architecture], jobs: int) -> Iterator[Checks]:
    """Check every network, so many at a time; none if ``jobs`` is 0."""
    why = "skipped with --no-oracles"
    if jobs:
        try:
            from costmodel.bridge.checks import check_all

            for checks in check_all([a.name for a in chosen], jobs):
                yield checks, ""
        except MissingDependencyError as error:
            why = str(error)
        else:
            return
    yield from [((), why)] * len(chosen)


@main.command()
@JSON
def doctor(*, as_json: bool) -> None:
    """Say what is installed, and what each missing part would be for."""
    from costmodel.doctor import findings

    found = findings()
    if as_json:
        print_json("costmodel.doctor/1", {}, findings=[f._asdict() for f in found])
        return
    header = ("part", "version", "for", "state")
    print_table(header, [[f.part, f.version, f.purpose, f.state] for f in found])

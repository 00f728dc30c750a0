"""Commands that prove: verify, report, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.program import JSON, UNITS, chosen_architectures, main, plain
from costmodel.errors import MissingDependencyError
from costmodel.terminal import note, print_json, print_table, progress


if TYPE_CHECKING:
    from costmodel.analysis.published import Check, Verdict
    from costmodel.network.graph import Network
    from costmodel.network.registry import Architecture


@main.command()
@click.argument("names", nargs=-1)
@JSON
def verify(names: tuple[str, ...], *, as_json: bool) -> int:
    """Recompute every published figure; exit 1 on an unexplained difference."""
    from costmodel.analysis import published

    verdicts = list(published.verify(chosen_architectures(names)))
    wrong = sum(verdict.is_wrong for verdict in verdicts)
    rows = [_verdict(verdict) for verdict in verdicts]
    if as_json:
        print_json("costmodel.verify/1", UNITS, rows=rows, wrong=wrong)
    else:
        header = ("network", "quantity", "setting", "printed", "computed", "outcome",
                  "source")  # fmt: skip
        cells = [["" if row[k] is None else str(row[k]) for k in header]
                 for row in rows]  # fmt: skip
        print_table(header, cells, right=(3, 4))
        _print_causes(verdicts)
        agreed = sum(verdict.outcome == "agrees" for verdict in verdicts)
        departed = sum(verdict.outcome == "departure" for verdict in verdicts)
        recorded = sum(verdict.outcome == "recorded" for verdict in verdicts)
        click.echo(
            f"\n{agreed} agree to the last printed digit, {departed} depart for a "
            f"stated cause, {wrong} are wrong; {recorded} measured accuracies recorded."
        )
    return 1 if wrong else 0


def _print_causes(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        if verdict.row.departure:
            where = f"{verdict.name}, {verdict.row.quantity} {verdict.row.printed}"
            click.echo(f"\n{verdict.outcome}: {where}: {verdict.row.departure}")


def _verdict(verdict: Verdict) -> dict[str, Any]:
    row = verdict.row
    setting = [f"{key}={value}" for key, value in row.options]
    setting += [f"at {row.resolution}"] if row.resolution else []
    setting += [row.layer] if row.layer else []
    return {
        "network": verdict.name, "quantity": row.quantity,
        "setting": ", ".join(setting),
        "printed": row.printed,
        "computed": None if verdict.computed is None else plain(verdict.computed),
        "outcome": verdict.outcome, "source": row.source, "cause": row.departure,
    }  # fmt: skip


@main.command()
@click.argument("names", nargs=-1)
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
@JSON
def report(
    names: tuple[str, ...], output: str,
    *, everything: bool, oracles: bool, as_json: bool,
) -> int:  # fmt: skip
    """Write an HTML report: an index, and a page an architecture."""
    if bool(names) == everything:
        raise click.UsageError("name architectures, or give --all")
    if not output:
        raise click.UsageError("-o names no folder")
    chosen = chosen_architectures(names)
    try:
        index, failed = _report(chosen, Path(output), oracles=oracles)
    except KeyboardInterrupt:
        raise click.Abort("an earlier report is as it was") from None
    for failure in failed:
        note(f"disagrees: {failure}")
    if as_json:
        print_json("costmodel.report/1", {}, index=str(index), pages=len(chosen),
                   disagreements=failed)  # fmt: skip
    else:
        click.echo(f"{index}\n{index.as_uri()}")
    return 1 if failed else 0


def _report(
    chosen: list[Architecture], folder: Path, *, oracles: bool
) -> tuple[Path, list[str]]:
    """Write the report; return its index page, and what turned out false."""
    import reports

    reports.check_folder(folder)
    with progress("checked", len(chosen)) as advance:
        subjects = [_subject(a, advance, oracles=oracles) for a in chosen]
    with progress("written", len(chosen)) as advance:
        index = reports.write(subjects, folder, advance=advance).resolve()
    failed = [
        f"{subject.architecture.name}: {check.quantity} by {check.oracle}"
        for subject in subjects
        for check in subject.checks
        if not check.agrees
    ]
    failed += [f"{v.name}: {v.row.quantity} {v.row.printed}" for subject in subjects
               for v in subject.verdicts if v.is_wrong]  # fmt: skip
    return index, failed


def _subject(a: Architecture, advance: Any, *, oracles: bool) -> Any:
    from costmodel.analysis import published
    from costmodel.network.registry import load
    from reports import Subject

    bound = load(a.name, resolution=a.resolution, batch=1)
    checks, why = _checks(bound) if oracles else ((), "skipped with --no-oracles")
    verdicts = tuple(published.verify([a]))
    # The width of the layers is the knob that every cost law is about.
    knobs = {"width": a.options["width"].symbol} if "width" in a.options else {}
    advance(a.name)
    return Subject(a, load(a.name, **knobs), bound, verdicts, checks, why)


def _checks(network: Network) -> tuple[tuple[Check, ...], str]:
    try:
        from costmodel.bridge.checks import check

        return check(network), ""
    except MissingDependencyError as error:
        return (), str(error)


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

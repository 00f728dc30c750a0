"""The command line: ``costmodel`` and ``python -m costmodel``.

Data go to stdout, progress and notes to stderr. Exit codes: 0 fine, 1 a checked thing
is false, 2 usage, 3 an optional dependency is missing, 4 bad input, 130 interrupted.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from costmodel import __version__
from costmodel.errors import CostModelError, MissingDependencyError
from costmodel.terminal import (
    exact_number,
    human,
    note,
    print_json,
    print_table,
    progress,
)


if TYPE_CHECKING:
    from costmodel.analysis.published import Check, Verdict
    from costmodel.network.graph import Network
    from costmodel.network.registry import Architecture


class Program(click.Group):
    """A group whose errors are one line, with the exit code that tells their kind."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run, and end with a clear last word; never with a traceback for bad input."""
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
            sys.exit(code if isinstance(code, int) else 0)
        except MissingDependencyError as error:
            _end(str(error), 3)
        except CostModelError as error:
            _end(str(error), 4)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(2)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            _end("interrupted; nothing was written", 130)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)


def _end(message: str, code: int) -> NoReturn:
    note(f"costmodel: {message}")
    sys.exit(code)


JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
SET = click.option(
    "--set", "settings", multiple=True, metavar="OPTION=VALUE",
    help="Set an option of the architecture, e.g. --set width=0.5 (repeatable).",
)  # fmt: skip
RESOLUTION = click.option(
    "--resolution", metavar="SIZE",
    help="Input size: 224, 224x320 (height x width), or an expression such as 32*M.",
)  # fmt: skip
BATCH = click.option("--batch", metavar="N", help="Samples in a batch.")


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="costmodel")
def main() -> None:
    """Exact symbolic cost formulas of convolutional networks."""


@main.command("list")
@click.option("--family", help="Only architectures of this family, e.g. resnet.")
@JSON
def list_(family: str | None, *, as_json: bool) -> None:
    """List the architectures, with their costs at the published resolution."""
    from costmodel.analysis.cost import cost, depth
    from costmodel.network.registry import architectures, load

    chosen = [a for a in architectures().values() if family in (None, a.family)]
    if not chosen:
        known = sorted({a.family for a in architectures().values()})
        raise CostModelError(f'no family "{family}"; families are {", ".join(known)}')
    rows = []
    for a in chosen:
        net = load(a.name, resolution=a.resolution, batch=1)
        sums = cost(net)
        rows.append({
            "name": a.name, "family": a.family, "year": a.year, "paper": a.paper,
            "resolution": a.resolution, "layers": depth(net),
            "parameters": sums.parameters, "macs": sums.macs,
            "activations": sums.activations, "options": list(a.options),
            "summary": a.summary,
        })  # fmt: skip
    if as_json:
        print_json("costmodel.list/1", UNITS, architectures=rows)
        return
    header = ("name", "year", "input", "layers", "parameters", "MACs", "paper")
    keys = ("name", "year", "resolution", "layers", "parameters", "macs", "paper")
    cells = [[_cell(key, row[key]) for key in keys] for row in rows]
    print_table(header, cells, right=(1, 2, 3, 4, 5))


@main.command()
@click.argument("name")
@SET
@RESOLUTION
@BATCH
@click.option("--depth", default=2, show_default=True, type=click.IntRange(1),
              help="Levels of scope to show; totals do not depend on it.")  # fmt: skip
@JSON
def show(
    name: str, settings: tuple[str, ...], resolution: str | None, batch: str | None,
    depth: int, *, as_json: bool,
) -> None:  # fmt: skip
    """Show a network layer by layer, with its costs."""
    from costmodel.analysis.cost import cost
    from costmodel.network.outline import outline, summary

    chosen, net = _network(name, settings, resolution, batch, fixed=True)
    totals = cost(net)
    rows = []
    for block in outline(net, depth):
        sums = totals.of_nodes(n.name for nodes in block.repeats for n in nodes)
        rows.append({
            "layer": block.title, "operators": summary(block.nodes),
            "output": [_plain(size) for size in block.output.sizes],
            "parameters": _plain(sums.parameters), "macs": _plain(sums.macs),
            "activations": _plain(sums.activations),
        })  # fmt: skip
    whole = {m: _plain(totals.metric(m)) for m in ("parameters", "macs", "activations")}
    if as_json:
        print_json("costmodel.show/1", UNITS, name=name, rows=rows, totals=whole)
        return
    _print_show(chosen, net, rows, whole)


def _print_show(
    chosen: Architecture,
    net: Network,
    rows: list[dict[str, Any]],
    whole: dict[str, Any],
) -> None:
    options = ", ".join(f"{o.name}={o.default}" for o in chosen.options.values())
    size = net.inputs[0].output
    click.echo(f"{chosen.name} ({chosen.year}, {chosen.paper}): {chosen.summary}")
    click.echo(f"input {size}, batch {net.batch}; options: {options}\n")
    header = ("layer", "operators", "output", "parameters", "MACs", "activations")
    cells = [
        [row["layer"], "; ".join(row["operators"]), "×".join(map(str, row["output"])),
         *(exact_number(row[key]) for key in ("parameters", "macs", "activations"))]
        for row in rows
    ]  # fmt: skip
    cells.append(["total", "", "", *map(exact_number, whole.values())])
    print_table(header, cells, right=(3, 4, 5))


@main.command()
@click.argument("name")
@click.option(
    "--metric",
    default="macs",
    show_default=True,
    help=(
        "macs, parameters, activations, connections, buffers, bytes_read or "
        "bytes_written."
    ),
)
@click.option(
    "--symbols",
    metavar="NAMES",
    help=(
        "What stays a symbol, e.g. width,resolution,batch; the rest takes its default. "
        "Without it batch and resolution do."
    ),
)
@SET
@RESOLUTION
@BATCH
@click.option("--relax", is_flag=True, help="Drop floors and channel rounding.")
@click.option("--by-stage", is_flag=True, help="One formula a stage, then the total.")
@click.option(
    "--format",
    "style",
    default="text",
    show_default=True,
    type=click.Choice(["text", "latex", "mathml", "python", "js", "json"]),
)
@JSON
def formula(
    name: str, metric: str, symbols: str | None, settings: tuple[str, ...],
    resolution: str | None, batch: str | None, style: str,
    *, relax: bool, by_stage: bool, as_json: bool,
) -> None:  # fmt: skip
    """Derive a cost formula of a network."""
    from costmodel.algebra import queries
    from costmodel.analysis.cost import METRICS, cost

    kept = None if symbols is None else [s.strip() for s in symbols.split(",")]
    _, net = _network(name, settings, resolution, batch, kept=kept)
    totals = cost(net)
    sums = totals.by_scope(1) if by_stage else {}
    formulas = {stage: part.metric(metric) for stage, part in sums.items()}
    formulas = {stage: value for stage, value in formulas.items() if value != 0}
    formulas[metric] = totals.metric(metric)
    if relax:
        formulas = {key: queries.relax(value) for key, value in formulas.items()}
    if as_json or style == "json":
        plain = {key: _plain(value) for key, value in formulas.items()}
        free = sorted(map(str, net.free_symbols))
        print_json("costmodel.formula/1", {metric: METRICS[metric]}, name=name,
                   metric=metric, symbols=free, formulas=plain)  # fmt: skip
        return
    for key, value in formulas.items():
        click.echo(_written(value, key, style))


def _written(value: Any, name: str, style: str) -> str:
    from costmodel.algebra.printing import FORMATS

    if style == "mathml":
        from reports.formula import mathml

        return mathml(value)
    return FORMATS[style](value, re.sub(r"\W", "_", name))


@main.command()
@click.argument("names", nargs=-1)
@JSON
def verify(names: tuple[str, ...], *, as_json: bool) -> int:
    """Recompute every published figure; exit 1 on an unexplained difference."""
    from costmodel.analysis import published

    verdicts = list(published.verify(_chosen(names)))
    wrong = sum(verdict.is_wrong for verdict in verdicts)
    if as_json:
        rows = [_verdict(verdict) for verdict in verdicts]
        print_json("costmodel.verify/1", UNITS, rows=rows, wrong=wrong)
    else:
        header = ("network", "quantity", "setting", "printed", "computed", "outcome",
                  "source")  # fmt: skip
        rows_ = [_verdict(verdict) for verdict in verdicts]
        cells = [[str(row[key]) for key in header] for row in rows_]
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
        "printed": row.printed, "computed": "" if verdict.computed is None
        else _plain(verdict.computed), "outcome": verdict.outcome,
        "source": row.source, "cause": row.departure,
    }  # fmt: skip


@main.command()
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every architecture.")
@click.option(
    "-o",
    "--output",
    default="report",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder to write.",
)
@click.option(
    "--oracles/--no-oracles",
    default=True,
    show_default=True,
    help="Compile each network, and count it with fvcore and PyTorch.",
)
@JSON
def report(
    names: tuple[str, ...], output: Path,
    *, everything: bool, oracles: bool, as_json: bool,
) -> int:  # fmt: skip
    """Write an HTML report: an index, and a page an architecture."""
    import reports

    if not names and not everything:
        raise click.UsageError("name architectures, or give --all")
    chosen = _chosen(() if everything else names)
    reports.check_folder(output)
    with progress("checked", len(chosen)) as advance:
        subjects = [_subject(a, advance, oracles=oracles) for a in chosen]
    with progress("written", len(chosen)) as advance:
        index = reports.write(subjects, output, advance=advance).resolve()
    failed = [
        f"{subject.architecture.name}: {check.quantity} by {check.oracle}"
        for subject in subjects
        for check in subject.checks
        if not check.agrees
    ]
    failed += [f"{v.name}: {v.row.quantity} {v.row.printed}" for subject in subjects
               for v in subject.verdicts if v.is_wrong]  # fmt: skip
    for failure in failed:
        note(f"disagrees: {failure}")
    if as_json:
        print_json("costmodel.report/1", {}, index=str(index), pages=len(chosen),
                   disagreements=failed)  # fmt: skip
    else:
        click.echo(f"{index}\n{index.as_uri()}")
    return 1 if failed else 0


def _subject(a: Architecture, advance: Any, *, oracles: bool) -> Any:
    from costmodel.analysis import published
    from costmodel.network.registry import load
    from reports import Subject

    bound = load(a.name, resolution=a.resolution, batch=1)
    checks, why = _checks(bound) if oracles else ((), "skipped with --no-oracles")
    verdicts = tuple(published.verify([a]))
    advance(a.name)
    return Subject(a, load(a.name), bound, verdicts, checks, why)


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


UNITS = {
    "parameters": "learnable scalars",
    "macs": "multiply-accumulates (half the floating-point operations)",
    "activations": "elements output by conv and linear layers",
    "layers": "conv and linear layers on the longest path",
    "resolution": "pixels",
}


def _network(
    name: str, settings: tuple[str, ...], resolution: str | None, batch: str | None,
    *, kept: list[str] | None = None, fixed: bool = False,
) -> tuple[Architecture, Network]:  # fmt: skip
    """Load a network as the options ask; ``kept`` names what stays a symbol."""
    from costmodel.network.registry import find, load

    chosen = find(name)
    options: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise click.UsageError(f'--set "{setting}" is not OPTION=VALUE')
        options[key.strip()] = value.strip()
    open_ = ["batch", "resolution"] if kept is None and not fixed else kept or []
    for key in open_:
        if key in chosen.options and chosen.options[key].choices is None:
            options.setdefault(key, chosen.options[key].symbol)
        elif key not in ("batch", "resolution"):
            words = [o.name for o in chosen.options.values() if o.choices is None]
            known = ", ".join([*words, "resolution", "batch"])
            raise CostModelError(f'{name}: "{key}" cannot be a symbol; {known} can')
    size: Any = _size(resolution)
    if size is None and "resolution" not in open_:
        size = chosen.resolution
    count: Any = 1 if batch is None and "batch" not in open_ else batch
    return chosen, load(name, resolution=size, batch=count, **options)


def _size(text: str | None) -> Any:
    """Read 224, 224x320 or an expression."""
    if text is None:
        return None
    sides = re.fullmatch(r"(\d+)[x×](\d+)", text.strip())
    return (int(sides[1]), int(sides[2])) if sides else text


def _chosen(names: tuple[str, ...]) -> list[Architecture]:
    from costmodel.network.registry import architectures, find

    return [find(name) for name in dict.fromkeys(names)] or list(
        architectures().values()
    )


def _plain(value: Any) -> Any:
    """Return an integer as it is, and a formula as text."""
    return value if isinstance(value, int) else str(value)


def _cell(key: str, value: Any) -> str:
    return human(value) if key in ("parameters", "macs", "activations") else str(value)

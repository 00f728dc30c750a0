"""The command ``verify``: published figures and textbook claims, recomputed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.options import JSON
from costmodel.cli.program import UNITS, chosen_architectures, main, plain
from costmodel.errors import CostModelError, near
from costmodel.terminal import exact_number, print_json, print_table


if TYPE_CHECKING:
    from costmodel.analysis.evidence.claims import Claim, Evidence, Ruling
    from costmodel.analysis.evidence.printed import Verdict


@main.command()
@click.argument("names", nargs=-1)
@click.option(
    "--claim", "wanted", multiple=True, metavar="NAME",
    help="Judge this claim alone, with all its evidence (repeatable).",
)  # fmt: skip
@JSON
def verify(names: tuple[str, ...], wanted: tuple[str, ...], *, as_json: bool) -> int:
    """Recompute published figures and claims; exit with 1 if one is unexplained."""
    from costmodel.analysis.evidence import claims, printed

    if names and wanted:
        raise click.UsageError("name architectures or claims, not both")
    chosen = [] if wanted else chosen_architectures(names)
    verdicts = list(printed.verify(chosen))
    rulings = list(claims.judge(_chosen_claims(names, wanted)))
    wrong = sum(v.is_wrong for v in verdicts) + sum(r.is_wrong for r in rulings)
    if as_json:
        rows = [_figure(verdict) for verdict in verdicts]
        judged = [_claim(ruling) for ruling in rulings]
        print_json("costmodel.verify/1", UNITS, rows=rows, claims=judged, wrong=wrong)
        return 1 if wrong else 0
    if not wanted:
        _print_figures(verdicts)
    if rulings:
        _print_claims(rulings, everything=bool(wanted))
    return 1 if wrong else 0


def _chosen_claims(names: tuple[str, ...], wanted: tuple[str, ...]) -> list[Claim]:
    """Return the claims of those names, those about some architectures, or all."""
    from costmodel.analysis.evidence.claims import claims
    from costmodel.network.registry import find

    known = claims()
    for name in wanted:
        if name not in known:
            hint = near(name, known) or "see `costmodel verify`"
            raise CostModelError(f'unknown claim "{name}"; {hint}')
    if wanted:
        return [known[name] for name in dict.fromkeys(wanted)]
    families = {find(name).family for name in names}
    return [c for c in known.values() if not names or families & set(c.about)]


def _print_figures(verdicts: list[Verdict]) -> None:
    header = ("network", "quantity", "setting", "printed", "computed", "outcome",
              "source")  # fmt: skip
    rows = map(_figure, verdicts)
    cells = [["" if row[k] is None else str(row[k]) for k in header] for row in rows]
    print_table(header, cells, right=(3, 4))
    for verdict in verdicts:
        if verdict.row.departure:
            where = f"{verdict.name}, {verdict.row.quantity} {verdict.row.printed}"
            click.echo(f"\n{verdict.outcome}: {where}: {verdict.row.departure}")
    count = Counter(verdict.outcome for verdict in verdicts)
    wrong = sum(verdict.is_wrong for verdict in verdicts)
    click.echo(
        f"\n{count['agrees']} agree to the last printed digit, {count['departure']} "
        f"depart for a stated cause, {wrong} are wrong; {count['recorded']} measured "
        "accuracies recorded."
    )


def _print_claims(rulings: list[Ruling], *, everything: bool) -> None:
    """Print claims with their verdicts, with all evidence or that of wrong ones."""
    click.echo("")
    if not everything:
        header = ("claim", "verdict", "says")
        cells = [[r.claim.name, r.verdict, r.claim.says] for r in rulings]
        print_table(header, cells)
    for ruling in rulings:
        if everything or ruling.is_wrong:
            _print_evidence(ruling)
    wrong = sum(ruling.is_wrong for ruling in rulings)
    if everything:
        return
    counts = [f"{sum(r.verdict == v for r in rulings)} {v}" for v in
              ("holds", "approximately", "depends", "does not hold")]  # fmt: skip
    click.echo(
        f"\nOf {len(rulings)} claims: {', '.join(counts)}; {wrong} not as recorded."
    )


def _print_evidence(ruling: Ruling) -> None:
    """Print one claim: statement, source, convention, numbers, verdict."""
    claim = ruling.claim
    click.echo(f"\n{claim.name}: {claim.says}")
    click.echo(f"source: {claim.source}\nconvention: {claim.convention}\n")
    cells = [
        [item.what, f"{item.relation} {_number(item.claimed)}", _number(item.computed),
         "met" if item.is_met else "near" if item.is_near else "off"]
        for item in ruling.evidence
    ]  # fmt: skip
    print_table(("evidence", "claimed", "computed", ""), cells, right=(1, 2))
    recorded = f" (recorded: {claim.verdict})" if ruling.is_wrong else ""
    click.echo(f"\n{ruling.verdict}{recorded}. {claim.because}".rstrip())


def _number(value: Any) -> str:
    """Return a count exactly, a fraction in four digits, anything else unchanged."""
    if not isinstance(value, (int, str)) and value.is_Rational:
        return f"{float(value):.4g}"
    return exact_number(value)


def _figure(verdict: Verdict) -> dict[str, Any]:
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


def _claim(ruling: Ruling) -> dict[str, Any]:
    claim = ruling.claim
    return {
        "claim": claim.name, "says": claim.says, "source": claim.source,
        "about": list(claim.about), "convention": claim.convention,
        "verdict": ruling.verdict, "recorded": claim.verdict, "because": claim.because,
        "evidence": [_evidence(item) for item in ruling.evidence],
    }  # fmt: skip


def _evidence(item: Evidence) -> dict[str, Any]:
    return {
        "what": item.what, "relation": item.relation, "claimed": plain(item.claimed),
        "computed": plain(item.computed), "met": item.is_met, "near": item.is_near,
    }  # fmt: skip

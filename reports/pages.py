"""Pages filled in from templates: one a network, and those about all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import networkx as nx

import costmodel
from costmodel.algebra.printing import FORMATS
from costmodel.algebra.symbols import H, W
from costmodel.analysis.conventions import CONVENTIONS
from costmodel.analysis.cost import Sums
from costmodel.analysis.published import Verdict
from costmodel.errors import CostModelError
from costmodel.network.outline import table
from reports.ancestry import families, lineage_drawing, lineage_finding
from reports.chart import chart
from reports.drawing import draw
from reports.formula import QUANTITIES, mathml, stages, total
from reports.insight import doublings, fields, footprint, shares
from reports.judged import MEANING, claims_finding, number
from reports.libraries import library
from reports.numerals import digits_of, human, share
from reports.sitemap import Content
from reports.subject import Subject


TEMPLATES = Path(__file__).parent / "templates"
MANY_ROWS = 150
"""Layer tables longer than this are folded away at first."""

NAMES = {"macs": "MACs", "layers": "depth", "top1": "top-1", "top5": "top-5"}
"""Quantities that pages write otherwise than tables of published figures do."""

_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


class Pages:
    """Templates, loaded once, and the facts that every page carries."""

    def __init__(self, content: Content) -> None:
        """Load the templates; everything that goes into one is escaped."""
        self._content = content
        jinja2 = library("jinja2")
        self._markup = library("markupsafe")
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters |= {
            "human": human,
            "digits": digits_of,
            "mathml": lambda formula: self._markup.Markup(mathml(formula)),
            "drawn": self._markup.Markup,  # our own SVG, its texts escaped
            "linked": self._linked,
            "quantity": lambda name: NAMES.get(name, name),
            "setting": setting,
            "evidence": lambda value: self._markup.Markup(number(value)),
            "signed": _signed,
        }
        self._environment.globals["provenance"] = provenance()
        self._environment.globals["site_pages"] = content.pages

    def index(self) -> str:
        """Return the page of all networks."""
        subjects = self._content.subjects
        return self._fill(
            "index.html",
            subjects=subjects,
            finding=index_finding(subjects),
            chart=self._markup.Markup(chart(subjects)),
        )

    def architecture(self, subject: Subject) -> str:
        """Return the page of one network."""
        drawing = draw(subject)
        return self._fill(
            "architecture.html",
            subject=subject,
            chosen=subject.architecture,
            cost=subject.cost,
            finding=finding(subject),
            smallest=_smallest(subject),
            drawing=drawing,
            outline_text=table(subject.bound),
            stages=stages(subject.law),
            totals={name: total(subject.law, name) for name in QUANTITIES},
            doublings=doublings(subject),
            shares=shares(subject),
            memory=footprint(subject),
            fields=fields(subject),
            accounts=subject.accounts,
            copies=_copies(subject),
            is_long=len(subject.cost.rows) > MANY_ROWS,
        )

    def claims(self) -> str:
        """Return the page of claims and their verdicts."""
        rulings = self._content.rulings
        return self._fill(
            "claims.html",
            rulings=rulings,
            finding=claims_finding(rulings),
            meanings=MEANING,
            pages_about=lambda claim: self._content.about(claim.about),
        )

    def lineage(self, graph: nx.DiGraph) -> str:
        """Return the page of who took what from whom."""
        found = families(graph, self._content.networks)
        return self._fill(
            "lineage.html",
            families=found,
            finding=lineage_finding(found),
            drawing=lineage_drawing(graph),
        )

    def conventions(self) -> str:
        """Return the page of what each tool counts."""
        return self._fill(
            "conventions.html",
            conventions=CONVENTIONS.values(),
            rows=[
                _counts(subject, self._content) for subject in self._content.subjects
            ],
        )

    def method(self) -> str:
        """Return the page of definitions, limits and how to check."""
        return self._fill("method.html")

    @staticmethod
    def shared(name: str) -> str:
        """Return a file that pages share as it is: the style sheet, or a script."""
        return (TEMPLATES / name).read_text(encoding="utf-8")

    def _fill(self, name: str, **values: Any) -> str:
        template = self._environment.get_template(name)
        return str(template.render(here=name, **values))

    def _linked(self, text: str) -> Any:
        """Return a source with its arXiv numbers as links, the rest escaped."""
        escaped = str(self._markup.escape(text))
        link = r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>'
        return self._markup.Markup(_ARXIV.sub(link, escaped))


def provenance() -> str:
    """Return what wrote the pages; a date only where SOURCE_DATE_EPOCH gives one."""
    parts = [
        f"costmodel {costmodel.__version__}",
        f"sympy {version('sympy')}",
        f"networkx {version('networkx')}",
    ]
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        parts.append(_date(epoch))
    return ", ".join(parts)


def _date(epoch: str) -> str:
    try:
        if epoch.isdecimal():
            return f"{datetime.fromtimestamp(int(epoch), UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        pass
    raise CostModelError(
        f"SOURCE_DATE_EPOCH = {epoch[:40]!r} is no whole number of seconds"
    )


def index_finding(subjects: Sequence[Subject]) -> str:
    """Return the index in one sentence: how many networks, and how far they spread."""
    least = min(subjects, key=lambda subject: int(subject.cost.macs))
    most = max(subjects, key=lambda subject: int(subject.cost.macs))
    dated = (subject.architecture.year for subject in subjects)
    years = sorted({year for year in dated if year is not None})
    span = f" of {years[0]}–{years[-1]}" if len(years) > 1 else ""
    if len(years) == 1:
        span = f" of {years[0]}"
    verdicts = [verdict for subject in subjects for verdict in subject.verdicts]
    outcomes = [verdict.outcome for verdict in verdicts]
    agree, depart = outcomes.count("agrees"), outcomes.count("departure")
    wrong = sum(verdict.is_wrong for verdict in verdicts)
    return (
        f"{_counted(len(subjects), 'network')}{span}: one input costs from "
        f"{human(int(least.cost.macs))} MACs ({least.architecture.name}) to "
        f"{human(int(most.cost.macs))} ({most.architecture.name}); of "
        f"{_counted(agree + depart + wrong, 'published figure')} {agree} agree, "
        f"{depart} depart for a stated cause, and {wrong} are unexplained."
    )


def finding(subject: Subject) -> str:
    """Return a network in one sentence: where its MACs and parameters are."""
    parts = subject.cost.by_scope(1)
    macs = _largest(parts, "macs")
    parameters = _largest(parts, "parameters")
    return (
        f"The largest share of the MACs is in {macs[0]} ({macs[1]}), that of the "
        f"parameters in {parameters[0]} ({parameters[1]})."
    )


def setting(verdict: Verdict) -> str:
    """Return the options, input size and layer for which a figure was printed."""
    row = verdict.row
    parts = [f"{name} {value}" for name, value in row.options]
    if row.resolution:
        parts.append(f"{row.resolution}²")
    return ", ".join([*parts, *([f"layer {row.layer}"] if row.layer else [])])


def _largest(parts: dict[str, Sums], quantity: str) -> tuple[str, str]:
    """Return the part with the most of a quantity, and its share."""
    counts = {name: int(sums.metric(quantity)) for name, sums in parts.items()}
    name = max(counts, key=lambda key: counts[key])
    return name, share(counts[name], sum(counts.values()))


def _smallest(subject: Subject) -> dict[str, Any]:
    """Return the least legal height and width, and the layer that asks for them."""
    height, layer = subject.symbolic.smallest(H)
    width, _ = subject.symbolic.smallest(W)
    return {"height": height, "width": width, "layer": layer if height > 1 else ""}


def _counts(subject: Subject, content: Content) -> dict[str, Any]:
    """Return what every tool prints for one network."""
    return {
        "page": content.networks[subject.architecture.name],
        "macs": subject.cost.macs,
        "printed": [account.total for account in subject.accounts],
    }


def _signed(amount: int) -> str:
    """Return a number of operations with its sign: what is added or taken away."""
    return f"{'−' if amount < 0 else '+'}{digits_of(abs(amount))}"


def _copies(subject: Subject) -> dict[str, str]:
    """Return the total MACs in notations to copy."""
    formula = subject.law.macs
    notations = (("Text", "text"), ("LaTeX", "latex"), ("Python", "python"))
    return {name: FORMATS[style](formula, "macs") for name, style in notations}


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")

"""The same facts for machines: a JSON file beside each page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import networkx as nx

from costmodel.analysis.claims import Ruling
from costmodel.analysis.conventions import CONVENTIONS
from costmodel.analysis.cost import METRICS
from costmodel.analysis.published import Verdict
from reports.formula import QUANTITIES
from reports.subject import Subject


INDEX_SCHEMA = "costmodel.report.index/1"
ARCHITECTURE_SCHEMA = "costmodel.report.architecture/1"
CLAIMS_SCHEMA = "costmodel.report.claims/1"
LINEAGE_SCHEMA = "costmodel.report.lineage/1"
CONVENTIONS_SCHEMA = "costmodel.report.conventions/1"

UNITS = {name: METRICS[name] for name in QUANTITIES} | {
    "depth": "layers with weights on the longest path",
    "resolution": "pixels a side",
    "top1": "percent, as printed",
}
"""What the numbers of a twin count."""


def index_twin(subjects: Sequence[Subject]) -> str:
    """Return the index as JSON: a record a network, every count an exact integer."""
    return _text(
        {
            "schema": INDEX_SCHEMA,
            "units": UNITS,
            "networks": [_headline(subject) for subject in subjects],
        }
    )


def architecture_twin(subject: Subject) -> str:
    """Return one page as JSON: formulas as strings, counts as exact integers."""
    law = subject.law
    return _text(
        {
            "schema": ARCHITECTURE_SCHEMA,
            "units": UNITS,
            **_headline(subject),
            "formulas": {name: str(law.metric(name)) for name in QUANTITIES},
            "stages": [
                {"name": scope} | {name: str(sums.metric(name)) for name in QUANTITIES}
                for scope, sums in law.by_scope(1).items()
            ],
            "layers": list(_layers(subject)),
            "published": [_verdict(verdict) for verdict in subject.verdicts],
            "departures": list(subject.unlisted_departures),
            "checks": [
                {
                    "quantity": check.quantity,
                    "oracle": check.oracle,
                    "ours": check.ours,
                    "theirs": check.theirs,
                    "agrees": check.agrees,
                }
                for check in subject.checks
            ],
            "note": subject.note,
            "constraints": list(map(str, subject.symbolic.constraints)),
            "unknown": list(subject.cost.unknown),
        }
    )


def claims_twin(rulings: Sequence[Ruling]) -> str:
    """Return the claims as JSON, with their evidence: formulas as strings."""
    return _text({"schema": CLAIMS_SCHEMA, "claims": list(map(_claim, rulings))})


def _claim(ruling: Ruling) -> dict[str, Any]:
    claim = ruling.claim
    return {
        "name": claim.name,
        "says": claim.says,
        "source": claim.source,
        "about": list(claim.about),
        "convention": claim.convention,
        "verdict": ruling.verdict,
        "because": claim.because,
        "evidence": [
            {
                "what": item.what,
                "relation": item.relation,
                "claimed": _plain(item.claimed),
                "computed": _plain(item.computed),
                "met": item.is_met,
                "near": item.is_near,
            }
            for item in ruling.evidence
        ],
    }


def lineage_twin(graph: nx.DiGraph) -> str:
    """Return the lineage as JSON: families and ideas, and what was taken."""
    takes = [
        {"from": source, "to": target, "takes": what}
        for source, target, what in graph.edges.data("takes")
    ]
    nodes = [
        {"name": name, **facts, "members": list(facts["members"])}
        for name, facts in graph.nodes.items()
    ]
    return _text({"schema": LINEAGE_SCHEMA, "families": nodes, "takes": takes})


def conventions_twin(subjects: Sequence[Subject]) -> str:
    """Return what every tool prints for every network as JSON, item by item."""
    return _text(
        {
            "schema": CONVENTIONS_SCHEMA,
            "units": {name: c.unit for name, c in CONVENTIONS.items()},
            "networks": {s.architecture.name: _accounts(s) for s in subjects},
        }
    )


def _accounts(subject: Subject) -> dict[str, Any]:
    return {
        account.convention.name: {
            "total": int(account.total),
            "items": {str(item): int(item.amount) for item in account.items},
        }
        for account in subject.accounts
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)


def _headline(subject: Subject) -> dict[str, Any]:
    chosen, cost, top1 = subject.architecture, subject.cost, subject.top1
    return {
        "name": chosen.name,
        "title": chosen.title,
        "family": chosen.family,
        "year": chosen.year,
        "paper": chosen.paper,
        "page": subject.page,
        "resolution": getattr(chosen, "resolution", None),
        "input": [int(size) for size in subject.bound.inputs[0].output.sizes],
        "depth": subject.depth,
        **{name: int(cost.metric(name)) for name in QUANTITIES},
        "top1": top1[0] if top1 else None,
        "top1_source": top1[1] if top1 else None,
    }


def _layers(subject: Subject) -> Iterable[dict[str, Any]]:
    for row in subject.cost.rows:
        node = row.node
        yield {
            "name": row.name,
            "kind": row.kind,
            "operator": str(node.operator),
            "inputs": list(node.inputs),
            "output": str(node.output),
            **{name: int(row.metric(name)) for name in QUANTITIES},
        }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    row = verdict.row
    return {
        "quantity": row.quantity,
        "printed": row.printed,
        "options": dict(row.options),
        "resolution": row.resolution,
        "layer": row.layer,
        "source": row.source,
        "computed": None if verdict.computed is None else int(verdict.computed),
        "outcome": verdict.outcome,
        "departure": row.departure,
    }


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"

"""The content of each page as data: a JSON file beside it (its twin)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import networkx as nx
import sympy

from costmodel.analysis.conventions import CONVENTIONS
from costmodel.analysis.cost import METRICS
from costmodel.analysis.evidence.claims import Ruling
from costmodel.analysis.evidence.printed import Verdict
from costmodel.analysis.memory.weights import DTYPES, Stored
from costmodel.reports.data.devices import Device
from costmodel.reports.data.memory_timeline import Timeline
from costmodel.reports.data.network_record import Record
from costmodel.reports.data.seconds import Timing
from costmodel.reports.data.subject import Subject
from costmodel.reports.formulas.mathml import QUANTITIES, plain


INDEX_SCHEMA = "costmodel.report.index/2"
ARCHITECTURE_SCHEMA = "costmodel.report.architecture/2"
CLAIMS_SCHEMA = "costmodel.report.claims/1"
LINEAGE_SCHEMA = "costmodel.report.lineage/1"
RUNTIME_SCHEMA = "costmodel.report.runtime/1"
CONVENTIONS_SCHEMA = "costmodel.report.conventions/1"

UNITS = {name: METRICS[name] for name in QUANTITIES} | {
    "depth": "layers with weights on the longest path",
    "resolution": "pixels per side",
    "top1": "percent, as printed",
}
"""What the numbers of a data file count."""


HEADLINE = (
    "name", "title", "family", "year", "paper", "page", "resolution", "input", "depth",
    *QUANTITIES, "top1", "top1_source", "peak_activation_bytes", "weight_bytes",
    "bytes_moved", "arithmetic_intensity", "seconds",
)  # fmt: skip
"""What the index has of each network."""


def index_twin(records: Sequence[Record]) -> str:
    """Return the index as JSON: one record per network, counts as exact integers."""
    networks = [{key: record.data[key] for key in HEADLINE} for record in records]
    return _text({"schema": INDEX_SCHEMA, "units": UNITS, "networks": networks})


def architecture_twin(
    subject: Subject, timings: Sequence[Timing], memory: Timeline
) -> str:
    """Return one page as JSON: formulas as strings, counts as exact integers."""
    law = subject.law
    return _text(
        {
            "schema": ARCHITECTURE_SCHEMA,
            "units": UNITS,
            **_headline(subject),
            **_memory(subject, memory),
            "seconds": {t.device: _seconds(t) for t in timings if not t.reason},
            "terms": _terms(subject),
            "formulas": {name: str(law.metric(name)) for name in QUANTITIES},
            "stages": [
                {"name": scope} | {name: str(sums.metric(name)) for name in QUANTITIES}
                for scope, sums in law.by_scope(1).items()
            ],
            "layers": f"{subject.page}.csv",
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
            "accounts": _accounts(subject),
            "partial": subject.cost.partial,
            "wrong": subject.wrong,
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
        "wrong": ruling.is_wrong,
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


def runtime_twin(devices: Sequence[Device]) -> str:
    """Return the devices as JSON: what was fitted, and how wrong it is."""
    found = {
        device.profile.name: {
            "profile": json.loads(device.profile.to_json()),
            "sets": {s.title: s.summaries for s in device.sets},
        }
        for device in devices
    }
    return _text({"schema": RUNTIME_SCHEMA, "units": "seconds", "devices": found})


def conventions_twin(records: Sequence[Record]) -> str:
    """Return what every tool prints for every network as JSON, item by item."""
    return _text(
        {
            "schema": CONVENTIONS_SCHEMA,
            "units": {name: c.unit for name, c in CONVENTIONS.items()},
            "networks": {record.name: record.accounts for record in records},
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
    moved = int(cost.bytes_read) + int(cost.bytes_written)
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
        "bytes_moved": moved,
        "arithmetic_intensity": float(f"{2 * int(cost.macs) / (moved or 1):.4g}"),
    }


def _memory(subject: Subject, memory: Timeline) -> dict[str, Any]:
    """Return bytes of weights, and of activations at their peak if that is known."""
    return {
        "weight_bytes": int(Stored(subject.bound, DTYPES["float32"]).weight_bytes),
        "peak_activation_bytes": None if memory.reason else memory.peak,
    }


def _seconds(timing: Timing) -> dict[str, float]:
    """Return predicted seconds and their interval, to four digits."""
    told = {"seconds": timing.seconds, "low": timing.low, "high": timing.high}
    return {key: float(f"{value:.4g}") for key, value in told.items()}


def _terms(subject: Subject) -> list[list[str]]:
    """Return the MACs at the network's own width: whole numbers times sizes."""
    law = sympy.expand(sympy.sympify(subject.law.macs).subs(subject.own))
    found = law.as_coefficients_dict()
    return sorted([str(n), plain(sizes)] for sizes, n in found.items() if n)


def layers_csv(subject: Subject) -> str:
    """Return every layer as a line of CSV, costs of one input as exact integers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "operator", "inputs", "output", *QUANTITIES))
    for row in subject.cost.rows:
        node = row.node
        costs = (int(row.metric(name)) for name in QUANTITIES)
        inputs = " ".join(node.inputs)
        writer.writerow((row.name, node.operator, inputs, node.output, *costs))
    return text.getvalue()


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
    """Return compact JSON, a line for each of its outermost keys."""
    lines = (f"{_compact(key)}:{_compact(value)}" for key, value in record.items())
    return "{" + ",\n".join(lines) + "}\n"


_compact = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))


def script_text(value: Any) -> str:
    """Return JSON that may stand in any script: it cannot contain ``</script>``."""
    return _compact(value).replace("<", "\\u003c")

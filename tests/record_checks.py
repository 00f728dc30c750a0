"""Write down what fvcore and PyTorch count of every registered network.

    python -m tests.record_checks

A report shows these numbers beside ours; ``costmodel report --all --oracles`` counts
them again, and so does every run of the checks.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from costmodel.cli.report_subjects import RECORDED, run_checks, versions
from costmodel.network.registry import architectures, find, load
from costmodel.network.serialization.json import digest
from costmodel.runtime.measure.jsonl import write_whole


PLACE = Path(__file__).parents[1] / "architectures" / RECORDED


def entry(name: str) -> dict[str, Any]:
    """Count a network with every oracle."""
    bound = load(name, resolution=find(name).resolution, batch=1)
    checks, _ = run_checks(bound)
    return {"network": digest(bound), "checks": [asdict(check) for check in checks]}


if __name__ == "__main__":
    names = list(architectures())
    with ProcessPoolExecutor() as pool:
        entries = dict(zip(names, pool.map(entry, names)))
    rows = ",\n".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in entries.items())
    head = json.dumps({"schema": "costmodel.checks/1", "with": versions()})[:-1]
    write_whole(PLACE, f'{head}, "networks": {{\n{rows}\n}}}}\n')

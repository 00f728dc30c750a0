"""Compare the engine of a checkout with that of the current tree.

    python -m tests.differential --old CHECKOUT --networks 10000 --seed 0 -j 2
    python -m tests.differential --old CHECKOUT --record said.jsonl.gz
    python -m tests.differential --against said.jsonl.gz --every 20

It ends with 1 if there are differences that are not known.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tests.differential.engines import answered, registered
from tests.differential.records import read, record
from tests.differential.summary import Summary


ROOT = Path(__file__).parent.parent.parent


def main() -> int:
    """Record, compare, or both, as the command line says."""
    given = _arguments().parse_args()
    if given.against is None and given.old is None:
        _arguments().error("give --old CHECKOUT, or --against FILE")
    with tempfile.TemporaryDirectory() as folder:
        path = given.against or given.record or Path(folder) / "said.jsonl.gz"
        if given.against is None:
            old = given.old.resolve()
            names = registered(old) if given.registered else []
            record(path, old, names, given.networks, given.seed, given.j)
        if given.record is not None:
            return 0
        summary = compared(path, given)
    sys.stdout.write(f"{summary}\n")
    if given.report is not None:
        given.report.write_text(json.dumps(summary.as_json(), indent=1), "utf-8")
    return 0 if summary.is_equal else 1


def compared(path: Path, given: argparse.Namespace) -> Summary:
    """Return what the current engine says otherwise than a file of records."""
    summary, begun = Summary(), time.monotonic()
    for answer in answered(given.new.resolve(), _chosen(path, given), given.j):
        summary.add(answer)
        if summary.networks % 500 == 0:
            count = sum(kind.count for kind in summary.differences.values())
            pace = summary.networks / (time.monotonic() - begun)
            sys.stderr.write(
                f"{summary.networks:,} networks, {pace:.0f} a second, "
                f"{count:,} differences\n"
            )
    return summary


def _chosen(path: Path, given: argparse.Namespace) -> Iterator[str]:
    """Give the records that are asked for."""
    wanted = re.compile(given.only)
    # The name is what a record begins with.
    named = (x for x in read(path) if wanted.search(x[: x.index(",")]))
    return islice(named, 0, given.first, given.every)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tests.differential", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--old", type=Path, help="checkout of the old engine")
    parser.add_argument("--new", type=Path, default=ROOT, help="that of the new one")
    parser.add_argument("--networks", type=int, default=10_000, help="so many drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-j", type=int, default=1, help="processes of an engine")
    parser.add_argument("--record", type=Path, help="only write what the old one says")
    parser.add_argument("--against", type=Path, help="compare with what was written")
    parser.add_argument("--every", type=int, default=1, help="compare each K-th only")
    parser.add_argument("--first", type=int, help="compare so many only")
    parser.add_argument("--only", default="", help="compare names that match")
    parser.add_argument("--report", type=Path, help="also write the result as JSON")
    parser.add_argument("--no-registered", dest="registered", action="store_false",
                        help="generated networks alone")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())

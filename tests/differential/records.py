"""What the old engine said, in a file: a part a job, so that it can be gone on with."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.differential.engines import all_done


CYCLE = ("networks", "tensors", "products", "networks", "tensors", "enlarging",
         "networks", "tensors", "bound")  # fmt: skip
"""The strategies, as often as they take turns."""
EXAMPLES = 150
"""How many networks a job draws at most; some are equal, and count once."""
NAMES = 4
"""How many registered networks are one job."""


def record(
    path: Path, tree: Path, names: list[str], wanted: int, seed: int, processes: int
) -> None:
    """Write what the engine of a tree says, until there are so many drawn networks."""
    archive = Archive(path, wanted)
    jobs = _jobs(archive, names, seed)
    for job, lines in all_done(tree, jobs, processes):
        archive.add(job, lines)


class Archive:
    """A file of records, each network once, and what of it is there already."""

    def __init__(self, path: Path, wanted: int) -> None:
        """Read what is there; the drawn networks are to be so many."""
        self.path, self.wanted, self.drawn = path, wanted, 0
        self.jobs: set[str] = set()
        self._seen: set[str] = set()
        if path.exists():
            mend(path)
            for line in read(path, heads=True):
                found = json.loads(line)
                if "job" in found:
                    self.jobs.add(found["job"])
                else:
                    self._seen.add(digest(found))
            self.drawn = sum(1 for _ in read(path, generated=True))

    def add(self, job: dict[str, Any], lines: list[str]) -> None:
        """Append the records of a job, as one part of the file."""
        is_drawn = "registered" not in job
        kept = [json.dumps({"job": job["job"]})]
        for line in lines:
            key = digest(json.loads(line))
            if key not in self._seen and not (is_drawn and self.drawn >= self.wanted):
                self._seen.add(key)
                kept.append(line)
                self.drawn += is_drawn
        with self.path.open("ab") as file:
            file.write(gzip.compress(("\n".join(kept) + "\n").encode(), 6, mtime=0))


def _jobs(archive: Archive, names: list[str], seed: int) -> Iterator[dict[str, Any]]:
    """Give jobs that are still to be done: registered networks and draws in turn.

    A file that is not finished has some of all.
    """
    number, examples = 0, min(EXAMPLES, archive.wanted // len(CYCLE) + 1)
    waiting = [names[first : first + NAMES] for first in range(0, len(names), NAMES)]
    while waiting or archive.drawn < archive.wanted:
        jobs = [{"job": " ".join(some), "registered": some} for some in waiting[:1]]
        del waiting[:1]
        if archive.drawn < archive.wanted:
            own = 1_000_000 * seed + number
            strategy = CYCLE[number % len(CYCLE)]
            jobs.append({"job": f"{strategy} {own}", "strategy": strategy,
                         "seed": own, "examples": examples})  # fmt: skip
            number += 1
        yield from (job for job in jobs if job["job"] not in archive.jobs)


def digest(found: dict[str, Any]) -> str:
    """Return what equal networks have in common."""
    return hashlib.sha256(str(found.get("network")).encode()).hexdigest()


def read(path: Path, *, heads: bool = False, generated: bool = False) -> Iterator[str]:
    """Give the records of a file, a line each; ``heads`` with the names of jobs."""
    is_generated = False
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            if line.startswith('{"job"'):
                is_generated = json.loads(line)["job"].split()[0] in CYCLE
                if heads:
                    yield line
            elif is_generated or not generated:
                yield line


def mend(path: Path) -> None:
    """Cut off a last part that was not written to its end."""
    data, whole = path.read_bytes(), 0
    while whole < len(data):
        part = zlib.decompressobj(wbits=31)
        try:
            part.decompress(data[whole:])
        except zlib.error:
            break
        if not part.eof:
            break
        whole = len(data) - len(part.unused_data)
    if whole < len(data):
        path.write_bytes(data[:whole])

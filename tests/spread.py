"""Tests spread over a dask cluster: ``python -m tests.spread --scheduler ADDRESS …``.

What follows the address are pytest's own arguments. Each worker runs some tests at a
time, in a process of their own, from the same checkout; what failed is printed, and the
exit code is 1 if anything did.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from costmodel.nas.workers import Workers


ROOT = Path(__file__).parent.parent

TESTS = 5
"""Tests that one task runs: starting takes as long as a short test."""

SHOWN = 4000
"""Characters of a failed task's output that are printed, from its end."""

NOTHING = 5
"""Pytest's exit code where all tests of a task are left out."""


def main(arguments: Sequence[str]) -> int:
    """Spread the tests that pytest's arguments choose; return 1 if any fails."""
    given = list(arguments)
    place = given.index("--scheduler")
    scheduler = given[place + 1]
    del given[place : place + 2]
    names = collected(given)
    tasks = [names[start : start + TESTS] for start in range(0, len(names), TESTS)]
    passed, failed = 0, 0
    run = partial(ran, profile=os.environ.get("HYPOTHESIS_PROFILE"))
    with Workers(scheduler=scheduler) as workers:
        for task, (code, output) in workers.spread(run, tasks):
            is_well = code in (0, NOTHING)
            passed, failed = passed + is_well, failed + (not is_well)
            sys.stdout.write(f"{passed + failed} of {len(tasks)}: {task[0]}\n")
            if not is_well:
                sys.stdout.write(f"{output[-SHOWN:]}\n")
    sys.stdout.write(f"{failed} of {len(tasks)} groups of tests failed\n")
    return int(failed > 0)


def collected(arguments: Sequence[str]) -> list[str]:
    """Return the names of the tests that pytest would run."""
    command = (sys.executable, "-m", "pytest", "--collect-only", "-q", *arguments)
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = [line for line in done.stdout.splitlines() if "::" in line]
    if done.returncode or not names:
        raise SystemExit(done.stdout[-SHOWN:] + done.stderr[-SHOWN:])
    return names


def ran(names: Sequence[str], profile: str | None = None) -> tuple[int, str]:
    """Run tests in a process of their own; return its exit code and output."""
    env = {**os.environ, **({"HYPOTHESIS_PROFILE": profile} if profile else {})}
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *names)
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=env
    )
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

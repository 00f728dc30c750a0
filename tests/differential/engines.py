"""The processes of an engine: for a job, or line by line."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from queue import Queue
from tempfile import mkdtemp
from threading import Lock, Thread
from typing import Any

from tests.distributions import write_metadata


WORKER = Path(__file__).with_name("worker.py")


class EngineError(Exception):
    """A process of an engine ended before its work did."""


@cache
def metadata(tree: Path) -> str:
    """Return a folder with what installing a tree would say of its entry points.

    What is installed names modules of this engine, which another has elsewhere.
    """
    folder = Path(mkdtemp(prefix="engine-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    project = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))["project"]
    named = project["name"], project["entry-points"], project["version"]
    write_metadata(folder, *named)
    return str(folder)


def started(tree: Path, what: str) -> subprocess.Popen[str]:
    """Start a process in which ``import costmodel`` finds the engine of a tree."""
    path = os.pathsep.join([metadata(tree), str(tree)])
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(tree), what],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        # Python's own order of sets is the same in all runs.
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"},
    )  # fmt: skip


def done(tree: Path, job: dict[str, Any]) -> list[str]:
    """Return the records of a job, a line each."""
    process = started(tree, "record")
    written, _ = process.communicate(json.dumps(job) + "\n")
    if process.returncode:
        raise EngineError(f"{tree}: {job} ended with {process.returncode}")
    return written.splitlines()


def registered(tree: Path) -> list[str]:
    """Return the networks that an engine knows by name, each family's first before."""
    [names] = done(tree, {"names": True})
    found: list[str] = json.loads(names)
    return found


def all_done(
    tree: Path, jobs: Iterable[dict[str, Any]], processes: int
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Give jobs with their records, in order; only as many are begun as can run."""
    waiting: deque[tuple[dict[str, Any], Future[list[str]]]] = deque()
    with ThreadPoolExecutor(processes) as pool:
        for job in jobs:
            waiting.append((job, pool.submit(done, tree, job)))
            if len(waiting) > processes:
                first, records = waiting.popleft()
                yield first, records.result()
        for job, records in waiting:
            yield job, records.result()


def answered(
    tree: Path, lines: Iterable[str], processes: int
) -> Iterator[dict[str, Any]]:
    """Give an engine's answer to each line, in the order in which they come."""
    answers: Queue[dict[str, Any] | None] = Queue()
    source, lock = iter(lines), Lock()

    def work() -> None:
        process = started(tree, "compare")
        while True:
            with lock:
                line = next(source, None)
            if line is None:
                break
            try:
                answer = _asked(process, line)
            except (EngineError, OSError):
                # It took its process with it: that is an answer, too.
                name = json.loads(line)["name"]
                gone = ["network: the process ended", "", "", str(process.wait())]
                answers.put({"name": name, "values": 0, "rewritten": 0,
                             "differences": [gone]})  # fmt: skip
                process = started(tree, "compare")
            else:
                answers.put(answer)
        process.communicate()
        answers.put(None)

    workers = [Thread(target=work, daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    left = processes
    while left:
        answer = answers.get()
        if answer is None:
            left -= 1
        else:
            yield answer


def _asked(process: subprocess.Popen[str], line: str) -> dict[str, Any]:
    """Return the answer to one line."""
    if process.stdin is None or process.stdout is None:
        raise EngineError("a process without pipes")
    process.stdin.write(line.rstrip("\n") + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise EngineError("no answer")
    found: dict[str, Any] = json.loads(answer)
    return found

"""Hypothesis profiles, laws run thoroughly, and a registry left as it was.

HYPOTHESIS_PROFILE chooses a profile. A law over generated networks is a test that
Hypothesis gives a ``Network``: it gets the marker ``networks`` by itself. One over
malformed input has ``malformed(reader)``. Under the profiles of these names, which
``nox -s thorough`` runs, an example may take ``LIMIT`` seconds, and examples are
counted; HYPOTHESIS_EXAMPLES is another number of them for each law.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from faulthandler import cancel_dump_traceback_later, dump_traceback_later
from functools import wraps
from importlib.util import find_spec
from inspect import signature
from typing import Any, TextIO

import pytest
from hypothesis import HealthCheck, settings

from costmodel.network import registry


if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a worker per core: threads on top of these would wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when PyTorch is imported

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")
LIMIT = 10
"""Seconds of the processor that an example may take when laws are run thoroughly."""
STUCK = 30 * LIMIT
"""Seconds of the clock after which an example that nothing interrupts ends all."""
THOROUGH = {"networks": 1_000, "malformed": 10_000}
"""Examples of each law, by the marker of those that are run thoroughly."""

STDERR = pytest.StashKey[TextIO]()

settings.register_profile("brief", max_examples=8, deadline=None)
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
for _name, _examples in THOROUGH.items():
    settings.register_profile(
        _name,
        max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", _examples)),
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(PROFILE)


# It is import-linter's, and has no examples; that has an environment of its own.
collect_ignore = [] if find_spec("importlinter") else ["tests/import_contracts.py"]


@pytest.fixture(autouse=True)
def _forget_architectures() -> Iterator[None]:
    """Forget the architectures that a test or an example in prose registered."""
    known = registry.architectures()
    yield
    for name in registry.architectures().keys() - known.keys():
        del registry._REGISTRY[name]  # noqa: SLF001 - nothing public forgets one


def _law(item: pytest.Item) -> Any:
    """Return what Hypothesis knows of a test, or nothing."""
    return getattr(getattr(item, "obj", None), "hypothesis", None)


def pytest_configure(config: pytest.Config) -> None:
    """Keep where errors are written, before what tests write is captured."""
    config.stash[STDERR] = os.fdopen(os.dup(sys.stderr.fileno()), "w")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the laws over generated networks."""
    for item in items:
        if law := _law(item):
            taken = signature(law.inner_test).parameters.values()
            if any("Network" in str(parameter.annotation) for parameter in taken):
                item.add_marker("networks")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Count the examples of a law that is run thoroughly, and let none hang."""
    law = _law(item)
    if law is None or PROFILE not in THOROUGH:
        return (yield)
    inner, counted = law.inner_test, [0]
    law.inner_test = _counted(inner, counted, item.config.stash[STDERR])
    signal.signal(signal.SIGPROF, _out_of_time)
    start = time.process_time()
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        cancel_dump_traceback_later()
        law.inner_test = inner
        marker = item.get_closest_marker(PROFILE)
        kind = marker.args[0] if marker and marker.args else PROFILE
        seconds = time.process_time() - start
        counts = {"kind": kind, "examples": counted[0], "seconds": seconds}
        item.user_properties += counts.items()


def _counted(
    inner: Callable[..., None], counted: list[int], stderr: TextIO
) -> Callable[..., None]:
    """Return a law that counts its examples, and is given time for each.

    There is as much time to draw the next one, which the code under test makes.
    """

    @wraps(inner)
    def law(*args: Any, **kwargs: Any) -> None:
        signal.setitimer(signal.ITIMER_PROF, LIMIT)
        try:
            inner(*args, **kwargs)
            counted[0] += 1
        finally:
            signal.setitimer(signal.ITIMER_PROF, LIMIT)
            dump_traceback_later(STUCK, exit=True, file=stderr)

    return law


def _out_of_time(*_: object) -> None:
    """Fail by an error that no ``except Exception`` of the code under test catches."""
    pytest.fail(f"an example takes over {LIMIT} seconds")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print examples, seconds and failures of laws that were run thoroughly."""
    found: dict[str, list[tuple[int, float, bool, str]]] = defaultdict(list)
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            known = dict(getattr(report, "user_properties", ()))
            if "examples" in known and report.when == "call":
                found[known["kind"]].append(
                    (known["examples"], known["seconds"], report.failed, report.nodeid)
                )
    for kind, rows in found.items():
        terminalreporter.section(kind)
        for examples, seconds, failed, name in sorted(rows, key=lambda row: -row[1]):
            line = f"{examples:>8,} {seconds:>9,.1f} s  {name}"
            terminalreporter.line(line + " FAILED" * failed)
        examples, seconds, failed = (
            sum(row[place] for row in rows) for place in (0, 1, 2)
        )
        terminalreporter.line(
            f"{kind}: {examples:,} examples of {len(rows)} laws, {failed} failed, "
            f"{seconds:,.0f} s of the processor"
        )

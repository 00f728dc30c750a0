"""One set of evaluations, however they are shared out and whoever is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner

import costmodel as cm
from costmodel.cli import main
from costmodel.nas import Found
from costmodel.nas.workers import Workers
from costmodel.network.graph import Network
from tests import spread


joblib = pytest.importorskip("joblib")
distributed = pytest.importorskip("distributed")

# Sockets of a cluster that closes while it is asked warn, whoever uses it.
pytestmark = pytest.mark.filterwarnings("ignore")

GIVEN: dict[str, Any] = {"minimize": "macs", "engine": "evolution", "evaluations": 60}


def slow(network: Network) -> float:
    """Count the nodes, and take a while."""
    time.sleep(0.02)
    return float(len(network.nodes))


def found(**given: Any) -> Found:
    space = cm.space("nasbench201", dataset="imagenet16", cells=1)
    return cm.search(space, maximize={"nodes": slow}, **GIVEN, **given)


def wait_for_lines(path: Path, count: int) -> None:
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        time.sleep(0.005)


@pytest.fixture(scope="module")
def alone() -> Found:
    return found()


@pytest.fixture
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as running:
        yield running


def test_tasks_come_back_with_their_results() -> None:
    for jobs in (1, 2):
        with Workers(jobs) as workers:
            pairs = dict(workers.spread(abs, [-3, 2, -1]))
        assert pairs == {-3: 3, 2: 2, -1: 1}


def test_processes_and_one_process_evaluate_the_same(alone: Found) -> None:
    assert found(jobs=2).evaluations == alone.evaluations


def test_a_cluster_that_loses_a_worker_evaluates_the_same(
    alone: Found, cluster: Any, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"

    def kill() -> None:
        wait_for_lines(path, 5)
        os.kill(cluster.workers[0].pid, signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    shared = found(scheduler=cluster.scheduler_address, journal=path)
    killer.join()
    assert shared.evaluations == alone.evaluations


def test_a_search_goes_on_after_its_scheduler_left(
    alone: Found, cluster: Any, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"

    def close() -> None:
        wait_for_lines(path, 5)
        cluster.close()

    closer = Thread(target=close)
    closer.start()
    with pytest.raises(cm.CostModelError, match="the scheduler is gone"):
        found(scheduler=cluster.scheduler_address, journal=path)
    closer.join()
    kept = path.read_text().splitlines()
    assert 0 < len(kept) < 61
    again = found(journal=path)
    assert again.evaluations == alone.evaluations
    assert path.read_text().splitlines()[: len(kept)] == kept


def test_a_report_is_the_same_wherever_it_is_written(
    cluster: Any, tmp_path: Path
) -> None:
    pytest.importorskip("altair")
    pytest.importorskip("pygraphviz")
    words = ["report", "lenet5", "alexnet", "--no-oracles", "-o"]
    here, there = tmp_path / "here", tmp_path / "there"
    address = ["--scheduler", cluster.scheduler_address]
    for folder, further in ((here, ["--jobs", "1"]), (there, address)):
        result = CliRunner().invoke(main, [*words, str(folder), *further])
        assert result.exit_code == 0, result.output
    files = [path.relative_to(here) for path in here.rglob("*") if path.is_file()]
    assert len(files) > 10
    for name in files:
        assert (there / name).read_bytes() == (here / name).read_bytes()


def test_tests_are_spread_over_a_cluster(
    cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    address = cluster.scheduler_address
    some = "tests/nas/test_search.py::test_limits_are_read_exactly"
    assert spread.main(["--scheduler", address, some]) == 0
    assert "0 of 1 groups of tests failed" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="not found"):
        spread.main(["--scheduler", address, "tests/nas/test_search.py::test_none"])


def test_a_search_that_is_killed_goes_on(alone: Found, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    code = (
        "from tests.nas.test_workers import found; from pathlib import Path; "
        f"found(journal=Path({str(path)!r}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2]
    )
    wait_for_lines(path, 11)
    process.kill()
    process.wait()
    kept = path.read_bytes().count(b"\n") - 1
    assert 10 <= kept < 60
    assert found(journal=path).evaluations == alone.evaluations
    assert path.read_bytes().count(b"\n") == 61


def test_a_scheduler_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costmodel.nas.workers.PATIENCE", 1)
    with pytest.raises(cm.CostModelError, match=r"no scheduler answers at tcp://.*:9"):
        found(scheduler="tcp://127.0.0.1:9")
    with pytest.raises(cm.CostModelError, match="no scheduler answers at nowhere"):
        found(scheduler="nowhere")
    with pytest.raises(cm.CostModelError, match="do not go together"):
        found(scheduler="tcp://127.0.0.1:9", jobs=2)

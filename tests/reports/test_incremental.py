"""A report that is written again: only what has changed, and never half of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

import costmodel as cm
from costmodel import reports
from costmodel.cli import main
from costmodel.cli.report_subjects import registered_subject
from costmodel.network.registry import architectures
from costmodel.reports import digest
from costmodel.reports.site import build
from costmodel.reports.site.atomic_folder import exchanged
from costmodel.reports.site.manifest import MARKER, Manifest
from tests.reports.test_reports import bytes_of


NAMES = ("lenet5", "alexnet", "squeezenet1_1")


def parts(*names: str, key: str = "") -> list[reports.Part]:
    return [
        reports.Part(n, architectures()[n].family, n, partial(registered_subject, n),
                     key=f"{n} {key}")
        for n in names
    ]  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("first") / "report"
    assert reports.write(parts(*NAMES), where).anew == len(NAMES)
    return where


@pytest.fixture
def where(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "report"))


def test_what_is_there_already_is_not_written_again(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "site_files", lambda *_: pytest.fail("nothing changed"))
    told: list[str] = []
    times = {path: path.stat().st_mtime_ns for path in where.rglob("*")}
    assert reports.write(parts(*NAMES), where, advance=told.append).anew == 0
    assert told == list(NAMES)
    assert {path: path.stat().st_mtime_ns for path in where.rglob("*")} == times


def test_only_what_changed_is_written_again(where: Path, first: Path) -> None:
    made: list[str] = []

    def make(name: str) -> reports.Subject:
        made.append(name)
        return registered_subject(name)

    changed = [
        reports.Part(p.name, p.family, p.file, partial(make, p.name),
                     key=p.key + "2" * (p.name == "alexnet"))
        for p in parts(*NAMES)
    ]  # fmt: skip
    assert reports.write(changed, where).anew == 1
    assert made == ["alexnet"]
    differ = {n for n, text in bytes_of(where).items() if bytes_of(first)[n] != text}
    assert differ == {MARKER}


@pytest.mark.parametrize("name", ["architectures/alexnet.html", "data/lenet5.csv"])
def test_a_file_that_was_edited_or_lost_comes_back(
    where: Path, first: Path, name: str
) -> None:
    (where / name).write_text("edited", encoding="utf-8")
    assert reports.write(parts(*NAMES), where).anew == 1
    assert bytes_of(where) == bytes_of(first)
    (where / name).unlink()
    assert reports.write(parts(*NAMES), where).anew == 1
    assert bytes_of(where) == bytes_of(first)


def test_a_page_of_the_site_that_was_edited_comes_back(
    where: Path, first: Path
) -> None:
    (where / "index.html").write_text("edited", encoding="utf-8")
    assert reports.write(parts(*NAMES), where).anew == 0
    assert bytes_of(where) == bytes_of(first)


def test_another_program_another_date_and_other_kin_write_all_anew(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "program", lambda: "another")
    assert reports.write(parts(*NAMES), where).anew == len(NAMES)
    monkeypatch.undo()
    more = [*parts(*NAMES), *parts("squeezenet1_0")]
    # Kin are listed on each other's pages.
    reports.write(parts(*NAMES), where)
    assert reports.write(more, where).anew == 2


def test_the_program_is_its_files_its_libraries_and_the_date(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digest.program.cache_clear()
    usual = digest.program()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    digest.program.cache_clear()
    assert digest.program() != usual
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    digest.program.cache_clear()
    assert digest.program() == usual
    names = {path.name for _, path in digest._files()}
    assert {"build.py", "mobilenet_v1.py", "totals.py", "style.css"} <= names


def test_a_marker_of_an_earlier_version_still_says_whose_the_files_are(
    tmp_path: Path,
) -> None:
    (tmp_path / MARKER).write_text("index.html\nstyle.css\n", encoding="utf-8")
    found = Manifest.read(tmp_path)
    assert found.listed == {MARKER, "index.html", "style.css"}
    assert not found.still_has(tmp_path, "index", "")


def test_processes_and_one_process_write_the_same(first: Path, tmp_path: Path) -> None:
    reports.write(parts(*NAMES), tmp_path / "other", jobs=2)
    assert bytes_of(tmp_path / "other") == bytes_of(first)


def test_folders_change_places_at_once(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name, encoding="utf-8")
    if not exchanged(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this system cannot exchange two folders")
    assert (tmp_path / "a" / "file").read_text(encoding="utf-8") == "b"
    assert (tmp_path / "b" / "file").read_text(encoding="utf-8") == "a"
    assert not exchanged(tmp_path / "a", tmp_path / "missing")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("wait_s", [0.5, 2.0, 4.0])
def test_killed_at_any_moment_the_earlier_report_is_whole(
    where: Path, wait_s: float
) -> None:
    before = bytes_of(where)
    command = [sys.executable, "-m", "costmodel", "report", "resnet18", "lenet5",
               "-o", str(where), "--jobs", "2"]  # fmt: skip
    running = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(wait_s)
    with suppress(ProcessLookupError):  # it was faster
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    after = bytes_of(where)
    listed = json.loads(after[MARKER])["files"]
    assert after == before or set(listed) | {MARKER} == set(after)
    manifest = Manifest.read(where)
    for part, made in manifest.parts.items():
        assert manifest.still_has(where, part, made.key)
    # What the killed run left lying about goes with the next one.
    reports.write(parts("lenet5"), where)
    assert list(where.parent.iterdir()) == [where]


@pytest.mark.parametrize("name", ["lenet5", "mobilenet_v3_small", "resnet20_cifar"])
def test_recorded_counts_are_those_that_are_counted_now(name: str) -> None:
    recorded = registered_subject(name)
    now = registered_subject(name, "run")
    assert recorded.checks == now.checks
    assert recorded.note.startswith("Counted before, with PyTorch")
    assert now.note.startswith("Counted just now, with PyTorch")


def test_the_command_says_how_much_it_wrote(tmp_path: Path) -> None:
    arguments = ["report", "lenet5", "-o", str(tmp_path / "site"), "--json"]
    for anew in (1, 0):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["written"] == anew


def test_pages_follow_what_is_trained(tmp_path: Path) -> None:
    net = cm.load("resnet20_cifar", batch=1, resolution=32)
    file = tmp_path / "own.json"
    file.write_text(cm.load("resnet20_cifar").to_json())
    arguments = ["report", "resnet20_cifar", str(file), "-o", str(tmp_path / "site")]
    arguments += ["--input", "3x32x32"]
    for scopes, anew in (((), 2), (("head",), 2), (("head",), 1)):
        step = cm.memory(net.trained(*scopes) if scopes else net, training=True)
        given = [word for scope in scopes for word in ("--trained", scope)]
        result = CliRunner().invoke(main, [*arguments, *given, "--json"])
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["written"] == anew
        pages = [p.read_text() for p in (tmp_path / "site").rglob("*.html")]
        shown = [p for p in pages if "training step, partly frozen" in p]
        assert len(shown) == (2 if scopes else 0)
        for page in shown:
            assert f"{step.peak_activation_bytes:,}" in page.replace("\u202f", ",")
    result = CliRunner().invoke(main, [*arguments, "--trained", "hed"])
    assert result.exit_code == 4
    assert 'trained "hed": no parameter is there' in result.stderr

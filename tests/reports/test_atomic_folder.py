"""The folder of a report: written whole or not at all, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from costmodel import reports
from costmodel.errors import CostModelError
from costmodel.reports.site import atomic_folder
from tests.reports.test_reports import SUBJECTS, bytes_of


def stop(name: str) -> None:
    raise KeyboardInterrupt(name)


def test_an_interrupted_run_leaves_the_report_as_it_was(tmp_path: Path) -> None:
    where = tmp_path / "report"
    with pytest.raises(KeyboardInterrupt):
        reports.write(SUBJECTS[:1], where, advance=stop)
    assert not list(tmp_path.iterdir())
    reports.write(SUBJECTS[:1], where)
    before = bytes_of(where)
    with pytest.raises(KeyboardInterrupt):
        reports.write(SUBJECTS[1:], where, advance=stop)
    assert bytes_of(where) == before
    assert list(tmp_path.iterdir()) == [where]


def test_a_failed_swap_puts_the_old_report_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "report"
    reports.write(SUBJECTS[:1], where)
    before, rename = bytes_of(where), Path.rename
    monkeypatch.setattr(atomic_folder, "exchanged", lambda *_: False)

    def fail_on_new(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_on_new)
    with pytest.raises(CostModelError, match="No space left on device"):
        reports.write(SUBJECTS[1:], where)
    assert bytes_of(where) == before
    assert list(tmp_path.iterdir()) == [where]


def test_a_new_report_replaces_the_old_one(tmp_path: Path) -> None:
    where = tmp_path / "deep" / "report"
    advanced: list[str] = []
    reports.write(SUBJECTS[:2], where, advance=advanced.append)
    reports.write(SUBJECTS[:1], where)
    assert advanced == ["lenet5", "resnet18"]
    assert [path.name for path in (where / "architectures").iterdir()] == [
        "lenet5.html"
    ]
    assert list(where.parent.iterdir()) == [where]


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CostModelError, match=r"notes\.txt.* another folder with -o"):
        reports.check_folder(tmp_path)
    where = tmp_path / "report"
    reports.write(SUBJECTS[:1], where)
    (where / "mine.html").write_text("mine")
    with pytest.raises(CostModelError, match=r"holds mine\.html"):
        reports.write(SUBJECTS[:1], where)
    with pytest.raises(CostModelError, match="is a file"):
        reports.check_folder(tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    reports.check_folder(tmp_path / "empty")


def test_the_current_folder_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "report"
    reports.write(SUBJECTS[:1], where)
    monkeypatch.chdir(where / "data")
    for folder_ in (Path(), Path(".."), where):
        with pytest.raises(CostModelError, match="is the current folder or holds it"):
            reports.write(SUBJECTS[:1], folder_)
    reports.write(SUBJECTS[:1], Path("../../other"))
    assert (tmp_path / "other" / "index.html").exists()


def test_a_link_to_a_report_stays_a_link(tmp_path: Path) -> None:
    reports.write(SUBJECTS[:1], tmp_path / "report")
    (tmp_path / "link").symlink_to("report")
    reports.write(SUBJECTS[1:2], tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "report" / "architectures" / "resnet18.html").exists()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CostModelError, match="loop"):
        reports.check_folder(tmp_path / "loop")


def test_an_old_report_that_cannot_be_put_back_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "report"
    reports.write(SUBJECTS[:1], where)
    before, rename = bytes_of(where), Path.rename
    monkeypatch.setattr(atomic_folder, "exchanged", lambda *_: False)

    def fail_later(self: Path, target: Path) -> Path:
        if self == where:
            return rename(self, target)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "rename", fail_later)
    with pytest.raises(CostModelError, match="Input/output error"):
        reports.write(SUBJECTS[1:2], where)
    [work] = tmp_path.iterdir()
    assert bytes_of(work / "old") == before


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CostModelError, match="cannot write the report to") as caught:
        reports.write(SUBJECTS[:1], tmp_path / "file" / "report")
    assert "\n" not in str(caught.value)

"""A folder that is written whole or not at all."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from costmodel.errors import CostModelError
from costmodel.reports.site.manifest import MARKER, Made, Manifest, marker_text


_LEFT_BEHIND = frozenset({".DS_Store", "Thumbs.db"})


@dataclass(frozen=True, slots=True)
class Staging:
    """A hidden folder in which a report is put together, part by part.

    ``earlier`` is the report that it will replace, and ``parts`` says what is there.
    """

    path: Path
    earlier: Path
    manifest: Manifest
    parts: dict[str, Made] = field(default_factory=dict)

    def reuse(self, part: str, key: str) -> bool:
        """Take over a part of the earlier report, if it would come out the same."""
        if not self.manifest.still_has(self.earlier, part, key):
            return False
        made = self.manifest.parts[part]
        for name in made.files:
            there = self.path / name
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.earlier / name, there)
        self.parts[part] = made
        return True


@contextmanager
def whole(folder: Path) -> Iterator[Staging]:
    """Give a hidden folder to write into, and put it in place once all is written.

    An earlier report is replaced; if writing is interrupted, it stays as it was.
    """
    with _workplace(folder) as (target, work):
        new = work / "new"
        new.mkdir()
        staging = Staging(new, target, Manifest.read(target))
        yield staging
        text = marker_text(new, staging.parts)
        (new / MARKER).write_text(text, encoding="utf-8", newline="\n")
        _swap(new, target, work / "old")


def unchanged(folder: Path, keys: Mapping[str, str]) -> bool:
    """Say whether a folder has a report of just these parts, every file as written."""
    target = Path(os.path.realpath(folder))
    manifest = Manifest.read(target)
    return manifest.parts.keys() == keys.keys() and all(
        manifest.still_has(target, part, key) for part, key in keys.items()
    )


def check(folder: Path) -> None:
    """Refuse what cannot be written, or holds anything but an earlier report."""
    with _workplace(folder):
        pass


@contextmanager
def _workplace(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Give a report's real path, and a hidden folder beside it that is removed again.

    Parent folders that were made for the report are removed too if it is not written.
    """
    try:
        target = Path(os.path.realpath(folder))
        _refuse_others(folder, target)
        missing = [above for above in target.parents if not _exists(above)]
        _clear_away(target)
        work = target.with_name(f"{_HIDDEN}{os.getpid()}-{secrets.token_hex(4)}")
        try:
            work.mkdir(parents=True)
            yield target, work
        finally:
            _remove(work, target)
            for above in missing:
                with suppress(OSError):  # the report is in it
                    above.rmdir()
    except OSError as error:
        raise _cannot(folder, error) from error


_HIDDEN = ".costmodel-"
"""How names of hidden folders begin; the process's number and a random text follow."""


def _clear_away(target: Path) -> None:
    """Remove the hidden folders of processes that were killed."""
    for work in target.parent.glob(f"{_HIDDEN}*-*"):
        number = work.name.removeprefix(_HIDDEN).partition("-")[0]
        if number.isdecimal() and not _is_running(int(number)):
            _remove(work, target)


def _is_running(process: int) -> bool:
    """Say whether there is such a process; where nobody can tell, there is."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _refuse_others(folder: Path, target: Path) -> None:
    """Refuse what is no folder, cannot be replaced, or holds what is no report."""
    if not _exists(target):
        return
    if not target.is_dir():
        raise CostModelError(f"{folder} is a file; choose another folder with -o")
    if Path.cwd().is_relative_to(target):
        raise CostModelError(
            f"{folder} is the current folder or holds it, and is not replaced; "
            "choose another folder with -o"
        )
    if os.path.ismount(target):
        raise CostModelError(
            f"{folder} is a mount point, and is not replaced; "
            "choose a folder in it with -o"
        )
    if foreign := sorted(_files(target) - Manifest.read(target).listed):
        raise CostModelError(
            f"{folder} holds {foreign[0]}, which is not part of a report; "
            "choose another folder with -o"
        )


def _cannot(folder: Path, error: OSError) -> CostModelError:
    reason = error.strerror or error
    return CostModelError(f"cannot write the report to {folder}: {reason}")


def _exists(path: Path) -> bool:
    """Say whether something is there; raise where that cannot be known."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _files(target: Path) -> set[str]:
    """Return the files of a folder, without those that operating systems leave."""

    def refuse(error: OSError) -> None:
        raise error

    return {
        (Path(folder) / name).relative_to(target).as_posix()
        for folder, folders, files in os.walk(target, onerror=refuse)
        for name in (*files, *(n for n in folders if Path(folder, n).is_symlink()))
        if name not in _LEFT_BEHIND
    }


def _swap(new: Path, target: Path, old: Path) -> None:
    """Put the new folder in the old one's place; put the old one back if that fails.

    At once where the system can, so that there is a report at every moment.
    """
    if _exists(target) and exchanged(new, target):
        return
    try:
        if _exists(target):
            target.rename(old)
        new.rename(target)
    except BaseException:
        if _exists(old) and not _exists(target):
            old.rename(target)
        raise


def exchanged(one: Path, other: Path) -> bool:
    """Let two folders change places in a single step; False where that cannot be done.

    **Source**: renameat2(2) of Linux, with RENAME_EXCHANGE.
    """
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    ends = os.fsencode(one), os.fsencode(other)
    return bool(rename(_HERE, ends[0], _HERE, ends[1], _EXCHANGE) == 0)


_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD: paths are as the process sees them; RENAME_EXCHANGE."""


def _remove(work: Path, target: Path) -> None:
    """Remove the hidden folder, unless an old report in it could not be put back."""
    if not (work / "old").exists() or target.exists():
        shutil.rmtree(work, ignore_errors=True)

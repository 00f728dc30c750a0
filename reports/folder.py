"""A folder that is written whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from costmodel.errors import CostModelError


MARKER = ".costmodel-report"
"""The file that says that a folder is a report, and which files belong to it."""

_LEFT_BEHIND = frozenset({".DS_Store", "Thumbs.db"})


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Give a hidden folder to write into, and put it in place once all is written.

    An earlier report is replaced; whatever stops the writing leaves it as it was.
    """
    with _workplace(folder) as (target, work):
        new = work / "new"
        new.mkdir()
        yield new
        _mark(new)
        _swap(new, target, work / "old")


def check(folder: Path) -> None:
    """Refuse what cannot be written, or holds anything but an earlier report."""
    with _workplace(folder):
        pass


@contextmanager
def _workplace(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Give a report's true place, and a hidden folder beside it that goes away again.

    So do the folders above, where they were made for the report and it does not come.
    """
    try:
        target = Path(os.path.realpath(folder))
        _refuse_others(folder, target)
        missing = [above for above in target.parents if not _exists(above)]
        work = target.with_name(f".costmodel-{secrets.token_hex(4)}")
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
    if foreign := sorted(_files(target) - _listed(target)):
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
    """Return the files of a folder, but those that systems leave behind."""

    def refuse(error: OSError) -> None:
        raise error

    return {
        (Path(folder) / name).relative_to(target).as_posix()
        for folder, folders, files in os.walk(target, onerror=refuse)
        for name in (*files, *(n for n in folders if Path(folder, n).is_symlink()))
        if name not in _LEFT_BEHIND
    }


def _listed(target: Path) -> set[str]:
    """Return the files that an earlier report says are its own."""
    marker = target / MARKER
    if not marker.is_file():
        return set()
    text = marker.read_text(encoding="utf-8", errors="replace")
    return {MARKER, *text.splitlines()}


def _mark(staging: Path) -> None:
    """Write down which files the report is made of."""
    names = sorted(
        path.relative_to(staging).as_posix()
        for path in staging.rglob("*")
        if path.is_file()
    )
    text = "".join(f"{name}\n" for name in names)
    (staging / MARKER).write_text(text, encoding="utf-8", newline="\n")


def _swap(new: Path, target: Path, old: Path) -> None:
    """Put the new folder in the old one's place; put the old one back if that fails."""
    try:
        if _exists(target):
            target.rename(old)
        new.rename(target)
    except BaseException:
        if _exists(old) and not _exists(target):
            old.rename(target)
        raise


def _remove(work: Path, target: Path) -> None:
    """Remove the hidden folder, unless an old report in it could not be put back."""
    if not (work / "old").exists() or target.exists():
        shutil.rmtree(work, ignore_errors=True)

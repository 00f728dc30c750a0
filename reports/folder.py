"""A folder that is written whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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
    target = folder.resolve()
    try:
        check(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = _beside(target, "new")
        staging.mkdir()
    except OSError as error:
        raise _cannot(folder, error) from error
    try:
        yield staging
        _mark(staging)
        _swap(staging, target)
    except OSError as error:
        raise _cannot(folder, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check(folder: Path) -> None:
    """Refuse a place that holds anything but an earlier report."""
    target = folder.resolve()
    if not target.exists():
        return
    if not target.is_dir():
        raise CostModelError(f"{folder} is a file; choose another folder with -o")
    ours = _listed(target)
    if foreign := sorted(_files(target) - ours):
        raise CostModelError(
            f"{folder} holds {foreign[0]}, which is not part of a report; "
            "choose another folder with -o"
        )


def _cannot(folder: Path, error: OSError) -> CostModelError:
    return CostModelError(f"cannot write the report to {folder}: {error.strerror}")


def _files(target: Path) -> set[str]:
    """Return the files of a folder, but those that systems leave behind."""
    return {
        path.relative_to(target).as_posix()
        for path in target.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and path.name not in _LEFT_BEHIND
    }


def _listed(target: Path) -> set[str]:
    """Return the files that an earlier report says are its own."""
    marker = target / MARKER
    if not marker.is_file():
        return set()
    return {MARKER, *marker.read_text(encoding="utf-8").splitlines()}


def _mark(staging: Path) -> None:
    """Write down which files the report is made of."""
    names = sorted(
        path.relative_to(staging).as_posix()
        for path in staging.rglob("*")
        if path.is_file()
    )
    text = "".join(f"{name}\n" for name in names)
    (staging / MARKER).write_text(text, encoding="utf-8", newline="\n")


def _swap(staging: Path, target: Path) -> None:
    """Put the new folder in the old one's place; put the old one back if that fails."""
    if not target.exists():
        staging.rename(target)
        return
    old = _beside(target, "old")
    target.rename(old)
    try:
        staging.rename(target)
    except BaseException:
        if not target.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f".{target.name}.{what}-{secrets.token_hex(4)}")

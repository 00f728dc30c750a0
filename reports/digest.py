"""Digests: what a page depends on, so that only what has changed is written anew."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path


PACKAGES = ("costmodel", "costmodel.zoo", "costmodel.reports")
"""Packages all of whose files count; so does each package that offers architectures."""

LIBRARIES = (
    "sympy", "networkx", "numpy", "torch", "fvcore", "jinja2", "graphviz",
    "pygraphviz", "altair", "vl-convert-python",
)  # fmt: skip
"""Distributions whose versions count, installed or not."""

ENVIRONMENT = ("SOURCE_DATE_EPOCH",)

_SUFFIXES = frozenset({".py", ".json", ".html", ".css", ".js"})


def digest(*parts: object) -> str:
    """Return what tells texts apart, in their order.

    >>> digest("a", "bc") == digest("ab", "c")
    False
    """
    found = hashlib.sha256()
    for part in parts:
        text = str(part).encode()
        found.update(b"%d:%s" % (len(text), text))
    return found.hexdigest()


def of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def program() -> str:
    """Return the digest of the code that runs: our files, and libraries' versions."""
    files = [f"{name} {of_file(path)}" for name, path in sorted(_files())]
    known = [f"{name} {_version(name)}" for name in LIBRARIES]
    given = [f"{name} {os.environ.get(name)}" for name in ENVIRONMENT]
    return digest(sys.version, *files, *known, *given)


def _files() -> Iterator[tuple[str, Path]]:
    """Give the files of our packages and of those that offer architectures, by name.

    Installed, ours are in one another, and each file counts once.
    """
    seen: set[Path] = set()
    offered = [
        entry.module.partition(".")[0]
        for group in ("costmodel.architectures", "costmodel.claims")
        for entry in entry_points(group=group)
    ]
    for name in dict.fromkeys((*PACKAGES, *offered)):
        spec = find_spec(name)
        places = (spec.submodule_search_locations if spec else None) or ()
        for place in places:
            for path in Path(place).rglob("*"):
                if path.suffix in _SUFFIXES and path not in seen:
                    seen.add(path)
                    yield f"{name}/{path.relative_to(place).as_posix()}", path


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"

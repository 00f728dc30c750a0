"""The base classes of all errors that costmodel raises on purpose."""

from __future__ import annotations


class CostModelError(Exception):
    """Bad input: the message says what, where, which values and the likely cause."""


class MissingDependencyError(CostModelError):
    """An optional dependency is not installed; the message names the extra."""


def at(kind: str, name: str, problem: str) -> CostModelError:
    """Return an error that names the operator and the node.

    >>> str(at("concat", "3a", "branches differ in size"))
    'concat at "3a": branches differ in size'
    """
    return CostModelError(f'{kind} at "{name}": {problem}')

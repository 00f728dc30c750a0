"""Discovery of other packages' operators by entry points."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from costmodel.errors import CostModelError


GROUP = "costmodel.operators"
"""The entry-point group under which packages offer operators."""


@cache
def import_all(group: str) -> None:
    """Import the modules that packages name under an entry-point group, once.

    **Errors**: an entry point that cannot be imported, and the package that has it.
    """
    for entry in entry_points(group=group):
        try:
            entry.load()
        except (Exception, SystemExit) as error:
            package = entry.dist.name if entry.dist else "a package"
            said = str(error).strip().splitlines() or [""]
            raise CostModelError(
                f'{package}: its entry point "{entry.name} = {entry.value}" of {group} '
                f"fails with {type(error).__name__}: {said[0]}; mend or remove it"
            ) from error


def discover() -> None:
    """Import every package that offers operators; each registers its own."""
    import_all(GROUP)


__all__ = ["GROUP", "discover", "import_all"]

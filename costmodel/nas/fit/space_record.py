"""A space as JSON, and back: its name and the options that it was made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costmodel.errors import CostModelError, short
from costmodel.nas.spaces.catalogue import space
from costmodel.nas.spaces.space import Space


def record(given: Space) -> dict[str, Any]:
    """Return what :func:`restored` makes a space from.

    >>> record(space("nasbench201", cells=1))["options"]["cells"]
    1
    """
    options = {key: _written(value) for key, value in given.options.items()}
    return {"name": given.name, "options": options}


def restored(values: Mapping[str, Any]) -> Space:
    """Return the space of a record.

    **Errors**: a space that is not known by name, or takes no such options.
    """
    name = values["name"]
    try:
        options = {key: _read(value) for key, value in values["options"].items()}
        return space(name, **options)
    except (CostModelError, TypeError, ValueError) as error:
        raise CostModelError(
            f'the space "{short(name)}" cannot be made from its options, so that it '
            f"has to be given: {error}"
        ) from None


def _written(value: Any) -> Any:
    """Return plain values; a tuple, which is one value, differs from a list of some."""
    if isinstance(value, tuple):
        return {"tuple": [_written(one) for one in value]}
    if isinstance(value, list):
        return [_written(one) for one in value]
    is_plain = value is None or isinstance(value, (bool, int, str))
    return value if is_plain else str(value)


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(_read(one) for one in value["tuple"])
    return [_read(one) for one in value] if isinstance(value, list) else value

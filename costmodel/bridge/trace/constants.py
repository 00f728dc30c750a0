"""How tensors that do not depend on the input are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from costmodel.bridge.importing.graph import Constant, Traced
from costmodel.bridge.trace.function_names import VIEWS
from costmodel.bridge.trace.signatures import bound


def how_made(
    name: str,
    args: tuple[Any, ...],
    options: dict[str, Any],
    known: Sequence[Traced | Constant | None],
) -> dict[str, Any]:
    """Return how a tensor is made, as the constants of ``Derived`` say it.

    One number fills it (``fill``), or it is a stored tensor whose axes are in another
    order (``dims``; none are given if it is the same) and repeated to its sizes.
    """
    if (number := _filling(name, args, options)) is not None:
        return {"fill": number}
    one = known[0] if len(known) == 1 else None
    if not isinstance(one, Constant):
        return {}
    if "fill" in one.made and name in {*VIEWS, *REPEATED, *REORDERED}:
        return dict(one.made)
    order = _order(name, args, options) if one.is_itself else None
    return {} if order is None else {"dims": order}


def _order(
    name: str, args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[int, ...] | None:
    """Return the order of a stored tensor's axes; none if it is the same."""
    if name in REPEATED:
        return ()
    function = torch.transpose if name == "t" else REORDERED.get(name)
    if function is None:
        return None
    given = bound(function, (args[0], 0, 1) if name == "t" else args, options)
    rank = args[0].dim()
    if given is None:
        return None
    if "dims" in given:
        return tuple(axis % rank for axis in given["dims"])
    order = list(range(rank))
    first, second = (given[place] % rank for place in ("dim0", "dim1"))
    order[first], order[second] = order[second], order[first]
    return tuple(order)


REPEATED = {"expand", "expand_as"}
REORDERED = {"permute": torch.permute, "transpose": torch.transpose, "t": torch.t}
NUMBERS = {"zeros": 0, "new_zeros": 0, "zeros_like": 0,
           "ones": 1, "new_ones": 1, "ones_like": 1}  # fmt: skip


def _filling(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return the number that fills a tensor, if it is known."""
    if name in {"full", "new_full", "full_like"}:
        place = 2 if name == "new_full" else 1
        value = args[place] if len(args) > place else options.get("fill_value")
        return value if type(value) in (int, float, bool) else None
    return NUMBERS.get(name)

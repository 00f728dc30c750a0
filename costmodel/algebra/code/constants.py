"""Constants by name, written as Python writes the arguments of a call."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from costmodel.errors import CostModelError


def read_constants(text: str) -> dict[str, Any]:
    """Return constants by name from the text of a field ``constants``.

    ``...`` stands for a value that the network does not record.

    >>> read_constants("eps=0.001, dims=(2, 3), shifts=...")
    {'eps': 0.001, 'dims': (2, 3), 'shifts': Ellipsis}
    """
    try:
        # Behind two stars Python itself takes nothing but names with values.
        call: Any = ast.parse(f"dict(**0, {text})", mode="eval").body
        return {str(k.arg): ast.literal_eval(k.value) for k in call.keywords[1:]}
    except (SyntaxError, ValueError, AttributeError):
        raise CostModelError(
            f"constants {text!r} are not written as name=value, name=value"
        ) from None


def write_constants(values: Mapping[str, Any]) -> str:
    """Return the text of constants, which :func:`read_constants` reads.

    >>> write_constants({"eps": 0.001, "shifts": Ellipsis})
    'eps=0.001, shifts=...'
    """
    return ", ".join(f"{name}={_literal(value)}" for name, value in values.items())


def _literal(value: Any) -> str:
    if value is Ellipsis or value != value:  # noqa: PLR0124 - a nan is not itself
        return "..."
    return repr(value).replace("inf", "1e999") if isinstance(value, float) else (
        repr(value)
    )  # fmt: skip

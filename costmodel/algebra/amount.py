"""Amounts as people write them: 300M, 5ms, 16MiB."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import sympy

from costmodel.algebra.parse import exact
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.errors import CostModelError, short


Kind: TypeAlias = Literal["count", "seconds", "bytes"]

THOUSANDS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SECONDS = {"s": 0, "ms": 3, "us": 6, "µs": 6, "ns": 9}
_BYTES = {"B": 1} | {
    f"{prefix}{end}": factor
    for number, (prefix, power) in enumerate(THOUSANDS.items(), start=1)
    for end, factor in (("B", power), ("iB", 2 ** (10 * number)))
}
UNITS: dict[Kind, dict[str, Dim]] = {
    "count": {**THOUSANDS, "k": 10**3},
    "seconds": {unit: as_dim(sympy.Rational(1, 10**p)) for unit, p in _SECONDS.items()},
    "bytes": {**THOUSANDS, **_BYTES},
}
"""What may follow a number, and what it is multiplied by."""

EXAMPLES = {"count": "100M", "seconds": "5ms", "bytes": "16MiB"}

_WRITTEN = re.compile(r"\s*([\d._]+(?:[eE][+-]?\d+)?)\s*([A-Za-zµ]*)\s*")


def amount(value: object, what: str, kind: Kind = "count") -> Dim:
    """Return a number of a kind exactly; text may end in a unit, counts be formulas.

    **Units**: seconds and bytes for those kinds.

    **Errors**: text that is no number, or ends in no unit of its kind.

    >>> amount("1.5G", "macs"), amount(2e6, "macs"), amount("5ms", "latency", "seconds")
    (1500000000, 2000000, 1/200)
    >>> amount("16MiB", "memory", "bytes")
    16777216
    """
    found = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if found is None and (kind == "count" or not isinstance(value, str)):
        return exact(value, what)
    units = UNITS[kind]
    if found is None or (found[2] and found[2] not in units):
        raise CostModelError(
            f"{what} {short(value)}: not a number such as {EXAMPLES[kind]}; known "
            f"units are {', '.join(units)}"
        )
    number = exact(found[1], what)
    return as_dim(number * units[found[2]]) if found[2] else number

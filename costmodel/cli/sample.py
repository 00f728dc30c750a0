"""The shape of one sample, as given by --input, and networks with that input."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostModelError


if TYPE_CHECKING:
    from costmodel.network.graph import Network


class Sample(tuple[Any, ...]):
    """The shape of one sample, channels first: numbers or expressions."""

    __slots__ = ()

    def __str__(self) -> str:
        """Write it as a shape: 3×224×224."""
        return "×".join(map(str, self))

    @property
    def is_known(self) -> bool:
        """Say whether every size is a number."""
        return all(type(size) is int for size in self)


def read_sample(text: str) -> Sample:
    """Read the shape of an input, such as 3x224x224.

    >>> print(read_sample("3x224x32*M"))
    3×224×32*M
    """
    return Sample(read_size(part, f"--input {text}") for part in re.split("[x×]", text))


def read_size(value: Any, where: str) -> Any:
    """Read one size: a number from 1, or an expression in symbols."""
    from costmodel.algebra.parse import exact

    size = exact(value.strip() if isinstance(value, str) else value, where)
    if getattr(size, "free_symbols", None) or (type(size) is int and size > 0):
        return size
    raise CostModelError(f"{where}: {size} is not a positive integer")


def at_sample(network: Network, sample: Sample) -> Network:
    """Return a network whose input has this shape."""
    import sympy

    shape = network.inputs[0].output
    problem = f"{network.name}: its input is {shape}, not {sample}"
    if len(shape.sizes) != len(sample):
        raise CostModelError(problem)
    values: dict[Any, Any] = {}
    for have, want in zip(shape.sizes, sample):
        if values.setdefault(have, want) != want:
            raise CostModelError(problem)
        if have != want and not isinstance(have, sympy.Symbol):
            raise CostModelError(problem)
    values = {h: w for h, w in values.items() if isinstance(h, sympy.Symbol)}
    return network.bind(values) if values else network

"""Any registered architecture as a space: options given as lists are choices."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from costmodel.errors import CostModelError, known_are
from costmodel.nas.spaces.choices import Choices
from costmodel.nas.spaces.space import Level
from costmodel.network.graph import Network
from costmodel.network.registry import find, load


class ArchitectureSpace(Choices):
    """The networks of an architecture at every combination of listed options.

    An option that is a tuple, such as ``blocks``, may be listed as a whole,
    ``blocks=[(2, 2, 2, 2), (3, 4, 6, 3)]``, or number by number, as a tuple of lists:
    ``blocks=([2, 3], [4], [6, 23], [3])``. ``resolution`` may be listed too; the batch
    is 1 if it is not given. At the levels "graph" and "function" settings are one if
    they give the same layers in the same order.
    """

    def __init__(self, architecture: str, **options: Any) -> None:
        """Make the space of some options' values; other options keep their defaults."""
        chosen = find(architecture)
        choices: dict[str, Sequence[Any]] = {}
        fixed: dict[str, Any] = {"resolution": chosen.resolution, "batch": 1}
        for key, given in options.items():
            if key not in chosen.options and key not in fixed:
                known = known_are(key, [*chosen.options, *fixed])
                raise CostModelError(f'{architecture}: unknown option "{key}"; {known}')
            if isinstance(given, tuple) and any(isinstance(n, list) for n in given):
                lists = enumerate(given, start=1)
                parts = {
                    f"{key}{n}": v if isinstance(v, list) else [v] for n, v in lists
                }
                choices |= {name: _values(v) for name, v in parts.items()}
                fixed[key] = tuple(parts)
            elif isinstance(given, list):
                choices[key] = _values(given)
            else:
                fixed[key] = given
                if key in chosen.options:
                    chosen.options[key].read(architecture, given)
        if not choices:
            raise CostModelError(
                f"{architecture}: no option has a list of values to choose from, such "
                f"as {next(iter(chosen.options))}=[…]; options are "
                f"{', '.join([*chosen.options, *fixed])}"
            )
        build = partial(_load, architecture, fixed)
        super().__init__(architecture, choices, build, options=options)
        for key, values in self.choices.items():  # each is refused by its own name
            option = chosen.options.get(key)
            read = (
                [option.read(architecture, value) for value in values] if option else []
            )
            if len(set(read)) < len(read):
                raise CostModelError(
                    f"{architecture}: {key} has a value twice: {list(values)}"
                )

    def key(self, point: Sequence[int], level: Level = "encoding") -> str:
        """Return text that settings share if and only if they are one at a level."""
        if self.known_level(level) == "encoding":
            return super().key(point, level)
        return layers_of(self.network(point))


def layers_of(network: Network) -> str:
    """Return a digest of a network's layers in order, whatever they are called.

    >>> from costmodel.network.build import image, network, relu
    >>> one, other = (network(relu(image(), name=name)) for name in "ab")
    >>> layers_of(one) == layers_of(other)
    True
    """
    number = {node.name: place for place, node in enumerate(network.nodes)}
    layers = [
        [node.operator.kind, str(node.operator.attributes), str(node.output),
         [number[source] for source in node.inputs]]
        for node in network.nodes
    ]  # fmt: skip
    ends = [number[name] for name in network.outputs]
    return sha256(json.dumps([layers, ends]).encode()).hexdigest()


def _values(given: Sequence[Any]) -> list[Any]:
    """Return listed values; lists in lists are tuples."""
    return [tuple(value) if isinstance(value, list) else value for value in given]


def _load(architecture: str, fixed: Mapping[str, Any], **values: Any) -> Network:
    """Load the network, with options that were listed number by number put together."""
    options = dict(fixed)
    for key, given in fixed.items():
        names = given if isinstance(given, tuple) else ()
        if names and set(map(str, names)) <= values.keys():
            options[key] = tuple(values.pop(name) for name in names)
    return load(architecture, **{**options, **values})

"""The catalogue of spaces: benchmarks', papers', and any architecture's options."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, TypeVar

from costmodel.entry_points import import_all
from costmodel.errors import CostModelError, known_are, near
from costmodel.nas.spaces.architecture_space import ArchitectureSpace
from costmodel.nas.spaces.space import Space
from costmodel.network.registry import architectures


GROUP = "costmodel.spaces"
"""The entry-point group under which packages offer spaces."""

Made = TypeVar("Made", bound=Callable[..., Space])
_SPACES: dict[str, Callable[..., Space]] = {}
_MADE: dict[str, Space] = {}


def register(name: str) -> Callable[[Made], Made]:
    """Register a function of options, or a class, that makes a space of that name."""

    def keep(make: Made) -> Made:
        if name in _SPACES:
            raise CostModelError(f'space "{name}" is registered twice')
        _SPACES[name] = make
        return make

    return keep


def spaces() -> dict[str, Callable[..., Space]]:
    """Return what makes each registered space, by name."""
    import_all(GROUP)
    return dict(sorted(_SPACES.items()))


def space(name: str, **options: Any) -> Space:
    """Return a space of networks by name: a benchmark's, or an architecture's options.

    Of an architecture, options given as lists are choices, others are fixed:
    ``space("mobilenet_v2", width=[0.5, 1], resolution=[160, 192, 224])``.

    **Errors**: an unknown name, option or value.

    >>> space("nasbench201").size(), space("nasbench201").size("function")
    (15625, 5260)
    >>> space("mobilenet_v2", width=["1/2", 1], resolution=[160, 192, 224]).size()
    6
    """
    known = spaces()
    if not isinstance(name, str) or (name not in known and name not in architectures()):
        hint = near(str(name), [*known, *architectures()])
        listed = f"spaces are {', '.join(known)}, and every architecture's name"
        told = "; ".join(filter(None, [hint, listed]))
        raise CostModelError(f'unknown space "{name}"; {told}')
    if name in known:
        taken = signature(known[name]).parameters
        for key in options:
            if key not in taken:
                hint = known_are(key, taken)
                raise CostModelError(f'space "{name}": unknown option "{key}"; {hint}')
        found = known[name](**options)
    else:
        found = ArchitectureSpace(name, **options)
    found.made_by = partial(_made, name, tuple(options.items()))
    return found


def _made(name: str, options: tuple[tuple[str, Any], ...]) -> Space:
    """Return the space of a call; a process keeps what it has looked up so far."""
    key = repr((name, options))
    if key not in _MADE:
        _MADE[key] = space(name, **dict(options))
    return _MADE[key]

"""The registry: architectures by name, their options, published figures, departures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import sympy

from costmodel.algebra.parse import exact
from costmodel.algebra.symbols import Dim, H, W
from costmodel.entry_points import discover, import_all
from costmodel.errors import CostModelError, near, no_network, short
from costmodel.network.annotations.scopes import ALL
from costmodel.network.build import Value, image, network
from costmodel.network.graph import Network
from costmodel.network.registry.options import (
    INPUT_CHANNELS,
    Default,
    Option,
    input_channels_option,
    options_of,
)
from costmodel.network.registry.printed_figures import Published, read_table


GROUP = "costmodel.architectures"
"""The entry-point group under which packages offer architectures."""


@dataclass(frozen=True)
class Architecture:
    """A registered network: its function, its source, its published figures."""

    name: str
    build: Callable[..., Value | Sequence[Value]]
    preset: Mapping[str, Any]
    family: str
    paper: str
    year: int
    resolution: int
    input_channels: int
    published: tuple[Published, ...]
    departures: tuple[str, ...]
    options: Mapping[str, Option] = field(default_factory=dict)
    idea: str = ""
    ancestors: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The network's name in its paper: the summary up to the colon."""
        return self.summary.partition(":")[0]

    @property
    def summary(self) -> str:
        """The first line of the definition's docstring."""
        return (inspect.getdoc(self.build) or self.name).splitlines()[0]


def architecture(
    *,
    paper: str,
    year: int,
    resolution: int | Mapping[str, int],
    published: str = "",
    departures: Sequence[str] = (),
    members: Mapping[str, Mapping[str, Any]] | None = None,
    input_channels: int = 3,
    idea: str = "",
    ancestors: Mapping[str, str] | None = None,
    written: Mapping[str, Mapping[str, str]] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as an architecture, or as a family of several.

    ``resolution`` is the side that the source uses, of all members or by member, and
    ``input_channels`` are its image's channels. Users may choose others when they load
    it; the function does not mention them, since the registry makes the image.
    The function takes the input value, and options as keywords with defaults; ``name``,
    ``resolution``, ``batch`` and ``input_channels`` are reserved.
    ``members`` maps names to presets of its keywords; by default the function's name.
    A preset keyword is no option any more, unless it is a :class:`Default`. One that is
    annotated ``int``, ``tuple[int, ...]`` or ``Rational`` and not ``Dim`` decides which
    layers there are, and cannot be a symbol.
    ``idea`` is what the paper adds, and ``ancestors`` maps families or ideas to what it
    takes from each: see :func:`costmodel.network.registry.lineage.lineage`.
    ``written`` says by variant what its source's code does not write as modules, as
    :func:`costmodel.network.build.network` takes it.
    ``published`` is a table of strings: a column is an option, ``name``, ``variant``,
    ``resolution``, ``layer`` or a quantity; the last is ``source``. A figure with a
    mark such as ``34M[1]`` departs, for the reason ``departures`` gives under 1.
    """

    def register(build: Callable[..., Any]) -> Callable[..., Any]:
        family = build.__name__
        for name, preset in (members or {family: {}}).items():
            if name in _REGISTRY:
                raise CostModelError(f'architecture "{name}" is registered twice')
            options = options_of(build, preset)
            options[INPUT_CHANNELS] = input_channels_option(input_channels)
            fixed = preset.keys() - options.keys()
            rows = read_table(published, departures, name, options, fixed)
            _REGISTRY[name] = Architecture(
                name, build, preset, family, paper, year,
                resolution if isinstance(resolution, int) else resolution[name],
                input_channels, rows, tuple(departures), options, idea, ancestors or {},
                written or {},
            )  # fmt: skip
        return build

    return register


def architectures() -> dict[str, Architecture]:
    """Return every architecture by name, by year and family, members as defined."""
    _discover()
    found = _REGISTRY.items()
    return dict(sorted(found, key=lambda item: (item[1].year, item[1].family)))


def find(name: str) -> Architecture:
    """Return the architecture of that name, or suggest the nearest ones."""
    _discover()
    if isinstance(name, str) and name in _REGISTRY:
        return _REGISTRY[name]
    if not isinstance(name, str):
        raise no_network("load", name, "the name of an architecture")
    is_place = not set(name).isdisjoint("./\\:")
    hint = near(name, () if is_place else _REGISTRY) or (
        "see `costmodel list`; costmodel.trace(module) reads a module of PyTorch, as "
        "torchvision has them"
    )
    raise CostModelError(f'unknown architecture "{name}"; {hint}')


def load(
    name: str, *, resolution: Any = None, batch: Any = None,
    trained: str | Iterable[str] = ALL, **options: Any,
) -> Network:  # fmt: skip
    """Return a network by name, symbolic in N, H, W and in options given as symbols.

    ``resolution`` binds H and W: a number, an expression, or a (height, width) pair.
    ``batch`` binds N. Counts may be numbers, strings such as "3/4", or symbols.
    ``trained`` names the scopes whose parameters are trained, as
    :meth:`Network.trained` takes them: ``"head"``, or a tuple of scopes.
    ``input_channels`` is an option of every network: 1 for grey images.
    A name that ends in ``.json`` is a file that :meth:`Network.to_json` wrote, a
    network without options.

    >>> load("resnet50", resolution=224).batch
    N
    >>> print(load("resnet50", input_channels=1).inputs[0].output)
    1×H×W
    """
    if isinstance(name, str) and name.endswith(".json"):
        net = _from_file(name, options)
    else:
        net = _chosen(name, options)
    if trained != ALL:
        scopes = [trained] if isinstance(trained, str) else trained
        net = net.trained(*_scopes(name, scopes))
    values: dict[object, object] = {}
    if resolution is not None:
        pair = resolution if isinstance(resolution, tuple) else (resolution, resolution)
        if len(pair) != 2:
            raise CostModelError(
                f"{name}: resolution {resolution!r} is no (height, width)"
            )
        values |= dict(zip((H, W), (_side(name, side) for side in pair)))
    if batch is not None:
        count = _side(name, batch, "batch")
        if type(net.batch) is int and net.batch != count:
            raise CostModelError(f"{name}: its batch is {net.batch}, not {batch}")
        values |= {} if type(net.batch) is int else {net.batch: count}
    return net.bind(values) if values else net


def _from_file(name: str, options: Mapping[str, Any]) -> Network:
    """Return the network of a file."""
    if options:
        raise CostModelError(
            f"{name}: a file takes no options, got {', '.join(options)}"
        )
    try:
        text = Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise CostModelError(f"{name}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise CostModelError(f"{name}: is not text, and so not JSON") from None
    try:
        return Network.from_json(text)
    except CostModelError as error:
        raise CostModelError(f"{name}: {error}") from error


def _chosen(name: str, options: Mapping[str, Any]) -> Network:
    """Return a registered network with the given options."""
    chosen = find(name)
    for key in options:
        if key not in chosen.options:
            known = [*chosen.options, "resolution", "batch", "trained"]
            hint = f"{near(key, known)} options are {', '.join(known)}".lstrip()
            raise CostModelError(f'{name}: unknown option "{key}"; {hint}')
    given = {k: chosen.options[k].read(name, v) for k, v in options.items()}
    return _built(chosen, given)


def _built(chosen: Architecture, given: Mapping[str, Any]) -> Network:
    """Build; an error names the options, and the legal fractions if they matter."""
    try:
        return _build(chosen.name, tuple(sorted(given.items())))
    except CostModelError as error:
        parts = {
            key: value
            for key, value in given.items()
            if isinstance(value, sympy.Rational)
            and chosen.options[key].can_be_symbol
            and not isinstance(chosen.options[key].default, sympy.Rational)
        }
        problem: BaseException = error.__cause__ or error
        if parts:
            symbols = {key: chosen.options[key].symbol for key in parts}
            try:
                symbolic = _build(
                    chosen.name, tuple(sorted({**given, **symbols}.items()))
                )
                symbolic.bind({symbols[key]: value for key, value in parts.items()})
            except CostModelError as found:
                problem = found.__cause__ or found
        if not given or any(f"option {key} " in str(problem) for key in given):
            raise
        settings = ", ".join(f"{key} = {_text(v)}" for key, v in given.items())
        raise CostModelError(f"{chosen.name}, {settings}: {problem}") from None


def _text(value: object) -> str:
    """Return an option's value as a user writes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _scopes(name: str, given: object) -> tuple[Any, ...]:
    """Return the scopes that are trained; anything but an iterable is an error."""
    if not isinstance(given, Iterable):
        raise CostModelError(f"{name}: trained {given!r} is not a scope, such as head")
    return tuple(given)


def _side(name: str, value: object, what: str = "resolution") -> Dim:
    side = exact(value, f"{name}: {what}")
    known = type(side) is int or getattr(side, "is_number", False)
    if known and not (type(side) is int and side >= 1):
        raise CostModelError(f"{name}: {what} {short(value)} is not a positive integer")
    return side


@lru_cache(maxsize=256)
def _build(name: str, options: tuple[tuple[str, Any], ...]) -> Network:
    chosen = _REGISTRY[name]
    given = dict(options)
    x = image(given.pop(INPUT_CHANNELS, chosen.input_channels))
    try:
        preset = {
            key: value.value if isinstance(value, Default) else value
            for key, value in chosen.preset.items()
        }
        result = chosen.build(x, **{**preset, **given})
    except CostModelError as error:
        raise CostModelError(f"{name}: {error}") from error
    ends = [result] if isinstance(result, Value) else result
    variant = str(given.get("variant", preset.get("variant")))
    return network(*ends, name=name, written=chosen.written.get(variant))


_REGISTRY: dict[str, Architecture] = {}


def _discover() -> None:
    """Import every package that offers architectures."""
    discover()  # architectures may be made of operators of other packages
    import_all(GROUP)
    if not _REGISTRY:
        raise CostModelError(
            "no architectures are found: the package costmodel is here, but it is not "
            "installed, so that nothing says which packages have some"
        )


__all__ = [
    "GROUP", "Architecture", "Default", "Option", "architecture", "architectures",
    "find", "load",
]  # fmt: skip

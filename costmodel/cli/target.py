"""Targets: networks that users name by module, or by a file of Python, ONNX or JSON."""

from __future__ import annotations

import ast
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.importing import imported, user_code
from costmodel.cli.sample import Sample, at_sample
from costmodel.errors import CostModelError, MissingDependencyError
from costmodel.terminal import note


if TYPE_CHECKING:
    from costmodel.network.graph import Network

TRAIN = "costmodel.train"
TRAINED = "costmodel.trained"
MARK = "costmodel.mark_unknown"
_OPENED = "costmodel.opened"
"""The key of a command's context for targets that were opened already."""

FORMS = "package.module:attribute, path/to/file.py:attribute, model.onnx or net.json"
"""The forms of targets that are not registered names."""

_QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Warnings that Python does not show for code outside of the main program."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A user's network, symbolic if its input is, and the warnings on opening it."""

    network: Network
    title: str
    warnings: tuple[str, ...] = ()
    module: Any = None
    """The traced module, if there is one."""


def is_target(name: str) -> bool:
    """Say whether a name is that of a user's network, not of a registered one."""
    return ":" in name or name.endswith((".py", ".onnx", ".json"))


def open_target(name: str, settings: Sequence[str], sample: Sample | None) -> Opened:
    """Return the network that a user names; a command opens each only once."""
    meta = click.get_current_context().meta
    known = meta.setdefault(_OPENED, {})
    key = (name, tuple(settings))
    if key not in known:
        with _heard() as heard:
            network, title, module = _opened(
                name, options_from(settings), sample,
                train=meta.get(TRAIN, False), marks=meta.get(MARK, False),
            )  # fmt: skip
        said = tuple(dict.fromkeys(heard))
        known[key] = Opened(network, title, said, module)
        for warning in known[key].warnings:
            note(f"{name}: {warning}")
    found: Opened = known[key]
    return found


def _opened(
    name: str, options: dict[str, Any], sample: Sample | None,
    *, train: bool, marks: bool,
) -> tuple[Network, str, Any]:  # fmt: skip
    """Read a file, or import and build; return network, description and module."""
    if name.endswith((".onnx", ".json")) and options:
        raise CostModelError(
            f"{name}: a file takes no options, got {', '.join(options)}"
        )
    if name.endswith(".json"):
        from costmodel.network.registry import load

        return load(name), "a network in a file", None
    if name.endswith(".onnx"):
        return _read_onnx(name, marks=marks), "an ONNX model", None
    _check_place(name)
    with imported(name) as attribute:
        made = _made(name, attribute, options)
        if not _is_module(made):
            return _network(name, made), "a network of its own code", None
        mode = "training" if train else "evaluation"
        with user_code(name):
            network = _traced(name, made, sample, train=train, marks=marks)
        return network, f"{type(made).__name__}, traced in {mode} mode", made


def real_module(name: str, settings: Sequence[str]) -> Any:
    """Return what a user names as it is built for use: a module with its values.

    For a file, or code that returns a network, that is the network.
    """
    if not name.endswith((".onnx", ".json")):
        _check_place(name)
        with imported(name) as attribute:
            made = _made(
                name, attribute, options_from(settings), build=lambda make: make()
            )
            if _is_module(made):
                return made.eval()
    return open_target(name, settings, None).network


def _check_place(name: str) -> None:
    if name.endswith(".py"):
        raise CostModelError(f"{name}: name what builds the network: {name}:NAME")


def _read_onnx(name: str, *, marks: bool) -> Network:
    if not Path(name).is_file():
        raise CostModelError(f"{name}: there is no such file")
    with user_code(name):
        from costmodel.bridge.onnx import read

        with _in_flags(f"{name}: ", f"{Path(name)}: ", "onnx: "):
            return read(name, on_unknown="mark" if marks else "raise")


def _made(
    name: str, attribute: Any, options: dict[str, Any],
    build: Callable[[Callable[[], Any]], Any] | None = None,
) -> Any:  # fmt: skip
    """Return a module or a network unchanged; call any other callable."""
    if _is_module(attribute) or _is_network(attribute) or not callable(attribute):
        if options:
            kind = type(attribute).__name__
            raise CostModelError(
                f"{name}: a {kind} takes no options, got {', '.join(options)}"
            )
        return attribute
    signature = _signature(attribute)
    if str(getattr(attribute, "__module__", "")).partition(".")[0] == "torchvision":
        # Some of torchvision's networks load trained weights by default.
        for key in {"weights", "weights_backbone"} & signature.parameters.keys():
            options = {key: None, **options}
    try:
        signature.bind(**options)
    except TypeError as error:
        raise CostModelError(
            f"{name}: {error}; --option KEY=VALUE gives its arguments"
        ) from None
    with user_code(name):
        return (build or _build)(lambda: attribute(**options))


def _signature(called: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a callable, or a permissive one if it has none."""
    try:
        return inspect.signature(called)
    except (TypeError, ValueError):
        rest = inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)
        return inspect.Signature([rest])


def _build(make: Callable[[], Any]) -> Any:
    """Build without memory, if the code has imported PyTorch."""
    if "torch" not in sys.modules:
        return make()
    from costmodel.bridge.user_module import build

    return build(make)


def _is_module(value: object) -> bool:
    """Say whether a value is a PyTorch module, without importing PyTorch."""
    if "torch" not in sys.modules:
        return False
    from costmodel.bridge.user_module import is_module

    return is_module(value)


def _is_network(value: object) -> bool:
    from costmodel.network.graph import Network

    return isinstance(value, Network)


def _network(name: str, made: Any) -> Network:
    if not _is_network(made):
        raise CostModelError(
            f"{name}: gives a {type(made).__name__}, not a torch.nn.Module or a "
            "costmodel.Network"
        )
    network: Network = made
    return network


def _traced(
    name: str, module: Any, sample: Sample | None, *, train: bool, marks: bool
) -> Network:
    """Trace in symbols, or at the given sizes if only that works."""
    from costmodel.algebra.symbols import H, W
    from costmodel.bridge.user_module import traced

    def run(shape: Sequence[Any]) -> Network:
        on_unknown = "mark" if marks else "raise"
        with _in_flags("trace: ", f"{name} ", f"{name}: "):
            return traced(module, shape, name=name, train=train, on_unknown=on_unknown)

    channels, *sides = (3, H, W) if sample is None else sample
    shape = (channels, *((H, W) if len(sides) <= 2 else sides)[: len(sides)])
    try:
        network = run(shape)
    except CostModelError as error:
        if sample is None:
            hint = "; --input 1x28x28 gives the shape of its input"
            by_input = getattr(error.__cause__, "by_input", False)
            raise CostModelError(f"{error}{hint * by_input}") from error
        if not sample.is_known or shape == tuple(sample):
            raise
        network = run(sample)
        warnings.warn(f"traced at {sample} alone: {error}", stacklevel=2)
    if sample is None or not sample.is_known:
        return network
    try:
        with _in_flags(f"{name}: "):
            at_sample(network, sample)
    except CostModelError as error:
        # Code that branches on its size may take another branch at the sample's.
        with suppress(CostModelError):
            network = run(sample)
            warnings.warn(f"traced at {sample} alone: {error}", stacklevel=2)
    return network


@contextmanager
def _in_flags(*prefixes: str) -> Iterator[None]:
    """Make errors name flags, not arguments, without redundant prefixes."""
    try:
        yield
    except MissingDependencyError:
        raise
    except CostModelError as error:
        said = str(error).replace('on_unknown="mark"', "--mark-unknown")
        for prefix in prefixes:
            said = said.removeprefix(prefix)
        raise CostModelError(said) from error


def options_from(settings: Sequence[str]) -> dict[str, Any]:
    """Return the values of --option: Python literals, lists of these, or else text.

    >>> options_from(["depth=18", "act=relu", "widths=[8, 16]", "width=[1/2,1]"])
    {'depth': 18, 'act': 'relu', 'widths': [8, 16], 'width': ['1/2', 1]}
    """
    given: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not key:
            raise click.UsageError(f'--option "{setting}" is not KEY=VALUE')
        given[key] = _literal(value)
    return given


def _literal(text: str) -> Any:
    """Return what a Python literal says, a list of what its parts say, or text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        inner = text[1:-1]
        if [text[:1], text[-1:]] == ["[", "]"] and not {*"[](){}'\""} & {*inner}:
            return [_literal(part.strip()) for part in inner.split(",") if part.strip()]
        return text


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect the warnings of a user's code and of its tracing, each as one line."""
    heard: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield heard
    for warning in caught:
        if not issubclass(warning.category, _QUIET):
            heard.append(" ".join(str(warning.message).split()))

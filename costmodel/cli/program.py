"""The program: its errors and exit codes, and how commands open networks."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from costmodel import __version__
from costmodel.cli import target
from costmodel.cli.options import TRACEBACK, Asked
from costmodel.cli.process import OWN_PROCESS, open_streams, silence_stdout, stoppable
from costmodel.cli.sample import Sample, at_sample, read_size
from costmodel.errors import CostModelError, MissingDependencyError, near
from costmodel.terminal import note


if TYPE_CHECKING:
    from costmodel.analysis.cost import Cost
    from costmodel.network.graph import Network
    from costmodel.network.registry import Architecture
    from costmodel.network.registry.options import Option
    from costmodel.network.registry.own_network import Unregistered


READER_LEFT = 141
"""The exit code where stdout is a pipe that nobody reads any more: 128 + SIGPIPE."""


class Program(click.Group):
    """A command group whose errors are one line, with an exit code for their kind."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run, and end with a clear message, never with a traceback for bad input."""
        kwargs["standalone_mode"] = False
        kwargs.setdefault("obj", {OWN_PROCESS: not args and "args" not in kwargs})
        open_streams()
        try:
            with stoppable():
                code = super().main(*args, **kwargs)
                sys.stdout.flush()
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except BrokenPipeError:
            silence_stdout()
            code = READER_LEFT
        except (CostModelError, OSError, click.Abort, KeyboardInterrupt) as error:
            message, code = _last_word(error)
            note(f"costmodel: {CostModelError(message)}")
        sys.exit(code if isinstance(code, int) else 0)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments, or print the help."""
        with _readers():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; --traceback shows an error's full traceback."""
        try:
            with _readers():
                return super().invoke(ctx)
        except CostModelError as error:
            if ctx.meta.get(TRACEBACK):
                note("".join(traceback.format_exception(error)).rstrip())
            raise


@contextmanager
def _readers() -> Iterator[None]:
    """End where the reader of a pipe has left; click would say 1, which is "false"."""
    try:
        yield
    except BrokenPipeError:
        raise click.exceptions.Exit(READER_LEFT) from None


def _last_word(error: BaseException) -> tuple[str, int]:
    """Return the message of an error, and the exit code."""
    match error:
        case MissingDependencyError():
            return str(error), 3
        case CostModelError():
            return str(error), 4
        case OSError():
            silence_stdout()
            where = error.filename or "the output cannot be written"
            return f"{where}: {error.strerror or error}", 4
        case _:
            # An abort of ours has a message; an interrupt has none.
            said = error.args if isinstance(error, click.Abort) else ()
            return "; ".join(["interrupted", *map(str, said)]), 130


UNITS = {
    "parameters": "learnable scalars",
    "macs": "multiply-accumulates (half the floating-point operations)",
    "activations": "elements output by conv and linear layers",
    "layers": "convolutions and fully connected layers on the longest path",
    "resolution": "pixels",
}


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="costmodel")
def main() -> None:
    """Exact symbolic cost formulas of convolutional networks."""


FREE = ("resolution", "batch")
"""The sizes that stay symbols where a command is about formulas."""


def open_network(
    asked: Asked, kept: Sequence[str] = ()
) -> tuple[Architecture | Unregistered, Network, dict[str, Any]]:
    """Load a network with the given options; ``kept`` names those that stay symbols.

    Return it with its architecture, and the options in use as plain values.
    """
    opens = _open_target if target.is_target(asked.name) else _open_registered
    chosen, net, used = opens(asked, kept)
    context = click.get_current_context(silent=True)
    if scopes := context and context.meta.get(target.TRAINED):
        net, used = net.trained(*scopes), used | {"trained": ", ".join(scopes)}
    return chosen, net, used


def _open_registered(
    asked: Asked, kept: Sequence[str]
) -> tuple[Architecture, Network, dict[str, Any]]:
    """Load a registered network, by default at its paper's size."""
    from costmodel.network.registry import load
    from costmodel.network.registry.options import INPUT_CHANNELS

    chosen = registered(asked.name)
    options = read_settings(chosen, asked.settings)
    for key in kept:
        if key in chosen.options and chosen.options[key].can_be_symbol:
            options.setdefault(key, chosen.options[key].symbol)
        elif key not in FREE:
            raise _no_symbol(asked.name, key, chosen.options)
    channels = options.get(INPUT_CHANNELS, chosen.input_channels)
    size = _size_of(chosen, channels, asked.resolution)
    if size is None and "resolution" not in kept:
        size = chosen.resolution
    batch = _count(asked.batch, kept)
    net = load(asked.name, resolution=size, batch=batch, **options)
    used = {k: plain(options.get(k, o.default)) for k, o in chosen.options.items()}
    return chosen, net, used


def registered(name: str) -> Architecture:
    """Return a registered architecture, or raise with the forms of other targets."""
    from costmodel.network.registry import find

    if set(name) & set("./\\"):
        raise CostModelError(
            f'unknown architecture "{name}"; a network of your own is {target.FORMS}'
        )
    return find(name)


def options_of(name: str) -> Mapping[str, Option]:
    """Return the options of a registered architecture; a user's network has none."""
    return {} if target.is_target(name) else registered(name).options


def _open_target(
    asked: Asked, kept: Sequence[str]
) -> tuple[Unregistered, Network, dict[str, Any]]:
    """Open a user's network at a size, or in symbols if no size is given."""
    from costmodel.network.registry.own_network import Unregistered

    name, resolution = asked.name, asked.resolution
    for key in kept:
        if key not in FREE:
            raise _no_symbol(name, key, {})
    sample = resolution if isinstance(resolution, Sample) else None
    opened = target.open_target(name, asked.settings, sample)
    net = opened.network
    if sample is None and resolution is not None:
        size = _size(resolution)
        pair = size if isinstance(size, tuple) else (size, size)
        sides = (read_size(side, f"{name}: resolution") for side in pair)
        sample = Sample((net.inputs[0].output.channels, *sides))
    if sample is not None:
        net = at_sample(net, sample)
    count = _count(asked.batch, kept)
    if count is not None and not isinstance(net.batch, int):
        net = net.bind({net.batch: read_size(count, f"{name}: batch")})
    used = {key.strip(): value.strip() for key, _, value in
            (setting.partition("=") for setting in asked.settings)}  # fmt: skip
    return Unregistered(name, opened.title, opened.warnings), net, used


def _no_symbol(name: str, key: str, options: Mapping[str, Option]) -> CostModelError:
    words = [o.name for o in options.values() if o.can_be_symbol or o.is_repetition]
    words += FREE
    known = f"{', '.join(words)} can; {near(key, words)}".removesuffix("; ")
    return CostModelError(f'{name}: "{key}" cannot be a symbol; {known}')


def _count(batch: str | None, kept: Sequence[str]) -> Any:
    """Return the batch: 1, unless it is given or stays a symbol."""
    return 1 if batch is None and "batch" not in kept else batch


def heading(chosen: Architecture | Unregistered) -> str:
    """Return a network's name, its source if it has one, and its summary."""
    source = f" ({chosen.year}, {chosen.paper})" if chosen.paper else ""
    return f"{chosen.name}{source}: {chosen.summary}"


def read_settings(chosen: Architecture, settings: Sequence[str]) -> dict[str, Any]:
    """Return the settings of --set, as values if the option is known."""
    given: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not key:
            raise click.UsageError(f'--set "{setting}" is not OPTION=VALUE')
        option = chosen.options.get(key)
        if option is None and key in _ELSEWHERE:
            raise click.UsageError(f'--set "{setting}": {_ELSEWHERE[key]}')
        given[key] = option.read(chosen.name, value) if option else value
    return given


_ELSEWHERE = {
    "name": "the network is named by the command's argument",
    "resolution": "the size of the input is --resolution",
    "batch": "the batch is --batch, of commands that have it",
}
"""Where commands take what is no option of an architecture."""


def _size_of(chosen: Architecture, channels: Any, resolution: Any) -> Any:
    """Return a size; of a sample's shape, if its channels are the network's."""
    if not isinstance(resolution, Sample):
        return _size(resolution)
    if len(resolution) != 3 or resolution[0] != channels:
        problem = f"its input is {channels}×height×width, not {resolution}"
        if len(resolution) == 3:
            problem += f"; --set input_channels={resolution[0]} makes it so"
        raise CostModelError(f"{chosen.name}: {problem}")
    return resolution[1:]


def _size(text: str | None) -> Any:
    """Read 224, 224x320 or an expression."""
    sides = re.fullmatch(r"(\d{1,9})[x×](\d{1,9})", (text or "").strip())
    return (int(sides[1]), int(sides[2])) if sides else text


def chosen_architectures(names: tuple[str, ...]) -> list[Architecture]:
    """Return the named architectures, or all."""
    from costmodel.network.registry import architectures

    return [registered(name) for name in dict.fromkeys(names)] or list(
        architectures().values()
    )


def counted(net: Network) -> Cost:
    """Return the costs of a network, with a note if operators are unknown."""
    from costmodel.analysis.cost import cost

    totals = cost(net)
    if totals.unknown:
        note(f"{net.name} is {totals.partial}: {', '.join(totals.unknown)}")
    return totals


def partial(*costs: Cost) -> dict[str, list[str]]:
    """Return the unknown operators for JSON, or nothing if there are none."""
    names = [name for totals in costs for name in totals.unknown]
    return {"unknown": names} if names else {}


def plain(value: Any) -> Any:
    """Return an integer unchanged, several values as a list, and a formula as text."""
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value if isinstance(value, int) else str(value)

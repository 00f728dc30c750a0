"""Options that commands share: the network, its input size, and how it is traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from costmodel.cli import target
from costmodel.cli.sample import read_sample


TRACEBACK = "costmodel.traceback"
"""The key of a command's context for --traceback."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The network that a command is asked about, as users write it."""

    name: str
    """A registered name, or a target: see :mod:`costmodel.cli.target`."""
    settings: Sequence[str] = ()
    resolution: Any = None
    """The text of a size, or the :class:`Sample` that --input gives."""
    batch: str | None = None


def together(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Return one decorator for several, in the order in which the help lists them."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorate in reversed(options):
            command = decorate(command)
        return command

    return add


JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
SET = click.option(
    "--set", "--option", "settings", multiple=True, metavar="OPTION=VALUE",
    help="Set an option of the architecture, e.g. --set width=0.5, or "
    "input_channels=1, which all have; or an argument of a TARGET that is a function "
    "(repeatable).",
)  # fmt: skip
_SIZE = click.option(
    "--resolution", metavar="SIZE",
    help="Input size: 224, 224x320 (height x width), or an expression such as 32*M.",
)  # fmt: skip
_INPUT = click.option(
    "--input", "sample", metavar="SHAPE",
    help="The shape of one sample, e.g. 3x224x224 (channels x height x width).",
)  # fmt: skip


def _sized(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the size of the input, or its whole shape; a command takes either."""

    @wraps(command)
    def run(*, resolution: str | None, sample: str | None, **given: Any) -> Any:
        if resolution is not None and sample is not None:
            raise click.UsageError("--input and --resolution do not go together")
        size = resolution if sample is None else read_sample(sample)
        return command(resolution=size, **given)

    return _INPUT(_SIZE(run))


RESOLUTION = _sized


def _kept(key: str, flag: str, text: str) -> Callable[..., Any]:
    """Return a flag whose value is stored in the context, for :mod:`target`."""

    def keep(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        ctx.meta[key] = value

    return click.option(
        flag, is_flag=True, expose_value=False, callback=keep, help=text
    )


how_traced = together(
    _kept(target.TRAIN, "--train",
          "Trace a module in training mode, not in evaluation mode."),
    _kept(target.MARK, "--mark-unknown",
          "Keep operators without a rule, which makes totals partial."),
    _kept(TRACEBACK, "--traceback", "Show the full traceback of an error."),
)  # fmt: skip
"""The options for tracing a user's module, and --traceback."""

TARGET = together(click.argument("name", metavar="TARGET"), how_traced)
"""The argument TARGET: a registered network, a module, file or model."""

TRAINED = click.option(
    "--trained", multiple=True, metavar="SCOPE", expose_value=False,
    callback=lambda ctx, _, value: ctx.meta.__setitem__(target.TRAINED, value),
    help="Train the parameters of this block, layer or parameter alone, e.g. head; "
    "all others are frozen (repeatable).",
)  # fmt: skip

BATCH = click.option("--batch", metavar="N", help="Samples in a batch.")


def _words(_context: click.Context, _option: click.Parameter, text: str) -> list[str]:
    return list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))


SYMBOLS = click.option(
    "--symbols", metavar="NAMES", default="", callback=_words,
    help="Options that stay symbols, e.g. batch,resolution; others have defaults.",
)  # fmt: skip


def _gathered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one value for the network that it is asked about."""

    @wraps(command)
    def run(
        *, name: str, settings: Sequence[str], resolution: Any,
        batch: str | None = None, **given: Any,
    ) -> Any:  # fmt: skip
        return command(Asked(name, settings, resolution, batch), **given)

    return run


SIZED = together(SET, RESOLUTION, _gathered)
"""The options of a network whose batch does not matter."""

NETWORK = together(SET, RESOLUTION, BATCH, _gathered)
"""The options of a network, size and batch, which are handed over with its name."""

"""The program: its errors and exit codes, and the options that commands share."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from costmodel import __version__
from costmodel.cli.process import open_streams, silence_stdout, stoppable
from costmodel.errors import CostModelError, MissingDependencyError
from costmodel.terminal import note


if TYPE_CHECKING:
    from costmodel.analysis.cost import Cost
    from costmodel.network.graph import Network
    from costmodel.network.registry import Architecture


class Program(click.Group):
    """A group whose errors are one line, with the exit code that tells their kind."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run, and end with a clear last word; never with a traceback for bad input."""
        kwargs["standalone_mode"] = False
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
            sys.exit(1)
        except (CostModelError, OSError, click.Abort, KeyboardInterrupt) as error:
            message, code = _last_word(error)
            line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in message)
            note(f"costmodel: {line}")
        sys.exit(code if isinstance(code, int) else 0)


def _last_word(error: BaseException) -> tuple[str, int]:
    """Return what to say of an error, and the exit code."""
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
            # An abort of ours says what became of the work; an interrupt says nothing.
            said = error.args if isinstance(error, click.Abort) else ()
            return "; ".join(["interrupted", *map(str, said)]), 130


JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
SET = click.option(
    "--set", "settings", multiple=True, metavar="OPTION=VALUE",
    help="Set an option of the architecture, e.g. --set width=0.5 (repeatable).",
)  # fmt: skip
RESOLUTION = click.option(
    "--resolution", metavar="SIZE",
    help="Input size: 224, 224x320 (height x width), or an expression such as 32*M.",
)  # fmt: skip
BATCH = click.option("--batch", metavar="N", help="Samples in a batch.")


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


def open_network(
    name: str, settings: Sequence[str], resolution: str | None, batch: str | None,
    kept: Sequence[str] = (),
) -> tuple[Architecture, Network, dict[str, Any]]:  # fmt: skip
    """Load a network as the options ask; ``kept`` names what stays a symbol.

    Return it with its architecture, and the options in use as plain values.
    """
    from costmodel.network.registry import find, load

    chosen = find(name)
    options = _read_settings(chosen, settings)
    for key in kept:
        if key in chosen.options and chosen.options[key].can_be_symbol:
            options.setdefault(key, chosen.options[key].symbol)
        elif key not in ("batch", "resolution"):
            words = [o.name for o in chosen.options.values()
                     if o.can_be_symbol or o.is_whole]  # fmt: skip
            known = ", ".join([*words, "resolution", "batch"])
            raise CostModelError(f'{name}: "{key}" cannot be a symbol; {known} can')
    size: Any = _size(resolution)
    if size is None and "resolution" not in kept:
        size = chosen.resolution
    count: Any = 1 if batch is None and "batch" not in kept else batch
    net = load(name, resolution=size, batch=count, **options)
    used = {k: plain(options.get(k, o.default)) for k, o in chosen.options.items()}
    return chosen, net, used


def _read_settings(chosen: Architecture, settings: Sequence[str]) -> dict[str, Any]:
    """Return what --set gives, as values where the option is known."""
    given: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not key:
            raise click.UsageError(f'--set "{setting}" is not OPTION=VALUE')
        option = chosen.options.get(key)
        given[key] = option.read(chosen.name, value) if option else value
    return given


def _size(text: str | None) -> Any:
    """Read 224, 224x320 or an expression."""
    sides = re.fullmatch(r"(\d{1,9})[x×](\d{1,9})", (text or "").strip())
    return (int(sides[1]), int(sides[2])) if sides else text


def chosen_architectures(names: tuple[str, ...]) -> list[Architecture]:
    """Return the named architectures, or all."""
    from costmodel.network.registry import architectures, find

    return [find(name) for name in dict.fromkeys(names)] or list(
        architectures().values()
    )


def counted(net: Network) -> Cost:
    """Return the costs of a network; say so where some of its operators are unknown."""
    from costmodel.analysis.cost import cost

    totals = cost(net)
    if totals.unknown:
        note(f"{net.name} is {totals.partial}: {', '.join(totals.unknown)}")
    return totals


def partial(*costs: Cost) -> dict[str, list[str]]:
    """Return what JSON says of operators that are in no total; nothing if none are."""
    names = [name for totals in costs for name in totals.unknown]
    return {"unknown": names} if names else {}


def plain(value: Any) -> Any:
    """Return an integer as it is, several values as a list, and a formula as text."""
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value if isinstance(value, int) else str(value)

"""The program: its errors and exit codes, and the options that commands share."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from costmodel import __version__
from costmodel.errors import CostModelError, MissingDependencyError
from costmodel.terminal import note


if TYPE_CHECKING:
    from costmodel.network.graph import Network
    from costmodel.network.registry import Architecture


class Program(click.Group):
    """A group whose errors are one line, with the exit code that tells their kind."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run, and end with a clear last word; never with a traceback for bad input."""
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
            sys.exit(code if isinstance(code, int) else 0)
        except MissingDependencyError as error:
            _end(str(error), 3)
        except CostModelError as error:
            _end(str(error), 4)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(2)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            _end("interrupted; nothing was written", 130)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)


def _end(message: str, code: int) -> NoReturn:
    note(f"costmodel: {message}")
    sys.exit(code)


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
    name: str, settings: tuple[str, ...], resolution: str | None, batch: str | None,
    *, kept: list[str] | None = None, fixed: bool = False,
) -> tuple[Architecture, Network]:  # fmt: skip
    """Load a network as the options ask; ``kept`` names what stays a symbol."""
    from costmodel.network.registry import find, load

    chosen = find(name)
    options: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise click.UsageError(f'--set "{setting}" is not OPTION=VALUE')
        options[key.strip()] = value.strip()
    open_ = ["batch", "resolution"] if kept is None and not fixed else kept or []
    for key in open_:
        if key in chosen.options and chosen.options[key].choices is None:
            options.setdefault(key, chosen.options[key].symbol)
        elif key not in ("batch", "resolution"):
            words = [o.name for o in chosen.options.values() if o.choices is None]
            known = ", ".join([*words, "resolution", "batch"])
            raise CostModelError(f'{name}: "{key}" cannot be a symbol; {known} can')
    size: Any = _size(resolution)
    if size is None and "resolution" not in open_:
        size = chosen.resolution
    count: Any = 1 if batch is None and "batch" not in open_ else batch
    return chosen, load(name, resolution=size, batch=count, **options)


def _size(text: str | None) -> Any:
    """Read 224, 224x320 or an expression."""
    if text is None:
        return None
    sides = re.fullmatch(r"(\d+)[x×](\d+)", text.strip())
    return (int(sides[1]), int(sides[2])) if sides else text


def chosen_architectures(names: tuple[str, ...]) -> list[Architecture]:
    """Return the named architectures, or all."""
    from costmodel.network.registry import architectures, find

    return [find(name) for name in dict.fromkeys(names)] or list(
        architectures().values()
    )


def plain(value: Any) -> Any:
    """Return an integer as it is, and a formula as text."""
    return value if isinstance(value, int) else str(value)

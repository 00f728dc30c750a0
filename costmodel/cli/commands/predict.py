"""The command ``predict``: the time of a network, its parts, and its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.options import JSON, NETWORK, SYMBOLS, TARGET, Asked
from costmodel.cli.program import heading, main, open_network, plain
from costmodel.terminal import note, print_json, print_table


if TYPE_CHECKING:
    import sympy

    from costmodel.network.graph import Network
    from costmodel.runtime.predict import Prediction
    from costmodel.runtime.predict.roofline import Layer

UNITS = {
    "seconds": "seconds per batch; a formula where symbols are left",
    "low": "seconds, lower end of an interval for 80 % of measurements",
    "high": "seconds, upper end",
    "unmodelled_share": "part of the seconds without a class of their own, of 1",
    "kernels": "the number of kernels that run",
    "anchor": "seconds of a small fixed network at the speed that is predicted for",
    "flop_per_byte": "arithmetic intensity, a multiply-accumulate is 2 FLOP",
    "compute_bound_from_batch": "samples; null where memory always bounds",
    "bound_seconds": "seconds per batch, the roofline's lower bound with calls",
}

SHOWN_LAYERS = 20
"""Layers under the roofline that the terminal lists, the slowest first."""


@main.command()
@TARGET
@click.option("--device", required=True, metavar="PROFILE",
              help="A calibrated device: a profile's name, or a file from "
              "calibrate.")  # fmt: skip
@click.option("--by", type=click.Choice(["kind", "scope", "node"]), default="kind",
              show_default=True, help="The rows of the table.")  # fmt: skip
@click.option("--depth", type=click.IntRange(min=1), default=1, show_default=True,
              help="Levels of scope, with --by scope.")  # fmt: skip
@click.option("--explain", "is_explained", is_flag=True,
              help="Show what limits each layer under the device's roofline, by "
              "batch.")  # fmt: skip
@SYMBOLS
@NETWORK
@JSON
def predict(
    asked: Asked, device: str, by: str, depth: int, symbols: Sequence[str],
    *, is_explained: bool, as_json: bool,
) -> None:  # fmt: skip
    """Predict how long a network takes on a calibrated device.

    If symbols are left, print the formula of the seconds.
    """
    from costmodel.runtime.predict import predict as find

    chosen, net, used = open_network(asked, symbols)
    found = find(net, device)
    groups = found.by_scope(depth) if by == "scope" else getattr(found, f"by_{by}")()
    layers: list[dict[str, Any]] = []
    if is_explained:
        open_batch = replace(asked, batch=None)
        _, free, _ = open_network(open_batch, ["batch", *symbols])
        layers = _layers(found, free)
    if as_json:
        more = {"layers": layers} if is_explained else {}
        print_json("costmodel.predict/1", UNITS, name=asked.name, options=used,
                   batch=plain(net.batch), profile=found.profile.name,
                   setting=found.profile.setting.to_json(), **_contents(found),
                   by=by, parts={k: _value(v) for k, v in groups.items()},
                   **more)  # fmt: skip
        return
    size = net.inputs[0].output
    click.echo(heading(chosen))
    click.echo(f"on {found.profile.name} ({found.profile.setting}), input {size}, "
               f"batch {net.batch}\n")  # fmt: skip
    _print_total(found)
    _print_parts(found, by, groups)
    _print_layers(found, layers)
    for warning in found.warnings:
        note(f"warning: {warning}")


def _contents(found: Prediction) -> dict[str, Any]:
    return {
        "seconds": _value(found.seconds),
        "low": _value(found.low),
        "high": _value(found.high),
        "unmodelled_share": _value(found.unmodelled_share),
        "kernels": len(found.rows),
        "anchor": found.profile.stamp.get("anchor"),
        "warnings": list(found.warnings),
    }


def _print_total(found: Prediction) -> None:
    """Print the time and its interval; a formula by itself, for the next tool."""
    if found.seconds.free_symbols:
        click.echo(f"seconds = {found.seconds}")
        return
    share = f"{float(found.unmodelled_share):.1%} without a class of its own"
    click.echo(f"{_time(found.seconds)}, 80 % interval {_time(found.low)} to "
               f"{_time(found.high)}; {share}")  # fmt: skip
    if anchor := found.profile.stamp.get("anchor"):
        click.echo(f"at the speed at which the machine's anchor takes {_time(anchor)}")


def _print_parts(found: Prediction, by: str, groups: dict[str, sympy.Expr]) -> None:
    """Print the slowest parts first, with their share of the time."""
    if found.seconds.free_symbols:
        return
    click.echo("")
    whole = float(found.seconds)
    parts = sorted(((float(v), k) for k, v in groups.items()), reverse=True)
    cells = [[part, f"{s * 1e3:.4g}", f"{s / whole:.1%}"] for s, part in parts]
    print_table((by, "ms", "share"), cells, right=(1, 2))


def _layers(found: Prediction, free: Network) -> list[dict[str, Any]]:
    """Return each layer under the roofline; ``free`` has its batch as a symbol."""
    from costmodel.runtime.predict.roofline import explain

    predicted = found.by_node()
    open_layers = explain(free, found.profile).layers
    return [
        {
            "layer": layer.name,
            "nodes": list(layer.nodes),
            "bound": layer.bound,
            "flop_per_byte": _value(layer.arithmetic_intensity),
            "compute_bound_from_batch": _flip(open_layer, free.batch),
            "bound_seconds": _value(layer.seconds),
            "predicted_seconds": _value(predicted[layer.name]),
        }
        for layer, open_layer in zip(
            explain(found.network, found.profile).layers, open_layers
        )
    ]


def _flip(layer: Layer, batch: Any) -> int | None:
    """Return the least batch at which a layer is compute-bound, or None.

    If other symbols are left, no batch is given.
    """
    import sympy

    if sympy.sympify(layer.compute - layer.memory).free_symbols != {batch}:
        return None
    regions = layer.regions(batch)
    if regions[-1].part != "compute":
        return None
    return max(1, int(sympy.ceiling(regions[-1].low)))


def _print_layers(found: Prediction, layers: list[dict[str, Any]]) -> None:
    """Print what bounds each layer, the slowest first."""
    if not layers or found.seconds.free_symbols:
        return
    click.echo("\nUnder the roofline of the highest measured rates:\n")
    layers = sorted(layers, key=lambda layer: -layer["predicted_seconds"])
    cells = [
        [layer["layer"], f"{layer['flop_per_byte']:.3g}", layer["bound"],
         str(layer["compute_bound_from_batch"] or "—"),
         f"{layer['bound_seconds'] * 1e3:.3g}",
         f"{layer['predicted_seconds'] * 1e3:.3g}"]
        for layer in layers[:SHOWN_LAYERS]
    ]  # fmt: skip
    header = ("layer", "FLOP/byte", "bound", "compute from batch", "bound, ms",
              "predicted, ms")  # fmt: skip
    print_table(header, cells, right=(1, 3, 4, 5))
    if len(layers) > SHOWN_LAYERS:
        click.echo(f"and {len(layers) - SHOWN_LAYERS} faster ones; --json has them all")


def _time(seconds: sympy.Expr | float) -> str:
    return f"{float(seconds) * 1e3:.4g} ms"


def _value(value: Any) -> float | str:
    """Return a number as a float, and a formula as text."""
    import sympy

    formula = sympy.sympify(value)
    return str(formula) if formula.free_symbols else float(formula)

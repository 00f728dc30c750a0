"""Measure the networks that predictions are held to; none is calibrated with.

    python -m tests.runtime.held_out together -o measured.jsonl

measures every set and the networks of a calibration, shuffled into the same groups: a
machine's speed changes within minutes, by other factors for small maps than for large
ones, so what is compared has to be measured at the same time. The name of a set instead
of ``together`` measures that set alone. Weights are random, from a seed; every network
is measured at its own size, one sample, one thread. What is in the file already is not
measured again.
"""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from costmodel.runtime.measure.environment import ALLOCATOR, is_quiet
from tests import zoo


FOLDER = Path(__file__).parent

SIDES = {"inception_v3": 299, "efficientnet_b3": 300}
"""Sides of torchvision's networks that are not 224."""

SETS = ("torchvision", "timm", "registered", "transfer")

TRANSFER = ((1, 128), (1, 320), (2, 192), (4, 224), (8, 160))
"""Batches and sides of the transfer set: nothing is refitted for them."""

REGISTERED = {
    "resnet50": 224, "mobilenet_v1": 224, "mobilenet_v2": 224, "vgg16": 224,
    "densenet121": 224, "googlenet": 224, "shufflenet_v1": 224, "squeezenet1_0": 224,
    "xception": 299, "se_resnet50": 224, "resnext50_32x4d": 224, "alexnet": 227,
    "inception_v3": 299, "nasnet_a_mobile": 224, "zfnet": 224, "resnet110_cifar": 32,
}  # fmt: skip
"""Networks of our own definitions, at their papers' sizes."""


def names(stem: str) -> list[str]:
    """Return the names in a list of this folder."""
    return (FOLDER / f"{stem}.txt").read_text(encoding="utf-8").split()


def torchvision_module(name: str) -> Any:
    """Build one of torchvision's networks, with numbers to run."""
    models = zoo.torchvision_models()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = zoo._OPTIONS.get(name, {})
        return getattr(models, name)(weights=None, **options).eval()


def timm_module(name: str) -> Any:
    """Build one of timm's networks, with numbers to run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zoo.timm().create_model(name, pretrained=False).eval()


def together() -> list[Any]:
    """Return every set and a calibration's networks, shuffled."""
    from costmodel.runtime.calibrate import Draw, identity
    from costmodel.runtime.measure.prepare import Job

    found = [
        Job(net.name, net, int(net.batch), options=identity(net))
        for net in Draw().all()
    ]
    for which in SETS:
        found += [replace(job, is_whole=True) for job in jobs(which)]
    random.Random(0).shuffle(found)  # noqa: S311 - an order, no secret
    return found


def jobs(which: str) -> Iterator[Any]:
    """Give what a set consists of: batch, size and who makes the network."""
    import costmodel as cm
    from costmodel.runtime.measure.prepare import Job

    if which == "torchvision":
        for name in names("torchvision_development"):
            make = partial(torchvision_module, name)
            yield Job(f"torchvision/{name}", make, 1, SIDES.get(name, 224))
    elif which == "timm":
        for name in names("timm_blind"):
            shape = zoo.timm().get_pretrained_cfg(name).input_size
            yield Job(f"timm/{name}", partial(timm_module, name), 1, shape[-1])
    elif which == "transfer":
        for batch, side in TRANSFER:
            for name in names("transfer"):
                make = partial(torchvision_module, name)
                yield Job(f"torchvision/{name}", make, batch, side)
    else:
        for name, side in REGISTERED.items():
            yield Job(name, cm.load(name, resolution=side, batch=1), 1)


@click.command()
@click.argument("which", type=click.Choice([*SETS, "together"]))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--rounds", default=3)
@click.option("--sittings", default=3)
def main(which: str, output: Path, rounds: int, sittings: int) -> None:
    """Measure a set of held-out networks, and append them to a file."""
    from costmodel.cli.commands.measure import measured
    from costmodel.runtime.measure.measure import Plan, setting_of

    setting = setting_of("cpu", "float32", "nchw", "eager", 1)
    is_all = which == "together"
    chosen = together() if is_all else list(jobs(which))
    plan = Plan(rounds, per_operator=is_all, sittings=sittings)
    for one in measured(chosen, setting, plan, output):
        said = (
            f"{one.name} {one.batch} {one.seconds * 1e3:.2f} ms ±{one.split_half:.1%}"
        )
        click.echo(said)


if __name__ == "__main__":
    if not is_quiet():
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **ALLOCATOR})  # noqa: S606
    main()

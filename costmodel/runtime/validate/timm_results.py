"""Times measured by others: result tables in the format of timm's benchmark.

**Source**: timm (pytorch-image-models), ``results/benchmark-infer-*.csv``.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.runtime.setting import Setting
from costmodel.runtime.validate.baselines import (
    BASELINES,
    DATASHEETS,
    ELSEWHERE,
    Case,
    Predictor,
    Roofline,
)
from costmodel.runtime.validate.class_regression import ByClass
from costmodel.runtime.validate.features import Totals, totals


COLUMNS = ("model", "infer_img_size", "infer_batch_size", "infer_step_time")
"""What a table needs, in any order; the step time is in milliseconds."""

SETTING = Setting(device="cuda", dtype="float16", lanes=8)
"""How the totals of a table are counted: tensor cores take channels in eights.

**Source**: NVIDIA, "Deep Learning Performance: Convolutional Layers", section 2.
"""

SCHEMA = "costmodel.totals/1"

Key = tuple[str, int]
"""A network's name, and height and width of its input."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One line of a table.

    **Units**: seconds per batch.
    """

    model: str
    resolution: int
    batch: int
    seconds: float

    @property
    def key(self) -> Key:
        """What tells lines apart."""
        return self.model, self.resolution


@dataclass(frozen=True, slots=True)
class Entry:
    """A network of a table of totals: its family, and the totals of one sample."""

    family: str
    totals: Totals


def read_timings(path: Path | str) -> tuple[list[Timing], list[str]]:
    """Return the lines of a table, and what is wrong with those that are left out."""
    where = Path(path)
    try:
        text = where.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CostModelError(f"{where}: is no text, and so no CSV") from None
    reader = csv.DictReader(text.splitlines())
    names = [(name or "").strip() for name in reader.fieldnames or ()]
    if missing := [column for column in COLUMNS if column not in names]:
        raise CostModelError(
            f"{where}: no column {', '.join(missing)}; is it a table of timm's "
            f"benchmark.py? Its columns are {', '.join(names) or 'none'}"
        )
    reader.fieldnames = names
    found: dict[Key, Timing] = {}
    problems = []
    for line in reader:
        try:
            timing = _timing(line, found)
        except CostModelError as error:
            problems.append(f"{where.name}, line {reader.line_num}: {error}")
        else:
            found[timing.key] = timing
    if not found:
        raise CostModelError(f"{where}: no line has a time; {'; '.join(problems[:3])}")
    return list(found.values()), problems


def _timing(line: Mapping[Any, Any], known: Mapping[Key, Timing]) -> Timing:
    model = (line["model"] or "").strip()
    if not model:
        raise CostModelError("no model")
    size, batch, step = (_number(line, column) for column in COLUMNS[1:])
    for column, value in zip(COLUMNS[1:], (size, batch)):
        if value != int(value):
            raise CostModelError(f"{model}: {column} {value} is no whole number")
    timing = Timing(model, int(size), int(batch), step / 1000)
    if timing.key in known:
        raise CostModelError(f"{model} at {timing.resolution}: a second time")
    return timing


def _number(line: Mapping[Any, Any], column: str) -> float:
    text = (line[column] or "").strip()
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise CostModelError(
            f'{line["model"]}: {column} "{text}" is no positive number'
        )
    return value


_SAME = (
    "densenet121", "densenet161", "densenet169", "densenet201", "efficientnet_b0",
    "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4",
    "inception_v3", "inception_v4", "resnet18", "resnet34", "resnet50", "resnet101",
    "resnet152", "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d",
    "wide_resnet50_2", "wide_resnet101_2",
)  # fmt: skip
_REGNETS = {
    "002": "200mf", "006": "600mf", "016": "1_6gf", "032": "3_2gf", "040": "4gf",
    "064": "6_4gf", "120": "12gf", "160": "16gf", "320": "32gf",
}  # fmt: skip

REGISTERED = {
    **{name: name for name in _SAME},
    **{f"regnet{c}_{n}": f"regnet_{c}_{m}" for n, m in _REGNETS.items() for c in "xy"},
    "legacy_senet154": "senet154",
    "legacy_xception": "xception",
    "mnasnet_100": "mnasnet1_0",
    "mobilenetv1_100": "mobilenet_v1",
    "mobilenetv2_100": "mobilenet_v2",
    "mobilenetv3_large_100": "mobilenet_v3_large",
    "mobilenetv3_small_100": "mobilenet_v3_small",
    "nasnetalarge": "nasnet_a_large",
    "pnasnet5large": "pnasnet5_large",
    "regnetx_008": "regnet_x_800mf",
    "regnetx_080": "regnet_x_8gf",
    "regnety_004": "regnet_y_400mf",
    "semnasnet_100": "mnasnet_a1",
}
"""timm's names of networks, and their names in the registry.

In torchvision's variant, if there is one; they have timm's parameters, MACs and
activations at every size. timm's VGGs do not: their classifier is a convolution.
"""


def registered(model: str) -> tuple[Network, str]:
    """Return the registry's network of a name in timm, and its family."""
    from costmodel.network.registry import find, load

    name = REGISTERED.get(model)
    if name is None:
        raise CostModelError(f'"{model}" is no network of the registry')
    chosen = find(name)
    is_ported = "variant" in chosen.options
    options = {"variant": "torchvision"} if is_ported else {}
    return load(name, **options), chosen.family


def is_convolutional(net: Network) -> bool:
    """Say whether a network is a CNN.

    It has at least four convolutions wider than 1×1 (a transformer's patches are one),
    no attention, and no product of two computed tensors.
    """
    from costmodel.network.operators import Attention, Conv, Einsum, MatMul
    from costmodel.network.operators.base import are_all

    operators = [node.operator for node in net.nodes]
    if any(isinstance(operator, (Attention, Einsum, MatMul)) for operator in operators):
        return False
    wide = (o for o in operators if isinstance(o, Conv) and not are_all(o.kernel, 1))
    return sum(1 for _ in wide) >= 4


def entry_of(timing: Timing) -> Entry:
    """Return the totals of a timed network: timm's own if it is installed, or ours."""
    from importlib.util import find_spec

    if find_spec("timm") is None:
        return entry(*registered(timing.model), timing.resolution)
    from costmodel.bridge.model_zoo import timm_network_and_scalars

    net, family, scalars = timm_network_and_scalars(timing.model)
    if not is_convolutional(net):
        raise CostModelError(f"{timing.model} is not convolutional")
    return entry(net, family, timing.resolution, scalars)


def entry(
    net: Network, family: str, resolution: int, scalars: Collection[str] = ()
) -> Entry:
    """Return the totals of one sample at a size, with the roofs of known devices."""
    from costmodel.algebra.symbols import H, N, W

    values = {H: resolution, W: resolution, N: 1}
    bound = net.bind({s: v for s, v in values.items() if s in net.free_symbols})
    ridges = {device: sheet.ridge for device, sheet in DATASHEETS.items()}
    return Entry(family, totals(bound, SETTING, ridges, mixed=scalars))


_DAMAGED = (
    ValueError, KeyError, TypeError, IndexError, AttributeError,  # another document
    gzip.BadGzipFile, zlib.error, EOFError,  # a packed file that was cut or altered
    RecursionError,  # a text that nests deeply
)  # fmt: skip


def read_totals(path: Path | str) -> dict[Key, Entry]:
    """Return a table of totals, which :func:`write_totals` wrote."""
    where = Path(path)
    opener = gzip.open if where.suffix == ".gz" else open
    try:
        with opener(where, "rt", encoding="utf-8") as file:
            document = json.load(file)
        if document["schema"] != SCHEMA:
            raise CostModelError(f"{where}: schema {document['schema']!r}: {SCHEMA}")
        return {
            (row["name"], row["resolution"]): Entry(
                row["family"], Totals.from_json(row["totals"])
            )
            for row in document["networks"]
        }
    except _DAMAGED as error:
        raise CostModelError(f"{where}: no table of totals: {error!r}") from None


def write_totals(path: Path | str, entries: Mapping[Key, Entry]) -> None:
    """Write a table of totals; equal tables are equal files."""
    rows = [
        {
            "name": name, "resolution": size, "family": found.family,
            "totals": found.totals.to_json(),
        }
        for (name, size), found in sorted(entries.items())
    ]  # fmt: skip
    document = {
        "schema": SCHEMA, "units": "one sample; weights and calls once per batch",
        "setting": SETTING.to_json(), "networks": rows,
    }  # fmt: skip
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    data = text.encode()
    where = Path(path)
    where.write_bytes(gzip.compress(data, mtime=0) if where.suffix == ".gz" else data)


def cases(
    timings: Iterable[Timing],
    entries: Mapping[Key, Entry],
    elsewhere: Sequence[Timing] = (),
) -> list[Case]:
    """Return a case for every network that was timed and has totals.

    ``elsewhere`` are another device's times; batches may differ, so they are scaled.
    """
    other = {timing.key: timing for timing in elsewhere}
    found = []
    for timing in timings:
        known, twin = entries.get(timing.key), other.get(timing.key)
        if known is None:
            continue
        there = twin.seconds * timing.batch / twin.batch if twin else None
        found.append(
            Case(
                f"{timing.model}@{timing.resolution}", known.family, timing.batch,
                known.totals.batch(timing.batch), timing.seconds, elsewhere=there,
            )
        )  # fmt: skip
    return found


def predictors(file_name: str, *, is_elsewhere: bool = False) -> list[Predictor]:
    """Return every way to predict a table's times, ours first.

    PyTorch's formula is there if the file's name names a device of
    :data:`costmodel.runtime.validate.baselines.DATASHEETS`.
    """
    ways: list[Predictor] = [ByClass(), *BASELINES]
    for device, sheet in DATASHEETS.items():
        if device in file_name:
            name = "PyTorch's roofline"
            ways.append(Roofline(name, sheet, device))
            ways.append(Roofline(f"{name} × scalar", sheet, device, is_scaled=True))
    return [*ways, ELSEWHERE] if is_elsewhere else ways

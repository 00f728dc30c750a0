"""Write networks as files of schema 1, and what the engine of the time says of them.

    PYTHONPATH=CHECKOUT python tests/differential/old_files.py tests/networks_v1

One network of each family, and drawn ones until every operator and every value that
the strategies give an attribute is in one of them. It was run once, at the last engine
that wrote this schema: the files stay as they are.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import sympy
from formulas import Formulas
from observe import SECTIONS, essentials, observed
from worker import drawn, points_of, strategies

import costmodel as cm
from costmodel.algebra.extent import Extent
from costmodel.network import operators as op
from costmodel.network.shape import Shape


EXAMPLES = 400
ALL_OF_IT = [name for name in SECTIONS if name != "kinds"]
"""What is asked of small networks; kinds may change, with the schema."""


def main() -> None:
    """Write the networks and the answers into a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    said: dict[str, Any] = {}
    for name, net, is_small in (*_families(), *_made(), *_covering()):
        write(folder / f"{name}.json.gz", net.to_json())
        points = points_of(net, Random(name))  # noqa: S311
        formulas = Formulas(points)
        answers = observed(net, points, ALL_OF_IT) if is_small else essentials(net)
        said[name] = {
            "points": points, "asked": ALL_OF_IT if is_small else [],
            "answers": formulas.encoded(answers), "formulas": formulas.table,
        }  # fmt: skip
    write(folder / "said.json.gz", json.dumps(said, ensure_ascii=False))


def write(path: Path, text: str) -> None:
    """Write text as a compressed file that is the same in every run."""
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


Named = tuple[str, Any, bool]


def _families() -> Iterator[Named]:
    """Give the first network of each family, with its options open where it may."""
    seen: set[str] = set()
    for name, architecture in cm.architectures().items():
        if architecture.family in seen:
            continue
        seen.add(architecture.family)
        options = architecture.options
        opened = {key: o.symbol for key, o in options.items() if o.can_be_symbol}
        try:
            net = cm.load(name, **opened)
        except cm.CostModelError:
            net = cm.load(name)
        yield name, net, False


def _covering() -> Iterator[Named]:
    """Give drawn networks that together have every feature that any drawn one has."""
    found = [
        net
        for seed, strategy in enumerate(strategies().values())
        for net in drawn(strategy, seed, EXAMPLES)
    ]
    features = {id(net): set(_features(net)) for net in found}
    left = set().union(*features.values())
    count = 0
    while left:
        # The most new features a node: small networks before large ones.
        best = max(found, key=lambda n: len(features[id(n)] & left) / len(n.nodes))
        left -= features[id(best)]
        count += 1
        yield f"drawn_{count:03}", best, True


def _features(net: Any) -> Iterator[tuple[Any, ...]]:
    """Give kinds of operators with kinds of values of each attribute."""
    for node in net.nodes:
        operator = node.operator
        yield (operator.kind, len(node.inputs))
        for name, value in operator.attributes.items():
            yield (operator.kind, name, _class(value))


def _class(value: Any) -> Any:
    """Return what kind of value it is; words and truths are kinds of their own."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, Shape):
        return ("shape", len(value.spatial), all(type(s) is int for s in value.sizes))
    if isinstance(value, tuple):
        kinds = {_class(part) for part in value}
        return ("tuple", len(kinds), *sorted(map(str, kinds))[:2])
    if isinstance(value, sympy.Expr):
        return "formula"
    return ("number", min(value, 1))


def _made() -> Iterator[Named]:
    """Give what the strategies never draw: importers make it, or a user does."""
    height, width, channels = Extent(cm.H), Extent(cm.W), cm.symbol("C")
    image = ("input", op.Input(Shape(3, (height, width))), ())
    rounded = cm.make_divisible(32, cm.alpha, 8)
    half = sympy.floor(cm.alpha * channels / 2)
    conv = op.Conv2d(channels, (3, 3), padding=(1, 1))
    yield "made_symbols", cm.Network.assemble([
        image,
        ("conv", conv, ("input",)),
        ("norm", op.BatchNorm2d(), ("conv",)),
        ("act", op.ReLU(), ("norm",)),
        ("wide", op.Conv2d(rounded, (cm.symbol("k"), 3), (2, 2)), ("act",)),
        ("part", op.Conv2d(half, (1, 1), bias=False), ("wide",)),
        ("both", op.Concat(), ("part", "wide")),
        ("pool", op.AdaptiveAvgPool2d((1, 1)), ("both",)),
        ("flat", op.Flatten(), ("pool",)),
        ("head", op.Linear(cm.symbol("K")), ("flat",)),
    ], name="symbols", batch=2 * cm.N), True  # fmt: skip
    yield "made_shared", cm.Network.assemble([
        image,
        ("first", op.Conv2d(3, (3, 3), padding=(1, 1)), ("input",)),
        ("again", op.Conv2d(3, (3, 3), padding=(1, 1)), ("first",)),
        ("sum", op.Add(), ("first", "again")),
    ], outputs=["sum", "first"], shared={"again": "first"}), True  # fmt: skip
    relations = [
        sympy.Eq(cm.H, cm.W),
        sympy.Eq(2 * sympy.floor(cm.H / 2), cm.H),
        sympy.Ne(cm.W, 33),
        sympy.And(cm.H > 8, cm.W >= 9),
        sympy.Or(cm.H < 400, cm.W <= 300),
    ]
    yield "made_constraints", cm.Network.assemble(
        [image, ("conv", op.Conv2d(8, (3, 3)), ("input",))],
        constraints=[cm.Constraint(r, "conv", f"reason {i}")
                     for i, r in enumerate(relations)],
    ), True  # fmt: skip
    yield "made_stored", cm.Network.assemble([
        image,
        ("table", op.Parameter(Shape(3, (Extent(1), Extent(1)))), ()),
        ("buffer", op.Parameter(Shape(3, (Extent(1), Extent(1))), False), ()),
        ("grid", op.Derived(Shape(3, (height, width))), ()),
        ("scaled", op.Multiply(), ("input", "table")),
        ("shifted", op.Binary("add"), ("scaled", "buffer")),
        ("placed", op.Add(), ("shifted", "grid")),
    ]), True  # fmt: skip
    yield "made_unknown", cm.Network.assemble([
        image,
        ("odd", op.Opaque("odd.op", Shape(4, (height, width))), ("input",)),
        ("conv", op.Conv2d(2, (3, 3)), ("odd",)),
    ]), True  # fmt: skip


if __name__ == "__main__":
    main()

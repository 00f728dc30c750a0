"""One engine, in a process of its own: writes what it says, or compares it.

Run by ``tests.differential`` with the tree of the engine in front of the import path:

    worker.py TREE record    reads jobs, writes a record a network
    worker.py TREE compare   reads records, writes what is said otherwise now

Both read and write JSON, a line each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

from comparison import Comparison
from formulas import Formulas, written
from observe import ALWAYS, HALF, SECTIONS, located, observed

import costmodel as cm
from costmodel.errors import CostModelError


EVERY = 6
"""Of so many generated networks one is asked everything."""
FEW, MANY = 100, 400
"""A registered network of more nodes is not asked everything, or what takes long."""
UPTO = 2000
"""How far a legal side is looked for."""


def main() -> None:
    """Do the work that standard input asks for."""
    tree, what = sys.argv[1:]
    found = Path(cm.__file__).resolve()
    if not found.is_relative_to(Path(tree).resolve()):
        sys.exit(f"the engine is that of {found}, not of {tree}")
    sys.setrecursionlimit(10_000)
    work = {"record": recorded, "compare": compared}[what]
    for line in sys.stdin:
        for answer in work(json.loads(line)):
            sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
            sys.stdout.flush()


# Recording


def recorded(job: Mapping[str, Any]) -> Iterator[Any]:
    """Give a record of each network of a job; or the names of those registered."""
    if "names" in job:
        yield list(dict.fromkeys((*sorted(firsts().values()), *cm.architectures())))
        return
    names = job.get("registered")
    drawn_networks = registered(names) if names is not None else generated(job)
    for name, net, asked in drawn_networks:
        try:
            text = net.to_json()
        except CostModelError as error:
            yield {"name": name, "unwritable": str(error)}
            continue
        points = points_of(net, Random(name))  # noqa: S311
        formulas = Formulas(points)
        answers = formulas.encoded(observed(net, points, asked))
        yield {
            "name": name, "network": text, "symbols": symbols_of(net),
            "points": points, "asked": list(asked), "formulas": formulas.table,
            "answers": answers,
        }  # fmt: skip


Named = tuple[str, Any, Sequence[str]]


def registered(names: Iterable[str]) -> Iterator[Named]:
    """Give registered networks as they are, and with every option open.

    The first of a family also with each option open alone, and at each choice.
    """
    known, first = cm.architectures(), firsts()
    for name in names:
        options = known[name].options
        opened = {k: o.symbol for k, o in options.items() if o.can_be_symbol}
        others = [opened] if opened else []
        is_first = first[known[name].family] == name
        if is_first and len(cm.load(name).nodes) <= FEW:
            others += alone(options)
        for setting in ({}, *others):
            try:
                net = cm.load(name, **setting)
            except CostModelError:
                continue
            words = [name, *(f"{key}={value}" for key, value in setting.items())]
            yield " ".join(words), net, asked_of_many(net)


def firsts() -> dict[str, str]:
    """Return the first network of each family."""
    found: dict[str, str] = {}
    for name, architecture in cm.architectures().items():
        found.setdefault(architecture.family, name)
    return found


def asked_of_many(net: Any) -> Sequence[str]:
    """Return what a registered network is asked: the less, the more nodes it has."""
    count = len(net.nodes)
    return ALWAYS if count > MANY else HALF if count > FEW else tuple(SECTIONS)


def alone(options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give settings of one option each: open, or another choice."""
    for key, option in options.items():
        if option.can_be_symbol:
            yield {key: option.symbol}
        for choice in option.choices or ():
            if choice != option.default:
                yield {key: choice}


def generated(job: Mapping[str, Any]) -> Iterator[Named]:
    """Give the different networks that a strategy draws with a seed."""
    seen: set[str] = set()
    for net in drawn(strategies()[job["strategy"]], job["seed"], job["examples"]):
        name = f"{job['strategy']} {job['seed']}.{len(seen)}"
        text = net.to_json()
        if text not in seen:
            seen.add(text)
            asked = HALF if len(seen) % 2 else ALWAYS
            yield name, net, asked if len(seen) % EVERY else tuple(SECTIONS)


def strategies() -> dict[str, Any]:
    """Return the strategies of networks that the engine comes with, by name."""
    from costmodel.testing import networks

    return {
        "networks": networks(),
        "bound": networks(height=16, width=19),
        "tensors": located("tensor_networks")(),
        "products": located("product_networks")(),
        "enlarging": located("enlarging_networks")(cm.H, cm.W),
    }


def drawn(strategy: Any, seed: int, examples: int) -> list[Any]:
    """Return what a strategy draws with a seed: the same in every run."""
    import hypothesis

    found: list[Any] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples, database=None, phases=[hypothesis.Phase.generate],
        deadline=None, suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(strategy)
    def keep(net: Any) -> None:
        found.append(net)

    keep()
    return found


def points_of(net: Any, random: Random) -> list[dict[str, int | str]]:
    """Return values of all symbols: four sizes of input that are legal."""
    height, width = _sides(net)
    square, least = random.randint(100, 400), 1
    asked = [
        (random.randint(17, 60), random.randint(17, 60)),
        (least, least),
        (square, square),
        (random.randint(200, 900), random.randint(200, 900)),
    ]
    points = []
    for high, wide in asked:
        point: dict[str, int | str] = {}
        for symbol in sorted(net.free_symbols | {cm.alpha}, key=str):
            if symbol.is_integer:
                point[symbol.name] = random.choice([1, 2, 3, 4, 6, 8, 16, 24, 32])
            else:
                quarters = Fraction(random.randint(1, 8), 4)
                point[symbol.name] = written(quarters)
        point |= _legal(height, high) | _legal(width, wide)
        points.append(point)
    return points


def _sides(net: Any) -> tuple[Any, Any]:
    """Return of each open side its name, and how to tell which values are legal."""
    try:
        sides = cm.input_sizes(net)
    except Exception:  # noqa: BLE001 - other questions tell of it
        free = {symbol.name: symbol for symbol in net.free_symbols}
        return tuple(
            (name, net.smallest(free[name])[0].__le__) if name in free else (None, None)
            for name in "HW"
        )
    return tuple((side.symbol.name, side.is_legal) for side in sides)


def _legal(
    side: tuple[str | None, Callable[[int], bool]], first: int
) -> dict[str, int]:
    """Return the first legal value of a side, from some number on."""
    name, is_legal = side
    if name is None:
        return {}
    fitting = (value for value in range(first, UPTO) if is_legal(value))
    return {name: next(fitting, first)}


def symbols_of(net: Any) -> dict[str, Any]:
    """Return what is assumed of each symbol of a network."""
    return {
        symbol.name: sorted(k for k, v in symbol.assumptions0.items() if v)
        for symbol in sorted(net.free_symbols, key=str)
    }


# Comparing


def compared(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give what is said of a recorded network, and what of it is said otherwise now."""
    try:
        net = cm.Network.from_json(record["network"])
    except Exception as error:  # noqa: BLE001
        said = f"{type(error).__name__}: {error}"
        yield {"name": record["name"], "values": 0, "rewritten": 0,
               "differences": [["network: unreadable", "", "", said]]}  # fmt: skip
        return
    formulas = Formulas(record["points"])
    comparison = Comparison(record["formulas"], formulas)
    now, then = symbols_of(net), record["symbols"]
    if now != then:
        comparison.note("network: symbols", (), json.dumps(then), json.dumps(now))
    answers = observed(net, record["points"], record["asked"])
    for section, before in record["answers"].items():
        comparison.walk(section, (), before, answers[section])
    yield {
        "name": record["name"], "values": comparison.values,
        "rewritten": comparison.rewritten, "differences": comparison.found,
    }  # fmt: skip


if __name__ == "__main__":
    main()

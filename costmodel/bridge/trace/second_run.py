"""The check of a trace by a second run at another input size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, islice

import sympy

from costmodel.algebra.code.constants import read_constants, write_constants
from costmodel.algebra.symbols import D, H, N, W
from costmodel.bridge.importing.constraints import admits
from costmodel.bridge.importing.graph import SampleError
from costmodel.bridge.importing.symbolic_int import Record
from costmodel.bridge.trace.patches.draws import (
    Event,
    NotFollowedError,
    following_draws,
)
from costmodel.bridge.trace.patches.kept import drawing_otherwise
from costmodel.bridge.trace.tracer import Tracer
from costmodel.errors import CostModelError
from costmodel.network.node import Node


SECOND = (
    (97, 1031), (1025, 61), (289, 231), (15, 7), (33, 127), (640, 2053), (7, 513),
    (96, 1056), (1056, 64), (320, 448), (448, 352), (32, 608), (672, 448),
    (96, 96), (1056, 1056), (288, 288), (32, 32), (512, 512), (224, 224), (256, 256),
    (448, 448), (672, 672),
)  # fmt: skip
"""Heights and widths of further runs. The first ones differ from each other, and from
the sample, in their number of digits and bits, and in what remains of a division."""

OUTSIDE = ((289, 231), (449, 611), (320, 448), (448, 448))
"""Heights and widths at which a size that has to be equal to another may not be so: all
are large, since an axis that shrinks to 1 fits any other."""

BATCH = 11

FURTHER = 8
"""Runs if a size became a plain number, which any code may follow."""

DRAWS = 12
"""Runs with other random numbers, which nothing follows: a layer that is dropped one
time in five is found in 14 of 15 networks."""

DEPTHS = (19, 32, 48)
"""Depths of volumes: an odd one first, and others if code requires a multiple."""

LARGEST = 1200
"""Sizes up to here are asked for if none of the above is admitted."""

Values = Mapping[sympy.Symbol, int]


def check_again(rerun: Callable[[Values], Tracer], first: Tracer, title: str) -> None:
    """Compare a trace with others, at other admissible sizes.

    One does if the code never asked for a size, two if it did, and several if a size
    became a plain number.
    **Errors**: an operator or a size that differs from the formulas, with its module:
    then the network's code used a size as a plain number, or branches on something
    that no recorded condition covers. A size that became a plain number, if the network
    runs at no other size that the conditions admit.
    """
    record, done = first.record, 0
    wanted = FURTHER if record.lost else 2 if record.is_asked else 1
    for values in _others(record):
        if done == wanted:
            break
        second = _again(rerun, values)
        if second is None:
            continue
        if found := first.difference(second, values):
            raise _differs(first, title, values, *found)
        _forget(first, second)
        done += 1
    if not done:
        _check_alone(rerun, first, title)
    _check_demands(rerun, first, title)


def _again(rerun: Callable[[Values], Tracer], values: Values) -> Tracer | None:
    """Return a further run; None if the module itself refuses this size."""
    try:
        return rerun(values)
    except SampleError:
        return None
    except CostModelError:
        raise
    except Exception:  # noqa: BLE001 - whatever the module raises
        return None


def _check_alone(rerun: Callable[[Values], Tracer], first: Tracer, title: str) -> None:
    """Run with another batch, and at any other size that is admitted."""
    record = first.record
    batch = {s: BATCH if s == N else v for s, v in record.values.items()}
    others = [batch] if batch != record.values and admits(record, batch) else []
    for values in chain(others, islice(_any(record), FURTHER if record.lost else 0)):
        second = _again(rerun, values)
        if second is None:
            continue
        if found := first.difference(second, values):
            raise _differs(first, title, values, *found)
        _forget(first, second)
        if values is not batch:
            return
    decided = [one for one in record.lost if not one.startswith(_SAID)]
    if decided and any(_any(record)):
        raise CostModelError(
            f"trace: {title} runs at no other size tried, and nothing tells what a "
            f"size decided{record.losses()}{_HINT}"
        )


_SAID = ("str()", "format()", "hash()")
"""What messages do to sizes."""


def _check_demands(
    rerun: Callable[[Values], Tracer], first: Tracer, title: str
) -> None:
    """Run at sizes that readers say the module refuses: it has to do so.

    **Errors**: the module runs there.
    """
    record = first.record
    demands = {d: w for d, w in first.demands.items() if d not in record.compared}
    outside = [
        values
        for values in _sizes(record, OUTSIDE)
        if admits(record, values, demands) and not admits(record, values)
    ]
    for values in outside[: len(outside) if record.lost else 1]:
        try:
            rerun(values)
        except Exception:  # noqa: BLE001, S112 - as it should
            continue
        false = next(one for one in demands if one.at(values))
        where, why = demands[false]
        raise CostModelError(
            f'trace: {title}: "{where or "forward"}" seems to need {false.value} = 0 '
            f"({why}), but it runs at {at_sizes(values)}{record.losses()}{_HINT}"
        )


def _forget(first: Tracer, second: Tracer) -> None:
    """Take numbers that are others in the second run for ones that are not known."""
    for name, node in first.nodes.items():
        mine, other = (x.nodes[name].operator for x in (first, second))
        changes = {}
        if mine.attributes.get("value") != other.attributes.get("value"):
            changes["value"] = "..."
        if mine.constants != other.constants:
            ours, theirs = (read_constants(x.constants) for x in (mine, other))
            names = {n: ours.get(n, ...) for n in (*ours, *theirs)}
            known = {n: v if v == theirs.get(n) else ... for n, v in names.items()}
            changes["constants"] = write_constants(known)
        if changes:
            operator = replace(node.operator, **changes)
            first.nodes[name] = replace(node, operator=operator)


def check_draws(
    rerun: Callable[..., tuple[Tracer, object]], first: Tracer, title: str, hint: str
) -> None:
    """Run again with other random numbers, if a run drew any.

    Draws that can be followed are decided otherwise, one after the other; for others
    there are several runs.
    **Errors**: another draw runs other layers, whose cost is that of one draw.
    """
    is_followed = hint == UNKNOWN  # outcome by outcome
    ways = () if is_followed else _decided_otherwise(rerun)
    ways = chain(ways, _drawn_otherwise(rerun, first))
    for other in ways if first.draws else ():
        try:
            second, where = other()
        except NotFollowedError:
            continue
        except Exception as error:
            fails = f"trace: {title} fails at another random draw: {error}"
            raise CostModelError(fails) from error
        if found := first.difference(second, first.record.values):
            node, reason = found
            raise CostModelError(
                f"trace: {title} runs other layers at another random draw, in "
                f'"{where or first.draws[0]}"'
                f': {node.operator.kind} "{node.name}", {reason}; {hint}'
            )


Runs = Iterator[Callable[[], tuple[Tracer, str]]]
"""Runs, and the module whose draw decides otherwise in each, if that is known."""


def _decided_otherwise(rerun: Callable[..., tuple[Tracer, object]]) -> Runs:
    """Give runs in which each draw that can be followed decides otherwise."""
    events: list[Event] = []

    def decided(place: int, wanted: tuple[bool, ...]) -> tuple[Tracer, str]:
        @contextmanager
        def draws(tracer: Tracer) -> Iterator[None]:
            with following_draws(tracer, wanted, MOST_EVENTS) as found:
                yield
            events[:] = found if not wanted else events

        second, _ = rerun(draws=draws)
        return second, events[place].where if events else ""

    yield partial(decided, 0, ())
    for place, event in enumerate(tuple(events)):
        before = (one.is_below for one in events[:place])
        yield partial(decided, place, (*before, not event.is_below))


def _drawn_otherwise(
    rerun: Callable[..., tuple[Tracer, object]], first: Tracer
) -> Runs:
    """Give runs with other random numbers."""

    def drawn(seed: int) -> tuple[Tracer, str]:
        with drawing_otherwise(first.generators, seed):
            second, _ = rerun()
        return second, (second.draws or first.draws)[0]

    return (partial(drawn, seed) for seed in range(DRAWS))


MOST_EVENTS = 64
"""Draws of one run that are decided otherwise, each in a run of its own."""

KNOWN = (
    "chance decides what runs, as in stochastic depth; trace it in evaluation mode, or "
    "take every outcome: cm.outcomes traces those of uniform draws that are compared "
    "with constants, and cm.expected gives the expected cost"
)
UNKNOWN = "a draw decides what runs, and its probability is not known"
"""What is said of a draw that decides, where uniform ones are followed or not."""


def _others(record: Record) -> Iterator[Values]:
    """Return other sizes that satisfy the conditions, with most symbols changed."""
    return (v for v in _sizes(record, SECOND) if admits(record, v))


def _sizes(record: Record, sides: Iterable[tuple[int, int]]) -> Iterator[Values]:
    values = record.values
    for depth in DEPTHS if D in values else DEPTHS[:1]:
        for height, width in sides:
            known = {N: BATCH, D: depth, H: height, W: width}
            changed = {s: known.get(s, height) for s in values}
            if changed != values:
                yield changed


def _any(record: Record) -> Iterator[Values]:
    """Return all admitted sizes that differ in one symbol, or have one for all."""
    values = record.values
    free = [s for s in values if s != N]
    for length in range(LARGEST, 0, -1):
        for some in (*([s] for s in free), free):
            changed = {**values, **dict.fromkeys(some, length)}
            if changed != values and admits(record, changed):
                yield changed


def at_sizes(values: Values) -> str:
    """Return sizes as text, for messages."""
    return ", ".join(f"{s} = {v}" for s, v in values.items())


_HINT = "; at one size it can be traced: give numbers in place of H and W"


def _differs(
    first: Tracer, title: str, values: Values, node: Node, reason: str
) -> CostModelError:
    lost = first.record.losses()
    return CostModelError(
        f"trace: {title} runs otherwise at {at_sizes(values)}: "
        f'{node.operator.kind} "{node.name}", '
        f"{reason}{lost}{_HINT if lost else ''}"
    )

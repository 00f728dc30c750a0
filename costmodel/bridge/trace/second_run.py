"""The check of a trace by a second run at another input size."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import sympy

from costmodel.algebra.polynomial import Size, size
from costmodel.algebra.symbols import D, H, N, W
from costmodel.bridge.importing.symbolic_int import Record
from costmodel.bridge.trace.module_stack import drawing_otherwise
from costmodel.bridge.trace.tracer import Tracer
from costmodel.errors import CostModelError
from costmodel.network.node import Node
from costmodel.network.operator import read_constants, write_constants
from costmodel.network.shape import Shape


SECOND = ((11, 289, 231), (11, 320, 448), (11, 448, 352), (11, 288, 288),
          (11, 512, 384), (11, 384, 512), (11, 224, 224), (11, 256, 256),
          (11, 448, 448), (11, 97, 131))  # fmt: skip
"""Batch, height and width of second runs, odd sizes first."""

DRAWS = 12
"""Runs with other random numbers: a layer that is dropped one time in five is found in
14 of 15 networks."""

DEPTHS = (19, 32, 48)
"""Depths of volumes: an odd one first, and others if code requires a multiple."""

Values = Mapping[sympy.Symbol, int]


def check_again(
    rerun: Callable[[Values], Tracer],
    first: Tracer,
    title: str,
) -> None:
    """Compare a trace with a second one at another admissible size.

    **Errors**: an operator or a size that differs from the formulas, with its module:
    then the network's code used a size as a plain number, or branches on something
    that no recorded condition covers.
    """
    for values in _others(first.record):
        try:
            second = rerun(values)
        except CostModelError:
            raise
        except Exception:  # noqa: BLE001, S112 - the module itself refuses this size
            continue
        if found := _difference(first, second, values):
            raise _differs(first, title, values, *found)
        _forget(first, second)
        return


def _forget(first: Tracer, second: Tracer) -> None:
    """Take numbers that are others in the second run for ones that are not known."""
    for name, node in first.nodes.items():
        mine, other = (x.nodes[name].operator.attributes for x in (first, second))
        changes = {}
        if mine.get("value") != other.get("value"):
            changes["value"] = "..."
        if mine.get("constants") != other.get("constants"):
            ours, theirs = (read_constants(x["constants"]) for x in (mine, other))
            names = {n: ours.get(n, ...) for n in (*ours, *theirs)}
            known = {n: v if v == theirs.get(n) else ... for n, v in names.items()}
            changes["constants"] = write_constants(known)
        if changes:
            operator = replace(node.operator, **changes)  # type: ignore[type-var]
            first.nodes[name] = replace(node, operator=operator)


def check_draws(
    rerun: Callable[[], tuple[Tracer, object]], first: Tracer, title: str
) -> None:
    """Run again with other random numbers, if a run drew any.

    **Errors**: another draw runs other layers, whose cost is that of one draw.
    """
    for seed in range(DRAWS if first.draws else 0):
        with drawing_otherwise(seed):
            try:
                second, _ = rerun()
            except Exception as error:
                fails = f"trace: {title} fails at another random draw: {error}"
                raise CostModelError(fails) from error
        if found := _difference(first, second, first.record.values):
            node, reason = found
            where = (second.draws or first.draws)[0]
            raise CostModelError(
                f'trace: {title} runs other layers at another random draw, in "{where}"'
                f': {node.operator.kind} "{node.name}", {reason}; chance decides what '
                "runs, as in stochastic depth; trace it in evaluation mode"
            )


def _others(record: Record) -> Iterator[Values]:
    """Return other sizes that satisfy the constraints, with most symbols changed."""
    values = record.values
    for depth in DEPTHS if D in values else DEPTHS[:1]:
        for count, height, width in SECOND:
            known = {N: count, D: depth, H: height, W: width}
            changed = {s: known.get(s, height) for s in values}
            if changed != values and admits(record, changed):
                yield changed
    batch_only = {s: 11 if s == N else v for s, v in values.items()}
    if batch_only != values and admits(record, batch_only):
        yield batch_only


def admits(record: Record, values: Values) -> bool:
    """Say whether all conditions that held for the sample hold at other sizes."""
    return all(
        HOLDS[relation](difference.at(values), 0)
        for relation, difference in record.guards
    )


HOLDS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<": operator.lt,
}


def _difference(
    first: Tracer, second: Tracer, values: Values
) -> tuple[Node, str] | None:
    """Return the first node that another run has otherwise, and how."""
    theirs = second.nodes
    for name, node in first.nodes.items():
        other = theirs.get(name)
        if other is None or other.operator.kind != node.operator.kind:
            kind = "nothing" if other is None else other.operator.kind
            return node, f"it is {kind} there"
        expected = _numbers(node.output, values)
        if expected != _numbers(other.output, values):
            there = "×".join(map(str, _numbers(other.output, values)))
            return node, f"{node.output} is {there} there"
    more = [node for name, node in theirs.items() if name not in first.nodes]
    return (more[0], "it is nothing here") if more else None


def _numbers(shape: Shape, values: Values) -> tuple[int, ...]:
    return tuple(_size(part).at(values) for part in (shape.channels, *shape.spatial))


def _size(part: Any) -> Size:
    return size(part)


def _differs(
    first: Tracer, title: str, values: Values, node: Node, reason: str
) -> CostModelError:
    sample = ", ".join(f"{s} = {v}" for s, v in values.items())
    record: Record = first.record
    lost = f"; sizes lost their formula: {'; '.join(dict.fromkeys(record.lost))}"
    return CostModelError(
        f"trace: {title} runs otherwise at {sample}: "
        f'{node.operator.kind} "{node.name}", '
        f"{reason}{lost if record.lost else ''}"
    )

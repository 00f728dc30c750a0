"""Everything that an engine says of a network, as plain data with formulas in it.

Only public names are used, and the few in ``HOMES``, so that one file asks the engine
of any version. What it refuses is part of what it says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import sympy

import costmodel as cm
from costmodel.errors import CostModelError


METRICS = ("parameters", "macs", "activations", "connections", "buffers", "bytes_read",
           "bytes_written")  # fmt: skip
TALLY = ("mac", "add", "mul", "div", "exp", "compare")
CONVENTIONS = ("fvcore", "torch", "ptflops", "ptflops-aten", "thop", "torchinfo",
               "deepspeed", "xla", "torchvision", "pycls", "all")  # fmt: skip
FEW = ("fvcore", "deepspeed", "thop", "all")
"""The conventions that have the most rules."""
OPTIMIZERS = ("sgd", "momentum", "adam")
FIELD = ("size", "stride", "padding", "padding_after", "offset", "smallest", "largest",
         "unbounded", "is_aligned")  # fmt: skip
TRAINING = ("forward", "backward_input", "backward_weight", "bias_additions")
HOMES = {
    "remainders": ("costmodel.analysis.input_sizes",),
    "support": (
        "costmodel.analysis.receptive_field.exact_support",
        "costmodel.analysis.support",
    ),
    "tensor_networks": ("costmodel.testing.tensors", "costmodel.testing_tensors"),
    "product_networks": ("costmodel.testing.products", "costmodel.testing_products"),
    "enlarging_networks": ("costmodel.testing.products", "costmodel.testing_products"),
}
"""Modules in which an engine keeps what it does not offer by itself."""

SMALL = 40
"""Networks of up to so many nodes are also followed element by element."""
SIDE = 32
"""They are, at sides up to this one."""


def observed(
    net: Any, points: Sequence[Mapping[str, Any]], asked: Iterable[str]
) -> dict[str, Any]:
    """Return what the engine says of a network in some sections.

    ``points`` are values of all its symbols, to be bound.
    """
    _COSTS.clear()
    return {
        section: attempt(lambda ask=SECTIONS[section]: ask(net, points))
        for section in asked
    }


_COSTS: list[Any] = []
"""The costs of the network that is asked about, derived once."""


def _costs(net: Any) -> Any:
    if not _COSTS:
        _COSTS.append(cm.cost(net))
    return _COSTS[0]


def essentials(net: Any) -> dict[str, Any]:
    """Return a short answer: totals, the last map's field, the memory's peaks, sizes.

    It is that of networks of many nodes, where all answers would be megabytes.
    """
    _COSTS.clear()
    peaks = ("weight_bytes", "buffer_bytes", "peak_activation_bytes", "saved_bytes")
    kinds = {"inference": False, "training": True}
    return {
        "totals": attempt(lambda: _totals(net, ())),
        "flops": attempt(lambda: _flops(net, ())),
        "field": attempt(lambda: _last(cm.receptive_field(net))),
        "memory": {
            name: attempt(lambda t=training: _named(cm.memory(net, training=t), peaks))
            for name, training in kinds.items()
        },
        "training": attempt(lambda: _named(cm.training_cost(net), TRAINING)),
        "input sizes": attempt(lambda: _input_sizes(net, ())),
    }


def attempt(ask: Callable[[], Any]) -> Any:
    """Return an answer, or what was said instead of one."""
    try:
        return ask()
    except CostModelError as error:
        return {"refused": str(error)}
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault is an answer to compare
        return {"failed": f"{type(error).__name__}: {error}"}


def located(name: str) -> Any:
    """Return a function of the engine, wherever it is kept."""
    for home in HOMES[name]:
        try:
            return getattr(import_module(home), name)
        except (ImportError, AttributeError):
            continue
    raise LookupError(f"{name} is in none of {', '.join(HOMES[name])}")


def _named(owner: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: attempt(lambda name=name: getattr(owner, name)) for name in names}


def _metrics(sums: Any) -> dict[str, Any]:
    tally = {kind: getattr(sums.tally, kind) for kind in TALLY}
    return {name: getattr(sums, name) for name in METRICS} | {"tally": tally}


def _totals(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    costs = _costs(net)
    return _metrics(costs) | {
        "unknown": list(costs.unknown),
        "unknown_operators": costs.unknown_operators,
        "depth": attempt(lambda: cm.depth(net)),
        "tensor sizes": list(cm.tensor_sizes(net)),
        "nodes": len(net.nodes),
        "inputs": [node.name for node in net.inputs],
        "outputs": list(net.outputs),
    }


def _rows(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    return {row.name: _metrics(row) for row in _costs(net).rows}


def _scopes(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    return _by_scope(net, 1)


def _scopes_otherwise(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    """Return deeper scopes, and what moves at another width of elements."""
    half = cm.cost(net, bytes_per_element=2)
    moved = [half.bytes_read, half.bytes_written]
    return {"depth 2": _by_scope(net, 2), "bytes at 2": moved}


def _by_scope(net: Any, depth: int) -> dict[str, Any]:
    scopes = _costs(net).by_scope(depth)
    return {name: _metrics(sums) for name, sums in scopes.items()}


def _kinds(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    operators = {node.name: node.operator for node in net.nodes}
    return {
        "kind": {name: operator.kind for name, operator in operators.items()},
        "text": {name: str(operator) for name, operator in operators.items()},
        "by operator": {
            kind: sums.macs for kind, sums in _costs(net).by_operator().items()
        },
        "table": str(net),
    }


def _shapes(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    return {
        node.name: {
            "sizes": list(node.output.sizes),
            "text": str(node.output),
            "weights": {
                name: [*weight.shape, weight.learnable]
                for name, weight in net.weights_of(node).items()
            },
        }
        for node in net.nodes
    }


def _flops(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    return _counted(net, {}, FEW)


def _flops_otherwise(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    """Return what tools count of code that is not written in modules."""
    written = {
        form: dict.fromkeys((node.name for node in net.nodes), form)
        for form in ("function", "arithmetic")
    }
    return {
        form: _counted(net, forms, CONVENTIONS)
        for form, forms in {"module": {}, **written}.items()
    }


def _counted(
    net: Any, written: Mapping[str, str], conventions: Iterable[str]
) -> dict[str, Any]:
    costs = _costs(net)
    return {
        name: attempt(lambda name=name: costs.flops(name, written=written))
        for name in conventions
    }


def _training(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    costs = cm.training_cost(net)
    rows = {row.name: _named(row, (*TRAINING, "inputs", "weights"))
            for row in costs.rows}  # fmt: skip
    return _named(costs, (*TRAINING, "backward", "macs")) | {"rows": rows}


def _fields(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    return _field(net, {})


def _fields_otherwise(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    return {
        name: attempt(lambda name=name: _field(net, {name: True}))
        for name in ("same", "ignore_gates")
    }


def _field(net: Any, setting: Mapping[str, bool]) -> dict[str, Any]:
    found = cm.receptive_field(net, **setting)
    return {
        "name": found.name,
        "beyond": found.beyond,
        "misalignments": attempt(
            lambda: [[m.name, m.axis, list(m.operands)] for m in found.misalignments]
        ),
        "rows": {
            row.name: _named(row, FIELD) | {"region": _region(row)}
            for row in found.rows
        },
        "windows": attempt(lambda: [_window(pair) for pair in found.windows(limit=60)]),
    }


def _region(row: Any) -> Any:
    """Return what a position sees, of two axes, or of one where there is one alone."""
    found = attempt(lambda: row.region(2, 5))
    if "refused" not in found:
        return found
    alone = attempt(lambda: row.region(2))
    is_answer = not (isinstance(alone, dict) and {"refused", "failed"} & alone.keys())
    return alone if is_answer else found


def _window(pair: Any) -> list[Any]:
    return [w if w is None else [w.size, w.stride, w.before, w.after] for w in pair]


def _input_sizes(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    return {
        "sides": [_side(side) for side in cm.input_sizes(net)],
        "joint": [str(condition) for condition in cm.joint_conditions(net)],
        "constraints": [str(condition) for condition in net.constraints],
    }


def _side(side: Any) -> dict[str, Any]:
    upto = range(1, 129)
    return {
        "symbol": str(side.symbol),
        "admissible": str(side.admissible),
        "exact": str(side.exact),
        "conflict": [[name, str(needs)] for name, needs in side.conflict],
        "legal": _bits(map(side.is_legal, upto)),
        "fits": _bits(map(side.is_exact, upto)),
    } | _named(side, ("smallest", "needed_by", "first_exact", "why"))


def _bits(flags: Iterable[bool]) -> str:
    return f"{int(''.join(str(int(flag)) for flag in flags) or '0', 2):x}"


def _memories(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    return _memory(net, {})


def _memories_training(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    return _memory(net, {"training": True})


def _memories_in_place(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    half: dict[str, Any] = {"in_place": True, "dtype": "float16"}
    return {
        "inference": attempt(lambda: _memory(net, half)),
        "training": attempt(lambda: _memory(net, half | {"training": True})),
    }


def _memory(net: Any, setting: Mapping[str, Any]) -> dict[str, Any]:
    used = cm.memory(net, **setting)
    names = ("weight_bytes", "buffer_bytes", "gradient_bytes", "all_activation_bytes",
             "saved_bytes", "peak_activation_bytes")  # fmt: skip
    return _named(used, names) | {
        "optimizers": {name: used.optimizer_bytes(name) for name in OPTIMIZERS},
        "timeline": [[m.node, m.step.stage, m.bytes] for m in used.timeline],
        "tensors": [
            [t.node, str(t.role), t.first, t.last, t.is_saved, t.bytes]
            for t in used.tensors
        ],
    }


def _widened(net: Any, points: Any) -> dict[str, Any]:  # noqa: ARG001
    def of(width: object, divisor: int | None) -> dict[str, Any]:
        wide = cm.widen(net, width, divisor=divisor)
        costs = cm.cost(wide)
        sizes = {node.name: list(node.output.sizes) for node in wide.nodes}
        return {"parameters": costs.parameters, "macs": costs.macs, "sizes": sizes}

    return {
        "alpha": attempt(lambda: of(cm.alpha, None)),
        "twice": attempt(lambda: of(2, None)),
        "rounded": attempt(lambda: of("3/4", 8)),
    }


def _bound(net: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a network whose symbols all have values."""
    free = {symbol.name for symbol in net.free_symbols}
    chosen = {name: value for name, value in values.items() if name in free}
    there = net.bind(chosen) if chosen else net
    costs = cm.cost(there)
    small = len(there.nodes) <= SMALL
    return {
        "costs": _metrics(costs),
        "fvcore": attempt(lambda: costs.flops("fvcore")),
        "sizes": {node.name: list(node.output.sizes) for node in there.nodes},
        "peaks": [attempt(lambda t=t: _peak(there, training=t)) for t in (False, True)],
        "remainders": attempt(lambda: _remainders(there)),
        "same": attempt(lambda: _last(cm.receptive_field(there, same=True))),
        "field": attempt(lambda: _last(cm.receptive_field(there))),
        "support": attempt(lambda: _support(there)) if small else None,
    }


def _peak(there: Any, *, training: bool) -> list[Any]:
    peak = cm.memory(there, training=training).peak()
    return [peak.node, peak.stage, peak.bytes]


def _remainders(there: Any) -> list[Any]:
    return [[r.name, r.axis, r.rows, r.lost] for r in located("remainders")(there)]


def _last(field: Any) -> dict[str, Any]:
    return {"name": field.name} | _named(field, FIELD)


def _support(there: Any) -> Any:
    """Return a digest of the elements that the middle of the last map looks at."""
    sides = there.inputs[0].output.sizes[1:]
    if not all(type(side) is int and side <= SIDE for side in sides):
        return None
    name = cm.receptive_field(there).name
    _, *positions = there[name].output.sizes
    middle = tuple(size // 2 for size in positions) if len(positions) == 2 else None
    flags = located("support")(there, name, middle)
    text = f"{flags.shape}{flags.astype(int).tolist()}"
    return [int(flags.sum()), hashlib.sha256(text.encode()).hexdigest()[:16]]


def _bound_once(net: Any, points: Sequence[Mapping[str, Any]]) -> Any:
    return [attempt(lambda: _bound(net, points[0]))]


def _bound_again(net: Any, points: Sequence[Mapping[str, Any]]) -> Any:
    return [attempt(lambda at=at: _bound(net, at)) for at in points[1:]]


def _too_small(net: Any, points: Any) -> Any:  # noqa: ARG001
    """Return what is said of sides of 1, 2 and 3, which few networks take."""
    spatial = {s for n in net.inputs for e in n.output.sizes[1:]
               for s in sympy.sympify(e).free_symbols}  # fmt: skip
    names = sorted(symbol.name for symbol in spatial)
    return [
        attempt(lambda side=side: list(net.bind(dict.fromkeys(names, side)).outputs))
        for side in (1, 2, 3)
        if names
    ]


SECTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "totals": _totals,
    "rows": _rows,
    "scopes": _scopes,
    "shapes": _shapes,
    "flops": _flops,
    "training": _training,
    "fields": _fields,
    "input sizes": _input_sizes,
    "memory": _memories,
    "memory in training": _memories_training,
    "bound": _bound_once,
    "kinds": _kinds,
    "scopes otherwise": _scopes_otherwise,
    "flops otherwise": _flops_otherwise,
    "fields otherwise": _fields_otherwise,
    "memory in place": _memories_in_place,
    "bound again": _bound_again,
    "too small": _too_small,
    "widened": _widened,
}
"""What may be asked of a network, by the name of the answers."""

ALWAYS = tuple(SECTIONS)[:9]
"""What is asked of every network; the others of some, since they take long."""
HALF = tuple(SECTIONS)[:11]
"""What is asked of every other one."""

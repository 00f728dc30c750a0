"""What the explorer needs of a network: formulas as JavaScript, and its sliders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction

import sympy

from costmodel.algebra.questions.legal_step import step_of
from costmodel.algebra.symbols import Dim, H, N, W, alpha
from costmodel.analysis.cost import cost
from costmodel.analysis.input_sizes.tensor_sizes import tensor_sizes
from costmodel.analysis.memory import memory
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.network.operators import Conv
from costmodel.reports.data.machine_readable import script_text
from costmodel.reports.data.subject import Option, Subject
from costmodel.reports.formulas.javascript import javascript_function
from costmodel.runtime.kernels import Kernel, Setting, kernels
from costmodel.runtime.predict import Prediction
from costmodel.runtime.profile import profiles


BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MOST_STEPS = 500
"""Positions of a slider; more cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Slider:
    """A slider for an option: its symbol, the values it may take, and its default.

    ``power`` is the exponent in the smooth law: MACs grow with the square of width and
    resolution.
    """

    symbol: str
    label: str
    value: float
    steps: tuple[float, ...]
    power: int


@dataclass(frozen=True, slots=True)
class Quantity:
    """What the formulas give: MACs, bytes (B) or seconds (s)."""

    label: str
    unit: str


def script(subject: Subject) -> str:
    """Return a network's formulas as a script that the explorer reads."""
    network = _offered(subject)
    formulas, quantities = {}, {}
    for name, quantity, formula in _formulas(subject):
        formulas[name], quantities[name] = formula, quantity
    symbols = sorted(map(str, network.free_symbols))
    whole = list(filter(_is_asked, dict.fromkeys(_counts(network))))
    record = {
        "file": subject.page,
        "name": subject.architecture.name,
        "symbols": symbols,
        "options": [asdict(option) for option in options(subject)],
        "quantities": {name: asdict(quantity) for name, quantity in quantities.items()},
    }
    return (
        f"costmodel.add(Object.assign({script_text(record)}, {{\n"
        f"cost: {javascript_function(formulas, symbols)},\n"
        f"whole: {javascript_function(dict(enumerate(whole)), symbols)}}}));\n"
    )


def _offered(subject: Subject) -> Network:
    """Return the network that sliders change: one slider sets both sides of a square.

    The sides of an input that is no square stay fixed.
    """
    sides = subject.bound.inputs[0].output.sizes[1:]
    if len(set(sides)) < 2:
        return subject.symbolic
    free = subject.symbolic.free_symbols
    return subject.symbolic.bind({s: n for s, n in zip((H, W), sides) if s in free})


def _formulas(subject: Subject) -> Iterator[tuple[str, Quantity, Dim]]:
    network = _offered(subject)
    law = subject.law if network is subject.symbolic else cost(network)
    yield "macs", Quantity("MACs", ""), law.macs
    yield "parameters", Quantity("Parameters", ""), law.parameters
    yield "activations", Quantity("Activations", ""), law.activations
    try:
        peak = memory(network).peak_activation_bytes
        yield "peak", Quantity("Peak of activations, float32", "B"), peak
    except CostModelError:
        pass  # its page says why
    if _has_unknown_groups(network):
        return  # which routine a convolution runs in would depend on the slider
    known: dict[Setting, tuple[Kernel, ...]] = {}
    for name, profile in profiles().items():
        setting = profile.setting
        try:
            if setting not in known:
                known[setting] = kernels(network, setting)
            seconds = Prediction(network, profile, known[setting]).factored
        except CostModelError:
            continue
        yield name, Quantity(f"Predicted time, {name}", "s"), seconds


def _has_unknown_groups(network: Network) -> bool:
    """Say whether a slider may change which convolutions are depthwise."""
    for node in network.nodes:
        if isinstance(node.operator, Conv):
            groups = sympy.sympify(node.operator.groups)
            channels = network.by_name[node.inputs[0]].output.channels
            if groups != channels and groups.free_symbols - {alpha}:
                return True
    return False


def _counts(network: Network) -> Iterator[Dim]:
    """Give what has to come out whole, and not 0: sizes of tensors and of groups."""
    yield from tensor_sizes(network)
    for node in network.nodes:
        if isinstance(node.operator, Conv) and node.operator.groups != 1:
            groups = node.operator.groups
            yield groups
            yield node.operator.channels / sympy.sympify(groups)
            channels = network.by_name[node.inputs[0]].output.channels
            yield channels / sympy.sympify(groups)


def _is_asked(size: Dim) -> bool:
    """Say whether a size depends on another slider than batch and resolution."""
    return bool(sympy.sympify(size).free_symbols - {N, H, W})


def options(subject: Subject) -> tuple[Slider, ...]:
    """Return a network's sliders: width, resolution and batch where they are free."""
    found, free = [], _offered(subject).free_symbols
    if alpha in free:
        found.append(_width(subject))
    sides = [symbol for symbol in (H, W) if symbol in free]
    if sides:
        found.append(_resolution(subject))
    found += [_own(symbol, setting) for symbol, setting in subject.options.items()]
    if N in free:
        found.append(Slider("N", "batch N", 1, BATCHES, 1))
    return tuple(found)


def _width(subject: Subject) -> Slider:
    """Return the slider of α from an eighth to 2: legal values where it has steps."""
    own = {s: value for s, value in subject.own.items() if s != alpha}
    counts = dict.fromkeys(_counts(subject.symbolic))
    sizes = [sympy.sympify(size).subs(own) for size in counts]
    step = step_of("explorer", [f for f in sizes if alpha in f.free_symbols], alpha)
    step = Fraction(1, 50) if step is None else step
    while step < Fraction(2, MOST_STEPS):
        step *= 2
    count = int(2 / step)
    first = max(1, -(-Fraction(1, 8) // step))
    steps = tuple(float(step * place) for place in range(int(first), count + 1))
    return Slider("alpha", "width α", 1.0, steps, 2)


def _own(symbol: sympy.Symbol, setting: Option) -> Slider:
    """Return the slider of an option: whole numbers up to 4 times its own, or 32nds."""
    if type(setting.value) is int:
        most = 4 * setting.value
        step = max(1, most // MOST_STEPS)
        steps = sorted({*range(step, most + 1, step), setting.value})
    else:
        steps = sorted(
            {Fraction(n, 32) for n in range(1, 33)} | {_exact(setting.value)}
        )
    floats = tuple(map(float, steps))
    return Slider(str(symbol), setting.named(symbol), float(setting.value), floats, 1)


def _exact(value: Dim) -> Fraction:
    number = sympy.Rational(value)
    return Fraction(number.p, number.q)


def _resolution(subject: Subject) -> Slider:
    """Return the slider of the input's side, from the least to twice its own."""
    sizes = _sizes(subject)
    own = _own_side(subject)
    if sizes is None:
        least = max(int(subject.symbolic.smallest(s)[0]) for s in (H, W))
        sizes = list(range(least, 2 * own + 1))
    return Slider("R", "resolution R", own, tuple(sizes), 2)


def _own_side(subject: Subject) -> int:
    return int(subject.bound.inputs[0].output.sizes[-1])


def _sizes(subject: Subject) -> list[int] | None:
    """Return the sides that fit where a network asks something of them, else None."""
    if not subject.symbolic.constraints:
        return None
    found = []
    for side in range(1, 2 * _own_side(subject) + 1):
        try:
            subject.symbolic.bind({H: side, W: side})
        except CostModelError:
            continue
        found.append(side)
    return found

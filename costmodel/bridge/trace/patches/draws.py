"""Random draws that code compares: each comparison is an event with a probability."""

from __future__ import annotations

import inspect
import math
import operator
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch._C import DisableTorchFunction
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from costmodel.bridge.importing.graph import Constant, Traced
from costmodel.bridge.importing.symbolic_int import SizeInt, SizeRatio
from costmodel.bridge.trace.function_names import canonical, is_question
from costmodel.bridge.trace.patches.kept import (
    drawing_otherwise,
    is_seeded,
    random_states,
)
from costmodel.bridge.trace.signatures import bound
from costmodel.bridge.trace.trace_graph import tensors
from costmodel.bridge.trace.tracer import FEW, Tracer
from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Event:
    """A uniform draw of [0, 1) is below a bound, or is not.

    ``probability`` is that of the event after all events before it; ``where`` is the
    module whose code asked, ``line`` the file and line.
    """

    bound: Fraction
    is_below: bool
    probability: Fraction
    where: str
    line: str

    def __str__(self) -> str:
        sign = "<" if self.is_below else "≥"
        return f'draw {sign} {self.bound} in "{self.where}" ({self.line})'


class NotFollowedError(CostModelError):
    """What code makes of a draw has no probability, or there is too much of it."""


@dataclass
class _Events:
    """The events of one run, whose first ones are wanted so; others are true first.

    ``handed_out`` are the places of draws whose numbers code may use otherwise.
    """

    tracer: Tracer
    wanted: Sequence[bool]
    most: int
    so_far: list[Event] = field(default_factory=list)
    handed_out: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start a source of numbers that are others whenever Python's are."""
        self.numbers = random.Random(repr(random.getstate()))  # noqa: S311 - no secret
        self.starts: list[tuple[Any, bytes]] = []

    @property
    def where(self) -> str:
        """The running module."""
        return self.tracer.path or "forward"

    def draw(self, of: Any, scale: Any = 1, offset: Any = 0) -> Draw:
        """Return a new draw of a generator, from ``offset`` to ``offset + scale``."""
        start = next(s for one, s in self.starts if one is of)
        uniform = _Uniform(self, is_certain=is_seeded(of, start))
        return Draw(uniform, Fraction(scale), Fraction(offset))

    @contextmanager
    def seeded(self) -> Iterator[None]:
        """Draw from where no seed of the code's own leads, and note what drew there."""
        generators = self.tracer.generators
        with drawing_otherwise(generators, self.numbers.randrange(1 << 31)):
            states = random_states(generators)
            self.starts = list(zip(generators, states, strict=True))
            yield
            if not self.tracer.draws and states != random_states(generators):
                self.tracer.draws.append("forward")

    def hand_out(self, value: Any) -> Any:
        """Return a value, and note that its number is known if it is a draw."""
        self.handed_out += [self.where] if isinstance(value, Draw) else []
        return value


class _Uniform:
    """A number between 0 and 1, and what events have left of the interval."""

    def __init__(self, events: _Events, *, is_certain: bool) -> None:
        self.events, self.number = events, events.numbers.random()
        self.is_certain = is_certain
        self.low, self.high = Fraction(0), Fraction(1)

    def is_below(self, bound: Fraction) -> bool:
        """Decide whether it is below a bound, unless earlier events have."""
        if not self.low < bound < self.high:
            return bound >= self.high
        if self.is_certain:
            raise NotFollowedError(
                f'outcomes: in "{self.events.where}" ({_line()}), code compares what '
                "it draws after it has set the generator to a seed or a state: that "
                "is one certain number, and has no probability; trace follows it"
            )
        share = (bound - self.low) / (self.high - self.low)
        so_far, wanted = self.events.so_far, self.events.wanted
        if len(so_far) == self.events.most:
            raise NotFollowedError(
                f'outcomes: in "{self.events.where}" ({_line()}), code asks for more '
                f"than {self.events.most} random draws in one run, as a loop may that "
                "a draw ends, and there are more outcomes yet than most allows"
            )
        below = wanted[len(so_far)] if len(so_far) < len(wanted) else True
        self.low, self.high = (self.low, bound) if below else (bound, self.high)
        likely = share if below else 1 - share
        so_far.append(Event(bound, below, likely, self.events.where, _line()))
        return below


class Draw(float):
    """``scale`` times a uniform draw plus ``offset``: exact when compared or moved.

    For all else it is the number that was drawn. A comparison that single numbers alone
    fulfil has the probability 0, so that ≤ is <.
    """

    uniform: _Uniform
    scale: Fraction
    offset: Fraction

    def __new__(cls, uniform: _Uniform, scale: Fraction, offset: Fraction) -> Self:
        """Return the number that a uniform draw has so far."""
        made = super().__new__(cls, uniform.number * scale + offset)
        made.uniform, made.scale, made.offset = uniform, scale, offset
        return made

    def __lt__(self, other: Any) -> Any:
        if isinstance(other, (Draw, SizeInt, SizeRatio)):
            kind = "another draw" if isinstance(other, Draw) else "a size"
            raise NotFollowedError(
                f'outcomes: in "{self.uniform.events.where}" ({_line()}), a random '
                f"draw is compared with {kind}: its probability is no constant"
            )
        bound = _exact(other)
        if bound is None:
            return float(self) < other
        bound = (bound - self.offset) / self.scale
        return self.uniform.is_below(bound) is (self.scale > 0)

    def __ge__(self, other: Any) -> Any:
        below = self < other
        return not below if isinstance(below, bool) else float(self) >= other

    __le__, __gt__ = __lt__, __ge__

    def __floor__(self) -> int:
        ends = sorted((self.offset, self.offset + self.scale))
        low, high = math.floor(ends[0]), math.ceil(ends[1])
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self < middle else (middle, high)
        return low

    def __trunc__(self) -> int:
        return -math.floor(-self) if self < 0 else math.floor(self)

    __int__ = __trunc__

    def __neg__(self) -> Any:
        return self * -1

    def __add__(self, other: Any) -> Any:
        by = _exact(other)
        if by is None:
            return float(self) + other
        return Draw(self.uniform, self.scale, self.offset + by)

    def __mul__(self, other: Any) -> Any:
        by = _exact(other)
        if not by:
            return float(self) * other
        return Draw(self.uniform, self.scale * by, self.offset * by)

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __truediv__(self, other: Any) -> Any:
        by = _exact(other)
        return self * (1 / by) if by else float(self) / other

    __radd__, __rmul__ = __add__, __mul__


def _exact(value: Any) -> Fraction | None:
    """Return a constant as it is written in decimals: 0.1 is one tenth."""
    if isinstance(value, (Draw, SizeInt, SizeRatio)) or not isinstance(value, Real):
        return None
    if isinstance(value, Integral):
        return Fraction(int(value))
    return Fraction(str(value)) if math.isfinite(value) else None


def _line() -> str:
    """Return the file and line of the code that runs, without that of libraries."""
    frame: Any = inspect.currentframe()
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith(_LIBRARIES):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


_LIBRARIES = ("costmodel.bridge.", "torch.", "numpy.", "random")


@contextmanager
def following_draws(
    tracer: Tracer, wanted: Sequence[bool], most: int
) -> Iterator[list[Event]]:
    """Let events be as wanted while code runs, and give the list of all of them."""
    events = _Events(tracer, wanted, most)
    # Functions of ``random`` are methods of one object, wherever they are imported.
    plain, (pythons, numpys, *_) = random.random, tracer.generators
    each = [(g, vars(g)) for g in tracer.generators if type(g) is random.Random]
    kept: dict[str, Any] = {name: getattr(np.random, name) for name in _NUMPY}

    def drawn(of: Any) -> Draw:
        return events.hand_out(events.draw(of))  # type: ignore[no-any-return]

    def below(of: Any, end: int) -> int:
        return math.floor(events.draw(of, end))

    def of_numpy(name: str) -> Callable[..., Any]:
        def one(*given: Any, **named: Any) -> Any:
            is_whole = name == "randint"
            low, high = map(_exact, (0, *given)[-2:] if is_whole else given or (0, 1))
            if low is None or high is None:
                return kept[name](*given, **named)
            made = events.draw(numpys, high - low, low)
            return math.floor(made) if is_whole else events.hand_out(made)

        return lambda *given, **named: (
            kept[name] if named or len(given) not in _NUMPY[name] else one
        )(*given, **named)

    try:
        random.random = partial(drawn, pythons)
        for one, own in each:
            own["random"], own["_randbelow"] = partial(drawn, one), partial(below, one)
        for name in kept:
            setattr(np.random, name, of_numpy(name))
        with events.seeded(), _Followed(events):
            yield events.so_far
    finally:
        for _, own in each:
            own.pop("random", None)
            own.pop("_randbelow", None)
        random.random = plain
        for name, function in kept.items():
            setattr(np.random, name, function)
    # Those are to blame that drew what is not followed; then those with numbers.
    tracer.draws += events.handed_out[:1] if not tracer.draws else []


_NUMPY = {"rand": (0,), "random": (0,), "random_sample": (0,), "uniform": (0, 2),
          "randint": (1, 2)}  # fmt: skip
"""How many arguments the functions of NumPy have that return a single number."""

Elements = Any
"""An array with, for each element of a tensor, a function that returns its value."""


class _Followed(TorchFunctionMode):
    """Follows the elements of small random tensors, whose events wait to be asked."""

    def __init__(self, events: _Events) -> None:
        super().__init__()
        self.events, self.known = events, dict[int, tuple[torch.Tensor, Elements]]()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        options, name = dict(kwargs or {}), canonical(func)
        # What notes a call by its name would take this one for another.
        func = getattr(func, "__wrapped__", func)
        mine = [one for one in tensors((args, options)) if id(one) in self.known]
        if name not in _SOURCES and not mine:
            return func(*args, **options)
        if name == "iter":
            return iter(self.__torch_function__(torch.Tensor.unbind, types, args))
        if name in _ANSWERS and (
            name == "tolist" or self.known[id(mine[0])][1].size == 1
        ):
            hand_out, elements = self.events.hand_out, self.known[id(mine[0])][1]
            values = _each(lambda one: hand_out(one()), elements)
            as_asked = _ANSWERS.get(func.__name__, _ANSWERS[name])
            return values.tolist() if name == "tolist" else as_asked(values.item())
        state = torch.random.get_rng_state()
        made = func(*args, **options)
        if is_question(name) and name != "numpy":
            return made
        # Nobody is asked for a size by what follows.
        with DisableTorchFunction():
            found = list(filter(torch.is_tensor, tree_leaves(made)))
            if name in _SOURCES:
                elements = self._drawn(
                    name, bound(func, args, options) or {}, args, made
                )
                torch.random.set_rng_state(state) if elements else None
            else:
                elements = self._computed(name, func, args, options, found)
            if not found or any(one is own for one in found for own in mine):
                self.known.clear()  # which may be views of what is written over
            is_data = [isinstance(self.events.tracer.tensor(t), Traced) for t in found]
            if mine and not elements and not (found and all(is_data)):
                self.events.handed_out.append(self.events.where)
            for tensor, values in zip(found, elements, strict=False):
                self.known[id(tensor)] = tensor, values
        return made

    def _drawn(
        self, name: str, given: dict[str, Any], args: Any, made: torch.Tensor
    ) -> list[Elements]:
        """Return the elements of a small random tensor, and give it such numbers."""
        ends = [given.get("from", 0), given.get("to", 1)]
        chance: Elements | None = _one(0)
        read: Any = lambda draw, _: draw  # noqa: E731
        if name == "randint":  # whose overloads numbers alone do not tell apart
            ends = [0, *(one for one in args if isinstance(one, int))]
            ends += [given[end] for end in ("low", "high") if len(ends) == 1]
            read = lambda draw, _: math.floor(draw)  # noqa: E731
        elif name == "bernoulli":
            chance = self._of(given.get("p", args[0]))
            read = lambda draw, chance: float(draw < chance)  # noqa: E731
        low, high = map(_exact, ends[-2:])
        of = given.get("generator") or torch.default_generator
        is_held = any(of is one for one in self.events.tracer.generators)
        is_small = is_held and 0 < made.numel() <= FEW and self._is_constant(made)
        if not is_small or chance is None or low is None or high is None:
            return []
        drawn = np.empty(tuple(map(int, made.shape)), object)
        for place in np.ndindex(drawn.shape):
            drawn[place] = self.events.draw(of, high - low, low)
        numbers = _apply(read, _each(lambda one: _one(float(one)), drawn), chance)
        if made.device.type != "meta":
            with torch.no_grad():
                made.copy_(torch.tensor(_each(lambda one: one(), numbers).tolist()))
        return [_apply(read, _each(_one, drawn), chance)]

    def _computed(
        self, name: str, func: Any, args: Any, options: Any, found: list[torch.Tensor]
    ) -> list[Elements]:
        """Return the elements of results whose values follow from known elements."""
        if name in _PLACES and not any(True for _ in tensors((args[1:], options))):
            mine = self.known[id(args[0])][1]
            numbers = torch.arange(mine.size).reshape(mine.shape)
            places = tree_leaves(func(numbers, *args[1:], **options))
            return [_each(lambda i: mine.flat[i], place.numpy()) for place in places]
        operands, function = list(map(self._of, args)), _OF_ELEMENTS.get(name)
        if function is None or options or any(one is None for one in operands):
            return []
        is_truth = found[0].dtype == torch.bool
        if name.startswith("logical") and not is_truth:
            return []
        results = _apply(function, *operands)
        return [_apply(bool, results) if is_truth else results]

    def _of(self, value: Any) -> Elements | None:
        """Return the elements of a known tensor, or constants; None: neither."""
        if not isinstance(value, torch.Tensor):
            is_number = isinstance(value, Real) and math.isfinite(value)
            return np.array([_one(value)], object).reshape(()) if is_number else None
        if id(value) in self.known:
            return self.known[id(value)][1]
        is_small = value.device.type != "meta" and value.numel() <= FEW
        if not is_small or not self._is_constant(value):
            return None
        numbers = np.array(value.tolist(), object)
        if value.dtype.is_floating_point:
            return _each(lambda v: _one(_shortest(v, value.dtype)), numbers)
        return _each(_one, numbers)

    def _is_constant(self, value: torch.Tensor) -> bool:
        """Say whether a tensor depends on neither data nor what a module stores."""
        known = self.events.tracer.tensor(value)
        return known is None or (isinstance(known, Constant) and not known.sources)


def _shortest(value: float, dtype: torch.dtype) -> float:
    """Return the number of the fewest digits that a format rounds to a value."""
    texts = (float(f"{value:.{digits}g}") for digits in range(1, 18))
    same = (t for t in texts if torch.tensor(t, dtype=dtype).item() == value)
    return next(same, value)


def _one(value: Any) -> Callable[[], Any]:
    return lambda: value


def _each(function: Callable[[Any], Any], values: Any) -> Elements:
    return np.asarray(np.frompyfunc(function, 1, 1)(values), object)


def _apply(function: Callable[..., Any], *operands: Elements) -> Elements:
    """Return elements that are a function of others once they are asked."""
    later: Any = lambda *of: lambda: function(*(one() for one in of))  # noqa: E731
    return np.asarray(np.frompyfunc(later, len(operands), 1)(*operands), object)


_SOURCES = {"rand", "rand_like", "uniform", "bernoulli", "randint"}

_PLACES = {"getitem", "view", "reshape", "squeeze", "unsqueeze", "flatten", "unbind",
           "clone", "detach", "contiguous", "select"}  # fmt: skip
"""Functions that put elements elsewhere, which numbers for them show."""

_OF_ELEMENTS: dict[str, Callable[..., Any]] = {
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "eq": operator.eq, "ne": operator.ne, "add": operator.add, "sub": operator.sub,
    "rsub": lambda x, y: y - x, "mul": operator.mul, "div": operator.truediv,
    "floor": math.floor, "logical_not": operator.not_,
    "logical_and": lambda x, y: bool(x) and bool(y),
    "logical_or": lambda x, y: bool(x) or bool(y),
}  # fmt: skip

_ANSWERS: dict[str, Callable[[Any], Any]] = {
    "item": lambda value: value, "truth": bool, "number": int, "tolist": list,
    "__float__": float, "__index__": operator.index,
}  # fmt: skip
"""What a question makes of an element, by its canonical or its own name."""

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


@dataclass
class Events:
    """The events of one run, whose first ones are wanted so; others are true first.

    ``handed_out`` are the places of draws whose numbers code may use otherwise.
    """

    tracer: Tracer
    wanted: Sequence[bool]
    so_far: list[Event] = field(default_factory=list)
    handed_out: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start a source of numbers that are others whenever Python's are."""
        self.numbers = random.Random(repr(random.getstate()))  # noqa: S311 - no secret

    @property
    def where(self) -> str:
        """The running module."""
        return self.tracer.path or "forward"

    def draw(self, scale: Any = 1, offset: Any = 0) -> Draw:
        """Return a new draw, uniform from ``offset`` to ``offset + scale``."""
        return Draw(_Uniform(self), Fraction(scale), Fraction(offset))

    def hand_out(self, value: Any) -> Any:
        """Return a value, and note that its number is known if it is a draw."""
        self.handed_out += [self.where] if isinstance(value, Draw) else []
        return value


class _Uniform:
    """A number between 0 and 1, and what events have left of the interval."""

    def __init__(self, events: Events) -> None:
        self.events, self.number = events, events.numbers.random()
        self.low, self.high = Fraction(0), Fraction(1)

    def is_below(self, bound: Fraction) -> bool:
        """Decide whether it is below a bound, unless earlier events have."""
        if not self.low < bound < self.high:
            return bound >= self.high
        share = (bound - self.low) / (self.high - self.low)
        so_far, wanted = self.events.so_far, self.events.wanted
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
            raise CostModelError(
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
        by = _exact(other)
        return float(self) - other if by is None else self + -by

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
def following_draws(tracer: Tracer, wanted: Sequence[bool]) -> Iterator[list[Event]]:
    """Let events be as wanted while code runs, and give the list of all of them."""
    events = Events(tracer, wanted)
    draw: Callable[..., Any] = lambda *_: events.hand_out(events.draw())  # noqa: E731
    # Functions of ``random`` are methods of one object, wherever they are imported.
    own = vars(vars(random)["_inst"])
    kept: dict[str, Any] = {"": random.random} | {
        name: getattr(np.random, name) for name in _NUMPY
    }

    def numpy_uniform(low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        if size is not None or _exact(low) is None or _exact(high) is None:
            return kept["uniform"](low, high, size)
        return low + (high - low) * draw()

    def numpy_randint(low: Any, high: Any = None, size: Any = None, **of: Any) -> Any:
        first, end = (0, low) if high is None else (low, high)
        if size is not None or of or _exact(first) is None or _exact(end) is None:
            return kept["randint"](low, high, size, **of)
        return first + math.floor(events.draw(end - first))

    def numpy_random(name: str) -> Callable[..., Any]:
        return lambda *size, **of: kept[name](*size, **of) if size or of else draw()

    ours = {"uniform": numpy_uniform, "randint": numpy_randint}
    try:
        random.random = own["random"] = draw
        own["_randbelow"] = lambda n: math.floor(events.draw(n))
        for name in _NUMPY:
            setattr(np.random, name, ours.get(name) or numpy_random(name))
        with _Followed(events):
            yield events.so_far
    finally:
        del own["random"], own["_randbelow"]
        random.random = kept.pop("")
        for name, function in kept.items():
            setattr(np.random, name, function)
    # Those are to blame that drew what is not followed; then those with numbers.
    tracer.draws += events.handed_out[:1] if not tracer.draws else []


_NUMPY = ("rand", "random", "random_sample", "sample", "ranf", "uniform", "randint")

Elements = Any
"""An array with, for each element of a tensor, a function that returns its value."""


class _Followed(TorchFunctionMode):
    """Follows the elements of small random tensors, whose events wait to be asked."""

    def __init__(self, events: Events) -> None:
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
        if name in _AS and (name == "tolist" or mine[0].numel() == 1):
            return self._answer(name, func, self.known[id(mine[0])][1])
        state = torch.random.get_rng_state()
        made = func(*args, **options)
        if is_question(name) and name != "numpy":
            return made
        found = list(filter(torch.is_tensor, tree_leaves(made)))
        if name in _SOURCES:
            elements = self._drawn(name, func, args, options, made)
            if elements:
                torch.random.set_rng_state(state)
        else:
            elements = self._moved(name, func, args, options, found)
        for one in (t for t in found or mine[:1] if any(t is own for own in mine)):
            self._forget(one)
        is_data = [isinstance(self.events.tracer.tensor(t), Traced) for t in found]
        if mine and not elements and not (found and all(is_data)):
            self.events.handed_out.append(self.events.where)
        for tensor, values in zip(found, elements, strict=False):
            self.known[id(tensor)] = tensor, values
        return made

    def _answer(self, name: str, func: Any, elements: Elements) -> Any:
        """Ask the elements for their values, which decides them."""
        values = _each(lambda f: self.events.hand_out(f()), elements).tolist()
        if name == "tolist":
            return values
        (value,) = np.asarray(values, object).ravel()
        return _AS[func.__name__](value)

    def _forget(self, written: torch.Tensor) -> None:
        """Forget what was drawn for the tensors in memory that is written over."""
        place = written.untyped_storage()
        self.known = {
            key: (one, values)
            for key, (one, values) in self.known.items()
            if one.untyped_storage() is not place
        }

    def _drawn(
        self, name: str, func: Any, args: Any, options: Any, made: torch.Tensor
    ) -> list[Elements]:
        """Return the elements of a small random tensor, and give it such numbers."""
        given, shape = bound(func, args, options) or {}, tuple(map(int, made.shape))
        ends = [given.get("from", 0), given.get("to", 1)]
        if name.startswith("randint"):  # whose overloads numbers alone do not tell
            named = (options[key] for key in ("low", "high") if key in options)
            ends = [0, *(one for one in args if isinstance(one, int)), *named]
        low, high = map(_exact, ends[-2:])
        p = given.get("p")
        chances = _constant(2) if name != "bernoulli" else self._of(
            args[0] if p is None else p)  # fmt: skip
        if (
            not 0 < made.numel() <= FEW or chances is None or not self._is_own(made)
            or low is None or high is None or not low < high
        ):  # fmt: skip
            return []
        read: Any = {
            "randint": lambda d, _: math.floor(d),
            "randint_like": lambda d, _: math.floor(d),
            "bernoulli": lambda d, p: float(d < p),
        }.get(name, lambda d, _: d)
        draws = _array([self.events.draw(high - low, low) for _ in range(made.numel())])
        constants = _each(_constant, draws.reshape(shape))
        numbers = _each(lambda d: _constant(float(d)), draws.reshape(shape))
        if made.device.type != "meta":
            values = _each(lambda f: f(), _apply(read, numbers, chances)).tolist()
            with DisableTorchFunction(), torch.no_grad():
                made.copy_(torch.tensor(values))
        return [_apply(read, constants, chances)]

    def _moved(
        self, name: str, func: Any, args: Any, options: Any, found: list[torch.Tensor]
    ) -> list[Elements]:
        """Return the elements of results whose values follow from known elements."""
        if name in _PLACES and not any(True for _ in tensors((args[1:], options))):
            mine = self.known[id(args[0])][1]
            numbers = torch.arange(mine.size).reshape(mine.shape)
            with DisableTorchFunction():
                places = tree_leaves(func(numbers, *args[1:], **options))
            flat = mine.ravel()
            return [_each(lambda i: flat[i], place.numpy()) for place in places]
        of, is_cast = _OF_ELEMENTS.get(name), name in _CASTS
        operands = [self._of(value) for value in (args[:1] if is_cast else args)]
        if (of is None and not is_cast) or any(one is None for one in operands):
            return []
        (made,) = found
        if (options and not is_cast) or (
            name.startswith("logical") and made.dtype != torch.bool
        ):
            return []
        cast = bool if made.dtype == torch.bool else (
            (lambda v: v) if made.dtype.is_floating_point else math.trunc)  # fmt: skip
        results = _apply(of, *operands) if of else operands[0]
        results = _apply(cast, results)
        return [results] if results.shape == tuple(made.shape) else []

    def _of(self, value: Any) -> Elements | None:
        """Return the elements of a known tensor, or constants; None: neither."""
        if isinstance(value, torch.Tensor):
            if id(value) in self.known:
                return self.known[id(value)][1]
            if value.device.type == "meta" or not (
                value.numel() <= FEW and self._is_own(value)
            ):
                return None
            with DisableTorchFunction():
                numbers = value.detach().numpy()
            # By their shortest decimals, whatever their format is.
            is_float = value.dtype.is_floating_point
            read = (lambda v: float(str(v))) if is_float else (lambda v: v)
            return _each(lambda v: _constant(read(v)), numbers)
        is_known = _exact(value) is not None or isinstance(value, (SizeInt, SizeRatio))
        return np.asarray(_constant(value), object) if is_known else None

    def _is_own(self, value: torch.Tensor) -> bool:
        """Say whether a tensor depends on neither data nor what a module stores."""
        known = self.events.tracer.tensor(value)
        return known is None or (isinstance(known, Constant) and not known.sources)


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _array(values: Sequence[Any]) -> Elements:
    made = np.empty(len(values), object)
    made[:] = values
    return made


def _each(function: Callable[[Any], Any], values: Any) -> Elements:
    return np.asarray(np.frompyfunc(function, 1, 1)(values), object)


def _apply(function: Callable[..., Any], *operands: Elements) -> Elements:
    """Return elements that are a function of others once they are asked."""
    later: Any = lambda *of: lambda: function(*(one() for one in of))  # noqa: E731
    return np.asarray(np.frompyfunc(later, len(operands), 1)(*operands), object)


_SOURCES = {"rand", "rand_like", "uniform", "bernoulli", "randint", "randint_like"}

_PLACES = {
    "getitem", "view", "reshape", "squeeze", "unsqueeze", "flatten", "unbind", "clone",
    "detach", "contiguous", "select",
}  # fmt: skip
"""Functions that put elements elsewhere, which numbers for them show."""

_CASTS = {"to", "int", "long", "bool"}

_OF_ELEMENTS: dict[str, Callable[..., Any]] = {
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "eq": operator.eq, "ne": operator.ne, "add": operator.add, "sub": operator.sub,
    "rsub": lambda x, y: y - x, "mul": operator.mul, "div": operator.truediv,
    "neg": operator.neg, "floor": math.floor, "logical_not": operator.not_,
    "logical_and": lambda x, y: bool(x) and bool(y),
    "logical_or": lambda x, y: bool(x) or bool(y),
}  # fmt: skip

_AS: dict[str, Callable[[Any], Any]] = {
    "item": lambda value: value, "truth": bool, "number": int, "tolist": list,
    "__bool__": bool, "__int__": int, "__float__": float, "__index__": operator.index,
}  # fmt: skip
"""What a question makes of an element, by its canonical and by its own name."""

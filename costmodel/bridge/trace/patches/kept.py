"""What a run may change for good, and is put back: containers, caches, random states.

Looked through are the attributes of modules, and, of code that is not a library's, the
attributes of classes and the names and closures that functions read.
"""

from __future__ import annotations

import dis
import functools
import pickle
import random
import sys
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import nn


MOST_COPIED = 1 << 20
"""Elements of a tensor that is registered nowhere, and put back if a run changes it."""

_CONTAINERS = (OrderedDict, dict, list, set, deque, tuple)
_LEFT_ALONE = (types.ModuleType, nn.Module)
_HOLDERS = ("collections", "weakref", "types", "threading")
_LIBRARIES = frozenset(sys.stdlib_module_names - {"builtins"}) | {
    "torch", "numpy", "costmodel", "sympy", "networkx",
}  # fmt: skip
_CACHE = type(functools.lru_cache(len))
_MISSING = object()

Undo = Callable[[], object]


class Kept:
    """Everything found, as it is now."""

    def __init__(self, module: nn.Module) -> None:
        """Look through a module, its submodules, and what their code reads."""
        self.generators: list[Any] = [
            vars(random)["_inst"], vars(np.random)["mtrand"]._rand,  # noqa: SLF001
            torch.default_generator,
        ]  # fmt: skip
        self._undo: list[Undo] = [
            functools.partial(value.requires_grad_, value.requires_grad)
            for value in module.parameters()
        ]
        self._seen = {(id(one), False) for one in self.generators}
        # What is looked at stays, so that no other thing gets its id.
        self._alive: list[Any] = []
        # Code runs on stand-ins of those, and on the others themselves.
        self._registered = {id(t) for t in (*module.parameters(), *module.buffers())}
        # A thing, and whether it belongs to a module: then its functions may run.
        self._waiting: list[tuple[Any, bool]] = []
        for part in module.modules():
            self._wait(part.__dict__, type(part), is_owned=True)
            # What hooks write is for those who registered them.
            hooks = (v for n, v in vars(part).items() if n.endswith("hooks"))
            self._wait(*hooks, is_owned=False)
        while self._waiting:
            place, is_owned = self._waiting.pop()
            key = id(place), is_owned and callable(place)
            if key not in self._seen:
                self._seen.add(key)
                self._alive.append(place)
                self._look(place, is_owned=is_owned)

    def put_back(self) -> None:
        """Restore all but random states."""
        for undo in self._undo:
            undo()

    def _wait(self, *places: Any, is_owned: bool) -> None:
        self._waiting += [(place, is_owned) for place in places]

    def _look(self, place: Any, *, is_owned: bool) -> None:
        if isinstance(place, _CONTAINERS):
            # Read by the container's own methods: a class of it may have others.
            kind = next(one for one in _CONTAINERS if isinstance(place, one))
            inside = [*_content_of(place, kind)]
            if kind is not tuple:
                self._undo.append(functools.partial(_refill, place, kind, inside))
            values = (v for _, v in inside) if issubclass(kind, dict) else inside
            self._wait(*values, is_owned=is_owned)
        elif isinstance(place, np.ndarray):
            if place.size <= MOST_COPIED and place.flags.writeable:
                self._undo.append(functools.partial(np.copyto, place, place.copy()))
        elif isinstance(place, torch.Tensor):
            is_real = place.device.type != "meta" and place.numel() <= MOST_COPIED
            if is_real and id(place) not in self._registered:
                before = place.detach().clone()
                self._undo.append(functools.partial(_rewrite, place, before))
        elif isinstance(place, GENERATORS):
            self.generators.append(place)
        elif isinstance(place, types.CellType):
            before = _content(place)
            self._undo.append(lambda: _fill(place, before))
            self._wait(before, is_owned=is_owned)
        elif not isinstance(place, _LEFT_ALONE):
            self._look_at_code_or_object(place, is_owned=is_owned)

    def _look_at_code_or_object(self, place: Any, *, is_owned: bool) -> None:
        if isinstance(place, type):
            if is_owned and _is_own(place):
                self._look_at_class(place)
            return
        if isinstance(place, types.FunctionType):
            if is_owned and _is_own(place):
                self._look_at_function(place)
        else:
            self._look_at_object(place, is_owned=is_owned)
        if isinstance(place, _CACHE):
            misses = place.cache_info().misses
            self._undo.append(lambda: _forget(place, misses))
        if issubclass(type(place), _WRAPPERS):
            self._wait(*(getattr(place, n, None) for n in _HELD), is_owned=is_owned)

    def _look_at_object(self, place: Any, *, is_owned: bool) -> None:
        if type(place).__dictoffset__:
            self._wait(vars(place), type(place), is_owned=is_owned)
        kinds = type(place).__mro__
        slotted = (one for one in kinds if "__slots__" in vars(one) and _is_own(one))
        for member in (one for kind in slotted for one in vars(kind).values()):
            if isinstance(member, types.MemberDescriptorType):
                before = _slot(member, place)
                undo = functools.partial(_reset_slot, member, place, before)
                self._undo.append(undo)
                self._wait(before, is_owned=is_owned)

    def _look_at_class(self, one: type) -> None:
        """Note the attributes of a class and its bases, and what its methods read."""
        before = dict(vars(one))
        self._undo.append(lambda: _reset(one, before))
        self._wait(*one.__bases__, is_owned=True)
        for name, value in before.items():
            if name not in _OF_CLASSES:
                self._wait(value, is_owned=True)

    def _look_at_function(self, function: types.FunctionType) -> None:
        closure = function.__closure__ or ()
        defaults = (function.__defaults__, function.__kwdefaults__, function.__dict__)
        self._wait(*closure, *(one for one in defaults if one), is_owned=True)
        names, is_written = _names(function.__code__)
        spaces = [(function.__globals__, is_written)]
        for name in names:
            value = spaces[0][0].get(name)
            if isinstance(value, types.ModuleType) and not _is_library(value.__name__):
                spaces.append((vars(value), True))
        for space, is_written in spaces:
            for name in names:
                value = space.get(name, _MISSING)
                if is_written:
                    self._undo.append(functools.partial(_rebind, space, name, value))
                if _may_keep(value):
                    # Functions that it holds are not those that run here.
                    self._wait(value, is_owned=callable(value))


# An attribute of another type's is its code's answer, and answers may have no end.
_WRAPPERS = (types.FunctionType, types.MethodType, types.BuiltinMethodType,
             staticmethod, classmethod, property, functools.partial)  # fmt: skip
_HELD = ("__wrapped__", "__func__", "__self__", "fget", "fset", "func")
_OF_CLASSES = {"__dict__", "__weakref__", "__doc__", "__module__", "__annotations__",
               "__init__"}  # fmt: skip


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> tuple[tuple[str, ...], bool]:
    """Return the names outside of it that code reads; whether it writes to any."""
    inner = [_names(c) for c in code.co_consts if isinstance(c, types.CodeType)]
    names = (*code.co_names, *(n for found, _ in inner for n in found))
    is_written = dis.opmap["STORE_GLOBAL"] in code.co_code[::2]
    return tuple(dict.fromkeys(names)), is_written or any(w for _, w in inner)


def _is_library(name: object) -> bool:
    return str(name).partition(".")[0] in _LIBRARIES


def _is_own(one: Any) -> bool:
    return not _is_library(getattr(one, "__module__", None))


def _may_keep(value: Any) -> bool:
    """Say whether a name's value may keep something: what a library made does not."""
    if isinstance(value, (*_CONTAINERS, *GENERATORS, torch.Tensor)):
        return True
    if isinstance(value, (type, types.FunctionType, _CACHE)):
        return _is_own(value)
    if value is _MISSING or isinstance(value, _LEFT_ALONE):
        return False
    home = type(value).__module__
    return not _is_library(home) or home.partition(".")[0] in _HOLDERS


def _content_of(place: Any, kind: Any) -> Iterator[Any]:
    """Return what a container holds: pairs, if it is a dictionary."""
    return iter(kind.items(place) if issubclass(kind, dict) else kind.__iter__(place))


def _refill(place: Any, kind: Any, before: list[Any]) -> None:
    """Restore a container after a run, which may have left tensors without memory."""
    now = [*_content_of(place, kind)]
    parts = chain.from_iterable if issubclass(kind, dict) else iter
    if [*map(id, parts(now))] != [*map(id, parts(before))]:
        kind.clear(place)
        getattr(kind, "extend" if hasattr(kind, "extend") else "update")(place, before)


def _reset_slot(member: Any, place: Any, before: Any) -> None:
    if _slot(member, place) is not before:
        member.__delete__(place) if before is _MISSING else member.__set__(
            place, before
        )


def _slot(member: Any, place: Any) -> Any:
    try:
        return member.__get__(place)
    except AttributeError:
        return _MISSING


def _rewrite(place: torch.Tensor, before: torch.Tensor) -> None:
    if not torch.equal(place, before):
        with torch.no_grad():
            place.copy_(before)


def _reset(one: type, before: dict[str, Any]) -> None:
    now = dict(vars(one))
    for name in now.keys() | before.keys():
        if now.get(name, _MISSING) is not before.get(name, _MISSING):
            if name in before:
                setattr(one, name, before[name])
            else:
                delattr(one, name)


def _rebind(space: dict[str, Any], name: str, before: Any) -> None:
    if space.get(name, _MISSING) is not before:
        if before is _MISSING:
            del space[name]
        else:
            space[name] = before


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING


def _fill(cell: types.CellType, before: Any) -> None:
    if _content(cell) is not before:
        if before is _MISSING:
            del cell.cell_contents
        else:
            cell.cell_contents = before


def _forget(cached: Any, misses: int) -> None:
    if cached.cache_info().misses != misses:
        cached.cache_clear()


# Random numbers.

GENERATORS = (
    random.Random, np.random.Generator, np.random.RandomState, torch.Generator,
    np.random.BitGenerator,
)  # fmt: skip


def random_states(generators: Sequence[Any]) -> tuple[bytes, ...]:
    """Return the states of generators, which are equal as long as nobody draws."""
    return tuple(map(_state, generators))


def _state(one: Any) -> bytes:
    if isinstance(one, torch.Generator):
        return bytes(one.get_state().numpy().tobytes())
    if isinstance(one, random.SystemRandom):
        return b""  # which has none
    if isinstance(one, random.Random):
        return pickle.dumps(one.getstate())
    if isinstance(one, np.random.RandomState):
        return pickle.dumps(one.get_state())
    return pickle.dumps(getattr(one, "bit_generator", one).state)


def set_random_states(generators: Sequence[Any], states: Sequence[bytes]) -> None:
    """Set generators to what :func:`random_states` returned of them."""
    for one, state in zip(generators, states, strict=True):
        if isinstance(one, torch.Generator):
            one.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))
        elif isinstance(one, random.Random):
            one.setstate(pickle.loads(state)) if state else None  # noqa: S301 - ours
        elif isinstance(one, np.random.RandomState):
            one.set_state(pickle.loads(state))  # noqa: S301
        else:
            getattr(one, "bit_generator", one).state = pickle.loads(state)  # noqa: S301


def is_seeded(one: Any, start: bytes) -> bool:
    """Say whether a generator is where no draws lead it from an earlier state.

    It is also said after a million draws.
    """
    if _state(one) == start:
        return False
    if isinstance(one, torch.Generator):
        other = torch.Generator()
        set_random_states([other], [start])
        return bool(other.initial_seed() != one.initial_seed())
    # Words of a Mersenne twister change all at once, each time that all are used up.
    other = type(one)()
    set_random_states([other], [start])
    words = _words(one)
    for _ in range(_TURNS):
        if _words(other) == words:
            return False
        other.bytes(_WORDS * 4) if hasattr(other, "bytes") else other.getrandbits(
            _WORDS * 32
        )
    return True


_WORDS, _TURNS = 624, 2048


def _words(one: Any) -> bytes | tuple[int, ...]:
    if isinstance(one, random.Random):
        words: tuple[int, ...] = one.getstate()[1][:_WORDS]
        return words
    return bytes(one.get_state()[1].tobytes())


@contextmanager
def drawing_otherwise(generators: Sequence[Any], seed: int) -> Iterator[None]:
    """Give other random numbers for a while."""
    before = random_states(generators)
    for place, one in enumerate(generators):
        number = seed + 1000 * place
        if isinstance(one, torch.Generator):
            one.manual_seed(number)
        elif isinstance(one, (random.Random, np.random.RandomState)):
            one.seed(number)
        else:
            bits = getattr(one, "bit_generator", one)
            bits.state = type(bits)(number).state
    try:
        yield
    finally:
        set_random_states(generators, before)

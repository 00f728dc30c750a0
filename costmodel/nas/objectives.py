"""What a search minimizes or maximizes, and the limits that its points have to keep."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from costmodel.algebra.amount import Kind, amount
from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError, known_are, short
from costmodel.nas.metrics import FLOPS, UNITS, measured, unit
from costmodel.nas.proxies import PROXIES, PROXY, scored
from costmodel.nas.spaces.space import Point, Space
from costmodel.network.graph import Network


SECONDS = "seconds:"
"""Before the name of a profile: the seconds that it predicts, per batch."""

Source: TypeAlias = str | Callable[[Network], float] | Mapping[str, float]
"""A metric, a function of the network, or a table by the text of a point."""

Given: TypeAlias = str | Mapping[str, Source] | Sequence[str | Mapping[str, Source]]
"""What a user minimizes: a metric's name, or names with their sources."""


@dataclass(frozen=True)
class Objective:
    """A number of each network, and whether a search wants it small."""

    name: str
    source: Source
    is_maximized: bool = False

    @property
    def unit(self) -> str:
        """What the number counts."""
        if isinstance(self.source, Mapping):
            return "as the table gives it"
        if not isinstance(self.source, str):
            return "as the function gives it"
        if self.source.startswith(SECONDS):
            return "seconds per batch, predicted"
        if self.source.startswith(PROXY):
            return PROXIES[self.source.removeprefix(PROXY)]
        return unit(self.source)

    @property
    def metric(self) -> str | None:
        """The static metric that it is, or None."""
        if not isinstance(self.source, str):
            return None
        is_metric = ":" not in self.source or self.source.startswith(FLOPS)
        return self.source if is_metric else None

    @property
    def told(self) -> str:
        """What tells its source from another's: of a table, a digest of its rows."""
        if isinstance(self.source, str):
            return self.source
        if isinstance(self.source, Mapping):
            rows = json.dumps(sorted(self.source.items()), default=str)
            return f"table {sha256(rows.encode()).hexdigest()[:16]}"
        name = getattr(self.source, "__qualname__", type(self.source).__name__)
        return f"{getattr(self.source, '__module__', '')}.{name}"

    def of(self, space: Space, point: Point, network: Callable[[], Network]) -> float:
        """Return the number of a point; its network is built if it is needed.

        **Errors**: a function that raises, or gives no finite number; a table without
        the point.
        """
        try:
            value = self._value(space, point, network)
        except CostModelError:
            raise
        except Exception as error:
            said = short(error) or "it says no more"
            raise CostModelError(
                f'objective "{self.name}" at {space.text(point)} fails with '
                f"{type(error).__name__}: {said}"
            ) from error
        if not is_finite(value):
            raise CostModelError(
                f'objective "{self.name}" at {space.text(point)} is {short(value)}, '
                "not a finite number"
            )
        return value

    def _value(
        self, space: Space, point: Point, network: Callable[[], Network]
    ) -> float:
        if isinstance(self.source, Mapping):
            text = space.text(point)
            if text not in self.source:
                raise CostModelError(f'table of "{self.name}": no row for {text}')
            return self.source[text]
        if not isinstance(self.source, str):
            value = self.source(network())
            if isinstance(value, bool) or not hasattr(value, "__index__"):
                return value if isinstance(value, bool) else float(value)
            return operator.index(value)
        if self.source.startswith(SECONDS):
            from costmodel.runtime.predict import predict

            return float(predict(network(), self.source.removeprefix(SECONDS)).seconds)
        if self.source.startswith(PROXY):
            return scored(network(), self.source.removeprefix(PROXY))
        return measured(network(), self.source)


def is_finite(value: object) -> bool:
    """Say whether a value is a number that engines can compare as a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


@dataclass(frozen=True)
class Constraint:
    """Bounds of a metric, both included."""

    name: str
    low: Dim | None = None
    high: Dim | None = None

    def holds(self, value: float) -> bool:
        """Say whether a value is within the bounds."""
        over = self.high is not None and value > self.high
        return not over and (self.low is None or bool(value >= self.low))

    def __str__(self) -> str:
        """Write the bounds as a user does."""
        low = "" if self.low is None else f"{self.low} <= "
        high = "" if self.high is None else f" <= {self.high}"
        return f"{low}{self.name}{high}"


def objectives(minimize: Given, maximize: Given) -> tuple[Objective, ...]:
    """Return what a search is for; at least one, with different names.

    **Errors**: no objective, a name twice, an unknown metric.
    """
    found = [
        Objective(name, source, is_maximized)
        for given, is_maximized in ((minimize, False), (maximize, True))
        for name, source in _named(given)
    ]
    if not found:
        raise CostModelError(
            'search: nothing to minimize or maximize; give minimize="macs", or '
            'maximize={"accuracy": table}'
        )
    for number, one in enumerate(found):
        if one.name in {other.name for other in found[:number]}:
            raise CostModelError(f'search: objective "{one.name}" is given twice')
    return tuple(found)


def _named(given: Given) -> Iterable[tuple[str, Source]]:
    if isinstance(given, (str, Mapping)):
        given = [given]
    if not isinstance(given, Iterable):
        raise CostModelError(f"search: {short(given)} names no objective")
    for one in given:
        pairs = one.items() if isinstance(one, Mapping) else [(one, one)]
        for name, source in pairs:
            if not isinstance(name, str) or not name:
                raise CostModelError(f"search: {short(name)} is no objective's name")
            if not callable(source) and not isinstance(source, Mapping):
                check_source(source)
            yield name, source


def check_source(source: object) -> None:
    """Refuse a name that is no metric, profile or proxy.

    **Errors**: and which there are.
    """
    name = str(source)
    if not isinstance(source, str):
        raise CostModelError(
            f"search: objective {short(source)} is no metric's name, function or table"
        )
    if name.startswith(SECONDS):
        from costmodel.runtime.profile import load_profile

        load_profile(name.removeprefix(SECONDS))
    elif name.startswith(PROXY):
        if name.removeprefix(PROXY) not in PROXIES:
            known = known_are(name, [PROXY + word for word in PROXIES])
            raise CostModelError(f'unknown proxy "{name}"; {known}')
    elif name.startswith(FLOPS):
        unit(name)
    elif name not in UNITS:
        known = known_are(name, [*UNITS, f"{FLOPS}CONVENTION", f"{SECONDS}PROFILE",
                                 f"{PROXY}NAME"])  # fmt: skip
        raise CostModelError(f'unknown metric "{name}"; {known}')


def evaluated(
    space: Space, objectives: Sequence[Objective], limits: Sequence[Constraint],
    task: tuple[str, Point, Mapping[str, float]],
) -> tuple[float, ...] | None:  # fmt: skip
    """Return the values of one point, or None if it is out of limits.

    A task is a key, its point, and what is known of it by the name of a metric or of an
    objective.
    """
    _, point, known = task
    made: list[Network] = []

    def network() -> Network:
        made[:] = made or [space.network(point)]
        return made[0]

    for one in limits:
        if one.name not in known:
            value = Objective(one.name, one.name).of(space, point, network)
            if not one.holds(value):
                return None
    names = (one.metric or one.name for one in objectives)
    return tuple(
        known[name] if name in known else one.of(space, point, network)
        for name, one in zip(names, objectives)
    )


_BOUND = re.compile(
    r"\s*(?:(?P<low>[\d.][^<>=]*?)\s*<=)?\s*(?P<name>[A-Za-z_][\w:./-]*)\s*"
    r"(?:(?P<sign><=|>=)\s*(?P<bound>[\d.][^<>=]*?))?\s*"
)


def constraints(
    given: str | Mapping[str, object] | Iterable[str], names: Sequence[str] = ()
) -> tuple[Constraint, ...]:
    """Return limits from text, or from a mapping of metrics to their upper bounds.

    A mapping's bounds may be pairs (low, high), with None for no bound. ``names`` are
    those of objectives, which may have limits too.

    >>> [str(one) for one in constraints(["macs <= 100M", "1e6 <= parameters <= 2M"])]
    ['macs <= 100000000', '1000000 <= parameters <= 2000000']
    >>> str(*constraints({"layers": (8, None)}))
    '8 <= layers'
    """
    if not isinstance(given, Iterable):
        raise CostModelError(f"search: constraint {short(given)} is no text")
    if isinstance(given, Mapping):
        found = [_from_pair(name, bound) for name, bound in given.items()]
    else:
        found = [
            _from_text(text) for text in ([given] if isinstance(given, str) else given)
        ]
    for one in found:
        if one.name not in names:
            check_source(one.name)
        if one.low is not None and one.high is not None and one.low > one.high:
            raise CostModelError(f"constraint {one}: nothing is within it")
    return tuple(found)


def _from_pair(name: object, bound: object) -> Constraint:
    if not isinstance(name, str):
        raise CostModelError(f"constraint: {short(name)} is no metric's name")
    ends = bound if isinstance(bound, (tuple, list)) else (None, bound)
    if len(ends) != 2:
        raise CostModelError(
            f"constraint: {name} {short(bound)}: give the upper bound, or (low, high)"
        )
    return Constraint(name, *(_end(name, end) for end in ends))


def _from_text(text: str) -> Constraint:
    found = _BOUND.fullmatch(str(text))
    if found is None or not (found["low"] or found["bound"]):
        raise CostModelError(
            f'constraint "{short(text)}" is not like "macs <= 100M" or '
            '"1M <= parameters <= 2M"'
        )
    name = found["name"]
    low, bound = _end(name, found["low"]), _end(name, found["bound"])
    if found["sign"] == ">=":
        if low is not None:
            raise CostModelError(f'constraint "{short(text)}" has two lower bounds')
        return Constraint(name, low=bound)
    return Constraint(name, low, bound)


def _end(name: str, given: object) -> Dim | None:
    """Return a bound exactly: seconds and bytes with their units, counts with K, M."""
    if given is None:
        return None
    kind: Kind = (
        "seconds" if name.startswith(SECONDS)
        else "bytes" if name.endswith("_bytes")
        else "count"
    )  # fmt: skip
    number = amount(given, f"constraint: {name}", kind)
    if getattr(number, "free_symbols", None):
        raise CostModelError(f"constraint: {name} {short(given)} is no number")
    return number

"""Predictions beside measurements: ours and the baselines', on the same networks.

A figure means nothing without its split: what a predictor was fitted to, and what it
then predicted. No predictor is tested on what it was fitted to, unless stated.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from sympy.utilities.iterables import sift

from costmodel.errors import CostModelError
from costmodel.runtime.validate.baselines import Case, Model, Predictor
from costmodel.runtime.validate.metrics import Summary, errors, noise_floor, summary


Split = Literal["family", "network", "none"]
"""What is left out of a fit when a network is predicted: all networks of its family,
itself alone, or nothing (then the errors are those of a fit, not of predictions)."""

WORST = 5
"""How many of the largest errors are named."""

_GROUPS: Mapping[Split, Callable[[Case], Hashable]] = {
    "family": lambda case: case.family,
    "network": lambda case: case.name,
    "none": lambda _case: None,
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """The prediction of one network, with an interval if there is one. Seconds."""

    seconds: float
    low: float | None = None
    high: float | None = None
    unmodelled: float = 0.0
    """The share of the seconds that is guessed."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A predictor that is not fitted here, such as a calibrated profile."""

    name: str
    estimates: Mapping[str, Estimate]
    """By the name of the case."""

    def fit(self, cases: Sequence[Case]) -> Model:  # noqa: ARG002 - it needs none
        """Return what looks the answers up."""
        return lambda case: self.estimates[case.name].seconds


@dataclass(frozen=True, slots=True)
class Score:
    """One predictor's seconds, in the order of the cases, and how far off they are."""

    name: str
    predicted: tuple[float, ...]
    summary: Summary
    estimates: tuple[Estimate, ...] = ()

    def coverage(self, measured: Sequence[float]) -> float | None:
        """Return how many measurements lie in their interval; None without intervals.

        **Units**: a fraction of 1.
        """
        ends = [(e.low, e.high) for e in self.estimates]
        inside = [
            low <= seconds <= high
            for seconds, (low, high) in zip(measured, ends)
            if low is not None and high is not None
        ]
        return sum(inside) / len(inside) if inside else None


@dataclass(frozen=True, slots=True)
class Validation:
    """Measured networks, and each predictor's predictions of them.

    ``floor`` is the difference between halves of the measurements: an error that is
    not clearly above it says nothing. ``refused`` says why a network is left out.
    """

    cases: tuple[Case, ...]
    split: str
    scores: tuple[Score, ...]
    floor: float | None = None
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def measured(self) -> tuple[float, ...]:
        """Seconds, in the order of the cases."""
        return tuple(case.seconds for case in self.cases)

    def __getitem__(self, name: str) -> Score:
        """Return a predictor's score."""
        for score in self.scores:
            if score.name == name:
                return score
        names = ", ".join(score.name for score in self.scores)
        raise CostModelError(f'validate: no predictor "{name}"; there are {names}')

    def worst(self, name: str, count: int = WORST) -> list[tuple[str, float]]:
        """Return the networks with a predictor's largest errors, signed."""
        off = errors(self[name].predicted, self.measured)
        pairs = zip((case.name for case in self.cases), off)
        return sorted(pairs, key=lambda pair: -abs(pair[1]))[:count]

    def to_json(self) -> dict[str, Any]:
        """Return plain values: a row per network, and a summary per predictor."""
        return {
            "split": self.split,
            "noise_floor": self.floor,
            "summaries": {
                s.name: {**s.summary.to_json(), "coverage": s.coverage(self.measured)}
                for s in self.scores
            },
            "worst": {s.name: self.worst(s.name) for s in self.scores},
            "rows": [
                {"name": case.name, "family": case.family, "batch": case.batch,
                 "seconds": case.seconds,
                 "predicted": {s.name: s.predicted[i] for s in self.scores},
                 "estimates": {s.name: asdict(s.estimates[i])
                               for s in self.scores if s.estimates}}
                for i, case in enumerate(self.cases)
            ],
            "refused": dict(self.refused),
        }  # fmt: skip


def validate(
    cases: Iterable[Case],
    predictors: Iterable[Predictor],
    *,
    split: Split = "network",
    fitted_to: Sequence[Case] | None = None,
    halves: Sequence[tuple[float, float]] = (),
) -> Validation:
    """Return every predictor's seconds for every case, and their errors.

    ``fitted_to`` are other networks, which every predictor is fitted to instead of the
    cases; ``split`` then does not matter. A network that some predictor refuses is left
    out of every figure, so that all are on the same networks, and listed.

    ``halves`` are the seconds of each network in two halves of its measurement.
    """
    if split not in get_args(Split):
        known = ", ".join(get_args(Split))
        raise CostModelError(f"validate: split {split!r} is none of {known}")
    some, ways = tuple(cases), tuple(predictors)
    _check(some, ways)
    said = [_asked(way, some, split, fitted_to) for way in ways]
    refused = {
        case.name: why
        for i, case in enumerate(some)
        for row in reversed(said)
        if isinstance(why := row[i], str)
    }
    kept = [i for i, case in enumerate(some) if case.name not in refused]
    if not kept:
        raise CostModelError(
            f"validate: no network is left; {next(iter(refused.values()))}"
        )
    chosen = tuple(some[i] for i in kept)
    name = "other networks" if fitted_to is not None else split
    scores = tuple(
        _score(way, chosen, [row[i] for i in kept]) for way, row in zip(ways, said)
    )
    floor = noise_floor(halves) if halves else None
    return Validation(chosen, name, scores, floor, refused)


def held_out(
    predictor: Predictor, cases: Sequence[Case], split: Split
) -> list[float | str]:
    """Return seconds of every case, by fits that left its group out; or why not.

    >>> from costmodel.runtime.validate.baselines import BASELINES
    >>> held_out(BASELINES[0], [], "family")
    []
    """
    groups = sift(range(len(cases)), lambda i: _GROUPS[split](cases[i]))
    found: list[float | str] = [""] * len(cases)
    for key, members in groups.items():
        rest = [c for c in cases if split == "none" or _GROUPS[split](c) != key]
        if not rest:
            raise CostModelError(
                f"validate: all networks are {key}: nothing is left to fit to; "
                "is split none meant?"
            )
        answers = _answers(predictor, rest, [cases[i] for i in members])
        for i, answer in zip(members, answers):
            found[i] = answer
    return found


def _asked(
    way: Predictor, cases: Sequence[Case], split: Split, others: Sequence[Case] | None
) -> list[float | str]:
    if isinstance(way, Known) or others is not None:
        return _answers(way, others or (), cases)
    return held_out(way, cases, split)


def _answers(
    way: Predictor, fitted_to: Sequence[Case], asked: Sequence[Case]
) -> list[float | str]:
    """Fit once, and ask; a refusal is its sentence."""
    try:
        model = way.fit(fitted_to)
    except CostModelError as error:
        return [f"{way.name}: {error}"] * len(asked)
    found: list[float | str] = []
    for case in asked:
        try:
            found.append(model(case))
        except CostModelError as error:
            found.append(f"{way.name}: {error}")
    return found


def _score(way: Predictor, cases: Sequence[Case], seconds: Sequence[Any]) -> Score:
    measured = [case.seconds for case in cases]
    # A fit may say that a network takes no time; its error is then just under −100 %.
    given = [max(float(s), 1e-9 * t) for s, t in zip(seconds, measured)]
    known = way.estimates if isinstance(way, Known) else {}
    estimates = tuple(known[case.name] for case in cases) if known else ()
    return Score(way.name, tuple(given), summary(given, measured), estimates)


def _check(cases: Sequence[Case], ways: Sequence[Predictor]) -> None:
    if not cases:
        raise CostModelError("validate: no measured network to compare with")
    for what, names in (
        ("network", [case.name for case in cases]),
        ("predictor", [way.name for way in ways]),
    ):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise CostModelError(f"validate: {what} {twice[0]} is there twice")


def numbered(cases: Iterable[Case]) -> list[Case]:
    """Return the cases with names that are used once: a second resnet18 is resnet18#2.

    >>> numbered([])
    []
    """
    seen: dict[str, int] = {}
    found = []
    for case in cases:
        count = seen[case.name] = seen.get(case.name, 0) + 1
        name = case.name if count == 1 else f"{case.name}#{count}"
        found.append(replace(case, name=name))
    return found

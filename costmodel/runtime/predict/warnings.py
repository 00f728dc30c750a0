"""What a prediction is less sure of: outside of what was calibrated, or guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costmodel.algebra.symbols import Dim
from costmodel.runtime.profile import FEATURES


if TYPE_CHECKING:
    from costmodel.runtime.predict import Prediction, Row

MOST_UNMODELLED = 0.05
"""The share of seconds that may be guessed without a warning."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one kernel asks for, wherever it runs.

    **Units**: those of its class, bytes; ``when`` is 1 where it runs, else 0.
    """

    work: Dim
    activation_bytes: Dim
    weight_bytes: Dim
    when: Dim


def warnings_of(prediction: Prediction) -> Iterator[str]:
    """Give a sentence for each reason to doubt a prediction."""
    yield from _guessed(prediction)
    rows = [row for row in prediction.rows if row.is_modelled]
    unknown = sorted({str(s) for s in prediction.seconds.free_symbols})
    if unknown:
        names = ", ".join(unknown)
        yield (
            f"{names} {'is a symbol' if len(unknown) == 1 else 'are symbols'}: what is "
            "inside of the calibrated range is known once every size is a number"
        )
    groups: dict[tuple[str, str], list[tuple[float, str, int]]] = {}
    for row in rows:
        for feature, times, value in _outside(prediction, row):
            groups.setdefault((row.kind, feature), []).append((times, row.name, value))
    for (kind, feature), found in groups.items():
        yield _sentence(prediction, kind, feature, found)


def _guessed(prediction: Prediction) -> Iterator[str]:
    """Say what has no class of its own, and how much of the time that is."""
    kinds = sorted({row.kind for row in prediction.rows if not row.is_modelled})
    if not kinds:
        return
    share, names = prediction.unmodelled_share, ", ".join(kinds)
    nodes = [row.name for row in prediction.rows if not row.is_modelled]
    where = nodes[0] if len(nodes) == 1 else f"{nodes[0]} and {len(nodes) - 1} more"
    if share.free_symbols:
        yield f"without a class of their own: {names}, at {where}"
    elif share > MOST_UNMODELLED:
        yield (
            f"{float(share):.1%} of the time is guessed, without a class of its own: "
            f"{names}, at {where}"
        )


def _outside(prediction: Prediction, row: Row) -> Iterator[tuple[str, float, int]]:
    """Give the features of a kernel that leave the calibrated box, and how far."""
    box = prediction.profile.box.get(row.kind, {})
    for feature in FEATURES:
        value = getattr(row.asked, feature)
        if feature not in box or type(value) is not int or row.asked.when == 0:
            continue
        low, high = box[feature]
        if value > high:
            yield feature, value / high if high else float("inf"), value
        elif value < low:
            yield feature, value / low, value


def _sentence(
    prediction: Prediction, kind: str, feature: str,
    found: list[tuple[float, str, int]],
) -> str:  # fmt: skip
    """Return one sentence for one feature of one class: the farthest, and how many."""
    times, name, value = max(found, key=lambda one: max(one[0], 1 / (one[0] or 1e-9)))
    low, high = prediction.profile.box[kind][feature]
    more = "" if len(found) == 1 else f" and {len(found) - 1} more"
    far = f"{times:.3g} times the {'most' if times > 1 else 'least'}"
    word = feature.replace("_", " ")
    return (
        f"{kind}: {word} {value:,} of {name}{more} is outside of the calibrated range "
        f"{low:,} to {high:,}: {far}"
    )

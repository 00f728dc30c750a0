"""Metrics against their definitions, by brute force, and what must not change them."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from costmodel.errors import CostModelError
from costmodel.runtime.validate.metrics import (
    bootstrap,
    errors,
    kendall,
    noise_floor,
    spearman,
    summary,
)


SECONDS = st.floats(1e-6, 1e3)
TIMES = st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=40)
TIED = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2)


def tau_by_pairs(x: Any, y: Any) -> float:
    """Return Kendall's τ_b, looking at every pair."""
    signs = [
        (np.sign(a - b), np.sign(c - d))
        for (a, c), (b, d) in combinations(zip(x, y), 2)
    ]
    score = sum(float(s * t) for s, t in signs)
    untied = [sum(abs(float(pair[side])) for pair in signs) for side in (0, 1)]
    return score / float(np.sqrt(untied[0] * untied[1]))


@given(TIED)
def test_tau_is_what_all_pairs_say(points: list[tuple[int, int]]) -> None:
    x, y = zip(*points)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert np.isnan(kendall(x, y))
        assert np.isnan(spearman(x, y))
    else:
        assert kendall(x, y) == pytest.approx(tau_by_pairs(x, y), abs=1e-12)


@given(TIED)
def test_rho_is_the_correlation_of_mean_ranks(points: list[tuple[int, int]]) -> None:
    x, y = zip(*points)
    assume(len(set(x)) > 1 < len(set(y)))

    def mean_rank(values: Any, one: int) -> float:
        below = sum(v < one for v in values)
        return below + (sum(v == one for v in values) + 1) / 2

    expected = [[mean_rank(v, one) for one in v] for v in (x, y)]
    assert spearman(x, y) == pytest.approx(np.corrcoef(*expected)[0, 1], abs=1e-9)


@given(TIMES, st.integers(0, 12), st.permutations(range(40)))
def test_units_and_order_change_nothing_but_rounding(
    times: list[tuple[float, float]], power: int, order: list[int]
) -> None:
    predicted, measured = zip(*times)
    unit = 2.0**power
    mixed = [times[i] for i in order if i < len(times)]
    once = summary(predicted, measured)
    other = summary([p * unit for p, _ in mixed], [m * unit for _, m in mixed])
    for name in ("mape", "median", "p90", "largest", "within", "bias", "tau", "rho"):
        assert getattr(other, name) == pytest.approx(
            getattr(once, name), rel=1e-9, nan_ok=True
        )


@given(TIMES)
def test_a_summary_is_what_its_errors_say(times: list[tuple[float, float]]) -> None:
    predicted, measured = zip(*times)
    off = sorted(map(abs, errors(predicted, measured)))
    found = summary(predicted, measured)
    assert found.count == len(off)
    assert found.mape == pytest.approx(sum(off) / len(off))
    assert found.largest == off[-1]
    assert found.within == pytest.approx(sum(e <= 0.1 for e in off) / len(off))
    slack = 1e-9 * (1 + off[-1])
    assert off[0] - slack <= found.interval[0] <= found.interval[1] <= off[-1] + slack
    assert off[0] <= found.median <= found.p90 + slack <= found.largest + 2 * slack
    json.dumps(found.to_json(), allow_nan=False)


@given(st.lists(SECONDS, min_size=2, max_size=30, unique=True))
def test_what_is_right_is_in_order_and_without_error(times: list[float]) -> None:
    found = summary(times, times)
    assert (found.mape, found.largest, found.within, found.bias) == (0, 0, 1, 1)
    assert (found.tau, found.rho) == (1, 1)
    assert kendall(times, [-t for t in times]) == -1


def test_the_bootstrap_holds_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    intervals = [bootstrap(rng.normal(5, 2, 40), level=0.9) for _ in range(300)]
    held = sum(low <= 5 <= high for low, high in intervals)
    assert 0.8 <= held / 300 <= 0.96
    assert bootstrap([1.0, 2.0, 4.0]) == bootstrap([1.0, 2.0, 4.0])


def test_noise_is_half_against_half() -> None:
    assert noise_floor([(1.0, 1.0), (1.0, 3.0)]) == pytest.approx(0.5)
    with pytest.raises(CostModelError, match="no measurement was made in two halves"):
        noise_floor([])


@pytest.mark.parametrize(
    ("predicted", "measured", "message"),
    [
        ([], [], "0 predictions and 0 measurements do not pair up"),
        ([1.0], [1.0, 2.0], "1 predictions and 2 measurements do not pair up"),
        ([1.0, 0.0], [1.0, 1.0], "prediction 1 is 0.0, not positive seconds"),
        ([1.0], [float("nan")], "measurement 0 is nan, not positive seconds"),
    ],
)
def test_what_is_no_time_is_refused(
    predicted: list[float], measured: list[float], message: str
) -> None:
    with pytest.raises(CostModelError, match=message):
        summary(predicted, measured)

"""Robust non-negative fits against brute force and against their law."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostModelError
from costmodel.runtime.profile.least_squares import Prior, nonnegative


@st.composite
def fits(draw: st.DrawFn) -> tuple[Any, Any]:
    """Draw positive features and coefficients, and times that are nearly right."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, columns = draw(st.integers(4, 30)), draw(st.integers(1, 4))
    design = rng.lognormal(0, 2, (rows, columns))
    noise = rng.lognormal(0, 0.1, rows)
    return design, design @ rng.lognormal(0, 1, columns) * noise


@given(problem=fits(), scale=st.sampled_from([0.02, 0.1, 1.0]))
def test_no_neighbour_of_a_fit_is_better(
    problem: tuple[Any, Any], scale: float
) -> None:
    design, target = problem

    def objective(theta: Any) -> float:
        error = (design @ theta / target - 1) / scale
        return float(np.sum(np.sqrt(1 + error**2) - 1))

    theta = nonnegative(design, target, scale=scale)
    least = objective(theta)
    assert (theta >= 0).all()
    size = np.linalg.norm(design / target[:, None], axis=0)
    for column in range(len(theta)):
        for step in (0.03, -0.03):
            other = theta.copy()
            other[column] = max(other[column] + step / size[column], 0)
            assert objective(other) >= least * (1 - 1e-4) - 1e-9


@given(fits(), st.floats(0.01, 100))
def test_a_fit_scales_with_its_units(problem: tuple[Any, Any], unit: float) -> None:
    design, target = problem
    once = design @ nonnegative(design, target)
    assert design @ nonnegative(design, target * unit) == pytest.approx(
        once * unit, rel=1e-3
    )


def brute_force(design: Any, target: Any) -> float:
    """Return the least Σ(p/y − 1)², by every set of columns that may be in use."""
    rows = design / target[:, None]
    columns = range(design.shape[1])
    best = float(len(target))
    for chosen in chain.from_iterable(combinations(columns, k + 1) for k in columns):
        theta = np.linalg.lstsq(rows[:, chosen], np.ones(len(rows)), rcond=None)[0]
        if (theta >= 0).all():
            best = min(best, float(np.sum((rows[:, chosen] @ theta - 1) ** 2)))
    return best


@given(fits())
def test_where_all_errors_are_small_it_is_least_squares(
    problem: tuple[Any, Any],
) -> None:
    design, target = problem
    theta = nonnegative(design, target, scale=1e6)
    found = float(np.sum((design @ theta / target - 1) ** 2))
    assert found == pytest.approx(brute_force(design, target), rel=1e-4, abs=1e-9)


def test_outliers_do_not_move_what_most_agree_on() -> None:
    design = np.ones((11, 1))
    target = np.array([1.0] * 10 + [0.5])
    # Σ(θ/y − 1)² alone would have (10·1 + 2)/(10·1 + 4); soft L1 stays with the ten.
    assert nonnegative(design, target, scale=1e6)[0] == pytest.approx(12 / 14)
    assert nonnegative(design, target, scale=0.01)[0] == pytest.approx(1, abs=0.02)


def test_a_prior_decides_where_there_are_no_data() -> None:
    design = np.array([[1.0, 0.0], [2.0, 0.0]])
    prior = Prior(np.array([9.0, 7.0]), np.array([1e6, 1.0]))
    theta = nonnegative(design, np.array([3.0, 6.0]), prior=prior)
    assert theta == pytest.approx([3, 7])
    none = Prior(np.array([9.0, 7.0]), np.array([np.inf, np.inf]))
    assert nonnegative(design, np.array([3.0, 6.0]), prior=none)[1] == 0


@pytest.mark.parametrize(
    ("design", "target", "message"),
    [
        ([[1.0]], [1.0, 2.0], r"\(1, 1\) features and \(2,\) targets"),
        ([[1.0]], [0.0], "no positive number"),
        ([[np.nan]], [1.0], "no positive number"),
    ],
)
def test_what_cannot_be_fitted_is_said(design: Any, target: Any, message: str) -> None:
    with pytest.raises(CostModelError, match=message):
        nonnegative(np.array(design), np.array(target))

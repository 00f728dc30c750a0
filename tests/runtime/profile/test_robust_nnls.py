"""Non-negative least squares against brute force, and robust fits against their law."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostModelError
from costmodel.runtime.profile.robust_nnls import Prior, nnls, nonnegative


NUMBERS = st.integers(-9, 9)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Any, Any]:
    """Draw small problems, dependent and empty columns among them."""
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    row = st.lists(NUMBERS, min_size=columns, max_size=columns)
    design = draw(st.lists(row, min_size=rows, max_size=rows))
    target = draw(st.lists(NUMBERS, min_size=rows, max_size=rows))
    return np.array(design, float), np.array(target, float)


def misfit(design: Any, target: Any, theta: Any) -> float:
    return float(np.sum((design @ theta - target) ** 2))


def brute_force(design: Any, target: Any) -> float:
    """Return the least misfit, by every set of columns that may be in use."""
    columns = range(design.shape[1])
    best = misfit(design, target, np.zeros(len(columns)))
    sets = chain.from_iterable(combinations(columns, k + 1) for k in columns)
    for chosen in map(list, sets):
        theta = np.zeros(len(columns))
        theta[chosen] = np.linalg.lstsq(design[:, chosen], target, rcond=None)[0]
        if (theta >= -1e-9).all():
            best = min(best, misfit(design, target, np.maximum(theta, 0)))
    return best


@given(problems())
def test_active_sets_find_what_brute_force_finds(problem: tuple[Any, Any]) -> None:
    design, target = problem
    theta = nnls(design, target)
    assert (theta >= 0).all()
    assert misfit(design, target, theta) == pytest.approx(
        brute_force(design, target), rel=1e-7, abs=1e-7
    )


@st.composite
def fits(draw: st.DrawFn) -> tuple[Any, Any]:
    """Draw positive features and coefficients, and times that are nearly right."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, columns = draw(st.integers(4, 30)), draw(st.integers(1, 4))
    design = rng.lognormal(0, 2, (rows, columns))
    noise = rng.lognormal(0, 0.1, rows)
    return design, design @ rng.lognormal(0, 1, columns) * noise


@pytest.mark.parametrize("error", ["relative", "log"])
@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
@given(problem=fits())
def test_no_neighbour_of_a_fit_is_better(
    loss: Any, error: Any, problem: tuple[Any, Any]
) -> None:
    design, target = problem

    def objective(theta: Any) -> float:
        ratio = design @ theta / target
        r = (np.log(ratio) if error == "log" else ratio - 1) / 0.1
        return float(np.sum(r**2 / 2 if loss == "linear" else np.sqrt(1 + r**2) - 1))

    theta = nonnegative(design, target, loss=loss, error=error, scale=0.1)
    least = objective(theta)
    assert (theta >= 0).all()
    size = np.linalg.norm(design / target[:, None], axis=0)
    for column in range(len(theta)):
        for step in (1e-3, -1e-3):
            other = theta.copy()
            other[column] = max(other[column] + step / size[column], 0)
            assert objective(other) >= least * (1 - 1e-6) - 1e-9


@given(fits(), st.floats(0.01, 100))
def test_a_fit_scales_with_its_units(problem: tuple[Any, Any], unit: float) -> None:
    design, target = problem
    once = design @ nonnegative(design, target)
    assert design @ nonnegative(design, target * unit) == pytest.approx(
        once * unit, rel=1e-3
    )


def test_an_outlier_moves_squares_and_not_soft_l1() -> None:
    design = np.ones((11, 1))
    target = np.array([1.0] * 10 + [0.1])
    relative = nonnegative(design, target, loss="linear")[0]
    plain = nonnegative(design, target, loss="linear", error="log")[0]
    robust = nonnegative(design, target, error="log", scale=0.01)[0]
    # Σ(θ/y − 1)²: (10·1 + 10)/(10·1 + 100); Σlog²: the geometric mean; soft L1 stays
    # with the ten.
    assert relative == pytest.approx(20 / 110)
    assert plain == pytest.approx(10 ** (-1 / 11))
    assert robust == pytest.approx(1, abs=0.02)


def test_a_prior_decides_where_there_are_no_data() -> None:
    design = np.array([[1.0, 0.0], [2.0, 0.0]])
    prior = Prior(np.array([9.0, 7.0]), np.array([1e6, 1.0]))
    theta = nonnegative(design, np.array([3.0, 6.0]), prior=prior)
    assert theta == pytest.approx([3, 7])
    none = Prior(np.array([9.0, 7.0]), np.array([np.inf, np.inf]))
    assert nonnegative(design, np.array([3.0, 6.0]), prior=none)[1] == 0


@pytest.mark.parametrize(
    ("design", "target", "weights", "message"),
    [
        ([[1.0]], [1.0, 2.0], None, r"\(1, 1\) features, \(2,\) targets"),
        ([[1.0]], [0.0], None, "no positive number"),
        ([[np.nan]], [1.0], None, "no positive number"),
        ([[1.0]], [1.0], [-1.0], "a weight is negative"),
    ],
)
def test_what_cannot_be_fitted_is_said(
    design: Any, target: Any, weights: Any, message: str
) -> None:
    with pytest.raises(CostModelError, match=message):
        nonnegative(
            np.array(design), np.array(target),
            None if weights is None else np.array(weights),
        )  # fmt: skip

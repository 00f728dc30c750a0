"""Non-negative least squares of relative or log errors, robust to outliers.

A coefficient is seconds per operation, per byte or per call: it cannot be negative, and
an error of a tenth counts the same for a microsecond as for a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from costmodel.errors import CostModelError


Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Loss = Literal["linear", "soft_l1"]
Error = Literal["relative", "log"]

_ROUNDS = 60
"""Reweighted problems at most; a fit takes 5 to 20."""

_CONVERGED = 1e-10
"""Relative fall of the objective below which another round changes nothing."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of each coefficient before there are data: centre, deviation.

    It adds ½·((θ − centre)/deviation)² to the objective; an infinite deviation none.
    """

    centre: Array
    deviation: Array


def nonnegative(
    design: Array, target: Array, weights: Array | None = None, *,
    loss: Loss = "soft_l1", error: Error = "relative", scale: float = 0.1,
    prior: Prior | None = None, start: Array | None = None,
) -> Array:  # fmt: skip
    """Return the θ ≥ 0 that minimises Σ w·ρ(r/scale), plus the prior's part.

    r = p/y − 1 (relative) or log(p/y) with p = design·θ and y = target > 0;
    ρ(z) = ½z² (linear) or √(1 + z²) − 1 (soft L1: ½z² near 0, |z| far away).
    ``scale`` is the error at which an observation begins to count as an outlier.
    Log and soft-L1 errors may have several minima: the search begins at ``start``, by
    default at the solution of plain least squares.

    Solved by iteratively reweighted least squares (each round's problem has the
    gradient of the true objective, so its solution is a direction of descent), by
    the active sets of :func:`nnls`.

    **Source**: Holland, Welsch 1977, "Robust regression using iteratively reweighted
    least-squares"; soft L1 as in Triggs et al. 2000, "Bundle adjustment", section 3.3.

    >>> x = np.array([[1.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
    >>> nonnegative(x, x @ [3.0, 0.5]).round(9).tolist()
    [3.0, 0.5]
    """
    x, y, w = _checked(design, target, weights)
    problem = _Problem(x / y[:, None], w, loss, error, scale, prior)
    theta = problem.solve(np.ones(len(y))) if start is None else start
    value = problem.value(theta)
    for _ in range(_ROUNDS):
        if loss == "linear" and error == "relative":
            break
        wanted = problem.solve(problem.reweighted(theta))
        theta, fallen = _descend(problem, theta, wanted, value)
        if value - fallen <= _CONVERGED * value:
            break
        value = fallen
    return theta


def nnls(design: Array, target: Array) -> Array:
    """Return the θ ≥ 0 that minimises ‖design·θ − target‖².

    **Source**: Lawson, Hanson 1974, "Solving Least Squares Problems", chapter 23.

    >>> nnls(np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([2.0, -1.0])).tolist()
    [2.0, 0.0]
    """
    columns = design.shape[1]
    size = np.linalg.norm(design, axis=0)
    used = size > 0
    x = design / np.where(used, size, 1.0)
    if len(x) > columns:  # the same problem in as many rows as columns
        q, x = np.linalg.qr(x)
        target = q.T @ target
    theta, passive = np.zeros(columns), np.zeros(columns, dtype=bool)
    slack = 1e-12 * max(float(np.linalg.norm(target)), 1e-300)
    for _ in range(6 * columns):
        pull = x.T @ (target - x @ theta)
        pull[passive | ~used] = -np.inf
        if not columns or pull.max() <= slack:
            break
        added = int(pull.argmax())
        passive[added] = True
        solved = _solved(x, target, passive)
        if solved[added] <= 0:  # a multiple of what is there already, up to rounding
            passive[added], used[added] = False, False
            continue
        theta = _feasible(x, target, theta, solved, passive)
    return np.asarray(theta / np.where(size > 0, size, 1.0))


def _solved(x: Array, target: Array, passive: Any) -> Array:
    """Return the unconstrained solution on the passive columns, 0 elsewhere."""
    full = np.zeros(x.shape[1])
    full[passive] = np.linalg.lstsq(x[:, passive], target, rcond=None)[0]
    return full


def _feasible(
    x: Array, target: Array, theta: Array, solved: Array, passive: Any
) -> Array:
    """Walk to the solution, and let go of each coefficient that turns negative."""
    while (solved[passive] <= 0).any():
        leaving = passive & (solved <= 0)
        steps = theta[leaving] / (theta[leaving] - solved[leaving])
        theta = theta + float(steps.min()) * (solved - theta)
        passive &= theta > 1e-15 * max(float(theta.max()), 1e-300)
        theta = np.where(passive, theta, 0.0)
        solved = _solved(x, target, passive)
    return solved


@dataclass(frozen=True, slots=True)
class _Problem:
    """Rows divided by their targets: p/y = relative·θ has to be 1."""

    relative: Array
    weights: Array
    loss: Loss
    error: Error
    scale: float
    prior: Prior | None

    def residuals(self, theta: Array) -> tuple[Array, Array]:
        """Return predicted/target, kept off 0, and its error."""
        ratio = np.maximum(self.relative @ theta, 1e-12)
        return ratio, np.log(ratio) if self.error == "log" else ratio - 1

    def value(self, theta: Array) -> float:
        """Return the objective."""
        z = self.residuals(theta)[1] / self.scale
        rho = z * z / 2 if self.loss == "linear" else np.sqrt(1 + z * z) - 1
        total = float(self.weights @ rho)
        if self.prior is not None:
            away = (theta - self.prior.centre) / self.prior.deviation
            total += float(away @ away) / 2
        return total

    def reweighted(self, theta: Array) -> Array:
        """Return weights under which squares have the objective's gradient at θ."""
        ratio, r = self.residuals(theta)
        robust = np.ones(len(r))
        if self.loss == "soft_l1":
            robust = 1 / np.sqrt(1 + (r / self.scale) ** 2)
        if self.error == "log":
            off = ratio - 1
            near = np.abs(off) < 1e-6
            robust *= np.where(near, 1.0, r / np.where(near, 1.0, ratio * off))
        return robust

    def solve(self, robust: Array) -> Array:
        """Return the best θ ≥ 0 for squares under these weights."""
        root = np.sqrt(self.weights * robust) / self.scale
        rows, wanted = [self.relative * root[:, None]], [root]
        if self.prior is not None:
            rows.append(np.diag(1 / self.prior.deviation))
            wanted.append(self.prior.centre / self.prior.deviation)
        return nnls(np.vstack(rows), np.concatenate(wanted))


def _descend(
    problem: _Problem, theta: Array, wanted: Array, value: float
) -> tuple[Array, float]:
    """Go as far towards a wanted solution as the objective falls."""
    step = 1.0
    while step > 1e-6:
        moved = theta + step * (wanted - theta)
        found = problem.value(moved)
        if found < value:
            return moved, found
        step /= 2
    return theta, value


def _checked(
    design: Array, target: Array, weights: Array | None
) -> tuple[Array, Array, Array]:
    x, y = np.asarray(design, float), np.asarray(target, float)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, float)
    if x.ndim != 2 or y.shape != x.shape[:1] or w.shape != y.shape:
        raise CostModelError(
            f"least squares: {x.shape} features, {y.shape} targets and {w.shape} "
            "weights do not belong together"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (y > 0).all()):
        raise CostModelError("least squares: a feature or target is no positive number")
    if not (w >= 0).all():
        raise CostModelError("least squares: a weight is negative")
    return x, y, w

"""Non-negative least squares of relative errors, robust to outliers.

A coefficient is seconds per operation, per byte or per call: it cannot be negative, and
an error of a tenth counts the same for a microsecond as for a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from costmodel.errors import CostModelError, MissingDependencyError


Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

SOFT = 0.1
"""Relative errors from about here on count by their size, not by their square."""

_ROUNDS = 60
"""Reweighted problems at most; a fit takes 5 to 20."""

_CONVERGED = 1e-6
"""Relative fall of the objective below which another round changes nothing."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of each coefficient before there are data: centre, deviation.

    It adds ½·((θ − centre)/deviation)² to the objective; an infinite deviation none.
    """

    centre: Array
    deviation: Array


def nonnegative(
    design: Array, target: Array, *, scale: float = SOFT, prior: Prior | None = None
) -> Array:
    """Return the θ ≥ 0 that minimises Σ ρ(r/scale), plus the prior's part.

    r = p/y − 1 with p = design·θ and y = target > 0; ρ(z) = √(1 + z²) − 1, the soft L1
    loss: ½z² near 0, |z| far away. The problem is convex. It is solved by reweighted
    least squares, each round's objective above the true one and equal to it where the
    round begins.

    **Source**: Holland, Welsch 1977, "Robust regression using iteratively reweighted
    least-squares"; soft L1 as in Triggs et al. 2000, "Bundle adjustment", section 3.3.

    >>> x = np.array([[1.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
    >>> nonnegative(x, x @ [3.0, 0.5]).round(6).tolist()
    [3.0, 0.5]
    """
    x, y = _checked(design, target)
    ratios = x / y[:, None]
    size = np.linalg.norm(ratios, axis=0)
    size = np.where(size > 0, size, 1.0)
    rows, theta, value = ratios / size, np.zeros(x.shape[1]), np.inf
    weights = np.ones(len(y))
    believed = _believed(prior, size)
    qr, nnls = scipy("linalg.lapack").dgeqrf, scipy("optimize").nnls
    # Each row with its target; those of the prior stay as they are.
    whole = np.vstack([
        np.column_stack([rows, np.ones(len(y))]), np.column_stack(believed)
    ])  # fmt: skip
    scales = np.ones((len(whole), 1))
    upper = np.triu(np.ones((whole.shape[1], whole.shape[1])))
    for _ in range(_ROUNDS):
        np.divide(np.sqrt(weights), scale, out=scales[: len(y), 0])
        # The same problem in as many rows as columns.
        small = qr(whole * scales)[0][: len(upper)]
        small = small * upper[: len(small)]
        theta = nnls(small[:, :-1], small[:, -1], maxiter=100 * len(upper))[0]
        error = (rows @ theta - 1) / scale
        away = believed[0] @ theta - believed[1]
        before, value = value, np.sum(np.hypot(1, error) - 1) + away @ away / 2
        if before - value <= _CONVERGED * value:
            break
        weights = 1 / np.hypot(1, error)
    return np.asarray(theta / size)


def _believed(prior: Prior | None, size: Array) -> tuple[Array, Array]:
    """Return a prior as rows of a least-squares problem, and their targets."""
    if prior is None:
        return np.zeros((0, len(size))), np.zeros(0)
    return np.diag(1 / (prior.deviation * size)), prior.centre / prior.deviation


def scipy(part: str) -> Any:
    """Return a part of SciPy, which an extra installs."""
    try:
        return import_module(f"scipy.{part}")
    except ImportError as error:  # pragma: no cover - depends on the installation
        raise MissingDependencyError(
            "fitting and judging seconds needs SciPy; install it with: pip install "
            '"costmodel[torch]"'
        ) from error


def _checked(design: Array, target: Array) -> tuple[Array, Array]:
    x, y = np.asarray(design, float), np.asarray(target, float)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise CostModelError(
            f"least squares: {x.shape} features and {y.shape} targets do not belong "
            "together"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (y > 0).all()):
        raise CostModelError("least squares: a feature or target is no positive number")
    return x, y

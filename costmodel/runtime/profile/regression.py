"""Non-negative coefficients that fit times of very different size, robustly."""

from __future__ import annotations

from itertools import product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt


Array: TypeAlias = npt.NDArray[np.float64]

SOFT = 0.1
"""Relative errors from about here on count by their size, not by its square."""

PRIOR = 0.1
"""What the prior counts, in kernels: each of four terms a quarter of the time."""

STEPS = 60
"""Most steps of a fit; it stops as soon as a step gains nothing."""


def coefficients_of(
    features: Array, seconds: Array, times: Array | None = None,
    start: Array | None = None, centre: Array | None = None,
) -> Array:  # fmt: skip
    """Return θ ≥ 0 that minimises Σ soft-L1(log(x·θ / t)) and a weak prior.

    soft-L1(r) = 2σ²(√(1 + (r/σ)²) − 1) is r² near 0 and |r| far away. Each step is a
    Gauss–Newton step whose bounds are met exactly, and shortened until it gains. The
    prior pulls every term to a quarter of the median time: what the data do not tell
    stays there, what they tell overrides it. ``times`` is how often each row counts,
    and ``centre`` what the prior pulls to, in quarters of the median time.

    **Source**: Huber 1981, *Robust Statistics* (soft-L1: Charbonnier's loss).

    >>> x = np.array([[1.0, 0, 0, 1], [2, 0, 0, 1], [400, 0, 0, 1], [900, 0, 0, 1]])
    >>> coefficients_of(x, x @ [3.0, 0, 0, 5]).round().tolist()
    [3.0, 0.0, 0.0, 5.0]
    """
    counts = np.ones(len(seconds)) if times is None else times
    pull = np.ones(4) if centre is None else centre
    scale = np.median(seconds) / np.maximum(_typical(features), 1e-300) / 4
    scaled, present = features * scale / seconds[:, None], np.any(features, axis=0)
    theta = np.ones(4) if start is None else np.maximum(start / scale, 1e-9)
    theta = np.where(present, theta, 0.0)
    loss = _loss(scaled, counts, theta, pull)
    for _ in range(STEPS):
        goal = _step(scaled, counts, theta, present, pull)
        length = 1.0
        while length > 1e-4:
            trial = theta + length * (goal - theta)
            gained = loss - _loss(scaled, counts, trial, pull)
            if gained > 0:
                break
            length /= 2
        else:
            break
        theta, loss = trial, loss - gained
        if gained < 1e-10 * loss:
            break
    result: Array = theta * scale
    return result


def log_errors(features: Array, seconds: Array, theta: Array) -> Array:
    """Return log(measured / predicted), row by row."""
    errors: Array = np.log(seconds / np.maximum(features @ theta, 1e-300))
    return errors


def _typical(features: Array) -> Array:
    """Return the median of each column, of what is not 0 in it."""
    columns = (column[column > 0] for column in features.T)
    return np.array([np.median(c) if len(c) else 1.0 for c in columns])


def _loss(scaled: Array, counts: Array, theta: Array, pull: Array) -> float:
    predicted = scaled @ theta
    if predicted.min() <= 0:
        return float("inf")
    r = np.log(predicted) / SOFT
    soft = 2 * SOFT**2 * (np.sqrt(1 + r * r) - 1)
    return float(counts @ soft + PRIOR * SOFT * np.sum((theta - pull) ** 2))


def _step(
    scaled: Array, counts: Array, theta: Array, present: Any, pull: Array
) -> Array:
    """Return where a quadratic model of the loss is least, with nothing below 0."""
    predicted = np.maximum(scaled @ theta, 1e-12)
    r = np.log(predicted)
    weights = counts / np.sqrt(1 + (r / SOFT) ** 2)
    slopes = scaled / predicted[:, None]
    wanted = slopes @ theta - r
    normal = slopes.T @ (weights[:, None] * slopes) + PRIOR * SOFT * np.eye(4)
    right = slopes.T @ (weights * wanted) + PRIOR * SOFT * pull
    # Nothing at all is the best where predictions are e times too long, or more.
    best, least = np.zeros(4), 0.0
    for free in product([False, True], repeat=4):
        chosen = np.array(free) & present
        if not chosen.any():
            continue
        guess = np.zeros(4)
        guess[chosen] = np.linalg.solve(normal[np.ix_(chosen, chosen)], right[chosen])
        value = float(guess @ normal @ guess / 2 - right @ guess)
        if guess.min() >= 0 and value < least:
            best, least = guess, value
    return best

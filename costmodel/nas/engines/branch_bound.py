"""Branch and bound: the exact front of costs that are sums, without trying all points.

A point is chosen place by place. What the rest costs at least is the sum, over groups
of choices, of the least that each may still cost; where a known point is as good as
that everywhere, nothing below can be better.

**Source**: Land & Doig 1960, "An automatic method of solving discrete programming
problems"; Sourd & Spanjaard 2008 for several objectives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from costmodel.errors import CostModelError
from costmodel.nas.engines import Engine, Seen
from costmodel.nas.spaces.choices import Choices
from costmodel.nas.spaces.space import Point, Space


class BranchAndBound(Engine):
    """The points of the exact front of metrics that are sums, and no others.

    ``holds`` says of the least and the most that metrics may still become whether
    limits can be kept.

    **Errors**: a metric that is no sum over the space's choices.
    """

    def __init__(
        self, space: Space, seed: int, seen: Seen, metrics: Sequence[str],
        signs: Sequence[int], holds: Callable[[np.ndarray, np.ndarray], bool],
    ) -> None:  # fmt: skip
        """Find the front when first asked. The first metrics have the signs."""
        super().__init__(space, seed, seen)
        wrong = [metric for metric in metrics if not space.is_sum(metric)]
        if wrong or not isinstance(space, Choices):
            raise CostModelError(
                f"{space.name}: branch-and-bound needs costs that are sums over "
                f"choices, {', '.join(wrong) or 'which cells that are graphs have not'}"
                "; engines for the rest are exhaustive, evolution and random"
            )
        self._bounds = space.bounds(tuple(metrics))
        self._signs, self._holds = np.array(signs), holds
        self._found: Iterator[Point] | None = None

    def ask(self, count: int) -> list[Point]:
        """Return the front, at once."""
        if self._found is None:
            self._found = iter(self._front())
        return [point for _, point in zip(range(count), self._found)]

    def _front(self) -> list[Point]:
        """Return one point for each vector of the exact front."""
        best: list[tuple[np.ndarray, Point]] = []
        waiting: list[Point] = [()]
        while waiting:
            part = waiting.pop()
            low, high = self._bounds.of(part)
            signed = self._signed(low, high)
            if not self._holds(low, high) or any(
                (value <= signed).all() for value, _ in best
            ):
                continue
            if len(part) < self._bounds.places:
                waiting += self._ordered(part)
                continue
            best = [one for one in best if not (signed <= one[0]).all()]
            best.append((signed, part))
        return [point for _, point in sorted(best, key=lambda one: one[0].tolist())]

    def _signed(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return the best that objectives may still become: smaller is better."""
        count = len(self._signs)
        return np.where(self._signs > 0, low[:count], -high[:count])

    def _ordered(self, part: Point) -> list[Point]:
        """Return what may come next, the most promising last, which is tried first."""
        children = [(*part, value) for value in range(self._bounds.counts[len(part)])]
        signed = [self._signed(*self._bounds.of(child)) for child in children]
        scale = np.maximum(np.abs(signed).max(axis=0), 1)
        order = np.argsort([-(one / scale).sum() for one in signed], kind="stable")
        return [children[number] for number in order]

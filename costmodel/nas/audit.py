"""Audit of a published table of costs: which rows the formulas contradict, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from costmodel.algebra.parse import exact
from costmodel.errors import CostModelError
from costmodel.nas.metrics import unit
from costmodel.nas.spaces.space import MOST, Space


MOST_RUNS = 5
"""Runs that a published number may be a mean of."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that is not what the network costs."""

    text: str
    """The network, as the space writes it."""
    published: Fraction
    computed: int
    means: tuple[tuple[int, ...], ...] = ()
    """Costs of few networks of the space whose mean is what was published, if any."""

    def __str__(self) -> str:
        """Write the row, and the runs that explain it."""
        told = f"{self.text}: {float(self.published):,.8g} published, {self.computed:,}"
        if not self.means:
            return told
        sums = [" + ".join(f"{run:,}" for run in runs) for runs in self.means]
        ways = " or ".join(f"({one}) / {len(self.means[0])}" for one in sums)
        return f"{told}; it is a mean of several networks: {ways}"


def audit(
    space: Space, published: Mapping[str, object], metric: str, scale: int = 1
) -> tuple[Finding, ...]:
    """Return the rows of a table that are not what networks cost, in its order.

    ``published`` maps networks, as the space writes them, to numbers; text keeps the
    digits as printed, and half a unit of the last one is allowed. ``scale`` is 10⁶
    where the table is in millions. A wrong number may be the mean over runs that were
    not all of one network: then the costs of those are found.

    >>> from costmodel.nas.spaces.catalogue import space
    >>> cells = space("nasbench201")
    >>> text = cells.text((3, 3, 4, 0, 3, 4))
    >>> (found,) = audit(cells, {text: "0.6403993"}, "parameters", 10**6)
    >>> found.computed, found.means
    (802426, ((802426, 802426, 316346), (802426, 559386, 559386)))
    """
    unit(metric)
    texts = list(published)
    costs = space.costs([space.point(text) for text in texts], [metric])[metric]
    others: list[int] | None = None
    found = []
    for text, computed in zip(texts, costs.tolist()):
        number, allowed = _printed(f"{space.name}, {text}", published[text], scale)
        if abs(number - computed) <= allowed:
            continue
        others = _known(space, metric) if others is None else others
        means = _means(number, allowed, computed, others)
        found.append(Finding(text, number, computed, means))
    return tuple(found)


def _printed(where: str, value: object, scale: int) -> tuple[Fraction, Fraction]:
    """Return a number exactly, and half a unit of its last printed digit."""
    text = str(value).strip()
    number = exact(text, where)
    if getattr(number, "free_symbols", None):
        raise CostModelError(f"{where}: {text} is no number")
    digits = len(text.partition(".")[2])
    return Fraction(str(number)) * scale, Fraction(scale, 2 * 10**digits)


def _known(space: Space, metric: str) -> list[int]:
    """Return all costs that networks of a space have, if they can be listed."""
    if space.size() > MOST or not space.is_sum(metric):
        return []
    return sorted(set(space.costs(space.enumerate(), [metric])[metric].tolist()))


def _means(
    number: Fraction, allowed: Fraction, own: int, others: list[int]
) -> tuple[tuple[int, ...], ...]:
    """Return runs of a network and of one other that have a mean, the fewest only."""
    for runs in range(2, MOST_RUNS + 1):
        found = tuple(
            (own,) * count + (other,) * (runs - count)
            for count in reversed(range(1, runs))
            for other in others
            if other != own
            and abs(Fraction(count * own + (runs - count) * other, runs) - number)
            <= allowed
        )
        if found:
            return found
    return ()

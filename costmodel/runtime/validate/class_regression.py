"""Coefficients of classes from times of whole networks, not of single kernels.

Whole networks say little about a class that is a small part of all of them, and nothing
about one that only the held-out family has. So coefficients are fitted twice: a few for
groups of classes; then each class's own, regularized towards its group's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.errors import CostModelError
from costmodel.runtime.profile.least_squares import Array, Prior, nonnegative
from costmodel.runtime.validate.baselines import Case, Model


WORKING = {
    "conv": "conv",
    "stem_conv": "conv",
    "transposed_conv": "conv",
    "pointwise_conv": "product",
    "gemm": "product",
    "gemv": "product",
    "grouped_conv": "grouped",
    "uneven_grouped_conv": "grouped",
    "depthwise_conv": "depthwise",
    "depthwise_conv_generic": "depthwise",
    "max_pool": "pool",
    "avg_pool": "pool",
}
"""Classes whose work costs time beside the bytes that they move, and their groups.

In all others work is proportional to bytes, and adds no information. Bytes of all
classes are one group, the device's memory.
"""

DEVIATION = 1.0
"""Prior deviation of a class from its group, as a share of the group's coefficient.

Half or twice its group's rate is ordinary for a class; a tenth is not.
"""

Feature = tuple[str, str]
"""A term and a class: ("byte", "relu"); weights and calls are those of all classes."""


@dataclass(frozen=True, slots=True)
class ByClass:
    """Σ over classes of a·work + b·bytes, plus c·weight bytes, plus d·calls."""

    name: str = "costmodel, by class"
    deviation: float = DEVIATION

    def fit(self, cases: Sequence[Case]) -> Model:
        """Return the sum that fits best, classes regularized towards their groups."""
        if not cases:
            raise CostModelError(f"{self.name}: there is nothing to be fitted to")
        features = _features(cases)
        design = _design(cases, features)
        target = np.array([case.seconds for case in cases])
        groups = list(dict.fromkeys(map(_group, features)))
        member = np.array([[_group(f) == g for g in groups] for f in features], float)
        coarse = nonnegative(design @ member, target)
        prior = self._prior(features, dict(zip(groups, coarse.tolist())))
        theta = nonnegative(design, target, prior=prior)
        # For a class that none of these networks has, its group's coefficient is used.
        known = dict(zip(features, theta.tolist()))
        by_group = dict(zip(groups, coarse.tolist()))

        def predict(case: Case) -> float:
            asked = _features([case])
            rates = [known.get(f, by_group.get(_group(f))) for f in asked]
            if None in rates:
                missing = [f"{c} ({t})" for (t, c), r in zip(asked, rates) if r is None]
                raise CostModelError(
                    f"{case.name}: no network without its family has anything like "
                    f"{', '.join(missing)}"
                )
            return float(_design([case], asked)[0] @ np.array(rates, float))

        return predict

    def _prior(
        self, features: Sequence[Feature], coarse: dict[Feature, float]
    ) -> Prior:
        """Return each class's group as its centre.

        Weights and calls are groups by themselves and have no prior. A member of a
        group that costs nothing may still cost something, at the rate of convolutions.
        """
        centre = np.array([coarse[_group(f)] for f in features])
        deviation = self.deviation * centre
        some = max(coarse.get(("work", "conv"), 0.0), 1e-18)
        for i, feature in enumerate(features):
            if feature[0] in ("weight", "call"):
                deviation[i] = np.inf
            elif not centre[i]:
                deviation[i] = some
        return Prior(centre, deviation)


def _features(cases: Sequence[Case]) -> list[Feature]:
    """Return the features that any of the networks has."""
    kinds = sorted({kind for case in cases for kind in case.totals.classes})
    found = [("work", kind) for kind in kinds if kind in WORKING]
    found += [("byte", kind) for kind in kinds]
    return [*found, ("weight", ""), ("call", "")]


def _group(feature: Feature) -> Feature:
    term, kind = feature
    return (term, WORKING[kind] if term == "work" else "")


def _design(cases: Sequence[Case], features: Sequence[Feature]) -> Array:
    """Return a row per network and a column per feature."""
    index = {"work": 0, "byte": 1}
    none = (0, 0, 0, 0)
    rows = []
    for case in cases:
        classes = case.totals.classes
        whole = {
            "weight": sum(terms[2] for terms in classes.values()),
            "call": sum(terms[3] for terms in classes.values()),
        }
        rows.append([
            whole[term] if term in whole else classes.get(kind, none)[index[term]]
            for term, kind in features
        ])  # fmt: skip
    return np.array(rows, float)

"""Coefficients of classes from times of whole networks, not of single kernels.

Whole networks say little about a class that is a small part of all of them, and nothing
about one that only the held-out family has. So coefficients are fitted twice: a few for
groups of classes; then each class's own, regularized towards its group's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.errors import CostModelError
from costmodel.runtime.profile.least_squares import SOFT, Array, Prior, nonnegative
from costmodel.runtime.validate.baselines import Case, Model


WORKING = {
    "conv": "conv",
    "stem_conv": "conv",
    "transposed_conv": "conv",
    "conv_native": "conv",
    "pointwise_conv": "product",
    "pointwise_conv_native": "product",
    "gemm": "product",
    "gemv": "product",
    "grouped_conv": "grouped",
    "uneven_grouped_conv": "grouped",
    "grouped_conv_native": "grouped",
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
    """Σ over classes of a·work + b·bytes, plus c·weight bytes, plus d·calls.

    ``scale`` is the relative error from which on errors count by their size alone.
    """

    name: str = "costmodel, by class"
    deviation: float = DEVIATION
    scale: float = SOFT

    def fit(self, cases: Sequence[Case]) -> Model:
        """Return the sum that fits best, classes regularized towards their groups."""
        if not cases:
            raise CostModelError(f"{self.name}: there is nothing to be fitted to")
        features = features_of({kind for case in cases for kind in case.totals.classes})
        target = np.array([case.seconds for case in cases])
        known, by_group = self.coefficients(features, _design(cases, features), target)
        # For a class that none of these networks has, its group's coefficient is used.

        def predict(case: Case) -> float:
            asked = features_of(case.totals.classes)
            rates = [known.get(f, by_group.get(_group(f))) for f in asked]
            if None in rates:
                missing = [f"{c} ({t})" for (t, c), r in zip(asked, rates) if r is None]
                raise CostModelError(
                    f"{case.name}: no network without its family has anything like "
                    f"{', '.join(missing)}"
                )
            return float(_design([case], asked)[0] @ np.array(rates, float))

        return predict

    def coefficients(
        self, features: Sequence[Feature], design: Array, target: Array
    ) -> tuple[dict[Feature, float], dict[Feature, float]]:
        """Return a coefficient for each feature, a column of ``design``; and by group.

        **Units**: seconds per unit of the feature; ``target`` is in seconds.
        """
        groups = list(dict.fromkeys(map(_group, features)))
        member = np.array([[_group(f) == g for g in groups] for f in features], float)
        coarse = nonnegative(design @ member, target, scale=self.scale)
        by_group = dict(zip(groups, coarse.tolist()))
        prior = self._prior(features, by_group)
        theta = nonnegative(design, target, scale=self.scale, prior=prior)
        return dict(zip(features, theta.tolist())), by_group

    def _prior(
        self, features: Sequence[Feature], coarse: Mapping[Feature, float]
    ) -> Prior:
        """Return each class's group as its centre.

        Weights and calls are groups by themselves and have no prior. A member of a
        group that costs nothing may still cost something, at the rate of convolutions.
        """
        centre = np.array([coarse[_group(f)] for f in features])
        some = max(coarse.get(("work", "conv"), 0.0), 1e-18)
        deviation = self.deviation * np.where(centre > 0, centre, some)
        deviation[[term in ("weight", "call") for term, _ in features]] = np.inf
        return Prior(centre, deviation)


def features_of(classes: Iterable[str]) -> list[Feature]:
    """Return the features of networks that have some classes."""
    kinds = sorted(classes)
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

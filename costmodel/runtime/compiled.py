"""A profile of compiled networks: eager kernels times a factor, weights laid out anew.

``torch.compile`` makes one kernel of several operators, and none of them can be timed
by itself. Whole networks can: they tell what all their kernels take together, against
what the same kernels take eagerly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from costmodel.network.graph import Network
from costmodel.runtime.left_out import FOLDS, Sample, folds, judged
from costmodel.runtime.predict import predict
from costmodel.runtime.profile import UNJUDGED, Coefficients, LeftOut, Profile
from costmodel.runtime.profile.fit import classes, grouped
from costmodel.runtime.profile.least_squares import nonnegative
from costmodel.runtime.profile.peaks import rounded
from costmodel.runtime.setting import Setting
from costmodel.runtime.validate.baselines import Case


WINDOWS = ("conv", "stem_conv", "conv_native", "depthwise_conv", "grouped_conv",
           "uneven_grouped_conv", "grouped_conv_native")  # fmt: skip
"""Classes whose weights have another layout in memory where channels come last."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A network that was compiled and measured as a whole."""

    case: Case
    network: Network


def eager(setting: Setting) -> Setting:
    """Return the setting whose kernels compiled ones are compared with.

    **Source**: PyTorch, ``torch/_inductor/graph.py``, ``decide_layout_opt``: a network
    with convolutions is run with channels last, whatever its layout is.
    """
    return replace(setting, mode="eager", layout="channels_last")


def against(
    samples: Sequence[Sample], wholes: Sequence[Whole], setting: Setting
) -> tuple[dict[str, Coefficients], float]:
    """Return the coefficients of every class, and the factor of their sum.

    ``samples`` are drawn networks, timed operator by operator, eagerly; ``wholes``
    some of them, compiled. A compiled network lays out the weights of convolutions
    with windows in each call: two numbers are fitted, the factor and seconds for each
    byte of these.
    """
    found = classes(grouped(row for one in samples for row in one.timed))
    base = Profile("", setting, found)
    inside = [float(predict(one.network, base)) for one in wholes]
    weights = [
        sum(t[2] for kind, t in one.case.totals.classes.items() if kind in WINDOWS)
        for one in wholes
    ]
    seconds = np.array([one.case.seconds for one in wholes])
    design = np.column_stack([inside, weights])
    factor, anew = map(float, nonnegative(design, seconds))
    factor = factor or 1.0
    known = {kind: found[base.class_of(kind)] for kind in {*found, "fused"}}
    return {
        kind: _dearer(one, anew / factor) if kind in WINDOWS else one
        for kind, one in sorted(known.items())
    }, factor


def judge(
    samples: Sequence[Sample], wholes: Sequence[Whole], setting: Setting
) -> tuple[float, LeftOut | None]:
    """Return the interval's factor, and the errors of networks that were left out.

    A network is left out of both, as in :func:`costmodel.runtime.left_out.left_out`.
    """
    if len(wholes) < FOLDS:
        return UNJUDGED, None
    told: dict[str, float] = {}
    for out in folds(len(wholes)):
        gone = {wholes[number].case.name for number in out}
        found, factor = against(
            [one for one in samples if one.case.name not in gone],
            [one for one in wholes if one.case.name not in gone],
            setting,
        )
        profile = Profile("", setting, found, overhead=factor)
        for number in out:
            one = wholes[number]
            told[one.case.name] = float(predict(one.network, profile))
    return judged([one.case for one in wholes], told, {})


def _dearer(found: Coefficients, weight_byte: float) -> Coefficients:
    """Return coefficients with more seconds for each byte of weights, in all parts."""
    parts = tuple(_dearer(part, weight_byte) for part in found.parts)
    more = rounded(found.weight_byte + weight_byte)
    return replace(found, weight_byte=more, parts=parts)

"""On this very machine: what is predicted to take longer does. Ranks, and no times."""

from __future__ import annotations

from itertools import combinations

import pytest

from costmodel.network.graph import Network
from costmodel.runtime.measure.measure import Plan, measure_all, setting_of
from costmodel.runtime.measure.prepare import Job
from costmodel.runtime.predict import predict
from costmodel.runtime.profile import Profile, profiles
from costmodel.runtime.random_networks import drawn


APART = 1.5
"""Pairs are compared whose predictions differ by this factor: far above any noise."""

COUNT = 12


def profile() -> Profile:
    """Return a shipped profile of one CPU thread; any machine's ranks networks."""
    setting = setting_of("cpu", "float32", "nchw", "eager", 1)
    for known in profiles().values():
        if (known.setting.device, known.setting.mode, known.setting.threads) == (
            setting.device, setting.mode, setting.threads,
        ) and known.setting.dtype == setting.dtype:  # fmt: skip
            return known
    pytest.skip("no profile of one CPU thread is shipped")


def networks() -> list[Network]:
    """Return generated networks that no profile was calibrated with."""
    return [drawn(index, seed=20_261_126) for index in range(COUNT)]


def agreement(predicted: list[float], measured: list[float]) -> tuple[float, int]:
    """Return Kendall's τ over well-separated pairs, and how many those are."""
    signs = [
        1 if (p - q) * (s - t) > 0 else -1
        for (p, s), (q, t) in combinations(zip(predicted, measured, strict=True), 2)
        if max(p, q) >= APART * min(p, q)
    ]
    return sum(signs) / len(signs), len(signs)


def test_measured_ranks_follow_predicted_ones() -> None:
    known, nets = profile(), networks()
    predicted = [float(predict(net, known)) for net in nets]
    setting = setting_of("cpu", "float32", "nchw", "eager", 1)
    jobs = [Job(net.name, net, int(net.batch)) for net in nets]
    measured = [m.seconds for m in measure_all(jobs, setting, Plan(3, together=COUNT))]
    tau, pairs = agreement(predicted, measured)
    assert pairs >= COUNT
    assert tau >= 0.9


def test_agreement_is_kendalls() -> None:
    assert agreement([1, 2, 4], [1, 2, 3]) == (1.0, 3)
    assert agreement([1, 2, 4], [3, 2, 1]) == (-1.0, 3)
    assert agreement([1, 1.1, 4], [2, 1, 3]) == (1.0, 2)

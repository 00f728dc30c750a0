"""Fits of classes of kernels: known coefficients come back, outliers or not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.runtime.profile import TERMS, Profile
from costmodel.runtime.profile.fit import (
    ENOUGH,
    Timed,
    coefficients_of,
    fit,
    log_errors,
)
from costmodel.runtime.setting import Setting
from tests.runtime.devices import timed, truth


TRUTHS = st.lists(st.floats(0.01, 100), min_size=4, max_size=4)


def rows(seed: int, count: int = 60) -> np.ndarray:
    """Return features over four orders of magnitude, and a call each."""
    random = np.random.default_rng(seed)
    features = 10 ** random.uniform(-2, 2, size=(count, 3))
    return np.column_stack([features, np.ones(count)])


def nets(sides: tuple[int, ...] = (96, 160, 224)) -> list[cm.Network]:
    """Return a few networks of different layers and sizes."""
    names = ("resnet50", "mobilenet_v2", "googlenet", "densenet121")
    return [cm.load(n, resolution=s, batch=1) for n in names for s in sides]


def fitted(found: list[Timed]) -> Profile:
    return fit(found, Setting(), name="fitted", overhead=1.1)


@settings(max_examples=40)
@given(TRUTHS, st.integers(0, 99))
def test_known_coefficients_come_back(values: list[float], seed: int) -> None:
    features, known = rows(seed), np.array(values)
    found = coefficients_of(features, features @ known)
    errors = np.abs(log_errors(features, features @ known, found))
    assert errors.max() < 0.02
    assert (found >= 0).all()


@settings(max_examples=40)
@given(TRUTHS, st.integers(0, 99))
def test_a_tenth_of_outliers_changes_little(values: list[float], seed: int) -> None:
    features, known = rows(seed), np.array(values)
    seconds = features @ known
    spoiled = seconds * np.where(np.arange(len(seconds)) % 10 == 0, 20.0, 1.0)
    found = coefficients_of(features, spoiled)
    assert np.median(np.abs(log_errors(features, seconds, found))) < 0.05


@settings(max_examples=40)
@given(TRUTHS, st.integers(0, 99), st.floats(1e-9, 1e9))
def test_a_change_of_units_changes_only_units(
    values: list[float], seed: int, unit: float
) -> None:
    features = rows(seed)
    seconds = features @ np.array(values) * (1 + 0.1 * np.sin(np.arange(60)))
    one = coefficients_of(features, seconds)
    other = coefficients_of(features, seconds * unit) / unit
    assert (features @ other) == pytest.approx(features @ one, rel=1e-3)


def test_a_feature_that_never_occurs_costs_nothing() -> None:
    features = rows(0)
    features[:, 2] = 0
    assert coefficients_of(features, features @ np.ones(4))[2] == 0


def test_a_fit_to_exact_times_predicts_them() -> None:
    found = timed(nets())
    profile = fitted(found)
    for one in found:
        kernel, values = one.kernel, profile.coefficients[one.kernel.kind].values
        terms = (
            kernel.work,
            kernel.activation_bytes,
            kernel.weight_bytes,
            kernel.calls,
        )
        guess = sum(a * float(b) for a, b in zip(values, terms))
        assert guess == pytest.approx(one.seconds, rel=0.1)
    totals = profile.spread
    assert totals < 0.01


def test_rates_that_measurements_tell_come_back_within_their_errors() -> None:
    # Errors come from networks drawn anew: of three that have a class, they say little.
    sides = tuple(range(80, 240, 16))
    profile = fitted(timed(nets(sides), noise=0.05))
    checked = 0
    for kind, found in profile.coefficients.items():
        for number, term in enumerate(TERMS):
            error = found.errors[number]
            is_told = term in found.identified and error > 0
            if is_told and error < 0.1 * found.values[number]:
                checked += 1
                off = abs(found.values[number] - truth(kind)[number])
                assert off < max(5 * error, 0.1 * found.values[number])
    assert checked >= 5


def test_the_residual_is_the_noise_of_the_measurements() -> None:
    profile = fitted(timed(nets(), noise=0.08))
    common = profile.coefficients["batch_norm"]
    assert common.samples >= ENOUGH
    assert common.residual == pytest.approx(0.08, rel=0.2)


def test_the_box_is_what_was_calibrated() -> None:
    found = timed(nets())
    box = fitted(found).box
    for one in found:
        for feature, (low, high) in box[one.kernel.kind].items():
            assert low <= getattr(one.kernel, feature) <= high


def test_proportional_terms_are_not_settled_and_the_profile_says_so() -> None:
    profile = fitted(timed(nets(), noise=0.02))
    assert {"work", "activation_byte"} <= set(profile.coefficients["relu"].unidentified)
    assert any(note.startswith("relu: work, activation_byte") for note in profile.notes)


def test_few_kernels_settle_nothing_and_the_profile_says_so() -> None:
    few = [one for one in timed(nets()) if one.kernel.kind == "stem_conv"][:5]
    profile = fitted(few)
    assert profile.coefficients["stem_conv"].identified == ()
    assert profile.notes == ("stem_conv: only 5 kernels; at least 30 are needed",)


def test_a_fit_is_the_same_every_time_and_reads_back() -> None:
    found = timed(nets()[:4], noise=0.1)
    profile = fitted(found)
    assert fitted(list(found)) == profile == Profile.from_json(profile.to_json())


def test_what_has_no_class_says_nothing_of_copies() -> None:
    found = timed(nets()[:2])
    odd = replace(found[0].kernel, kind="copy", is_modelled=False)
    assert fitted([*found, Timed("net", odd, 1.0)]) == fitted(found)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_time_is_refused(seconds: float) -> None:
    (one, *_) = timed(nets()[:1])
    with pytest.raises(cm.CostModelError, match="fit: stem_conv of resnet50-0, node"):
        fitted([replace(one, seconds=seconds)])


def test_nothing_cannot_be_fitted() -> None:
    with pytest.raises(cm.CostModelError, match="fit: no kernel was timed"):
        fitted([])


def test_peaks_are_rates_that_last_not_those_of_single_kernels() -> None:
    found = timed(nets())
    calm = fitted(found)
    norms = [n for n, one in enumerate(found) if one.kernel.kind == "batch_norm"]
    for number in norms[:3]:  # three slips of the clock
        found[number] = replace(found[number], seconds=found[number].seconds / 100)
    assert fitted(found).peak_byte_per_s == pytest.approx(
        calm.peak_byte_per_s, rel=0.05
    )
    fastest = max(1 / truth(kind)[1] for kind in calm.coefficients)
    assert 0 < calm.peak_byte_per_s < fastest

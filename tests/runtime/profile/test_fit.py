"""Fits of classes of kernels: known coefficients come back, outliers or not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.runtime.kernels.kernel import NUMBERS
from costmodel.runtime.profile import Coefficients
from costmodel.runtime.profile.fit import Rows, Timed, classes, grouped, predicted
from costmodel.runtime.profile.least_squares import nonnegative
from costmodel.runtime.profile.peaks import peaks
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


def fitted(found: list[Timed]) -> dict[str, Coefficients]:
    return classes(grouped(found))


def off(features: np.ndarray, seconds: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return how far off each row is, a share of its seconds."""
    return np.abs(features @ found / seconds - 1)


@settings(max_examples=40)
@given(TRUTHS, st.integers(0, 99))
def test_known_coefficients_come_back(values: list[float], seed: int) -> None:
    features, known = rows(seed), np.array(values)
    found = nonnegative(features, features @ known)
    assert off(features, features @ known, found).max() < 0.01


@settings(max_examples=40)
@given(TRUTHS, st.integers(0, 99))
def test_a_tenth_of_outliers_changes_little(values: list[float], seed: int) -> None:
    features, known = rows(seed), np.array(values)
    seconds = features @ known
    spoiled = seconds * np.where(np.arange(len(seconds)) % 10 == 0, 20.0, 1.0)
    found = nonnegative(features, spoiled)
    assert np.median(off(features, seconds, found)) < 0.05


@settings(max_examples=40)
@given(TRUTHS, st.integers(0, 99), st.floats(1e-9, 1e9))
def test_a_change_of_units_changes_only_units(
    values: list[float], seed: int, unit: float
) -> None:
    features = rows(seed)
    seconds = features @ np.array(values) * (1 + 0.1 * np.sin(np.arange(60)))
    one = nonnegative(features, seconds)
    other = nonnegative(features, seconds * unit) / unit
    assert (features @ other) == pytest.approx(features @ one, rel=1e-3)


def drawn_rows(seed: int, limit: int | None = None, noise: float = 0.0) -> Rows:
    """Return a class of kernels; those with larger windows are five times as slow."""
    random = np.random.default_rng(seed)
    features = np.column_stack([10 ** random.uniform(-2, 2, (300, 3)), np.ones(300)])
    numbers = np.floor(10 ** random.uniform(0, 3, (300, len(NUMBERS))))
    seconds = features @ np.array([1.0, 0.3, 2.0, 0.5])
    if limit is not None:
        window = numbers[:, NUMBERS.index("window")]
        seconds = np.where(window <= limit, seconds, 5 * seconds)
    seconds *= np.exp(noise * random.normal(size=300))
    return Rows(features, numbers, seconds, np.repeat(np.arange(60), 5).astype(str))


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(3, 300))
def test_a_class_is_split_where_its_kernels_differ(seed: int, limit: int) -> None:
    known = drawn_rows(seed, limit, noise=0.1)
    (found,) = classes({"conv": known}).values()
    assert found.split == "window"
    window = np.unique(known.numbers[:, NUMBERS.index("window")])
    below, above = window[window <= limit].max(), window[window > limit].min()
    assert below <= found.limit < above
    exact = drawn_rows(seed, limit)
    assert np.median(np.abs(predicted(found, exact) / exact.seconds - 1)) < 0.05


@settings(max_examples=20)
@given(st.integers(0, 999))
def test_splits_that_chance_suggests_do_no_harm(seed: int) -> None:
    noisy, exact = drawn_rows(seed, noise=0.1), drawn_rows(seed)
    (found,) = classes({"conv": noisy}).values()
    assert np.median(np.abs(predicted(found, exact) / exact.seconds - 1)) < 0.05


def test_parts_are_as_many_as_their_kernels() -> None:
    (found,) = classes({"conv": drawn_rows(3, 30, noise=0.3)}).values()
    assert sum(leaf.samples for leaf in found.leaves) == found.samples == 300
    assert len(found.leaves) > 1


def test_a_fit_to_exact_times_predicts_them() -> None:
    found = timed(nets())
    groups = grouped(found)
    for kind, fit in fitted(found).items():
        seconds = groups[kind].seconds
        assert predicted(fit, groups[kind]) == pytest.approx(seconds, rel=0.1)


def test_the_residual_is_the_noise_of_the_measurements() -> None:
    common = fitted(timed(nets(), noise=0.08))["batch_norm"]
    assert common.samples > 100
    # Half of all normal errors are below 0.67 standard deviations.
    assert common.residual == pytest.approx(0.6745 * 0.08, rel=0.2)


def test_the_box_is_what_was_calibrated() -> None:
    found = timed(nets())
    box = {kind: rows.box for kind, rows in grouped(found).items()}
    for one in found:
        for feature, (low, high) in box[one.kernel.kind].items():
            assert low <= getattr(one.kernel, feature) <= high


def test_a_fit_is_the_same_every_time() -> None:
    found = timed(nets()[:4], noise=0.1)
    assert fitted(list(found)) == fitted(found)


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
    calm = peaks(grouped(found))["peak_byte_per_s"]
    norms = [n for n, one in enumerate(found) if one.kernel.kind == "batch_norm"]
    for number in norms[:3]:  # three slips of the clock
        found[number] = replace(found[number], seconds=found[number].seconds / 100)
    assert peaks(grouped(found))["peak_byte_per_s"] == pytest.approx(calm, rel=0.05)
    fastest = max(1 / truth(kind)[1] for kind in grouped(found))
    assert 0 < calm < fastest

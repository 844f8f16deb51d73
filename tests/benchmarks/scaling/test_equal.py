"""Accuracy where two spend the same: interpolation, and the paired bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.evaluation.bootstrap import Resamples
from benchmarks.evaluation.coverage import Floats
from benchmarks.scaling.equal import Measured, against, interpolated

SIZE = 200
RESAMPLES = Resamples(SIZE, 7, 500)
RNG = np.random.default_rng(7)


def made(right: Floats, tokens: Floats | float) -> Measured:
    spent = np.broadcast_to(np.asarray(tokens, float), right.shape)
    return Measured("made", right, spent, np.ones(SIZE), np.ones(SIZE))


def share(right: float) -> Floats:
    """Of the problems, the first `right` are right."""
    return (np.arange(SIZE) < right * SIZE).astype(float)


CURVE = [made(share(0.4), 100.0), made(share(0.5), 200.0), made(share(0.7), 800.0)]


@pytest.mark.parametrize(
    ("wanted", "accuracy"),
    [(100, 0.4), (200, 0.5), (400, 0.6), (800, 0.7), (200**0.5 * 10, 0.45), (1, 0.4), (9e9, 0.7)],
)
def test_between_points_accuracy_is_linear_in_the_logarithm_of_tokens(
    wanted: float, accuracy: float
) -> None:
    tokens, heights = np.array([800.0, 100, 200]), np.array([0.7, 0.4, 0.5])
    assert interpolated(tokens, heights, wanted) == pytest.approx(accuracy)


def test_a_point_of_the_curve_is_level_with_it_in_every_resample() -> None:
    found = against(CURVE[1], "curve", CURVE, RESAMPLES)
    assert found.difference.value == pytest.approx(0)
    assert found.difference.low == pytest.approx(0)
    assert found.difference.high == pytest.approx(0)
    assert found.baseline == pytest.approx(0.5)
    assert found.place == "within"


def test_the_difference_is_that_to_the_curve_at_the_same_tokens() -> None:
    found = against(made(share(0.7), 400.0), "curve", CURVE, RESAMPLES)
    assert found.difference.value == pytest.approx(0.1)
    assert 0 < found.difference.low < 0.1 < found.difference.high


def test_pairing_sees_what_unpaired_noise_would_hide() -> None:
    # Right on the same problems and on eight more: small beside the noise of 200 problems.
    found = against(made(share(0.54), 200.0), "curve", CURVE, RESAMPLES)
    assert found.difference.value == pytest.approx(0.04)
    assert found.difference.low > 0
    elsewhere = RNG.permutation(share(0.54))
    unpaired = against(made(elsewhere, 200.0), "curve", CURVE, RESAMPLES)
    assert unpaired.difference.value == pytest.approx(0.04)
    assert unpaired.difference.low < 0


def test_tokens_are_resampled_too() -> None:
    # Few dear problems decide the mean: the point on the curve moves with them.
    spent = np.where(np.arange(SIZE) % 20 == 0, 3_000.0, 100.0)
    fixed = against(made(share(0.5), float(spent.mean())), "curve", CURVE, RESAMPLES)
    moving = against(made(share(0.5), spent), "curve", CURVE, RESAMPLES)
    assert moving.difference.value == pytest.approx(fixed.difference.value)
    width, narrow = (e.difference.high - e.difference.low for e in (moving, fixed))
    assert width > narrow


@pytest.mark.parametrize(
    ("tokens", "place", "accuracy"), [(50, "below", 0.4), (900, "beyond", 0.7)]
)
def test_outside_the_curve_its_end_is_taken_and_told(
    tokens: float, place: str, accuracy: float
) -> None:
    found = against(made(share(0.6), tokens), "curve", CURVE, RESAMPLES)
    assert found.place == place
    assert found.baseline == pytest.approx(accuracy)


def test_a_failed_request_is_wrong_and_its_cost_unknown() -> None:
    spent = np.where(np.arange(SIZE) == SIZE - 1, np.nan, 200.0)
    found = against(made(share(0.5), spent), "curve", CURVE, RESAMPLES)
    assert found.difference.value == pytest.approx(0)

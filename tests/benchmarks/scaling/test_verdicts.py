"""What a comparison says in words."""

from __future__ import annotations

import pytest

from benchmarks.evaluation.bootstrap import Estimate
from benchmarks.scaling.equal import Against, Place
from benchmarks.scaling.verdicts import BEATS, NOT, verdict


def found(
    low: float, value: float, high: float, *, baseline: float = 0.5, place: Place = "within"
) -> Against:
    return Against(f"at {baseline}", Estimate(value, low, high), baseline, place)


@pytest.mark.parametrize(
    ("compared", "begins"),
    [
        ([found(0.01, 0.05, 0.1)], BEATS + ":"),
        ([found(0.01, 0.05, 0.1), found(0.02, 0.1, 0.2, baseline=0.4)], BEATS + ":"),
        ([found(-0.01, 0.05, 0.1)], NOT + " beyond doubt:"),
        # One curve that it does not clear is enough.
        ([found(-0.01, 0.05, 0.1), found(0.02, 0.1, 0.2, baseline=0.4)], NOT + " beyond doubt:"),
        ([found(0.0, 0.0, 0.0)], NOT + ":"),
        ([found(-0.1, -0.05, 0.1)], NOT + ":"),
        ([found(-0.1, -0.05, -0.01)], NOT + "; it is worse:"),
        ([found(-0.1, -0.05, -0.01), found(0.1, 0.2, 0.3, baseline=0.3)], NOT + "; it is worse:"),
        # More tokens than the curve has: a win there is none at equal tokens.
        ([found(0.1, 0.2, 0.3, place="beyond")], "spends more than repeated sampling was given"),
        ([found(0.1, 0.2, 0.3, place="below")], BEATS + ":"),
    ],
)
def test_only_an_interval_above_every_curve_is_a_win(compared: list[Against], begins: str) -> None:
    assert verdict(compared).startswith(begins)


def test_the_highest_curve_is_named_with_its_figures() -> None:
    said = verdict([found(-0.02, 0.1, 0.22, baseline=0.4), found(-0.123, -0.05, 0.021)])
    assert said == (f"{NOT}: -5.0 points against `at 0.5` at 50.0%, 95% interval -12.3 to +2.1.")


def test_less_than_one_sample_is_said() -> None:
    said = verdict([found(0.1, 0.2, 0.3, place="below")])
    assert said.endswith("It spends less than a single sample, and is compared with that.")

"""Intervals and laws against populations whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from benchmarks.evaluation.bootstrap import Resamples
from benchmarks.evaluation.coverage import Floats, solved, spread
from benchmarks.evaluation.laws import PowerLaw, fit_power, power_of_counts, tail_of_counts
from benchmarks.evaluation.problem import Problem
from benchmarks.evaluation.ranking import ranking
from benchmarks.evaluation.results import ARRAYS, Results


def test_the_bootstraps_interval_is_that_of_theory() -> None:
    """A mean's 95% interval is 1.96 standard errors to each side."""
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    estimate = Resamples(400, 3, 4000).mean(values)
    error = values.std() / 20.0
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert estimate.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(2)
    held = 0
    for repetition in range(300):
        estimate = Resamples(100, repetition, 400).mean((random.random(100) < 0.4).astype(float))
        held += estimate.low <= 0.4 <= estimate.high
    assert 0.91 <= held / 300 <= 0.98


def test_paired_differences_are_sharper_than_apart() -> None:
    random = np.random.default_rng(3)
    hard = random.random(300)
    one, other = (hard < 0.5).astype(float), (hard < 0.55).astype(float)
    resamples = Resamples(300, 1, 1000)
    difference, alone = resamples.mean(other - one), resamples.mean(one)
    assert difference.low > 0
    assert difference.high - difference.low < 0.5 * (alone.high - alone.low)


def test_resamples_repeat_by_seed() -> None:
    values = np.arange(10.0)
    assert Resamples(10, 4, 50).mean(values) == Resamples(10, 4, 50).mean(values)
    assert Resamples(10, 4, 50).mean(values) != Resamples(10, 5, 50).mean(values)


def test_nothing_known_is_nan_and_json_null() -> None:
    estimate = Resamples(3, 1, 10).mean(np.full(3, np.nan))
    assert estimate.json() == {"value": None, "low": None, "high": None}


def test_statistic_and_mean_see_the_same_resamples() -> None:
    resamples, values = Resamples(30, 1, 200), np.random.default_rng(4).random(30)
    by_index = resamples.statistic(lambda drawn: np.asarray(drawn.mean(axis=1)), values)
    by_weight = resamples.mean(values)
    assert by_index.low == pytest.approx(by_weight.low)
    assert by_index.high == pytest.approx(by_weight.high)


def test_the_power_law_is_found_where_it_holds() -> None:
    ks = np.array(spread(100), float)
    law = fit_power(ks, PowerLaw(-1.2, -0.45).at(ks))
    assert law.a == pytest.approx(-1.2, abs=1e-4)
    assert law.b == pytest.approx(-0.45, abs=1e-4)


@pytest.mark.parametrize("covered", [0.0, 1.0])
def test_the_power_law_of_all_or_nothing(covered: float) -> None:
    ks = np.array([1.0, 2.0, 4.0])
    assert fit_power(ks, np.full(3, covered)).at(np.array([1.0, 50.0])) == pytest.approx(covered)


pytestmark = pytest.mark.timeout(400)  # a busy machine has little to spare for plots and fits

POPULATIONS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "beta": lambda random, n: random.beta(0.5, 0.8, n),
    "hard": lambda random, n: random.beta(0.3, 2.0, n),
    "two kinds": lambda random, n: np.where(
        random.random(n) < 0.6, random.beta(6, 2, n), random.beta(0.7, 8, n)
    ),
    "log-normal": lambda random, n: np.minimum(1.0, np.exp(random.normal(-2.0, 1.5, n))),
    "logit-normal": lambda random, n: 1.0 / (1.0 + np.exp(-random.normal(-0.7, 1.8, n))),
}


def _errors(name: str, repetitions: int = 30, problems: int = 200) -> Floats:
    """Errors, in points, of both laws' forecasts of coverage@128 from 32 samples a problem."""
    random = np.random.default_rng(5)
    errors = []
    for _ in range(repetitions):
        chances = POPULATIONS[name](random, problems)
        counts = random.binomial(32, chances)
        truth = float((1.0 - (1.0 - chances) ** 128).mean())
        laws = (power_of_counts(counts, 32), tail_of_counts(counts, 32))
        errors.append([100 * (float(law.at(np.array([128.0]))[0]) - truth) for law in laws])
    return np.array(errors)


@pytest.mark.parametrize("name", POPULATIONS)
def test_the_tail_law_forecasts_without_much_bias(name: str) -> None:
    errors = _errors(name)[:, 1]
    assert abs(errors.mean()) < 1.6
    assert np.sqrt((errors**2).mean()) < 3.5


def _root(errors: Floats) -> float:
    return float(np.sqrt((errors**2).mean()))


def test_where_the_power_law_is_biased_the_tail_law_is_better() -> None:
    power, tail = _errors("log-normal").T
    assert power.mean() < -1.5
    assert _root(tail) < _root(power)


@pytest.mark.parametrize(("name", "share"), [("log-normal", 0.7), ("two kinds", 0.9)])
def test_the_end_of_the_curve_forecasts_better_than_the_whole(name: str, share: float) -> None:
    """On populations of which the power law is not true; their truth is known."""
    late = _errors(name)[:, 0]
    random, ks = np.random.default_rng(5), spread(32)
    whole = []
    for _ in range(30):
        chances = POPULATIONS[name](random, 200)
        covered = solved(random.binomial(32, chances), 32, ks).mean(axis=0)
        truth = float((1.0 - (1.0 - chances) ** 128).mean())
        law = fit_power(np.asarray(ks, float), covered)
        whole.append(100 * (float(law.at(np.array([128.0]))[0]) - truth))
    assert _root(late) < share * _root(np.array(whole))


def test_the_power_law_forecasts_a_beta_population_within_two_points() -> None:
    power = _errors("beta")[:, 0]
    assert abs(power.mean()) < 0.5
    assert np.sqrt((power**2).mean()) < 2.0


def test_the_tail_law_begins_where_the_data_end() -> None:
    random = np.random.default_rng(6)
    counts = random.binomial(32, random.beta(0.5, 0.8, 2000))
    law = tail_of_counts(counts, 32)
    at = law.at(np.array([31.0, 32.0, 64.0, 1e6]))
    assert np.isnan(at[0])
    assert at[1] == pytest.approx(solved(counts, 32, [32]).mean(), abs=0.005)
    assert at[1] < at[2] < at[3] <= 1.0


@pytest.mark.parametrize(("count", "covered"), [(0, 0.0), (32, 1.0)])
def test_the_tail_law_of_all_or_nothing(count: int, covered: float) -> None:
    law = tail_of_counts(np.full(50, count), 32)
    assert law.at(np.array([128.0]))[0] == pytest.approx(covered, abs=0.02)


def _scored(*problems: Sequence[tuple[bool, float | None]]) -> Results:
    nothing = np.zeros(len(problems))
    return Results(
        policy="a",
        problems=[Problem(id=str(n), question="?", answer="1") for n in range(len(problems))],
        drawn_right=[np.array([right for right, _ in each], bool) for each in problems],
        scores=[np.array([score for _, score in each], float) for each in problems],
        **dict.fromkeys(ARRAYS, nothing),
        stops={},
        degraded={},
        errors={},
    )


def test_auroc_counts_pairs_of_all_candidates_and_of_one_problem() -> None:
    easy = [(True, 0.9), (True, 0.8), (False, 0.95)]
    hard = [(False, 0.1), (True, 0.3), (False, 0.3), (False, None)]
    results = _scored(easy, hard)
    told = ranking(results, Resamples(2, 1, 200))
    assert told is not None
    # 3 right and 3 wrong: .9 and .8 are above .1 and .3, .3 above .1 and level with .3.
    assert told["all"] == pytest.approx((2 + 2 + 1.5) / 9)
    assert told["within"]["value"] == pytest.approx(1.5 / 4)


@pytest.mark.parametrize("score", [None, 0.5])
def test_auroc_is_not_told_without_scores_that_differ(score: float | None) -> None:
    results = _scored([(True, score), (False, score)])
    assert ranking(results, Resamples(1, 1, 200)) is None

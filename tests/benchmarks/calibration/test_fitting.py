"""Maps fitted to answers whose chances are known; everything is drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.calibration import errors
from benchmarks.calibration.fitting import fitted, told_by
from benchmarks.calibration.labelled import Answers, Verdicts
from benchmarks.calibration.shares import reliability, share, wilson

KEY = ("m", "r", "v")
Chance = Callable[[errors.Floats], errors.Floats]


def answers(n: int, chance: Chance, seed: int, *, step: float = 0.0) -> Answers:
    """`n` answers, with scores even in [0, 1] (or multiples of `step`), right by `chance`."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(size=n)
    scores = np.round(scores / step) * step if step else scores
    right = rng.uniform(size=n) < chance(scores)
    names = [str(i) for i in range(n)]
    return Answers(list(scores), list(right), [1] * n, names)


CHANCES: dict[str, Chance] = {
    "overconfident": lambda x: 0.3 + 0.4 * x,
    "step": lambda x: np.where(x > 0.6, 0.95, 0.2),
    "logistic": lambda x: 1 / (1 + np.exp(-(8 * x - 5))),
    "useless": lambda x: np.full_like(x, 0.4),
}


@pytest.mark.parametrize("name", sorted(CHANCES))
@pytest.mark.parametrize("step", [0.0, 1 / 16])
def test_probabilities_hold_on_answers_that_were_not_fitted(name: str, step: float) -> None:
    fit = fitted(KEY, answers(2000, CHANCES[name], 1, step=step), least=200, most_ece=0.05, seed=7)
    assert fit.map is not None
    assert fit.why == ""
    fresh = answers(4000, CHANCES[name], 2, step=step)
    scores, right = np.asarray(fresh.scores), np.asarray(fresh.right, float)
    told = told_by(fit.map, scores)
    assert errors.ece(told, right, np.ones(4000)) <= 0.05
    raw = errors.ece(np.clip(scores, 0, 1), right, np.ones(4000))
    if name != "logistic":
        assert raw > 0.1, "the score itself is no probability, or this test shows nothing"


@pytest.mark.parametrize("name", sorted(CHANCES))
def test_the_error_on_unseen_folds_is_that_on_fresh_answers(name: str) -> None:
    fit = fitted(KEY, answers(2000, CHANCES[name], 3), least=200, most_ece=1.0, seed=7)
    assert fit.map is not None
    fresh = answers(20000, CHANCES[name], 4)
    told = told_by(fit.map, np.asarray(fresh.scores))
    true_error = errors.ece(told, np.asarray(fresh.right, float), np.ones(20000))
    assert abs(fit.map.ece - true_error) < 0.03


def test_what_falls_with_the_score_is_told_as_level() -> None:
    fit = fitted(KEY, answers(1000, lambda x: 0.9 - 0.8 * x, 5), least=200, most_ece=1.0, seed=7)
    assert fit.map is not None
    told = told_by(fit.map, np.linspace(0, 1, 11))
    assert np.ptp(told) < 0.1
    assert told.mean() == pytest.approx(0.5, abs=0.05)


def test_no_finite_number_of_answers_makes_a_certainty() -> None:
    fit = fitted(
        KEY, answers(400, lambda x: np.where(x > 0.5, 1.0, 0.0), 6), least=200, most_ece=1.0, seed=7
    )
    assert fit.map is not None
    told = told_by(fit.map, np.linspace(0, 1, 101))
    assert 0 < told.min() < 0.02
    assert 0.98 < told.max() < 1


@pytest.mark.parametrize(
    ("n", "chance", "why"),
    [
        (150, CHANCES["step"], "needs 200 labels"),
        (400, lambda x: np.full_like(x, 0.01), "needs 10 right"),
    ],
)
def test_too_few_labels_make_no_map(n: int, chance: Chance, why: str) -> None:
    fit = fitted(KEY, answers(n, chance, 8), least=200, most_ece=0.05, seed=7)
    assert fit.why.startswith(why)


def test_a_map_that_does_not_hold_on_unseen_answers_is_refused() -> None:
    fit = fitted(KEY, answers(400, CHANCES["logistic"], 9), least=200, most_ece=1e-4, seed=7)
    assert fit.why == "its error is over 0.0001"


def test_answers_of_one_request_are_never_on_both_sides() -> None:
    """Each request's answers share one label: told apart only by memory of the other fold's."""
    rng = np.random.default_rng(10)
    scores, right, names = [], [], []
    for request in range(100):
        label, score = bool(rng.integers(2)), float(rng.uniform())
        for _ in range(10):
            scores.append(score)
            right.append(label)
            names.append(str(request))
    fit = fitted(KEY, Answers(scores, right, [1] * 1000, names), least=1, most_ece=1.0, seed=7)
    assert fit.map is not None
    assert fit.map.brier > 0.2, "a label that a score cannot foretell was foretold"


def test_counts_are_as_many_answers() -> None:
    one = Answers([0.2, 0.8] * 2, [True, True, False, False], [300, 800, 700, 200], ["a", "b"] * 2)
    fit = fitted(KEY, one, least=200, most_ece=0.05, seed=7)
    assert (fit.n, fit.why) == (2000, "")
    assert fit.map is not None
    assert fit.map.probability(0.2) == pytest.approx(0.3, abs=0.05)
    assert fit.map.probability(0.8) == pytest.approx(0.8, abs=0.05)


def test_the_error_of_exact_probabilities_is_the_floor() -> None:
    told = np.random.default_rng(11).uniform(size=500)
    found = errors.floor(told, np.ones(500), 1)
    right = np.random.default_rng(12).uniform(size=(200, 500)) < told
    seen = np.mean([errors.ece(told, each.astype(float), np.ones(500)) for each in right])
    assert found == pytest.approx(seen, rel=0.1)


def test_the_error_is_the_textbooks() -> None:
    told = np.array([0.15, 0.15, 0.95, 0.95])
    right = np.array([0.0, 1.0, 1.0, 1.0])
    assert errors.ece(told, right, np.ones(4)) == pytest.approx(0.5 * 0.35 + 0.5 * 0.05)
    assert errors.brier(told, right, np.ones(4)) == pytest.approx(
        (0.0225 + 0.7225 + 0.0025 + 0.0025) / 4
    )


def test_wilsons_interval_is_the_textbooks() -> None:
    assert wilson(0.9, 10) == pytest.approx((0.59585, 0.98212), abs=1e-4)
    assert wilson(1.0, 10)[0] == pytest.approx(0.72247, abs=1e-4)


def test_completeness_and_soundness_are_found_with_honest_intervals() -> None:
    """Of 300 runs with candidates alike within a request, about 95% hold the truth."""
    rng = np.random.default_rng(13)
    held = 0
    for _ in range(300):
        counts = []
        for _ in range(60):
            chance = rng.beta(2, 2)  # of mean .5, shared by a request's eight candidates
            yes = int(rng.binomial(8, chance))
            counts.append((yes, 8 - yes))
        found = share(counts)
        assert found is not None
        held += found.low <= 0.5 <= found.high
    assert 0.9 <= held / 300 <= 0.99


def test_verdicts_are_counted_against_labels() -> None:
    cells = {
        str(i): {(True, True): 9, (False, True): 1, (True, False): 2, (False, False): 8}
        for i in range(5)
    }
    found = reliability(KEY, Verdicts(cells))
    assert found is not None
    assert (found.completeness.share, found.soundness.share) == (0.9, 0.8)
    assert (found.completeness.n, found.soundness.n, found.n) == (50, 50, 100)
    assert reliability(KEY, Verdicts({"1": {(True, True): 3}})) is None, "nothing wrong was seen"

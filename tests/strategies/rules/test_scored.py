"""Rules that go by a reward: Pandora's boxes, BEACON, threshold rejection."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t as student

from gateway import Score
from strategies.rules import Draw, Rule, Seen, Setting, Stop
from strategies.rules.beacon import beacon, gains
from strategies.rules.pandora import pandora, reservation
from strategies.rules.reroll import accuracy, calls, reroll

N = 32
Floats = NDArray[np.float64]


def told(*values: float) -> list[Seen]:
    return [Seen(Score(value)) for value in values]


def drawn(rule: Rule, values: list[float]) -> int:
    """How many of `values`, in order, the rule looks at."""
    seen = 0
    while seen < len(values) and isinstance(draw := rule.ask(), Draw):
        seen = min(len(values), seen + draw.n)
        rule.tell(told(*values[:seen]))
    return seen


def test_the_reservation_value_is_what_another_draw_is_worth() -> None:
    """Of exponential rewards, E[max(0, next - t)] is the price at t."""
    random = np.random.default_rng(1)
    values = random.exponential(0.3, 4001)
    for price in (0.01, 0.03, 0.1):
        t = reservation(list(values), price)
        fresh = random.exponential(0.3, 1_000_000)
        assert np.maximum(0, fresh - t).mean() == pytest.approx(price, rel=0.1)


def test_a_price_above_what_any_draw_brings_stops_at_once() -> None:
    assert reservation([1.0, 2.0, 3.0], 100.0) == 2.0
    assert reservation([1.0, 1.0], 0.1) == 1.0
    rule = pandora(Setting(N), price=100.0, relative=False)
    assert drawn(rule, [0.1, 0.2, 0.3, 0.4]) == 3
    stop = rule.ask()
    assert isinstance(stop, Stop)
    assert (stop.reason, stop.evidence) == ("not_worth_more", {"best": 0.3, "reservation": 0.2})


SCALED: tuple[Callable[[Setting], Rule], ...] = (pandora, beacon)


@pytest.mark.parametrize("made", SCALED)
def test_scale_and_place_of_the_rewards_do_not_matter(made: Callable[[Setting], Rule]) -> None:
    values = list(np.random.default_rng(2).normal(size=N))
    counts = {
        drawn(made(Setting(N)), [scale * value + shift for value in values])
        for scale, shift in ((1, 0), (64, -8), (0.125, 3))
    }
    assert len(counts) == 1
    assert counts.pop() < N


def worth(rows: Floats, counts: list[int], price: float) -> float:
    """The best reward less what was paid, on average."""
    pairs = zip(rows, counts, strict=True)
    return statistics.fmean(float(row[:n].max()) - price * n for row, n in pairs)


@pytest.mark.parametrize(
    ("rule", "exponential"),
    [
        (pandora(Setting(N), price=0.2, relative=False), True),
        (beacon(Setting(N), price=0.1, relative=False), False),
    ],
    ids=["pandora", "beacon"],
)
def test_online_it_is_worth_more_than_any_fixed_number(rule: Rule, exponential: bool) -> None:
    """Without the distribution, nor its scale, which differs by problem: each has its own price."""
    random = np.random.default_rng(4)
    scale = random.choice([0.2, 1.0, 5.0], (300, 1))
    shape = (300, N)
    rows = scale * (random.exponential(1, shape) if exponential else random.normal(size=shape))
    price = 0.2 if exponential else 0.1
    counts = [drawn(_fresh(rule), list(row)) for row in rows]
    fixed = max(worth(rows, [n] * len(rows), price) for n in range(1, N + 1))
    assert worth(rows, counts, price) > fixed + 0.1


def _fresh(rule: Rule) -> Rule:
    rule.tell([])
    return rule


def test_beacon_expects_of_the_next_what_a_student_distribution_does() -> None:
    values = [0.1, 0.4, -0.3, 0.9, 0.2, 0.5, -0.1, 0.3]
    spread = statistics.stdev(values) * math.sqrt(1 + 1 / len(values))
    drawn = student.rvs(len(values) - 1, size=1_000_000, random_state=3)
    rise = np.maximum(0, statistics.fmean(values) + spread * drawn - max(values)).mean()
    [gain] = gains(values, [1])
    assert gain == pytest.approx(rise, rel=0.15)
    assert gains([0.5, 0.5, 0.5], [1, 4]) == [0.0, 0.0]


@pytest.mark.parametrize("made", [pandora, beacon, reroll])
def test_what_could_not_be_judged_stops_nothing(made: Callable[[Setting], Rule]) -> None:
    assert drawn(made(Setting(N)), [math.nan] * N) == N


def test_rejection_takes_the_first_that_is_good_enough() -> None:
    rule = reroll(Setting(N), threshold=0.5)
    assert drawn(rule, [0.1, math.nan, 0.5, 0.9]) == 3
    assert rule.ask() == Stop("accepted", {"threshold": 0.5})


def test_rejection_is_as_right_and_as_dear_as_its_formula() -> None:
    random = np.random.default_rng(6)
    for true_rate, false_rate, share in ((0.8, 0.1, 0.4), (0.5, 0.05, 0.2)):
        right = random.random((6000, 200)) < share
        passes = random.random(right.shape) < np.where(right, true_rate, false_rate)
        first = [
            drawn(reroll(Setting(200), threshold=1), list(row.astype(float))) for row in passes
        ]
        hits = np.mean([row[count - 1] for row, count in zip(right, first, strict=True)])
        assert hits == pytest.approx(accuracy(true_rate, false_rate, share), abs=0.02)
        assert np.mean(first) == pytest.approx(calls(true_rate, false_rate, share), rel=0.05)
    assert (accuracy(0, 0, 0.5), calls(0, 0, 0.5)) == (0.0, math.inf)


def test_rejection_is_as_good_as_best_of_n_at_equal_cost() -> None:
    """On normal scores, one deviation and a half apart for right and wrong, at several costs."""
    random = np.random.default_rng(8)
    right = random.random((4000, 120)) < 0.3
    scores = random.normal(size=right.shape) + 1.5 * right
    best = {n: np.mean([r[s[:n].argmax()] for r, s in zip(right, scores, strict=True)])
            for n in (2, 3, 4, 6, 8)}  # fmt: skip
    for threshold in (0.8, 1.3, 1.7):
        passes = scores >= threshold
        first = np.where(passes.any(1), passes.argmax(1), scores.argmax(1))
        cost = np.where(passes.any(1), first + 1, scores.shape[1])
        for row, count in list(zip(scores, cost, strict=True))[:50]:
            rule = reroll(Setting(120), threshold=threshold)
            assert drawn(rule, list(row)) == count
        fixed = np.interp(cost.mean(), list(best), list(best.values()))
        assert right[np.arange(len(right)), first].mean() > fixed - 0.01

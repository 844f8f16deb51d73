"""Draws: repeatable, fair, and distinct in a call."""

from __future__ import annotations

from collections import Counter

from gateway.backends.replay.draws import Draws, shuffled
from gateway.backends.replay.records import Problem
from gateway.calls import seed_of

TEN = Problem("sums/0", None, tuple((str(j), j) for j in range(10)))
OTHER = Problem("sums/1", None, TEN.answers)


def test_under_a_seed_a_draw_depends_on_seed_and_problem_alone() -> None:
    draws, again = Draws(), Draws()
    first = draws.take("m", TEN, 4, 7)
    draws.take("m", TEN, 3, None)
    assert draws.take("m", TEN, 4, 7) == first == again.take("other", TEN, 4, 7)
    assert draws.take("m", TEN, 10, 7)[:4] == first
    assert draws.take("m", OTHER, 10, 7) != draws.take("m", TEN, 10, 7)
    assert draws.take("m", TEN, 10, 8) != draws.take("m", TEN, 10, 7)


def test_one_call_has_distinct_choices_that_come_round_again() -> None:
    drawn = Draws().take("m", TEN, 23, 7)
    assert sorted(drawn[:10]) == list(range(10))
    assert drawn[10:20] == drawn[:10]
    assert drawn[20:] == drawn[:3]


def test_calls_without_a_seed_walk_through_one_shuffle_of_each_problem() -> None:
    draws = Draws(5)
    walked = [index for _ in range(5) for index in draws.take("m", TEN, 2, None)]
    assert sorted(walked) == list(range(10))
    assert draws.take("m", TEN, 2, None) == walked[:2]
    assert sorted(draws.take("m", OTHER, 10, None)) == list(range(10))
    assert Draws(5).take("m", TEN, 10, None) == walked
    assert Draws().take("m", TEN, 10, None) != Draws().take("m", TEN, 10, None)


def test_single_samples_with_seeds_of_their_own_are_fair_and_independent() -> None:
    draws, size = Draws(), 20_000
    singles = [draws.take("m", TEN, 1, seed_of(11, index))[0] for index in range(size)]
    expected, cells = size / 10, size / 2 / 100
    # Chi-squared with 9 and 99 degrees of freedom: their .9999 quantiles.
    assert sum((n - expected) ** 2 / expected for n in Counter(singles).values()) < 33.7
    pairs = Counter(zip(singles[::2], singles[1::2], strict=True))
    assert sum((pairs[i, j] - cells) ** 2 / cells for i in range(10) for j in range(10)) < 161.3


def test_a_shuffle_is_the_same_everywhere() -> None:
    assert shuffled(10, "7:sums/0") == [4, 0, 3, 9, 8, 6, 7, 5, 1, 2]

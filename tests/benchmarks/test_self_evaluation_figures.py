"""The figures of self-evaluation: bounds, shares, and numbers that spend what they should."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.evaluation.bootstrap import Resamples
from benchmarks.evaluation.journal import Entry, Json
from benchmarks.evaluation.ranking import auroc
from benchmarks.scaling.equal import Measured
from benchmarks.self_evaluation.bound import perfect
from benchmarks.self_evaluation.plans import ALL, ONE, drawn, families, spent
from benchmarks.self_evaluation.replayed import Bank, Banked, replay, seen
from benchmarks.self_evaluation.shares import kept
from strategies.rules.base import Setting
from strategies.rules.choosing import made


def bank(count: int = 60) -> Bank:
    random = np.random.default_rng(1)
    scores = 1 / (1 + np.exp(-random.normal(1, 1, (count, 1)) - random.normal(0, 1, (count, 16))))
    return [
        Banked([seen(float(each), 40) for each in row], row > 0.7, [None] * 16, 1.0)
        for row in scores
    ]


def test_a_perfect_one_gives_the_hopeless_up_first() -> None:
    right = [np.array([bool(i & 1)] + [True] * 15) for i in range(4)]
    right += [np.zeros(16, bool)] * 4
    curve = perfect(right)
    assert curve.at(0.5) != curve.at(0.5)  # nothing costs less than a sample
    assert curve.at(1.0) == pytest.approx(0.25)
    # Two problems need a second batch, of two; the hopeless ones need none.
    assert curve.at(1.5) == pytest.approx(0.5)
    assert curve.at(16.0) == pytest.approx(0.5)


def measured(name: str, right: list[float], samples: float) -> Measured:
    values = np.array(right)
    return Measured(name, values, values * 0 + 40, values * 0, values * 0 + samples)


def test_a_share_is_of_the_policy_that_spends_most_within_the_limit() -> None:
    found = {
        "cheap": measured("cheap", [1, 0, 1, 0], 1.5),
        "dear": measured("dear", [1, 1, 1, 0], 2.4),
        "over": measured("over", [1, 1, 1, 1], 3.0),
    }
    base, whole = np.array([1.0, 0, 0, 0]), np.array([1.0, 1, 1, 1])
    curve = perfect([np.array([True] * 16)] * 4)
    resamples = Resamples(4, 1, 200)
    two, four, six = kept(
        found, {"all": list(found)}, base=base, whole=whole, curve=curve, resamples=resamples
    )
    assert [each.name for each in (two, four, six)] == ["dear", "over", "over"]
    assert [two.share.value, four.share.value] == pytest.approx([2 / 3, 1])
    [none, *_] = kept(
        found, {"all": ["over"]}, base=base, whole=whole, curve=curve, resamples=resamples
    )
    assert none.name is None
    [lost, *_] = kept(
        found, {"all": ["dear"]}, base=whole, whole=base, curve=curve, resamples=resamples
    )
    assert np.isnan(lost.share.value)


def test_numbers_are_found_that_spend_what_is_to_be_compared() -> None:
    own = bank()
    for family in families(own, aims=(2.0, 4.0)):
        assert family.confirmed == list(family.params)[1]
        for params, aim in zip(family.params.values(), (2.0, 4.0), strict=True):
            assert aim - 0.5 < spent(params, own) <= aim
    for policy in drawn(16).values():
        if policy.params is not None:
            made(str(policy.params["rule"]), Setting(16))
    assert {ONE, ALL} < set(drawn(16))


def test_a_replay_draws_and_answers_as_the_rule_says() -> None:
    scores, right = [0.5, 0.6, 0.9, 0.95], [False, True, False, True]
    own = Banked([seen(each, 40) for each in scores], right, ["8", "7", "9", "7"], 1.0)
    [two] = replay('tau="0.6";choose=best', [own])  # of a batch of two: the third is the best
    assert (two.samples, two.tokens, two.right) == (3, 3 * 41, False)
    [one] = replay('tau="0.6";growth=1;choose=best', [own])
    assert (one.samples, one.right) == (2, True)
    [all_of] = replay("tau=1.0;choose=best", [own])
    assert (all_of.samples, all_of.right) == (4, True)


def test_a_replayed_vote_is_weighed_by_odds() -> None:
    scores, right = [0.5, 0.5, 0.8, 0.1], [True, True, False, False]
    own = Banked([seen(each, 40) for each in scores], right, ["7", "7", "9", None], 1.0)
    [lone] = replay("tau=1.0", [own])  # odds of 1 and 1 against 4
    assert not lone.right
    scores[1] = 0.8
    own = Banked([seen(each, 40) for each in scores], right, ["7", "7", "9", None], 1.0)
    assert replay("tau=1.0", [own])[0].right


def test_judgements_that_an_upstream_counted_are_paid_for() -> None:
    candidates: list[Json] = [
        {"score": 0.5, "tokens": 10, "correct": True, "answer": "7"},
        {"score": None, "tokens": 20, "correct": False, "answer": "8"},
    ]
    told_of = Banked.of(Entry({"completion_tokens": 32}, candidates))
    assert (told_of.judged, list(told_of.right)) == (1.0, [True, False])
    [run] = replay('tau="1.0"', [told_of])
    assert (run.tokens, run.right) == (32.0, True)  # what could not be judged comes last


def test_how_well_scores_tell() -> None:
    assert auroc([0.9, 0.8, 0.1], [True, True, False]) == 1.0
    assert auroc([0.5, 0.5], [True, False]) == 0.5
    assert np.isnan(auroc([0.5], [True]))

"""Ranking, ties, NaN and weights."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.selection import order, ranked, support, weighted
from gateway.types import UNJUDGED, Candidate, Score

SCORES = st.builds(
    Score,
    value=st.one_of(st.floats(-10, 10), st.just(math.nan)),
    key=st.sampled_from([None, "a", "b"]),
)


def test_higher_first_then_shared_answers_then_earlier_then_nan() -> None:
    scores = [
        UNJUDGED,
        Score(1.0, key="x"),
        Score(2.0),
        Score(1.0, key="y"),
        Score(1.0, key="y"),
        Score(math.nan, key="y"),
    ]
    assert order(scores) == [2, 3, 4, 1, 5, 0]


@given(st.lists(SCORES, max_size=12))
def test_order_is_a_permutation_and_never_random(scores: list[Score]) -> None:
    found = order(scores)
    assert sorted(found) == list(range(len(scores)))
    assert found == order(scores)
    judged = [scores[i].value for i in found if scores[i].judged]
    assert judged == sorted(judged, reverse=True)
    assert [scores[i].judged for i in found] == sorted((s.judged for s in scores), reverse=True)


def test_support_is_the_share_of_all_candidates() -> None:
    scores = [Score(0.5, key="a"), Score(0.5, key="a"), Score(0.2, key="b"), UNJUDGED]
    assert support(scores) == 0.5
    assert support([Score(1.0)]) is None
    assert support([]) is None


def test_ranked_keeps_scores_beside_their_candidates() -> None:
    candidates = [Candidate(name, name) for name in "abc"]
    outcome = ranked(candidates, [Score(1.0), UNJUDGED, Score(2.0)])
    assert [c.id for c in outcome.candidates] == ["c", "a", "b"]
    assert [s.value for s in outcome.scores[:2]] == [2.0, 1.0]


def test_weighted_votes() -> None:
    votes = [Score(0.5, key="a"), Score(0.5, key="a"), Score(0.5, key="b"), UNJUDGED]
    heavy = weighted(votes, [Score(1.0), Score(1.0), Score(6.0), Score(9.0)])
    assert [score.value for score in heavy[:3]] == [0.25, 0.25, 0.75]
    assert not heavy[3].judged
    flat = weighted(votes, [UNJUDGED, Score(-1.0), UNJUDGED, UNJUDGED])
    assert [round(score.value, 3) for score in flat[:3]] == [0.667, 0.667, 0.333]

"""Adaptive-Consistency's rule, without a model."""

from __future__ import annotations

import pytest
from scipy.stats import beta as distribution

from gateway import Score
from strategies.rules import Draw, Seen, Setting, Stop
from strategies.rules.beta import ahead, beta


def votes(answers: str) -> list[Seen]:
    return [Seen(Score(1.0, key=each)) for each in answers]


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (4, 0), (3, 2), (40, 31)])
def test_the_leader_is_ahead_with_the_probability_of_its_posterior(first: int, second: int) -> None:
    assert ahead(first, second) == pytest.approx(distribution.sf(0.5, first + 1, second + 1))


@pytest.mark.parametrize(
    ("answers", "stops"),
    [("aaa", False), ("aaaa", True), ("aabaa", False), ("aabaaa", False), ("aabaaaa", True)],
)
def test_it_stops_at_its_level(answers: str, stops: bool) -> None:
    rule = beta(Setting(40))
    assert isinstance(rule.ask(), Draw)
    rule.tell(votes(answers))
    assert isinstance(rule.ask(), Stop) == stops


def test_candidates_without_an_answer_have_no_vote() -> None:
    rule = beta(Setting(40))
    rule.tell([*votes("aaa"), Seen(Score(float("nan")))])
    assert isinstance(rule.ask(), Draw)

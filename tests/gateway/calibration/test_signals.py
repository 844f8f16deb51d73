"""Which numbers are told of an answer."""

from __future__ import annotations

import math

from gateway.calibration.signals import Signals, signals
from gateway.types import Candidate, Outcome, Score

A, B = Candidate("a", "yes"), Candidate("b", "no")


def test_the_number_that_ranked_is_the_policys_verifiers() -> None:
    outcome = Outcome((A, B), scores=(Score(0.9), Score(0.1)), support=0.75)
    judged = {"agreement": {"a": Score(0.75), "b": Score(0.25)}, "judge": {"a": Score(0.6)}}
    first, second = signals(outcome, judged, "agreement", 2)
    assert first.numbers == {"agreement": 0.9, "judge": 0.6, "support": 0.75}
    assert second.numbers == {"agreement": 0.1}, "what speaks of the answer is not the second's"


def test_a_strategys_own_belief_is_a_number_like_any_other() -> None:
    [told] = signals(Outcome((A,), confidence=0.8), {}, None, 1)
    assert told.numbers == {"confidence": 0.8}


def test_what_was_not_judged_has_no_number_and_has_not_passed() -> None:
    judged = {"math": {"a": Score(math.nan), "b": Score(1.0, passed=True)}}
    [told] = signals(Outcome((A, B)), judged, None, 1)
    assert told == Signals({}, {"math": False})


def test_verifiers_without_verdicts_have_none() -> None:
    judged = {"agreement": {"a": Score(1.0), "b": Score(math.nan)}}
    assert all(not each.passed for each in signals(Outcome((A, B)), judged, None, 2))

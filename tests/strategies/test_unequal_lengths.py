"""Answers of unequal length: a vote must not favour the short ones where a limit cuts the long."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from gateway.registry import load, spec_of
from gateway.run import Answer
from gateway.testing import FakeBackend, Reply, answer_of
from gateway.types import Sample
from gateway.wishes import Wishes
from strategies.adaptive import adaptive

SPEC = spec_of(adaptive)
VERIFIERS = load("verifier", "verifiers", "its_gateway.verifiers")
RIGHT, WRONG = "4", "5"
LONG, SHORT = 24, 3


def writing(answer: str, tokens: int, delay: float = 0.0) -> Reply:
    return Reply([*["so "] * (tokens - 1), f"Answer: {answer}"], delay=delay)


async def asked(backend: FakeBackend, rule: str, **limits: int) -> Answer:
    wishes = Wishes(params={"rule": rule}, budget=40, **limits)
    return await answer_of(SPEC, backend, verifiers=VERIFIERS, wishes=wishes)


def planted(rng: random.Random) -> Callable[[Sample, int], Reply]:
    """Seven in ten are right, and eight times as long as those that are wrong."""

    def handler(sample: Sample, number: int) -> Reply:
        right = rng.random() < 0.7
        return writing(RIGHT, LONG) if right else writing(WRONG, SHORT)

    return handler


@pytest.mark.parametrize("rule", ["value", "beta;level=0.9;batch=2", "esc;window=3"])
@pytest.mark.parametrize("tokens", [80, 120])
async def test_a_budget_that_cuts_the_long_does_not_turn_the_vote(rule: str, tokens: int) -> None:
    """A vote of what ended within the budget would be wrong more often than right here. The first
    round fits: where even that is cut, nothing can be known of how long others are."""
    rng, times, right = random.Random(f"{rule} {tokens}"), 150, 0
    for _ in range(times):
        answer = await asked(FakeBackend(planted(rng)), rule, max_tokens=tokens)
        right += answer.outcome.candidates[0].text.endswith(RIGHT)
    assert right / times > 0.62  # one candidate alone: .70; its standard error here: .04


async def test_a_round_that_a_budget_cut_has_no_vote() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        return writing(RIGHT if number == 0 else WRONG, {0: 9, 1: 9, 3: 3}.get(number, 90))

    answer = await asked(FakeBackend(handler), "beta;level=0.99;batch=2", max_tokens=60)
    assert "cut_round" in answer.outcome.degraded
    # Numbers 2 and 3 were one round: the wrong one's vote would have decided.
    assert [c.text[-1] for c in answer.outcome.candidates] == [RIGHT, WRONG]
    assert answer.outcome.stop == "budget"
    assert answer.usage.completion_tokens <= 60


async def test_a_round_that_a_deadline_cut_has_no_vote() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        if number < 2:
            return writing(RIGHT if number == 0 else WRONG, 3)
        return writing(WRONG, 2) if number == 3 else writing(RIGHT, 100, delay=0.1)

    answer = await asked(FakeBackend(handler), "beta;level=0.99;batch=2", deadline_ms=1_500)
    assert answer.outcome.stop == "deadline"
    assert answer.outcome.candidates[0].text.endswith(RIGHT)


async def test_a_first_round_that_was_cut_answers_all_the_same() -> None:
    backend = FakeBackend(lambda sample, number: writing(RIGHT, 3 if number else 90))
    answer = await asked(backend, "beta;level=0.99;batch=2", max_tokens=20)
    assert answer.outcome.candidates[0].text.endswith(RIGHT)

"""One request's end: best so far, guests that break, what is never answered with."""

from __future__ import annotations

import logging

import pytest

from gateway.errors import GatewayError, StrategyFailed, UpstreamUnavailable
from gateway.registry import Registry, Spec, load, spec_of, strategy
from gateway.session import Session
from gateway.testing import FakeBackend, Reply, answer_of
from gateway.types import Candidate, Outcome, Sample
from gateway.wishes import Wishes

VERIFIERS = load("verifier", "verifiers", "its_gateway.verifiers")
BEST_OF_N = load("strategy", "strategies", "its_gateway.strategies")["best_of_n"]
SECRET = "what the candidate said"


@strategy
async def breaks(session: Session) -> Outcome:
    """Sample, judge, and fail."""
    candidates = await session.sample(3)
    await session.score(candidates, by="agreement")
    raise KeyError(SECRET)


@strategy
async def forges(session: Session) -> Outcome:
    """Answer with what was never sampled."""
    await session.sample(1)
    return Outcome([Candidate("mine", "forged")])


@strategy
async def says_nothing(session: Session) -> Outcome:
    """Sample and answer with nothing."""
    await session.sample(2)
    return Outcome([])


@strategy
async def hangs(session: Session) -> Outcome:
    """Sample, judge, and wait for what never comes."""
    candidates = await session.sample(3)
    await session.score(candidates, by="agreement")
    async with session.drafts(1) as drafts:
        async for _ in drafts:
            pass
    return Outcome(candidates)


def votes(sample: Sample, number: int) -> str:
    return ("Answer: 5", "Answer: 4", "Answer: 4")[number % 3]


def registered(function: object) -> Spec:
    return spec_of(function)  # type: ignore[arg-type]


async def test_a_guest_that_breaks_is_answered_with_the_best_so_far(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await answer_of(registered(breaks), FakeBackend(votes), verifiers=VERIFIERS)
    assert answer.outcome.candidates[0].text == "Answer: 4"
    assert answer.outcome.stop == "strategy_error"
    assert "strategy_error" in answer.outcome.degraded
    assert caplog.records[0].__dict__["error"] == "KeyError"
    assert SECRET not in caplog.text, "an error's text may be a candidate's"


async def test_an_answer_that_was_never_sampled_is_refused() -> None:
    with pytest.raises(StrategyFailed, match="did not sample"):
        await answer_of(registered(forges), FakeBackend(votes), verifiers=VERIFIERS)


async def test_an_empty_answer_is_the_best_so_far_too() -> None:
    answer = await answer_of(registered(says_nothing), FakeBackend(votes), verifiers=VERIFIERS)
    assert answer.outcome.candidates


async def test_at_the_deadline_the_best_scored_so_far_is_the_answer() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        return Reply.of(votes(sample, number), delay=0.0 if number < 3 else 5.0)

    backend = FakeBackend(handler)
    answer = await answer_of(
        registered(hangs), backend, verifiers=VERIFIERS, wishes=Wishes(deadline_ms=200)
    )
    assert answer.outcome.candidates[0].text == "Answer: 4"
    assert answer.outcome.stop == "deadline"
    assert backend.live == 0


async def test_an_upstream_that_dies_after_the_first_candidates_is_survived() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        error = UpstreamUnavailable("down") if number else None
        return Reply.of("1 + 1 = 3\nAnswer: 3", error=error)

    wishes = Wishes(verifier="math", budget=4, params={"early_exit": True})
    answer = await answer_of(BEST_OF_N, FakeBackend(handler), verifiers=VERIFIERS, wishes=wishes)
    assert answer.outcome.candidates[0].text.endswith("Answer: 3")
    assert "partial" in answer.outcome.degraded


async def test_early_exit_needs_a_verifier_that_gives_verdicts() -> None:
    wishes = Wishes(budget=4, params={"early_exit": True})
    with pytest.raises(GatewayError, match="no verdicts") as refused:
        await answer_of(BEST_OF_N, FakeBackend(votes), verifiers=VERIFIERS, wishes=wishes)
    assert refused.value.status == 400


async def test_early_exit_stops_at_the_first_that_passes() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        return Reply.of(f"1 + 1 = {number}\nAnswer: {number}")

    backend = FakeBackend(handler)
    wishes = Wishes(verifier="math", budget=16, params={"early_exit": True})
    answer = await answer_of(BEST_OF_N, backend, verifiers=VERIFIERS, wishes=wishes)
    assert answer.outcome.candidates[0].text.endswith("Answer: 2")
    assert answer.outcome.stop == "passed"
    assert answer.samples == backend.begun == 4, "waves of 1, 1 and 2"


async def test_registries_are_plain_mappings() -> None:
    registry = Registry("strategy", [registered(breaks)])
    assert list(registry) == registry.names() == ["breaks"]
    assert len(registry) == 1


@pytest.mark.parametrize(
    ("wishes", "stop"),
    [
        (Wishes(budget=4), "complete"),
        (Wishes(budget=4, params={"n": 8}), "budget"),
        (Wishes(budget=4, verifier="math", params={"n": 8, "early_exit": True}), "budget"),
        (Wishes(budget=4, max_tokens=1000), "complete"),
        (Wishes(budget=4, max_tokens=4), "budget"),
        (Wishes(budget=4, max_tokens=2), "budget"),
    ],
)
async def test_stop_says_that_the_budget_ended_it(wishes: Wishes, stop: str) -> None:
    answer = await answer_of(BEST_OF_N, FakeBackend(votes), verifiers=VERIFIERS, wishes=wishes)
    assert answer.outcome.stop == stop

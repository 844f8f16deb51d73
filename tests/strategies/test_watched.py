"""Rounds whose candidates are looked at while they grow: what is stopped, and what that saves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import UpstreamUnavailable
from gateway.inquiries import Probabilities, Rows
from gateway.laws import STRATEGY_LAWS
from gateway.registry import load, spec_of
from gateway.run import Answer
from gateway.session import Session
from gateway.testing import FakeBackend, Reply, answer_of
from gateway.types import Call, Candidate, Sample, Usage
from gateway.wishes import Wishes
from strategies.adaptive import _counted as counted
from strategies.adaptive import adaptive

SPEC = spec_of(adaptive)
VERIFIERS = load("verifier", "verifiers", "its_gateway.verifiers")
WORDS = 40


def numbered(sample: Sample, number: int) -> Reply:
    """Candidate `number` says its number, over and over."""
    return Reply.of(" ".join([str(number)] * WORDS))


def surer(call: Call) -> Rows:
    """A model that is the surer of an answer the higher the number that it says."""
    assert isinstance(call, Probabilities)
    said = int(str(call.messages[-2]["content"]).split()[0]) / 100
    half = len(call.choices) // 2  # the forms of No, then those of Yes
    return Rows(((said / half,) * half + ((1 - said) / half,) * half,))


def on(handler: Any = numbered) -> FakeBackend:
    return FakeBackend(handler, measure=surer)


async def asked(rule: str, backend: FakeBackend, **wishes: Any) -> Answer:
    named = Wishes(params={"rule": rule}, **wishes)
    return await answer_of(SPEC, backend, verifiers=VERIFIERS, wishes=named)


@pytest.mark.parametrize(("keep", "left"), [(0.5, 4), (0.25, 2), (0.01, 1)])
async def test_the_worse_share_is_aborted_at_the_checkpoint(keep: float, left: int) -> None:
    backend = on()
    rule = f"self_evaluation;tau=1.0;first=8;anneal=?0;checkpoint=10;keep={keep}"
    answer = await asked(rule, backend, budget=8)
    kept = [candidate.text.split()[0] for candidate in answer.outcome.candidates]
    assert kept == [str(number) for number in range(7, 7 - left, -1)]
    assert (backend.begun, backend.aborted, backend.live) == (8, 8 - left, 0)
    # Each was asked about once at the checkpoint, and those that ended once more.
    assert len(backend.inquiries) == 8 + left
    sampled = answer.usage.completion_tokens - len(backend.inquiries)
    assert left * WORDS + (8 - left) * 10 <= sampled <= left * WORDS + (8 - left) * 20
    assert answer.usage.completion_tokens == backend.written


async def test_one_that_fails_does_not_hold_up_the_checkpoint() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        if number == 3:
            return Reply(["3 "], error=UpstreamUnavailable("down"))
        return numbered(sample, number)

    backend = on(handler)
    answer = await asked(
        "self_evaluation;tau=1.0;first=8;anneal=?0;checkpoint=10;keep=0.5", backend, budget=8
    )
    assert "partial" in answer.outcome.degraded
    assert [c.text.split()[0] for c in answer.outcome.candidates] == ["7", "6", "5", "4"]


async def test_one_that_ends_before_the_checkpoint_counts_and_stays() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        return Reply.of("0 short") if number == 0 else numbered(sample, number)

    answer = await asked(
        "self_evaluation;tau=1.0;first=4;anneal=?0;checkpoint=10;keep=0.5", on(handler), budget=4
    )
    assert [c.text.split()[0] for c in answer.outcome.candidates] == ["3", "2", "0"]


async def test_without_tokens_to_judge_by_all_go_on() -> None:
    answer = await asked(
        "self_evaluation;tau=1.0;first=4;anneal=?0;checkpoint=10;keep=0.5", on(),
        budget=4, max_tokens=4 * WORDS,
    )  # fmt: skip
    assert answer.samples == 4
    assert answer.usage.completion_tokens <= 4 * WORDS
    assert "watch" in answer.outcome.degraded


async def test_a_client_that_leaves_while_candidates_are_judged_leaves_nothing() -> None:
    waiting = asyncio.Event()

    def measure(call: Call) -> Rows:
        waiting.set()
        return Rows(((0.5, 0.5, 0.5, 0.5),))

    backend = FakeBackend(numbered, measure=measure)
    rule = "self_evaluation;tau=1.0;first=8;anneal=?0;checkpoint=10;keep=0.5"
    running = asyncio.create_task(asked(rule, backend, budget=8))
    await waiting.wait()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert backend.live == 0


WATCHING = (
    "self_evaluation;first=4;keep=0.5;checkpoint=2;anneal=?0",
    "self_evaluation;mode=utility;anneal=?0",
    "pandora",
    "beacon",
    "reroll",
    "speculative_rejection;every=1",
    "deepconf;warm_up=2;window=2",
    "mars;every=2;begin=4",
)


@pytest.mark.parametrize("law", STRATEGY_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("rule", WATCHING)
async def test_the_loop_keeps_the_laws_whatever_its_rule(rule: str, law: Any) -> None:
    async def run(session: Session, **params: Any) -> Any:
        return await adaptive(session, **{**params, "rule": rule})

    await law(replace(SPEC, run=run), VERIFIERS)


@pytest.mark.parametrize(
    ("fresh", "spent", "tokens"),
    [
        ([Candidate("a", "x" * 400, usage=Usage(5, 7), token_ids=(1,) * 9)], 7, [7]),
        ([Candidate("a", "x" * 400, token_ids=(1,) * 9)], 9, [9]),
        ([Candidate("a", "x" * 299), Candidate("b", "", reasoning="y" * 99)], 80, [60, 20]),
        ([Candidate("a", "x", usage=Usage(5, 7)), Candidate("b", "")], 20, [7, 13]),
        ([Candidate("a", "")], 0, [0]),
    ],
)
def test_a_rule_is_told_about_how_long_a_candidate_is(
    fresh: list[Candidate], spent: int, tokens: list[int]
) -> None:
    """Several in one call have no usage of their own, and a price in tokens needs one."""
    assert counted(fresh, spent) == tokens

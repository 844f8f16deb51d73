"""Rules that stop candidates as they write, through the loop: what is aborted, and what answers."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import UpstreamRejected
from gateway.inquiries import Pool, Rows
from gateway.registry import load, spec_of
from gateway.run import Answer
from gateway.testing import FakeBackend, Reply, answer_of, user
from gateway.types import Call, Request, Sample
from gateway.wishes import Wishes
from strategies.adaptive import adaptive

SPEC = spec_of(adaptive)
VERIFIERS = load("verifier", "verifiers", "its_gateway.verifiers")
LONG = 60


async def asked(rule: str, backend: FakeBackend, budget: int) -> Answer:
    wishes = Wishes(params={"rule": rule}, budget=budget)
    return await answer_of(SPEC, backend, verifiers=VERIFIERS, wishes=wishes)


def thinking(answer: str, *, sure: bool = True, at: int = 30) -> Reply:
    """Words, a lapse of confidence at one of them unless `sure`, and an answer."""
    pieces = [*["so "] * LONG, f"Answer: {answer}"]
    logprobs = [-9.0] * len(pieces)
    if not sure:
        logprobs[at : at + 4] = [-0.1] * 4  # its few alternatives are all as likely: no conviction
    return Reply(pieces, logprobs=logprobs)


async def test_a_trace_that_loses_confidence_is_killed_and_does_not_vote() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        # Warm-up 0 to 3, sure; then of each round's four two doubt, and those are wrong.
        return thinking("5", sure=False) if number >= 4 and number % 2 else thinking("4")

    backend = FakeBackend(handler)
    answer = await asked("deepconf;warm_up=4;window=4;top=1;consensus=1;batch=4", backend, 12)
    assert answer.outcome.stop == "agreed"
    assert [c.text[-1] for c in answer.outcome.candidates] == ["4"] * 4

    def split(sample: Sample, number: int) -> Reply:
        return handler(sample, number) if number >= 4 else thinking("4" if number else "7")

    backend = FakeBackend(split)
    answer = await asked("deepconf;warm_up=4;window=4;top=1;consensus=1;batch=4", backend, 12)
    assert backend.begun == 12
    assert backend.aborted == 4  # two of each later round
    assert {c.text[-1] for c in answer.outcome.candidates} == {"4", "7"}
    assert answer.usage.completion_tokens == backend.written < 12 * (LONG + 1)


async def test_a_seeded_reward_model_halves_the_field_at_every_checkpoint() -> None:
    def measure(call: Call) -> Rows:
        assert isinstance(call, Pool)
        return Rows(((int(str(call.messages[-1]["content"]).split()[0]) / 100,),))

    backend = FakeBackend(lambda sample, number: " ".join([str(number)] * LONG), measure=measure)
    rule = "speculative_rejection;begin=8;every=10;checkpoints=3"
    answer = await asked(rule, backend, 64)
    assert answer.outcome.stop == "halved"
    assert [c.text.split()[0] for c in answer.outcome.candidates] == ["7"]
    assert (backend.begun, backend.aborted, backend.live) == (8, 7, 0)
    assert backend.written < LONG + 4 * 20 + 2 * 30 + 40


def answering(*finals: str) -> Any:
    """Candidate i writes on for long; made to end, it says `finals[i]`."""

    def handler(sample: Sample, number: int) -> Reply:
        if sample.prefix:
            assert isinstance(sample.prefix, str)
            return Reply([f" {finals[int(sample.prefix.split()[0])]}"])
        return Reply.of(" ".join([str(number)] * LONG))

    return handler


async def test_all_end_once_none_can_overtake_and_the_answer_is_declared_as_fused() -> None:
    backend = FakeBackend(answering("4", "4", "4", "5"))
    answer = await asked("mars;begin=4;every=10;patience=2", backend, 4)
    assert answer.outcome.stop == "decided"
    assert answer.outcome.fused
    assert answer.outcome.candidates[0].text.endswith("\n\nAnswer: 4")
    assert answer.samples == 4
    assert backend.live == 0
    assert answer.usage.completion_tokens == backend.written < 4 * 35


async def test_one_that_changes_its_mind_keeps_all_going() -> None:
    said = 0

    def handler(sample: Sample, number: int) -> Reply:
        nonlocal said
        if sample.prefix:
            said += 1
            return Reply([f" {said}"])
        return thinking("4")

    backend = FakeBackend(handler)
    answer = await asked("mars;begin=4;every=10;patience=2;probes=3", backend, 4)
    assert answer.outcome.stop == "complete"
    assert not answer.outcome.fused
    assert [c.text[-9:] for c in answer.outcome.candidates] == ["Answer: 4"] * 4


async def test_a_server_that_continues_nothing_is_not_relied_on() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        if sample.prefix:
            return Reply([], error=UpstreamRejected(400, {"error": {"message": "no prefixes"}}))
        return thinking("4")

    answer = await asked("mars;begin=3;every=10", FakeBackend(handler), 3)
    assert answer.outcome.stop == "complete"
    assert len(answer.outcome.candidates) == 3


@pytest.mark.parametrize("rule", ["mars;begin=4;every=10", "deepconf;warm_up=2;window=4;batch=2"])
async def test_a_client_that_wants_several_choices_gets_them(rule: str) -> None:
    backend = FakeBackend(answering("4", "4", "4", "4", "4", "4", "4", "4"))
    request = Request("fake", user("2 + 2?"), choices=3)
    answer = await answer_of(
        SPEC, backend, verifiers=VERIFIERS, request=request, wishes=Wishes(params={"rule": rule})
    )
    assert len(answer.outcome.candidates) >= 3

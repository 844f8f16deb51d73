"""What a guest can rely on: budgets, seeds, drafts, deadlines, inheritance."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

import pytest

from gateway.calls import seed_of
from gateway.errors import BudgetExhausted, UpstreamUnavailable
from gateway.session import Means
from gateway.testing import FakeBackend, Reply, session_on, user
from gateway.types import Budget, Capabilities, Request, Sample


def words(sample: Sample, number: int) -> Reply:
    return Reply.of("one two three " * (number + 1), delay=0.002)


async def test_samples_of_one_prompt_are_one_call() -> None:
    backend = FakeBackend(words)
    candidates = await session_on(backend).sample(5)
    assert [call.n for call in backend.calls] == [5]
    assert len(candidates) == 5
    assert not backend.calls[0].stream


async def test_a_seed_is_different_for_each_sample_and_kept_by_the_first() -> None:
    backend = FakeBackend(words)
    session = session_on(backend, seed=11)
    await session.sample(2)
    await session.sample(1)
    seeds = [call.fields["seed"] for call in backend.calls]
    assert seeds == [11, seed_of(11, 1), seed_of(11, 2)]
    assert len(set(seeds)) == 3


async def test_greedy_samples_are_drawn_once() -> None:
    backend = FakeBackend(words)
    session = session_on(backend, temperature=0)
    assert len(await session.sample(16)) == 1
    assert session.notes == ["greedy"]


async def test_own_prompts_do_not_inherit_and_are_no_samples() -> None:
    backend = FakeBackend(words)
    fields = {"tools": [1], "stop": "x", "seed": 3, "max_tokens": 9, "temperature": 0.5}
    request = Request("fake", user("hi"), fields=fields)
    session = session_on(backend, request=request, budget=Budget(samples=1))
    await session.sample(messages=user("judge this"), max_tokens=1)
    assert dict(backend.calls[0].fields) == {"temperature": 0.5, "max_tokens": 1}
    assert session.begun == 0
    assert session.candidates == []
    await session.sample(1)
    with pytest.raises(BudgetExhausted):
        await session.sample(1)


async def test_tokens_left_limit_what_is_asked_for() -> None:
    backend = FakeBackend(words)
    session = session_on(backend, budget=Budget(tokens=20), max_completion_tokens=100)
    await session.sample(4)
    assert backend.calls[0].fields["max_completion_tokens"] == 5
    assert session.budget.tokens == 20 - backend.written


async def test_one_failure_of_four_is_survived() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        return Reply(["x"], error=UpstreamUnavailable("down") if number == 1 else None)

    backend = FakeBackend(handler, capabilities=Capabilities(n=False))
    session = session_on(backend)
    assert len(await session.sample(4)) == 3
    assert session.notes == ["partial"]


async def test_leaving_drafts_aborts_what_grows_and_books_it() -> None:
    backend = FakeBackend(words)
    session = session_on(backend, budget=Budget(tokens=1000))
    async with session.drafts(4) as drafts:
        async for draft in drafts:
            if draft.done:
                break
    assert backend.live == 0
    assert backend.aborted == 1
    assert session.budget.tokens == 1000 - backend.written
    assert [candidate.text for candidate in session.candidates] == ["one two three "]


async def test_drafts_apart_can_be_stopped_alone() -> None:
    backend = FakeBackend(words)
    session = session_on(backend)
    async with session.drafts(3, apart=True) as drafts:
        async for draft in drafts:
            if draft.index == 2 and draft.tokens == 2 and not draft.done:
                await drafts.stop(draft.id)
    assert [call.n for call in backend.calls] == [1, 1, 1]
    assert backend.aborted == 1
    assert len(session.candidates) == 2


async def test_a_deadline_in_the_readers_own_code_does_not_strike_there() -> None:
    backend = FakeBackend(lambda s, n: Reply.of("w " * 50, delay=0.01))
    session = session_on(backend, budget=Budget(seconds=0.1))
    seen = 0
    async with session.drafts(2) as drafts:
        async for draft in drafts:
            seen += 1
            if draft.done:
                assert draft.candidate is not None
                assert draft.candidate.finish_reason == "length"
            await asyncio.sleep(0.03)
    assert seen > 2
    assert len(session.candidates) == 2


async def test_all_drafts_failing_raises() -> None:
    backend = FakeBackend(lambda s, n: Reply([], error=UpstreamUnavailable("down")))

    async def read() -> None:
        async with session_on(backend).drafts(2) as drafts:
            async for _ in drafts:
                pass

    with pytest.raises(UpstreamUnavailable):
        await read()
    assert backend.live == 0


def test_another_way_to_the_models_changes_no_other_means() -> None:
    """They are named one by one there, as `replace` costs more than the rest of it."""
    each: Any = {field.name: object() for field in fields(Means)}
    backend: Any = object()
    through = Means(**each).through(backend)
    for name, given in {**each, "backend": backend}.items():
        assert getattr(through, name) is given, name

"""Candidates written side by side: which ends first, when, and what one that is left has cost."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from gateway.backends.replay.pace import TICK, Line, written
from gateway.types import Delta, Event, Finished, Spent


def line(tokens: int) -> Line:
    return Line(f"after {tokens}", tokens, "stop", {})


async def events(*tokens: int, rate: float = 0.0, stream: bool = True) -> list[Event]:
    lines = [line(each) for each in tokens]
    return [event async for event in written(lines, "m", rate=rate, stream=stream)]


async def test_shorter_ones_end_first_in_a_call() -> None:
    told = await events(900, 0, 300, 300)
    ended = [event.index for event in told if isinstance(event, Finished)]
    assert ended == [1, 2, 3, 0]
    assert isinstance(told[-1], Spent)
    assert told[-1].usage.completion_tokens == 1500


async def test_shorter_ones_end_first_among_calls_at_once() -> None:
    ended: list[int] = []

    async def one(tokens: int) -> None:
        await events(tokens)
        ended.append(tokens)

    await asyncio.gather(one(3000), one(900), one(2000), one(100))
    assert ended == [100, 900, 2000, 3000]


async def test_what_was_told_is_never_more_than_a_tick_behind() -> None:
    behind = 0
    grown: list[Delta] = []
    async with aclosing(written([line(1000)], "m", rate=0.0, stream=True)) as telling:
        async for event in telling:
            if isinstance(event, Delta):
                behind = max(behind, event.tokens - (grown[-1].tokens if grown else 0))
                grown.append(event)
    assert behind == TICK
    assert [bool(delta.choice["delta"]["content"]) for delta in grown] == [False] * 8 + [True]
    assert grown[-1].choice["finish_reason"] == "stop"


async def test_without_a_stream_there_are_no_deltas() -> None:
    told = await events(900, 300, stream=False)
    assert [type(event) for event in told] == [Finished, Finished, Spent]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_candidate_ends_when_its_tokens_took_their_time(stream: bool) -> None:
    clock = asyncio.get_running_loop().time
    started, ends = clock(), {}
    async for event in written([line(400), line(100)], "m", rate=2000.0, stream=stream):
        if isinstance(event, Finished):
            ends[event.index] = clock() - started
    assert 0.05 <= ends[1] < 0.2 <= ends[0]

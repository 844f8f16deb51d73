"""Recorded answers written again, as if token by token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from gateway.assembly import candidate_from_choice
from gateway.types import Delta, Event, Finished, Json, Spent, Usage

TICK = 128
"""Tokens between two deltas of a candidate, so the most that an aborted one is undercounted by."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one candidate will have come to: its text appears with its last token.

    Only an answer and its length were recorded, so the tokens before have no words.
    """

    text: str
    tokens: int
    finish: str
    record: Json


async def written(
    lines: Sequence[Line], model: str, *, rate: float, stream: bool
) -> AsyncGenerator[Event]:
    """The events of a call whose candidates grow side by side at `rate` tokens a second each.

    With rate 0 nothing waits, but the event loop turns once a tick: so candidates, of this call
    and of others, still end in the order of their lengths, and a reader can leave in between.
    """
    clock = asyncio.get_running_loop().time
    started = clock()
    if stream:
        for index in range(len(lines)):
            yield _delta(index, {"role": "assistant", "content": ""}, 0)
    for now in _moments(lines, stream):
        await asyncio.sleep(max(0.0, started + now / rate - clock()) if rate else 0.0)
        for index, line in enumerate(lines):
            if line.tokens == now:
                if stream:
                    yield _delta(index, {"content": line.text}, now, line)
                yield _finished(index, line, model)
            elif line.tokens > now and stream:
                yield _delta(index, {"content": ""}, now)
    yield Spent(Usage(completion_tokens=sum(line.tokens for line in lines)))


def _moments(lines: Sequence[Line], stream: bool) -> list[int]:
    """Token counts at which something is to be told."""
    ends = {line.tokens for line in lines}
    return sorted(ends.union(range(TICK, max(ends), TICK)) if stream else ends)


def _delta(index: int, delta: Json, tokens: int, ended: Line | None = None) -> Delta:
    choice: Json = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
    if ended is not None:
        choice |= {"finish_reason": ended.finish, "replay": ended.record}
    return Delta(index, choice, tokens)


def _finished(index: int, line: Line, model: str) -> Finished:
    choice = {
        "message": {"role": "assistant", "content": line.text},
        "finish_reason": line.finish,
        "replay": line.record,
    }
    usage = Usage(completion_tokens=line.tokens)
    return Finished(index, candidate_from_choice(choice, model=model, usage=usage))

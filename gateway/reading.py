"""Upstream calls being read: what came, what it cost, and what is left of it when time runs out."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from gateway.assembly import Growing, candidate_from_choice
from gateway.backends import Backend, whole_of
from gateway.errors import GatewayError
from gateway.trace import Trace
from gateway.types import Candidate, Delta, Event, Finished, Restarted, Sample, Spent, Usage


class Sink(Protocol):
    """Where a streaming client's words go."""

    async def choice(self, choice: Mapping[str, Any], prompt_tokens: int, tokens: int) -> None:
        """A chunk's choice, in OpenAI's shape, and the tokens that it has cost so far."""
        ...

    async def progress(self, text: str) -> None:
        """A line for the reasoning channel."""
        ...


class Reading:
    """One upstream call, whose first candidate is number `offset` of the request's draw.

    With `timed`, time may run out on it: only then it keeps what was written so far.
    """

    def __init__(
        self,
        backend: Backend,
        call: Sample,
        trace: Trace,
        offset: int = 0,
        relay: Sink | None = None,
        *,
        timed: bool = False,
    ):
        self.call = call
        self.offset = offset
        self._backend = backend
        self._trace = trace
        self._relay = relay
        self._finished: dict[int, Candidate] = {}
        self._last: dict[int, Delta] = {}
        self._grown = defaultdict[int, Growing](Growing) if timed else None
        self._spent: Usage | None = None

    @property
    def usage(self) -> Usage:
        """The upstream's count, or, where the call was cut off, that of the deltas that came."""
        if self._spent is not None:
            return self._spent
        last = self._last.values()
        return Usage(
            prompt_tokens=max((delta.prompt_tokens for delta in last), default=0),
            completion_tokens=sum(delta.tokens for delta in last),
        )

    def by_index(self) -> dict[int, Candidate]:
        """Finished (or cut) candidates by their index in this call."""
        return dict(sorted(self._finished.items()))

    def candidates(self) -> list[Candidate]:
        """Finished (or cut) candidates, in the order in which they were begun."""
        return list(self.by_index().values())

    async def read(self, see: Callable[[Event], None] | None = None) -> None:
        """Read to the end; `see` is told of each event. Cancelling aborts the call upstream."""
        with self._trace.waiting():
            whole = None if self.call.stream else whole_of(self._backend)
            if whole is not None:
                for event in await whole(self.call):
                    self._take(event)
                    if see is not None:
                        see(event)
                return
            async with aclosing(self._backend.call(self.call)) as events:
                async for event in events:
                    if isinstance(event, Delta):
                        self._last[event.index] = event
                        if self._grown is not None:
                            self._grown[event.index].add(event.choice)
                        if self._relay is not None:
                            await self._tell(event, self._relay)
                    else:
                        self._take(event)
                    if see is not None:
                        see(event)

    async def _tell(self, delta: Delta, relay: Sink) -> None:
        index, choice = delta.index + self.offset, delta.choice
        if choice.get("index") != index:
            choice = {**choice, "index": index}
        await relay.choice(choice, delta.prompt_tokens, delta.tokens)

    def _take(self, event: Event) -> None:
        match event:
            case Finished():
                self._finished[event.index] = event.candidate
                self._forget(event.index)
            case Spent():
                self._spent = event.usage
            case Restarted():
                if self._relay is not None:
                    raise event.error  # the client has read these words
                for index in event.indices:
                    self._last.pop(index, None)
                    self._forget(index)

    def _forget(self, index: int) -> None:
        if self._grown is not None:
            self._grown.pop(index, None)

    def cut_at_deadline(self) -> None:
        """Keep what had been written when time ran out, as cut by length."""
        self._trace.degrade("deadline")
        for index, grown in (self._grown or {}).items():
            whole, last = grown.whole(), self._last[index]
            whole["finish_reason"] = "length"
            usage = Usage(last.prompt_tokens, last.tokens)
            candidate = candidate_from_choice(whole, model=self.call.model, usage=usage)
            if candidate.text or candidate.reasoning or candidate.tool_calls:
                self._finished[index] = candidate


async def read_all(readings: Sequence[Reading], until: float | None) -> list[GatewayError]:
    """Read side by side until all ended or the loop's time is `until`; the errors of those failed.

    One failure does not cancel the others; being cancelled aborts and awaits them all.
    """
    if len(readings) == 1:  # the common case needs no task of its own
        results = [await _read_one(readings[0], until)]
    else:
        results = await asyncio.gather(*(_read_one(reading, until) for reading in readings))
    return [error for error in results if error is not None]


async def _read_one(reading: Reading, until: float | None) -> GatewayError | None:
    return await caught(_within(reading, until))


async def _within(reading: Reading, until: float | None) -> None:
    if until is None:
        return await reading.read()
    try:
        async with asyncio.timeout_at(until):
            await reading.read()
    except TimeoutError:
        reading.cut_at_deadline()
    return None


async def caught(run: Coroutine[Any, Any, None]) -> GatewayError | None:
    """The error of one call as a value: one failure must not cancel its siblings."""
    try:
        await run
    except GatewayError as error:
        return error
    return None

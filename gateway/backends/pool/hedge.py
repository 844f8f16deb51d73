"""A call that is silent for too long is made at a second replica as well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.backends.pool.queue import Owner
from gateway.backends.pool.retry import Draw
from gateway.errors import UpstreamError
from gateway.metrics import Metrics
from gateway.types import Call, Event

AHEAD = 64
"""Events that an attempt may be ahead of its reader."""


class _Attempt:
    """One draw, read by a task of its own, so that its first event can be raced for."""

    def __init__(self, events: AsyncGenerator[Event]):
        self._events = events
        self._news: asyncio.Queue[Event | UpstreamError | None] = asyncio.Queue(AHEAD)
        self._task = asyncio.create_task(self._pump())
        self.first: asyncio.Task[Event | UpstreamError | None] = asyncio.create_task(
            self._news.get()
        )

    async def _pump(self) -> None:
        end: UpstreamError | None = None
        try:
            async with aclosing(self._events) as events:
                async for event in events:
                    await self._news.put(event)
        except UpstreamError as error:
            end = error
        await self._news.put(end)

    async def read(self) -> AsyncGenerator[Event]:
        """All events, the first included; raises the draw's error."""
        news = await self.first
        while news is not None:
            if isinstance(news, UpstreamError):
                raise news
            yield news
            news = await self._news.get()

    async def close(self) -> None:
        """Abort it upstream, and wait until that is done."""
        for task in (self._task, self.first):
            task.cancel()
        await asyncio.gather(self._task, self.first, return_exceptions=True)


class Hedge:
    """Draws like `draw`; after `seconds` without an event, from a second replica too.

    The second never waits in line. The first of the two to say something is read, the other
    aborted: what that wrote is not counted.
    """

    def __init__(self, draw: Draw, seconds: float, metrics: Metrics):
        self._draw = draw
        self._seconds = seconds
        self._metrics = metrics

    async def __call__(
        self, request: Call, owner: Owner, tried: set[str], *, now: bool = False
    ) -> AsyncGenerator[Event]:
        attempts = [_Attempt(self._draw(request, owner, tried, now=now))]
        try:
            await asyncio.wait([attempts[0].first], timeout=self._seconds)
            if not attempts[0].first.done():
                attempts.append(_Attempt(self._draw(request, owner, tried, now=True)))
            winner = await self._race(attempts)
            async for event in winner.read():
                yield event
        finally:
            for attempt in attempts:
                await attempt.close()

    async def _race(self, attempts: list[_Attempt]) -> _Attempt:
        """The first attempt to say something that is no error; the others are closed."""
        pending = list(attempts)
        while True:
            await asyncio.wait([a.first for a in pending], return_when=asyncio.FIRST_COMPLETED)
            done = [attempt for attempt in pending if attempt.first.done()]
            well = [a for a in done if not isinstance(a.first.result(), UpstreamError)]
            pending = [attempt for attempt in pending if attempt not in done]
            if well or not pending:
                break
        winner = well[0] if well else attempts[0]
        if len(attempts) > 1:
            self._metrics.hedges.labels("won" if winner is attempts[1] else "lost").inc()
        for attempt in attempts:
            if attempt is not winner:
                await attempt.close()
        return winner

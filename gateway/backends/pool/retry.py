"""Calls that fail for no fault of theirs are made again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
)
from typing import Protocol, TypeVar

from gateway.backends.pool.budget import RetryBudget
from gateway.backends.pool.knobs import Knobs
from gateway.backends.pool.queue import Owner
from gateway.backends.pool.redraw import Progress
from gateway.errors import UpstreamError, UpstreamRejected, UpstreamUnavailable
from gateway.metrics import Metrics
from gateway.types import Call, Event, Relayed, Spent

logger = logging.getLogger("its_gateway.pool")

T = TypeVar("T")

LONGEST_PAUSE = 2.0
"""Seconds."""


class Draw(Protocol):
    """One attempt at a call; adds the replica that it went to, to `tried`."""

    def __call__(
        self, request: Call, owner: Owner, tried: set[str], *, now: bool = False
    ) -> AsyncGenerator[Event]: ...


Enter = Callable[[set[str]], AbstractAsyncContextManager[Relayed]]


def is_passing(error: UpstreamError) -> bool:
    """Whether the same call may succeed elsewhere, or later: all calls are idempotent."""
    busy = isinstance(error, UpstreamRejected) and error.status == 429
    return busy or isinstance(error, UpstreamUnavailable)


class Retry:
    """Draws again, up to `knobs.retries` times and within the budget, after a random pause.

    `others(tried)` says whether there is a healthy replica that was not tried: then there is no
    pause. The caller's deadline cancels all of this.
    """

    def __init__(
        self,
        knobs: Knobs,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        under_way: Callable[[], int],
        rng: random.Random,
    ):
        self._knobs = knobs
        self._metrics = metrics
        self._clock = clock
        self._under_way = under_way
        self._rng = rng
        self._budget = RetryBudget(knobs.retry_ratio, knobs.retry_reserve)

    async def call(
        self, draw: Draw, request: Call, owner: Owner, others: Callable[[set[str]], bool]
    ) -> AsyncGenerator[Event]:
        """The events of `request`, whatever the number of attempts."""
        progress, tried = Progress(request), set[str]()
        self._budget.called(self._clock())
        for attempt in range(self._knobs.retries + 1):
            try:
                async with aclosing(draw(progress.request, owner, tried)) as events:
                    async for event in events:
                        yield progress.take(event)
                return
            except UpstreamError as error:
                lost = progress.lost_tokens
                if not (progress.can_go_on and self._grants(error, attempt)):
                    raise
                self._metrics.lost_tokens.inc(lost)
                kind = "redraw" if progress.begun else "retry"
                news = progress.lose(error)
            for each in news:
                yield each
                if isinstance(each, Spent):
                    return
            self._metrics.retries.labels(kind).inc()
            await self._pause(attempt, skip=others(tried))

    @asynccontextmanager
    async def relay(
        self, enter: Enter, others: Callable[[set[str]], bool]
    ) -> AsyncIterator[Relayed]:
        """A relay that has its first byte, whatever the number of attempts until then."""
        async with AsyncExitStack() as stack:
            yield await self.until_done(
                lambda tried: stack.enter_async_context(enter(tried)), others
            )

    async def until_done(
        self, once: Callable[[set[str]], Awaitable[T]], others: Callable[[set[str]], bool]
    ) -> T:
        """What `once` gives, whatever the number of attempts; it gives all or nothing."""
        tried, attempt = set[str](), 0
        self._budget.called(self._clock())
        while True:
            try:
                return await once(tried)
            except UpstreamError as error:
                if not self._grants(error, attempt):
                    raise
            self._metrics.retries.labels("retry").inc()
            await self._pause(attempt, skip=others(tried))
            attempt += 1

    def _grants(self, error: UpstreamError, attempt: int) -> bool:
        if not is_passing(error) or attempt >= self._knobs.retries:
            return False
        granted = self._budget.take(self._clock(), under_way=self._under_way())
        # A rejection's words are the upstream's, and may hold some of the prompt.
        why = error.message if isinstance(error, UpstreamUnavailable) else f"status {error.status}"
        told = {"attempt": attempt + 1, "again": granted, "reason": why}
        logger.info("upstream call failed", extra=told)
        if not granted:
            self._metrics.retries.labels("refused").inc()
        return granted

    async def _pause(self, attempt: int, *, skip: bool) -> None:
        if not skip:
            longest = min(LONGEST_PAUSE, self._knobs.retry_pause * 2**attempt)
            await asyncio.sleep(self._rng.uniform(0, longest))

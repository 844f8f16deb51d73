"""A layer that measures the backend below it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from functools import lru_cache
from types import TracebackType

from gateway.backends import Backend, Whole, whole_of
from gateway.errors import UpstreamError, UpstreamRejected
from gateway.metrics import Level, Metrics
from gateway.types import Call, Capabilities, Event, Passthrough, Relayed, Sample, Spent, Usage


class Measured:
    """Counts and times every call of `below`; changes nothing."""

    def __init__(self, below: Backend, metrics: Metrics):
        self.name = below.name
        self._below = below
        self._calls = lru_cache(maxsize=8)(metrics.upstream_calls.labels)
        self._prompt = metrics.upstream_tokens.labels(below.name, "prompt")
        self._completion = metrics.upstream_tokens.labels(below.name, "completion")
        self._seconds = metrics.upstream_seconds.labels(below.name)
        self._in_flight = Level()
        gauge = metrics.upstream_in_flight.labels(below.name)
        gauge.set_function(lambda: self._in_flight.value)
        self._whole_below = whole_of(below)
        self.whole: Whole | None = self._whole if self._whole_below else None

    def capabilities(self, model: str) -> Capabilities:
        return self._below.capabilities(model)

    async def models(self) -> list[str]:
        return await self._below.models()

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        with _Timed(self):
            async with aclosing(self._below.call(request)) as events:
                async for event in events:
                    if isinstance(event, Spent):
                        self._spent(event.usage)
                    yield event

    async def _whole(self, request: Sample) -> list[Event]:
        assert self._whole_below is not None
        with _Timed(self):
            events = await self._whole_below(request)
        if isinstance(events[-1], Spent):
            self._spent(events[-1].usage)
        return events

    def began(self) -> None:
        """Count a call that begins."""
        self._in_flight.value += 1

    def ended(self, error: BaseException | None, seconds: float) -> None:
        """Count how a call ended, and what it took."""
        self._in_flight.value -= 1
        self._calls(self.name, _result(error)).inc()
        self._seconds.observe(seconds)

    def _spent(self, usage: Usage) -> None:
        self._prompt.inc(usage.prompt_tokens)
        self._completion.inc(usage.completion_tokens)

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        return self._below.relay(request)

    async def close(self) -> None:
        await self._below.close()


class _Timed:
    """The time of one call. A class, as a generator would cost a call more than its work."""

    __slots__ = ("_measured", "_started")

    def __init__(self, measured: Measured):
        self._measured = measured

    def __enter__(self) -> None:
        self._started = time.monotonic()
        self._measured.began()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._measured.ended(error, time.monotonic() - self._started)


def _result(error: BaseException | None) -> str:
    if error is None:
        return "ok"
    if isinstance(error, UpstreamRejected):
        return "rejected"
    return "unavailable" if isinstance(error, UpstreamError) else "aborted"

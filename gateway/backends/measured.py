"""A layer that measures the backend below it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from functools import lru_cache

from gateway.backends import Backend
from gateway.errors import UpstreamError, UpstreamRejected
from gateway.metrics import Level, Metrics
from gateway.types import Call, Capabilities, Event, Passthrough, Relayed, Spent, Usage


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

    def capabilities(self, model: str) -> Capabilities:
        return self._below.capabilities(model)

    async def models(self) -> list[str]:
        return await self._below.models()

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        started = time.monotonic()
        result = "aborted"
        self._in_flight.value += 1
        try:
            async with aclosing(self._below.call(request)) as events:
                async for event in events:
                    if isinstance(event, Spent):
                        self._spent(event.usage)
                    yield event
            result = "ok"
        except UpstreamRejected:
            result = "rejected"
            raise
        except UpstreamError:
            result = "unavailable"
            raise
        finally:
            self._in_flight.value -= 1
            self._calls(self.name, result).inc()
            self._seconds.observe(time.monotonic() - started)

    def _spent(self, usage: Usage) -> None:
        self._prompt.inc(usage.prompt_tokens)
        self._completion.inc(usage.completion_tokens)

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        return self._below.relay(request)

    async def close(self) -> None:
        await self._below.close()

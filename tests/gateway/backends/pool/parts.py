"""Replicas that fail as told, and a clock that stands still."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from gateway.backends import Backend
from gateway.backends.pool import Knobs, ReplicaPool
from gateway.errors import UpstreamError, UpstreamUnavailable
from gateway.metrics import Metrics
from gateway.testing import FakeBackend, Reply, user
from gateway.types import Call, Event, Finished, Passthrough, Relayed, Sample


class Listed(FakeBackend):
    """Answers `by NAME` for its models.

    While it is `dead` it answers nothing at all; with `breaks_after` it is lost after that many
    events of a call, with `fault` as the error.
    """

    def __init__(self, name: str, *models: str, delay: float = 0.0):
        super().__init__(
            lambda s, n: Reply.of(f"by {name}", delay=delay), name=name, models=models or ("m",)
        )
        self.asked = 0
        self.relays = 0
        self.dead = False
        self.closed = False
        self.breaks_after: int | None = None
        self.fault: UpstreamError = UpstreamUnavailable(f"backend {name} is unavailable")

    async def models(self) -> list[str]:
        self.asked += 1
        self._check()
        return await super().models()

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        if self.dead and isinstance(request, Sample):
            self.calls.append(request)
        self._check()
        seen = 0
        async with aclosing(super().call(request)) as events:
            async for event in events:
                if seen == self.breaks_after:
                    raise self.fault
                seen += 1
                yield event

    @asynccontextmanager
    async def relay(self, request: Passthrough) -> AsyncIterator[Relayed]:
        self.relays += 1
        self._check()

        async def chunks() -> AsyncIterator[bytes]:
            for seen, part in enumerate((self.name.encode(), b"!")):
                if seen == self.breaks_after:
                    raise self.fault
                yield part

        yield Relayed(200, "text/plain", chunks())

    async def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.dead:
            raise self.fault


class Clock:
    """Monotonic time that moves only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def pool_of(
    *backends: Backend, clock: Clock | None = None, metrics: Metrics | None = None, **knobs: Any
) -> ReplicaPool:
    """A pool whose pauses between retries are too short to notice."""
    settings = Knobs(**{"retry_pause": 0.001, **knobs})
    return ReplicaPool(
        backends,
        metrics or Metrics(),
        settings,
        **({"clock": clock} if clock else {}),
        rng=random.Random(7),
    )


async def events_of(pool: ReplicaPool, request: Sample) -> list[Event]:
    async with aclosing(pool.call(request)) as events:
        return [event async for event in events]


async def text_of(pool: ReplicaPool, model: str = "m", prompt: str = "hi") -> str:
    """The one candidate's text."""
    events = await events_of(pool, Sample(model, user(prompt)))
    return "".join([event.candidate.text for event in events if isinstance(event, Finished)])


def prompts(count: int) -> Sequence[str]:
    """Prompts of as many conversations."""
    return [f"question {number}" for number in range(count)]

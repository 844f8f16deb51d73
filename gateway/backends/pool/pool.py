"""Replicas that come and go, as one backend."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial, reduce
from operator import and_

from gateway.backends import Backend, Whole, whole_of
from gateway.backends.pool.affinity import key_of
from gateway.backends.pool.dispatch import Dispatcher, Wanted
from gateway.backends.pool.hedge import Hedge
from gateway.backends.pool.knobs import Knobs
from gateway.backends.pool.members import Members
from gateway.backends.pool.queue import Owner
from gateway.backends.pool.retry import Draw, Retry
from gateway.errors import UpstreamError, UpstreamUnavailable
from gateway.metrics import Metrics
from gateway.types import Call, Capabilities, Event, Passthrough, Relayed, Sample

ANYONE = Owner()


class ReplicaPool:
    """Several backends as one: retry over hedge over a place at a replica.

    `members` knows the replicas and keeps what is known of them fresh, `keep` in the background
    or, where that does not run, whenever somebody asks.
    """

    name = "pool"

    def __init__(
        self,
        backends: Sequence[Backend],
        metrics: Metrics,
        knobs: Knobs | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ):
        knobs = knobs or Knobs()
        self.members = Members(backends, knobs, metrics, clock)
        self._dispatcher = Dispatcher(self.members.replicas, knobs, metrics)
        self.members.changed = self._dispatcher.offer
        self._retry = Retry(
            knobs,
            metrics,
            clock=clock,
            under_way=lambda: sum(each.calls for each in self.members.replicas),
            rng=rng or random.Random(),
        )
        once: Draw = self._once
        seconds = knobs.hedge_seconds
        self._draw = once if seconds is None else Hedge(once, seconds, metrics)
        self._hedges = seconds is not None

    def capabilities(self, model: str) -> Capabilities:
        """What all replicas of `model` can do."""
        serving = (each for each in self.members.replicas if each.serves(model))
        return reduce(
            and_, {each.backend.capabilities(model) for each in serving} or [Capabilities()]
        )

    def on_behalf(self, owner: Owner) -> OnBehalf:
        """This pool for one client's request, which is how it has its turn in line."""
        return OnBehalf(self, owner)

    async def models(self) -> list[str]:
        await self.members.refresh()
        return self.members.models()

    def call(self, request: Call, owner: Owner = ANYONE) -> AsyncGenerator[Event]:
        return self._retry.call(self._draw, request, owner, self._others(request.model))

    def whole_for(self, owner: Owner) -> Whole | None:
        """How a call that does not stream is made; None where all calls come in parts."""
        if self._hedges or not all(whole_of(each.backend) for each in self.members.replicas):
            return None
        return partial(self._whole, owner)

    async def _whole(self, owner: Owner, request: Sample) -> list[Event]:
        async def once(tried: set[str]) -> list[Event]:
            wanted = await self._wanted(request, owner, tried)
            async with self._dispatcher.place(wanted) as replica:
                ask = whole_of(replica.backend)
                assert ask is not None
                return await ask(request)

        return await self._retry.until_done(once, self._others(request.model))

    def relay(
        self, request: Passthrough, owner: Owner = ANYONE
    ) -> AbstractAsyncContextManager[Relayed]:
        def enter(tried: set[str]) -> AbstractAsyncContextManager[Relayed]:
            return self._relay_once(request, owner, tried)

        return self._retry.relay(enter, self._others(request.model))

    async def close(self) -> None:
        await self.members.close()

    def _others(self, model: str) -> Callable[[set[str]], bool]:
        def others(tried: set[str]) -> bool:
            return any(
                each.serves(model) and each.is_healthy and each.name not in tried
                for each in self.members.replicas
            )

        return others

    async def _wanted(
        self, request: Call | Passthrough, owner: Owner, tried: set[str], *, now: bool = False
    ) -> Wanted:
        if not self.members.knows(request.model):
            await self.members.refresh(now=not self.members.answering)
            if not (self.members.answering or self.members.knows(request.model)):
                raise UpstreamUnavailable("no backend answers")
        units = getattr(request, "n", 1)
        key = key_of(request) if len(self.members.replicas) > 1 else None
        return Wanted(request.model, units, key, owner, tried, now)

    async def _once(
        self, request: Call, owner: Owner, tried: set[str], *, now: bool = False
    ) -> AsyncGenerator[Event]:
        wanted = await self._wanted(request, owner, tried, now=now)
        async with (
            self._dispatcher.place(wanted) as replica,
            aclosing(replica.backend.call(request)) as events,
        ):
            async for event in events:
                yield event

    @asynccontextmanager
    async def _relay_once(
        self, request: Passthrough, owner: Owner, tried: set[str]
    ) -> AsyncIterator[Relayed]:
        wanted = await self._wanted(request, owner, tried)
        broken: list[UpstreamError] = []
        try:
            async with (
                self._dispatcher.place(wanted) as replica,
                replica.backend.relay(request) as relayed,
            ):
                first = await anext(relayed.chunks, b"")
                chunks = _noted(first, relayed.chunks, broken)
                yield Relayed(relayed.status, relayed.content_type, chunks)
                if broken:  # the reader has dealt with it; the replica's health has not
                    raise _Told("told")
        except _Told:
            pass


class _Told(UpstreamError):
    """An error that the reader had already."""


async def _noted(
    first: bytes, rest: AsyncIterator[bytes], broken: list[UpstreamError]
) -> AsyncIterator[bytes]:
    if first:
        yield first
    try:
        async for chunk in rest:
            yield chunk
    except UpstreamError as error:
        broken.append(error)
        raise


class OnBehalf:
    """A pool, for one client's request."""

    def __init__(self, pool: ReplicaPool, owner: Owner):
        self.name = pool.name
        self.whole = pool.whole_for(owner)
        self._pool = pool
        self._owner = owner

    def capabilities(self, model: str) -> Capabilities:
        return self._pool.capabilities(model)

    async def models(self) -> list[str]:
        return await self._pool.models()

    def call(self, request: Call) -> AsyncGenerator[Event]:
        return self._pool.call(request, self._owner)

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        return self._pool.relay(request, self._owner)

    async def close(self) -> None:
        """Nothing: the pool lives on."""

"""A layer that sends each call to a backend that serves its model."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager
from functools import reduce
from operator import and_

from gateway.backends import Backend
from gateway.errors import ModelNotFound, UpstreamError, UpstreamUnavailable
from gateway.types import Call, Capabilities, Event, Passthrough, Relayed

REFRESH_SECONDS = 10.0


class Router:
    """Several backends as one: the least busy of those that list the call's model.

    One that failed is avoided for `REFRESH_SECONDS` where another serves the model: it is never
    busy, and would draw all the calls.
    What a backend serves is asked of it at most every `REFRESH_SECONDS`; while it does not answer,
    what it said last stands.
    """

    name = "router"

    def __init__(self, backends: Sequence[Backend]):
        self.backends = list(backends)
        self._served: dict[str, list[str]] = {}
        self._answering: set[str] = set()
        self._refreshed = -REFRESH_SECONDS
        self._refreshing = asyncio.Lock()
        self._busy: Counter[str] = Counter()
        self._failed: dict[str, float] = {}

    @property
    def answering(self) -> frozenset[str]:
        """Names of the backends that answered when last asked."""
        return frozenset(self._answering)

    def capabilities(self, model: str) -> Capabilities:
        """What all can do that serve `model`."""
        serving = [b for b in self.backends if model in self._served.get(b.name, ())]
        return reduce(and_, (b.capabilities(model) for b in serving), Capabilities())

    def knows(self, model: str) -> bool:
        """Whether a backend is known to serve `model`."""
        return any(model in models for models in self._served.values())

    async def learned(self) -> None:
        """Ask what is served if no backend has said so yet; until then `knows` knows nothing."""
        if not self._answering:
            await self.refresh()

    async def models(self) -> list[str]:
        await self.refresh()
        names = dict.fromkeys(name for served in self._served.values() for name in served)
        return list(names)

    async def refresh(self, *, now: bool = False) -> None:
        """Ask every backend what it serves, unless that was asked just now."""
        async with self._refreshing:
            if not now and time.monotonic() - self._refreshed < REFRESH_SECONDS:
                return
            await asyncio.gather(*(self._ask(backend) for backend in self.backends))
            self._refreshed = time.monotonic()

    async def _ask(self, backend: Backend) -> None:
        try:
            async with asyncio.timeout(5.0):
                self._served[backend.name] = await backend.models()
            self._answering.add(backend.name)
            self._failed.pop(backend.name, None)
        except (UpstreamError, TimeoutError):
            self._answering.discard(backend.name)
            self._failed[backend.name] = time.monotonic()

    async def _choose(self, model: str) -> Backend:
        if not self.knows(model):
            await self.refresh(now=not self._answering)
        serving = [b for b in self.backends if model in self._served.get(b.name, ())]
        if not serving:
            if not self._answering:
                raise UpstreamUnavailable("no backend answers")
            names = ", ".join(sorted({name for s in self._served.values() for name in s}))
            message = f"the model {model!r} does not exist; allowed: {names}"
            raise ModelNotFound(message, param="model")
        return min(serving, key=lambda b: (self._is_failing(b), self._busy[b.name]))

    def _is_failing(self, backend: Backend) -> bool:
        failed = self._failed.get(backend.name)
        return failed is not None and time.monotonic() - failed < REFRESH_SECONDS

    @contextmanager
    def _counted(self, backend: Backend) -> Iterator[None]:
        self._busy[backend.name] += 1
        try:
            yield
        except UpstreamUnavailable:
            self._failed[backend.name] = time.monotonic()
            raise
        finally:
            self._busy[backend.name] -= 1

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        backend = await self._choose(request.model)
        with self._counted(backend):
            async with aclosing(backend.call(request)) as events:
                async for event in events:
                    yield event

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        return self._relay(request)

    @asynccontextmanager
    async def _relay(self, request: Passthrough) -> AsyncIterator[Relayed]:
        backend = await self._choose(request.model)
        with self._counted(backend):
            async with backend.relay(request) as relayed:
                yield relayed

    async def close(self) -> None:
        await asyncio.gather(*(backend.close() for backend in self.backends))

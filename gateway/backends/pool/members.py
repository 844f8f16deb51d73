"""The pool's replicas: who belongs to it, and what is known of each."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from gateway.backends import Backend
from gateway.backends.measured import Measured
from gateway.backends.pool.addresses import Address, Directory
from gateway.backends.pool.breaker import Breaker
from gateway.backends.pool.knobs import Knobs
from gateway.backends.pool.load import Scraper
from gateway.backends.pool.probe import ask, weigh
from gateway.backends.pool.replica import STATES, Replica
from gateway.metrics import Metrics

logger = logging.getLogger("its_gateway.pool")

Connect = Callable[[Address], Backend]

STALE = 3
"""So many looks at a server's load may fail before what it told is forgotten."""


class Members:
    """`replicas` is the one list of them, changed in place; `changed` is called after each change.

    What a replica serves is asked of it every `probe_seconds`; while it does not answer, what it
    said last stands. One that was taken away finishes its calls, and is closed then.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        knobs: Knobs,
        metrics: Metrics,
        clock: Callable[[], float],
    ):
        self.replicas: list[Replica] = []
        self.changed: Callable[[], None] = lambda: None
        self._knobs = knobs
        self._metrics = metrics
        self._clock = clock
        self._directory = Directory()
        self._connect: Connect | None = None
        self._scraper = Scraper()
        self._refreshing = asyncio.Lock()
        self._refreshed: float | None = None
        self._resolved: float | None = None
        for backend in backends:
            self._add(backend)

    @property
    def answering(self) -> frozenset[str]:
        """Names of the replicas that answered when last asked."""
        return frozenset(each.name for each in self.replicas if each.answering)

    def models(self) -> list[str]:
        """Names of the models that are served, as far as is known."""
        served = [each.models for each in self.replicas if not each.draining]
        return list(dict.fromkeys(name for models in served for name in models))

    def knows(self, model: str) -> bool:
        """Whether a replica is known to serve `model`."""
        return any(each.serves(model) for each in self.replicas)

    async def learned(self) -> None:
        """Ask what is served if no replica has said so yet; until then `knows` knows nothing."""
        if not any(each.answering for each in self.replicas):
            await self.refresh()

    def follow(self, addresses: Sequence[Address], connect: Connect) -> None:
        """Have the replicas at `addresses` from now on; DNS names are looked up at a refresh."""
        if tuple(addresses) != self._directory.addresses:
            self._directory.addresses = tuple(addresses)
            self._resolved = None
        self._connect = connect
        self._reconcile()

    async def refresh(self, *, now: bool = False) -> None:
        """Look names up and ask every replica what it serves, unless that was done just now."""
        called = self._clock()
        async with self._refreshing:
            asked = self._refreshed
            # Somebody else's question, put while this one waited for its turn, serves both.
            recent = called if now else called - self._knobs.probe_seconds
            if asked is not None and asked > recent:
                return
            await self._resolve()
            await asyncio.gather(*(ask(each) for each in self.replicas))
            self._refreshed = self._clock()
            await self._retire()
        self.changed()

    async def keep(self) -> None:
        """Refresh for ever, and look at the servers' load."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_every(self._knobs.probe_seconds, lambda: self.refresh(now=True)))
            tasks.create_task(_every(self._knobs.load_seconds, self.weigh))

    async def weigh(self) -> None:
        """Look at the load of every server that has peers; without peers there is no choice."""
        away = [each for each in self.replicas if each.address is not None and each.answering]
        if len(away) > 1:
            patience = STALE * self._knobs.load_seconds
            await asyncio.gather(*(weigh(each, self._scraper, patience) for each in away))
        self.changed()

    def report(self) -> None:
        """Show every replica's state in the metrics."""
        for each in self.replicas:
            state = each.state
            for name in STATES:
                self._metrics.backend_state.labels(each.name, name).set(name == state)
            self._metrics.backend_outstanding.labels(each.name).set(each.outstanding)
            if each.load is not None:
                self._metrics.backend_waiting.labels(each.name).set(each.load.waiting)
                self._metrics.backend_cache_usage.labels(each.name).set(each.load.cache_usage)

    async def close(self) -> None:
        await self._scraper.close()
        await asyncio.gather(*(each.backend.close() for each in self.replicas))

    async def _resolve(self) -> None:
        now = self._clock()
        if self._resolved is not None and now - self._resolved < self._knobs.resolve_seconds:
            return
        self._resolved = now
        for failure in await self._directory.look_up():
            logger.warning("a backend's name has no answer", extra={"failure": failure})
        self._reconcile()

    def _reconcile(self) -> None:
        """Make the replicas those of the directory."""
        if self._connect is None:
            return
        known = self._directory.known()
        for each in self.replicas:
            if each.address is not None and each.draining != (each.address not in known):
                each.draining = not each.draining
                logger.info("backend", extra={"backend": each.name, "state": each.state})
        here = {each.address for each in self.replicas}
        for address in known:
            if address not in here:
                here.add(address)
                named = replace(address, name=self._free_name(address.name))
                self._add(self._connect(named), named)
                logger.debug("backend", extra={"backend": named.name, "state": "joined"})
        self.changed()

    def _free_name(self, wanted: str) -> str:
        """`wanted`, or that with the least number that is free, so that names are used again."""
        taken = {each.name for each in self.replicas}
        numbered = (f"{wanted}-{number}" for number in itertools.count(2))
        return next(name for name in itertools.chain([wanted], numbered) if name not in taken)

    def _add(self, backend: Backend, address: Address | None = None) -> None:
        knobs = self._knobs
        breaker = Breaker(knobs.breaker_failures, knobs.breaker_pause, knobs.breaker_longest)
        replica = Replica(Measured(backend, self._metrics), breaker, self._clock, address)
        if address is not None:
            replica.models = list(address.models)
        self.replicas.append(replica)

    async def _retire(self) -> None:
        """Close and forget those that were taken away and have finished their calls."""
        gone = [each for each in self.replicas if each.draining and not each.calls]
        for each in gone:
            self.replicas.remove(each)
            if all(each.name != other.name for other in self.replicas):
                self._metrics.forget_backend(each.name)
            logger.info("backend", extra={"backend": each.name, "state": "left"})
        await asyncio.gather(*(each.backend.close() for each in gone))


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await work()
        await asyncio.sleep(seconds)

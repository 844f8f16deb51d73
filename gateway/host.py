"""All that one gateway process keeps while it lives."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.accounts.desk import Desk
from gateway.accounts.keyring import Keyring
from gateway.backends import Backend
from gateway.backends.pool import ReplicaPool
from gateway.calibration import Calibration
from gateway.calibration import load as load_calibration
from gateway.calibration.feedback import Feedback
from gateway.errors import InvalidRequest
from gateway.history.records import History
from gateway.learned import Learned
from gateway.metrics import Metrics
from gateway.policy import Rules
from gateway.processes.line import Line
from gateway.processes.pages import Told
from gateway.receipt import Receipts
from gateway.registry import Registry
from gateway.reload import Reload
from gateway.reuse.flights import Flights
from gateway.reuse.wrapping import Reuse
from gateway.sandbox.executors import executor_of
from gateway.sandbox.verdict import Executor
from gateway.session import Means
from gateway.settings import EXAMPLE_KEY, ConfigError, Settings
from gateway.stores import Store
from gateway.stores.later import Later
from gateway.stores.memory import MemoryStore
from gateway.stores.opening import opened
from gateway.stores.peers import Peers
from gateway.wishes import Wishes
from gateway.workers import Workers

if TYPE_CHECKING:
    from gateway.tracing import Tracing

logger = logging.getLogger("its_gateway")


@dataclass(slots=True)
class Host:
    """All that one gateway process keeps while it lives."""

    settings: Settings
    rules: Rules
    pool: ReplicaPool
    metrics: Metrics
    means: Means
    receipts: Receipts
    workers: Workers
    sandbox: Executor
    store: Store
    feedback: Feedback
    later: Later
    peers: Peers
    keyring: Keyring
    desk: Desk
    reuse: Reuse
    history: History
    created: int
    tracing: Tracing | None = None
    draining: bool = False
    sandbox_state: str = "unknown"
    reload: Reload[Settings] | None = None
    line: Line | None = None
    """To the supervisor, where this is one process of several."""

    @classmethod
    def build(
        cls,
        settings: Settings,
        backends: Sequence[Backend],
        strategies: Registry,
        verifiers: Registry,
        tracing: Tracing | None = None,
    ) -> Host:
        """Wire up a host; nothing is contacted yet. `ConfigError` where a preset is unusable."""
        metrics = Metrics()
        pool = ReplicaPool(backends, metrics, settings.pool)
        metrics.example_key.set(EXAMPLE_KEY in settings.client_keys())
        guests = [*strategies.specs(), *verifiers.specs()]
        needed = {name for spec in guests for name in spec.preload}
        workers = Workers(preload=sorted(needed))
        sandbox = executor_of(settings, metrics)
        store = store_of(settings, metrics)
        learned = Learned(store)
        later, peers = Later(metrics.errand_dropped), Peers(store)
        refused = metrics.quota_refused
        gateways = None if settings.redis is None else lambda: peers.count
        desk = Desk(store, later, gateways=gateways, refused=refused)
        prices = {name: (p.prompt, p.completion) for name, p in settings.prices.items()}
        return cls(
            settings=settings,
            rules=_rules(settings, strategies, verifiers),
            pool=pool,
            metrics=metrics,
            means=Means(
                pool,
                verifiers,
                workers,
                settings.roles.assigned(),
                sandbox,
                learned,
                calibration_of(settings),
            ),
            receipts=Receipts(prices),
            workers=workers,
            sandbox=sandbox,
            store=store,
            feedback=Feedback(store, learned),
            later=later,
            peers=peers,
            keyring=keyring_of(settings, store),
            desk=desk,
            reuse=Reuse(
                Flights(store, later, settings.cache_seconds),
                settings.revisions,
                shared=settings.share_samples,
            ),
            history=History(store, later, settings.receipt_seconds()),
            created=int(time.time()),
            tracing=tracing,
        )

    def background(self) -> list[Coroutine[None, None, None]]:
        """What runs beside the requests until it is cancelled."""
        work = [self.pool.members.keep(), self._look_at_sandbox(), self.later.keep()]
        if self.settings.redis is not None:
            work += [self.store.keep(), self.keyring.keep(), self.peers.keep()]
        if self.settings.redis is not None or self.settings.limits:
            work.append(self.desk.keep())
        if self.reload is not None:
            work.append(self.reload.watch(self.settings.pool.resolve_seconds))
        if self.settings.calibration is not None:
            maps = Reload(
                self.settings.calibration, lambda: calibration_of(self.settings), self._calibrate
            )
            work.append(maps.watch(self.settings.pool.resolve_seconds))
        return work

    async def page(self) -> bytes:
        """The metrics of all its processes; `StateUnavailable` without their supervisor."""
        if self.line is not None:
            return await self.line.page()
        self.pool.members.report()
        return self.metrics.page()

    def counted(self, question: int) -> bytes:
        """What this process counted, for the page of all."""
        self.pool.members.report()
        places = {each.name: each.place for each in self.pool.members.replicas}
        return Told(question, self.metrics.told(), places).dumped()

    async def _calibrate(self, fresh: Calibration) -> None:
        self.means = replace(self.means, calibration=fresh)

    async def _look_at_sandbox(self) -> None:
        """Say at once, and not only when a request needs it, that no code can be run."""
        problem = await self.sandbox.problem()
        self.sandbox_state = problem or "ok"
        if problem:
            logger.warning("code cannot be run", extra={"reason": problem})

    async def close(self) -> None:
        await self.pool.close()
        await asyncio.to_thread(self.workers.close)
        await self.sandbox.close()
        await self.store.close()
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)


def calibration_of(settings: Settings) -> Calibration:
    """What was fitted to labelled answers, if anything; `ConfigError` where it cannot be read."""
    if settings.calibration is None:
        return Calibration()
    try:
        return load_calibration(settings.calibration)
    except (OSError, ValueError) as error:
        raise ConfigError(f"calibration: {error}") from None


def store_of(settings: Settings, metrics: Metrics) -> Store:
    """Where state is kept: in Redis where `settings` name one; nothing is contacted yet."""
    if settings.redis is None:
        return MemoryStore()
    return opened(settings.redis, settings.redis_bound_ms / 1000, metrics.store_failed)


def keyring_of(settings: Settings, store: Store) -> Keyring:
    """The keys of `settings`, and of the store where that is shared."""
    return Keyring(
        store,
        settings.client_keys(),
        settings.limits,
        required=settings.require_key,
        shared=settings.redis is not None,
    )


def _rules(settings: Settings, strategies: Registry, verifiers: Registry) -> Rules:
    """The rules of `settings`; `ConfigError` names the preset or default that cannot be used.

    A preset of the gateway's own is left out where its strategy or verifier is.
    """
    presets = settings.all_presets()
    rules = Rules(strategies, verifiers, presets, settings.default, settings.caps)
    usable = {}
    for name, preset in presets.items():
        if (reason := _refusal(rules, name)) is None:
            usable[name] = preset
        elif name in settings.presets:
            raise ConfigError(f"presets.{name}: {reason}")
    if settings.default != Wishes() and (reason := _refusal(rules, None)) is not None:
        raise ConfigError(f"default: {reason}")
    return replace(rules, presets=usable)


def _refusal(rules: Rules, preset: str | None) -> str | None:
    """Why a request that says no more than this would be refused."""
    try:
        rules.resolve({}, Wishes(), preset)
    except InvalidRequest as error:
        return error.message.removeprefix("model: ")
    return None

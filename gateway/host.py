"""All that one gateway process keeps while it lives."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.backends import Backend
from gateway.backends.pool import Owner, ReplicaPool
from gateway.calibration import Calibration
from gateway.calibration import load as load_calibration
from gateway.calibration.feedback import Feedback
from gateway.errors import InvalidRequest, Unauthorized
from gateway.learned import Learned
from gateway.metrics import Metrics
from gateway.policy import Rules
from gateway.receipt import Receipts
from gateway.registry import Registry
from gateway.reload import Reload
from gateway.sandbox.executors import executor_of
from gateway.sandbox.verdict import Executor
from gateway.session import Means
from gateway.settings import EXAMPLE_KEY, ConfigError, Settings
from gateway.stores import Store
from gateway.stores.memory import MemoryStore
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
    keys: frozenset[bytes]
    created: int
    tracing: Tracing | None = None
    draining: bool = False
    sandbox_state: str = "unknown"
    reload: Reload[Settings] | None = None

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
        keys = settings.client_keys()
        metrics.example_key.set(EXAMPLE_KEY in keys)
        needed = {name for spec in verifiers.specs() for name in spec.preload}
        workers = Workers(preload=sorted(needed))
        sandbox = executor_of(settings, metrics)
        store = store_of(settings, metrics)
        learned = Learned(store)
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
            keys=frozenset(_digest(key) for key in keys),
            created=int(time.time()),
            tracing=tracing,
        )

    def authenticate(self, headers: Mapping[str, str]) -> None:
        """`Unauthorized` unless the client's key is known or none is needed."""
        if not self.keys:
            return
        scheme, _, key = headers.get("authorization", "").partition(" ")
        # Only digests are compared, so the comparison's time tells nothing of a key.
        if scheme.lower() != "bearer" or _digest(key.strip()) not in self.keys:
            raise Unauthorized("a valid API key is needed: authorization: Bearer KEY")

    def owner(self, headers: Mapping[str, str], request_id: str) -> Owner:
        """On whose behalf a request's calls wait in line: of its key only a digest is kept."""
        key = headers.get("authorization", "").partition(" ")[2].strip() if self.keys else ""
        return Owner(_digest(key).hex() if key else "", request_id)

    def background(self) -> list[Coroutine[None, None, None]]:
        """What runs beside the requests until it is cancelled."""
        work = [self.pool.members.keep(), self.store.keep(), self._look_at_sandbox()]
        if self.reload is not None:
            work.append(self.reload.watch(self.settings.pool.resolve_seconds))
        if self.settings.calibration is not None:
            maps = Reload(
                self.settings.calibration, lambda: calibration_of(self.settings), self._calibrate
            )
            work.append(maps.watch(self.settings.pool.resolve_seconds))
        return work

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
    from gateway.stores.redis import RedisStore

    bound = settings.redis_bound_ms / 1000
    try:
        return RedisStore(settings.redis, bound=bound, count=metrics.store_failed)
    except ValueError as error:
        raise ConfigError(f"redis: {error}") from None


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


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=32).digest()

"""The store at a URL, for a gateway and for a command."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

from gateway.settings import ConfigError, Settings, load
from gateway.stores.seam import Store, StoreUnavailable

PATIENT_SECONDS = 10.0
"""How long a command that a person runs waits for a store, each time."""


def opened(url: str, bound: float, count: Callable[[str], None] = lambda reason: None) -> Store:
    """The store at `url`, of which nothing is contacted yet; `ConfigError` says what it lacks."""
    from gateway.stores.redis import RedisStore

    try:
        return RedisStore(url, bound=bound, count=count)
    except ValueError as error:
        raise ConfigError(f"redis: {error}") from None


def commanded(
    argv: Sequence[str],
    what: str,
    work: Callable[[Store, Settings], Awaitable[int]],
    *refusals: type[Exception],
) -> int:
    """The exit status of `work` on the store that `argv` names, which is closed afterwards.

    2, and the reason on stderr, where `argv` or one of `refusals` says that it cannot be; 1 where
    the store cannot be used. `what` is kept there, in words.
    """

    async def run(settings: Settings, url: str) -> int:
        store = opened(url, PATIENT_SECONDS)
        try:
            return await work(store, settings)
        finally:
            await store.close()

    refused: tuple[type[Exception], ...] = (ConfigError, *refusals)
    try:
        settings = load(argv)
        if settings.redis is None:
            raise ConfigError(f"redis: {what} in Redis; give --redis")
        return asyncio.run(run(settings, settings.redis))
    except refused as error:
        print(f"its-gateway: {error}", file=sys.stderr)
        return 2
    except StoreUnavailable as error:
        print(f"its-gateway: redis: {error}", file=sys.stderr)
        return 1

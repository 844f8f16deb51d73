"""The store at a URL."""

from __future__ import annotations

from collections.abc import Callable

from gateway.settings import ConfigError
from gateway.stores.seam import Store

PATIENT_SECONDS = 10.0
"""How long a command that a person runs waits for a store, each time."""


def opened(url: str, bound: float, count: Callable[[str], None] = lambda reason: None) -> Store:
    """The store at `url`, of which nothing is contacted yet; `ConfigError` says what it lacks."""
    from gateway.stores.redis import RedisStore

    try:
        return RedisStore(url, bound=bound, count=count)
    except ValueError as error:
        raise ConfigError(f"redis: {error}") from None

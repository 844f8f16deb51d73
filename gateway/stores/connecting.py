"""Clients for Redis by URL: one server, a cluster, or whichever server Sentinels say is the master.

::

    redis://  rediss://  unix://                       one server
    redis+cluster://host:port,host:port                a cluster
    redis+sentinel://host:port,host:port/service/db    what the Sentinels say

With `rediss+…` in their place, over TLS. User and password come before an `@`, as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

CONNECTIONS = 64
"""Most connections of one gateway to one server; a command without one waits, within its bound."""

CONNECT_SECONDS = 2.0
"""A connection that takes longer is given up. Each command is bounded beside that: what counts for
it is Redis' time and not this process's, which may be too busy to see a connection made."""

Client = Redis | RedisCluster


def client_at(url: str, bound: float) -> Client:
    """A client for `url`; nothing is contacted yet. ValueError says what the URL lacks."""
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    if kind not in KINDS or scheme not in SCHEMES:
        allowed = ", ".join([*SCHEMES, "redis+cluster", "redis+sentinel"])
        raise ValueError(f"unknown scheme {parts.scheme!r}; allowed: {allowed}")
    return KINDS[kind](url, parts, max(bound, CONNECT_SECONDS))


def _one(url: str, parts: SplitResult, seconds: float) -> Client:
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=seconds,
        socket_connect_timeout=seconds,
        retry=_once(),
    )
    return Redis.from_pool(pool)


def _cluster(url: str, parts: SplitResult, seconds: float) -> Client:
    nodes = [ClusterNode(host, port) for host, port in _places(parts, 6379)]
    return RedisCluster(
        startup_nodes=nodes,
        max_connections=CONNECTIONS,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 1),  # a slot may just have moved
        **_credentials(parts),
    )


def _sentinel(url: str, parts: SplitResult, seconds: float) -> Client:
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("a Sentinel URL names its service: redis+sentinel://host:port/SERVICE")
    heard: Any = Sentinel  # which redis-py has no types for
    sentinels = heard(_places(parts, 26379), sentinel_kwargs={"socket_connect_timeout": seconds})
    client: Redis = sentinels.master_for(
        service,
        db=int(database or 0),
        max_connections=CONNECTIONS,
        socket_connect_timeout=seconds,
        retry=_once(),
        **_credentials(parts),
    )
    return client


KINDS: Mapping[str, Callable[[str, SplitResult, float], Client]] = {
    "": _one, "cluster": _cluster, "sentinel": _sentinel,
}  # fmt: skip
SCHEMES = ("redis", "rediss", "unix")


def _once() -> Retry:
    """No second try: the request that waits has better things to do."""
    return Retry(NoBackoff(), 0)


def _places(parts: SplitResult, port: int) -> list[tuple[str, int]]:
    places = []
    for place in parts.netloc.rpartition("@")[2].split(","):
        host, _, number = place.rpartition(":") if ":" in place else (place, "", "")
        if not host:
            raise ValueError(f"{place!r} is not host:port")
        places.append((host.strip("[]"), int(number or port)))
    return places


def _credentials(parts: SplitResult) -> dict[str, Any]:
    told: dict[str, Any] = {}
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    if user:
        told["username"] = unquote(user)
    if password:
        told["password"] = unquote(password)
    if parts.scheme.startswith("rediss"):
        told["ssl"] = True
    return told

"""Every store, as `store`: the same tests on each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.stores import Store
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import RedisStore
from tests.redis_servers import RedisServer, redis_server

PATIENT = 10.0
"""Seconds that a test's commands may take, on a machine with other work."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    server: RedisServer = request.getfixturevalue("server")
    store = RedisStore(server.url, bound=PATIENT)
    await store.flush()
    yield store
    await store.close()

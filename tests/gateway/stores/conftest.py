"""Every store, as `store`: the same tests on each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.stores import Store
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import RedisStore
from tests.redis_servers import RedisServer

PATIENT = 10.0
"""Seconds that a test's commands may take, on a machine with other work."""


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

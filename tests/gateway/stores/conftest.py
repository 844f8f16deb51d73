"""Every store, as `store`: the same tests on each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.stores import Store
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import RedisStore
from tests.redis_servers import RedisServer, redis_cluster

PATIENT = 10.0
"""Seconds that a test's commands may take, on a machine with other work."""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of three."""
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        places = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        yield f"redis+cluster://{places}"


@pytest.fixture(params=["memory", "redis", "cluster"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("server")
        url = server.url
    else:
        url = request.getfixturevalue("cluster")
    store = RedisStore(url, bound=PATIENT)
    await store.flush()
    yield store
    await store.close()

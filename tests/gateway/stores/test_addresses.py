"""Redis by URL: a cluster and Sentinels, real ones, and what a URL may not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.settings import ConfigError
from gateway.stores.opening import opened
from gateway.stores.redis import RedisStore
from gateway.testing import FakeBackend, user
from tests.conftest import Serve, settles
from tests.redis_servers import redis_sentinel, redis_server


async def test_sentinels_are_asked_who_is_the_master(tmp_path: Path) -> None:
    (tmp_path / "sentinel").mkdir()
    with (
        redis_server(tmp_path) as master,
        redis_sentinel(tmp_path / "sentinel", master, "its") as sentinel,
    ):
        store = RedisStore(f"redis+sentinel://127.0.0.1:{sentinel.port}/its/2", bound=10)
        await store.add("cell", {"a": 1})
        direct = RedisStore(f"redis://127.0.0.1:{master.port}/2", bound=10)
        assert (await direct.read("cell")).values == {"a": 1.0}
        await store.close()
        await direct.close()


async def test_gateways_work_on_a_cluster(cluster: str, serve: Serve) -> None:
    backend = FakeBackend(lambda sample, number: f"draw {number}")
    one, two = [await serve(backend, redis=cluster, redis_bound_ms=10_000) for _ in range(2)]
    messages: Any = user("cluster")
    for gateway, told in ((one, "miss"), (two, "pool:1")):
        assert await settles(lambda: gateway.host.keyring.known, 20)  # noqa: B023
        raw = await gateway.client().chat.completions.with_raw_response.create(
            model="fake", messages=messages, extra_headers={"x-its-cache": "pool"}
        )
        assert raw.headers["x-its-cache"] == told
        assert await settles(lambda: gateway.host.later.idle, 10)  # noqa: B023
    assert two.host.store.state == "ok"


@pytest.mark.parametrize(
    "url",
    ["http://x", "redis+sentinel://host:1", "redis+cluster://", "redis+tcp://x", "localhost:6379"],
)
def test_what_cannot_be_an_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="redis: "):
        opened(url, 1.0)

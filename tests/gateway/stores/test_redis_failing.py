"""A Redis that is slow, full, restarted or gone: nobody waits for it, and it is used again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from gateway.__main__ import main
from gateway.stores import StoreUnavailable
from gateway.stores.guard import last_word, open_purse, patiently, unhurried
from gateway.stores.redis import RedisStore
from gateway.testing import FakeBackend, Reply, user
from tests.conftest import Serve, Served, settles
from tests.redis_servers import RedisServer, redis_server
from tests.slow_redis import slow_redis

BOUND_MS = 5000.0
"""More than the default, on a machine where this process itself may have to wait."""


@pytest.fixture
def mortal(tmp_path: Any) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


async def ask(served: Served, key: str = "sk", **headers: str) -> Any:
    messages: Any = user("2 + 2?")
    return await served.client(api_key=key).chat.completions.with_raw_response.create(
        model="fake", messages=messages, extra_headers=headers
    )


async def answered(served: Served, key: str) -> int:
    """How many requests are answered before one is refused."""
    for number in range(1000):
        try:
            await ask(served, key)
        except openai.RateLimitError:
            return number
    raise AssertionError("none is refused")


async def healed(served: Served) -> None:
    assert await settles(lambda: served.host.store.state == "ok", 20)


async def ready(served: Served) -> Any:
    return (await served.client()._client.get(f"{served.url}/ready")).json()


def numbered() -> FakeBackend:
    return FakeBackend(lambda sample, number: Reply.of(f"draw {number}"))


async def test_a_commands_wait_is_bounded_and_then_there_is_none(mortal: RedisServer) -> None:
    counted: Counter[str] = Counter()
    store = RedisStore(mortal.url, bound=0.1, count=lambda reason: counted.update([reason]))
    await store.read("warm")
    assert mortal.process is not None
    os.kill(mortal.process.pid, signal.SIGSTOP)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            await store.read("key")
    assert time.monotonic() - began < 0.1 * 3 + 0.5
    assert store.state == "slow"
    assert counted["slow"] == 3
    assert counted["away"] == 17
    os.kill(mortal.process.pid, signal.SIGCONT)
    keeping = asyncio.create_task(store.keep())
    assert await settles(lambda: store.state == "ok", 20)
    await store.read("key")
    keeping.cancel()
    await store.close()


async def done(store: RedisStore) -> bool:
    """Whether a command that takes .2 seconds is waited for."""
    try:
        await store.guard(lambda: asyncio.sleep(0.2))
    except StoreUnavailable:
        return False
    return True


async def test_a_request_waits_no_longer_for_many_commands_than_for_one(
    mortal: RedisServer,
) -> None:
    """Commands that each keep within the bound do not add up."""
    store = RedisStore(mortal.url, bound=0.5)
    await store.read("warm")
    open_purse(0.5)
    told = [await done(store) for _ in range(10)]
    assert told[0]
    assert sum(told) <= 5  # three at most, were there no stalls
    assert store.state == "ok"  # as it did nothing wrong
    with unhurried():
        await store.read("key")
    with pytest.raises(StoreUnavailable):
        await store.read("key")
    await store.close()


async def test_a_stall_of_this_process_is_no_slowness_of_redis(mortal: RedisServer) -> None:
    store = RedisStore(mortal.url, bound=0.1)
    await store.read("warm")

    async def busy() -> None:
        for _ in range(6):
            time.sleep(0.05)  # noqa: ASYNC251
            await asyncio.sleep(0)

    _, told = await asyncio.gather(busy(), store.guard(lambda: asyncio.sleep(0.05, "told")))
    assert told == "told"
    await store.close()


async def test_work_beside_the_requests_has_time_for_a_slow_redis(mortal: RedisServer) -> None:
    async with slow_redis(mortal.port) as way:
        store = RedisStore(way.url, bound=0.1)
        await store.read("warm")
        way.seconds = 0.4
        for _ in range(3):
            with pytest.raises(StoreUnavailable) as refused:
                await store.read("key")
            assert refused.value.asked
        with pytest.raises(StoreUnavailable) as refused:
            await store.read("key")
        assert not refused.value.asked
        with patiently(10):
            await store.read("key")
        assert store.state == "slow"  # for requests
        await store.close()


async def test_a_requests_last_word_has_something_kept_back_for_it(mortal: RedisServer) -> None:
    store = RedisStore(mortal.url, bound=10)
    await store.read("warm")
    open_purse(0.5)
    while await done(store):
        pass
    last_word()
    await store.guard(lambda: asyncio.sleep(0))
    await store.close()


async def test_reuse_degrades_to_misses_and_heals(serve: Serve, mortal: RedisServer) -> None:
    backend = numbered()
    served = await serve(backend, redis=mortal.url, redis_bound_ms=BOUND_MS)
    pool = {"x-its-cache": "pool"}
    assert (await ask(served, **pool)).headers["x-its-cache"] == "miss"
    assert await settles(lambda: served.host.later.idle, 10)
    assert (await ask(served, **pool)).headers["x-its-cache"] == "pool:1"
    mortal.kill()
    for cache in ("pool", "answer"):
        assert (await ask(served, **{"x-its-cache": cache})).headers["x-its-cache"] == "miss"
    told = await ready(served)
    assert (told["status"], told["store"]) == ("ready", "gone")
    mortal.start()
    await healed(served)
    await ask(served, **pool)
    assert await settles(lambda: served.host.later.idle, 10)
    assert (await ask(served, **pool)).headers["x-its-cache"] == "pool:1"


async def test_a_full_redis_is_read_and_not_waited_for(serve: Serve, tmp_path: Any) -> None:
    with redis_server(tmp_path, "--maxmemory", "3mb") as server:
        filler = RedisStore(server.url, bound=10)
        for number in range(100):
            with contextlib.suppress(StoreUnavailable):
                await filler.put("filler", str(number), os.urandom(100_000), 60)
        with pytest.raises(StoreUnavailable, match="full"):
            await filler.put("filler", "one more", b"x" * 100_000, 60)
        await filler.close()
        backend = numbered()
        served = await serve(backend, redis=server.url, redis_bound_ms=BOUND_MS)
        for _ in range(3):
            assert (await ask(served, **{"x-its-cache": "pool"})).headers["x-its-cache"] == "miss"
        page = (await served.client()._client.get(f"{served.url}/metrics")).text
        assert 'its_store_failures_total{reason="full"}' in page


async def test_quotas_fall_back_to_a_share_or_fail_closed(
    serve: Serve, mortal: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async def key(*words: str) -> str:
        command = ["keys", "add", *words, f"--redis={mortal.url}"]
        assert await asyncio.to_thread(main, command) == 0
        return capsys.readouterr().out.strip()

    opened = await key("open", "--requests-per-day=40")
    closed = await key("closed", "--requests-per-day=40", "--fail-closed")
    options = {"redis": mortal.url, "redis_bound_ms": BOUND_MS}
    one, two = [await serve(numbered(), **options) for _ in range(2)]
    assert await settles(lambda: one.host.peers.count == 2 == two.host.peers.count, 20)
    for gateway in (one, two):
        for secret in (opened, closed):
            await ask(gateway, secret)
    assert await settles(lambda: one.host.later.idle and two.host.later.idle, 20)
    mortal.kill()
    lent = []
    for gateway in (one, two):
        lent.append(await answered(gateway, opened))
        with pytest.raises(openai.InternalServerError) as refused:
            await ask(gateway, closed)
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["retry-after"] == "1"
        with pytest.raises(openai.InternalServerError):
            await ask(gateway, "sk-unknown")
    assert all(4 <= each <= 5 for each in lent)  # an eighth each of what was left
    mortal.start()
    for gateway in (one, two):
        await healed(gateway)
        # The new Redis is empty: keys and what was spent meanwhile are told it.
        assert await settles(lambda: gateway.host.later.idle, 20)  # noqa: B023
    assert await settles(lambda: one.host.store.state == "ok" == two.host.store.state, 20)
    again = [await answered(each, opened) for each in (one, two, one)]
    assert sum(lent) + sum(again) == 40  # two more had died with the old Redis
    await ask(one, closed)
    with pytest.raises(openai.AuthenticationError):
        await ask(one, "sk-unknown")


async def test_nobody_is_served_before_it_is_known_who_may_ask(
    serve: Serve, mortal: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway that starts while Redis is away cannot know whether there are keys."""
    assert await asyncio.to_thread(main, ["keys", "add", "ann", f"--redis={mortal.url}"]) == 0
    secret = capsys.readouterr().out.strip()
    async with slow_redis(mortal.port) as way:
        way.open = False
        served = await serve(numbered(), redis=way.url, redis_bound_ms=BOUND_MS)
        for key in ("sk-unknown", secret):
            with pytest.raises(openai.InternalServerError) as refused:
                await ask(served, key)
            assert refused.value.response.status_code == 503
        assert (await ready(served))["status"] == "not ready"
        way.open = True
        await healed(served)
        assert await settles(lambda: served.host.keyring.known, 20)
        await ask(served, secret)
        with pytest.raises(openai.AuthenticationError):
            await ask(served, "sk-unknown")
        assert (await ready(served))["status"] == "ready"


async def test_killed_and_started_again_under_load_no_request_fails(
    serve: Serve, mortal: RedisServer
) -> None:
    served = await serve(numbered(), redis=mortal.url, redis_bound_ms=BOUND_MS)
    assert await settles(lambda: served.host.keyring.known, 20)  # as /ready tells
    client, stop = served.client(), False
    done = 0
    messages: Any = user("load")

    async def load(number: int) -> None:
        nonlocal done
        while not stop:
            await client.chat.completions.create(
                model="fake", messages=messages, extra_headers={"x-its-cache": "pool"},
                extra_body={"its": {"max_tokens": 50 + done % 7}},
            )  # fmt: skip
            done += 1

    loads = [asyncio.create_task(load(number)) for number in range(4)]
    for _ in range(3):
        mortal.kill()
        seen = done
        assert await settles(lambda: done > seen + 10, 20)  # noqa: B023
        await asyncio.to_thread(mortal.start)
        await healed(served)
        seen = done
        assert await settles(lambda: done > seen + 10, 20)  # noqa: B023
    stop = True
    await asyncio.gather(*loads)  # which raises what any of them raised

"""Keys and quotas, from the command line to the client's headers, on a real Redis."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from gateway.__main__ import main
from gateway.stores.redis import RedisStore
from gateway.testing import FakeBackend, Reply, user
from tests.conftest import Serve, Served, settles
from tests.redis_servers import RedisServer

PATIENT_MS = 10_000


@pytest.fixture
async def url(server: RedisServer) -> str:
    store = RedisStore(server.url, bound=10)
    await store.flush()
    await store.close()
    return server.url


@pytest.fixture
def keys(url: str, capsys: pytest.CaptureFixture[str]) -> Any:
    async def run(*words: str) -> str:
        command = ["keys", *words, "--redis", url]
        assert await asyncio.to_thread(main, command) == 0
        return capsys.readouterr().out.strip()

    return run


async def ask(served: Served, key: str, n: int = 1, **more: Any) -> Any:
    client = served.client(api_key=key)
    extra = {"x-its-budget": str(n)} if n > 1 else {}
    messages: Any = user("2 + 2?")
    return await client.chat.completions.with_raw_response.create(
        model="fake", messages=messages, extra_headers=extra, **more
    )


async def used(keys: Any, name: str) -> Any:
    return json.loads(await keys("usage", name, "--json"))[0]["usage"]


def fake() -> FakeBackend:
    return FakeBackend(lambda sample, number: Reply.of("It is 4."))


async def test_a_key_lives_from_add_to_revoke(keys: Any, url: str, serve: Serve) -> None:
    served = await serve(fake(), redis=url, redis_bound_ms=PATIENT_MS)
    assert (await ask(served, "anything")).parse().choices  # nobody has made a key yet
    secret = await keys("add", "ann")
    assert await settles(lambda: served.host.keyring.needed, 10)
    assert (await ask(served, secret)).parse().choices
    with pytest.raises(openai.AuthenticationError):
        await ask(served, "sk-wrong")
    [listed] = json.loads(await keys("list", "--json"))
    assert (listed["name"], listed["fail"]) == ("ann", "open")
    assert secret not in json.dumps(listed)
    assert secret.encode() not in b"".join((await served.host.store.rows("keys")).values())
    await keys("revoke", "ann")
    await served.host.keyring._look()
    with pytest.raises(openai.AuthenticationError):
        await ask(served, secret)
    assert "revoked" in await keys("list")


async def test_all_keys_usage_is_told_where_none_is_named(keys: Any) -> None:
    for name in ("ann", "bob"):
        await keys("add", name)
    assert {row["name"] for row in json.loads(await keys("usage", "--json"))} == {"ann", "bob"}


async def test_usage_is_booked_by_key_and_model(keys: Any, url: str, serve: Serve) -> None:
    secret = await keys("add", "ann")
    served = await serve(fake(), redis=url, redis_bound_ms=PATIENT_MS)
    await ask(served, secret, 4)
    await ask(served, secret)
    want = {"requests": 2, "samples": 5, "tokens": 15}
    assert await used(keys, "ann") == {"*": want, "fake": want}


async def test_headers_tell_what_is_left_and_when_to_come_again(
    keys: Any, url: str, serve: Serve
) -> None:
    limits = ("--requests-per-minute=2", "--samples-per-day=100", "--tokens-per-day=1000")
    secret = await keys("add", "ann", *limits)
    served = await serve(fake(), redis=url, redis_bound_ms=PATIENT_MS)
    first = await ask(served, secret, 4, max_tokens=50)
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert first.headers["x-ratelimit-remaining-samples"] == "96"
    assert first.headers["x-ratelimit-remaining-tokens"] == "800"
    second = await ask(served, secret)
    assert second.headers["x-ratelimit-remaining-samples"] == "95"
    with pytest.raises(openai.RateLimitError) as refused:
        await ask(served, secret)
    headers, error = refused.value.response.headers, refused.value.body
    assert 25 <= int(headers["retry-after"]) <= 30
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert isinstance(error, dict)
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert (await used(keys, "ann"))["*"] == {"requests": 2, "samples": 5, "tokens": 15}


async def test_a_request_cannot_spend_more_than_it_reserved(
    keys: Any, url: str, serve: Serve
) -> None:
    secret = await keys("add", "ann", "--tokens-per-day=100")
    backend = FakeBackend(lambda sample, number: Reply.of("a b c d e f g h i j k l"))
    served = await serve(backend, redis=url, redis_bound_ms=PATIENT_MS, assumed_tokens=8)
    await ask(served, secret, 4)
    assert all(call.fields["max_tokens"] == 8 for call in backend.calls)
    with pytest.raises(openai.RateLimitError) as refused:
        await ask(served, secret, 2, max_tokens=51)
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert (await used(keys, "ann"))["*"]["tokens"] == 32


async def test_a_model_has_limits_of_its_own(keys: Any, url: str, serve: Serve) -> None:
    secret = await keys("add", "ann", "--limit=fake:requests_per_day=1")
    served = await serve(fake(), redis=url, redis_bound_ms=PATIENT_MS)
    await ask(served, secret)
    with pytest.raises(openai.RateLimitError, match="requests a day"):
        await ask(served, secret)


async def test_two_gateways_share_one_place(keys: Any, url: str, serve: Serve) -> None:
    secret = await keys("add", "ann", "--concurrent=1")
    backend = FakeBackend(lambda sample, number: Reply.of("a b c", delay=0.2))
    one = await serve(backend, redis=url, redis_bound_ms=PATIENT_MS)
    two = await serve(backend, redis=url, redis_bound_ms=PATIENT_MS)
    running = asyncio.create_task(ask(one, secret))
    assert await settles(lambda: backend.live == 1, 10)
    with pytest.raises(openai.RateLimitError, match="under way"):
        await ask(two, secret)
    await running
    for _ in range(3):  # one after the other there is always room
        await ask(two, secret, stream=False)


async def test_a_client_that_hangs_up_pays_for_what_was_drawn(
    keys: Any, url: str, serve: Serve
) -> None:
    secret = await keys("add", "ann", "--concurrent=1")
    backend = FakeBackend(lambda sample, number: Reply.of("a b c", delay=5))
    served = await serve(backend, redis=url, redis_bound_ms=PATIENT_MS)
    running = asyncio.create_task(ask(served, secret))
    assert await settles(lambda: backend.live == 1, 10)
    running.cancel()
    assert await settles(lambda: backend.live == 0 and served.host.later.idle, 10)
    assert (await used(keys, "ann"))["*"] == {"requests": 1, "samples": 1, "tokens": 0}


async def test_keys_of_the_settings_have_quotas_without_redis(serve: Serve) -> None:
    limits = {"*": {"requests_per_day": 2}}
    served = await serve(fake(), api_key=("sk-a", "sk-b"), limits=limits)
    for key in ("sk-a", "sk-a", "sk-b"):
        await ask(served, key)
    with pytest.raises(openai.RateLimitError):
        await ask(served, "sk-a")


async def test_what_is_passed_through_counts_too(keys: Any, url: str, serve: Serve) -> None:
    secret = await keys("add", "ann", "--tokens-per-day=100")
    served = await serve(fake(), redis=url, redis_bound_ms=PATIENT_MS)
    client = served.client(api_key=secret)
    with pytest.raises(openai.NotFoundError):  # which is what this backend says to all
        await client.completions.create(model="fake", prompt=["a", "b"], max_tokens=20)
    with pytest.raises(openai.RateLimitError):
        await client.completions.create(model="fake", prompt=["a", "b"], max_tokens=31)

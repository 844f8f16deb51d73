"""The same request under the same policy has the same answer; over HTTP, on every store."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.errors import UpstreamUnavailable
from gateway.testing import FakeBackend, Reply, user
from tests.conftest import Serve, Served
from tests.gateway.reuse.test_pool import numbered, state, texts
from tests.redis_servers import RedisServer

__all__ = ["state"]


async def ask(served: Served, **body: Any) -> Any:
    headers = {"x-its-cache": "answer", "x-its-detail": "candidates", **body.pop("headers", {})}
    messages: Any = body.pop("messages", user("2 + 2?"))
    return await served.client().chat.completions.with_raw_response.create(
        model="fake", messages=messages, extra_headers=headers, **body
    )


async def test_the_second_time_it_is_there(serve: Serve, state: dict[str, Any]) -> None:
    backend = numbered()
    served = await serve(backend, **state)
    more = {"headers": {"x-its-budget": "3"}}
    told = [await ask(served, **more) for _ in range(3)]
    assert [each.headers["x-its-cache"] for each in told] == ["miss", "hit", "hit"]
    assert backend.begun == 3
    assert texts(told[0]) == texts(told[2])
    answers = [each.parse() for each in told]
    assert len({a.choices[0].message.content for a in answers}) == 1
    assert len({a.usage.completion_tokens for a in answers}) == 1
    assert told[2].headers["x-its-samples"] == "3"


async def test_a_stream_says_so_too(serve: Serve) -> None:
    backend = numbered()
    served = await serve(backend)
    await ask(served)
    raw = await ask(served, stream=True)
    assert raw.headers["x-its-cache"] == "hit"
    chunks = [chunk async for chunk in raw.parse()]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "draw 0"
    assert backend.begun == 1


async def test_another_policy_has_another_answer(serve: Serve) -> None:
    backend = numbered()
    served = await serve(backend)
    for headers in ({}, {"x-its-budget": "2"}, {"x-its-max-tokens": "9"}, {"x-its-abstain": "0"}):
        assert (await ask(served, headers=headers)).headers["x-its-cache"] == "miss"


async def test_equal_requests_at_once_are_answered_once(server: RedisServer, serve: Serve) -> None:
    backend = numbered(delay=0.05)
    options = {"redis": server.url, "redis_bound_ms": 20_000}
    both = [await serve(backend, **options) for _ in range(2)]
    told = await asyncio.gather(*(ask(both[i % 2], messages=user("once")) for i in range(20)))
    assert backend.begun == 1
    assert sorted(each.headers["x-its-cache"] for each in told) == ["hit"] * 19 + ["miss"]


async def test_an_answer_that_is_not_whole_is_not_kept(serve: Serve) -> None:
    def flaky(sample: Any, number: int) -> Reply:
        error = UpstreamUnavailable("down") if number == 1 else None
        return Reply.of("a", error=error, delay=0.01)

    backend = FakeBackend(flaky)
    served = await serve(backend, pool={"retries": 0})
    more = {"headers": {"x-its-budget": "2"}, "seed": 1}
    told = [await ask(served, **more) for _ in range(3)]
    assert [each.headers["x-its-cache"] for each in told] == ["miss", "miss", "hit"]
    assert told[0].headers["x-its-degraded"] == "partial"

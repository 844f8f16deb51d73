"""Samples that were drawn are had again, by place; over HTTP, on every store."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from gateway.stores.redis import RedisStore
from gateway.testing import FakeBackend, Reply, user
from tests.conftest import Serve, Served, settles
from tests.redis_servers import RedisServer

DETAIL = {"x-its-detail": "candidates"}


@pytest.fixture(params=["memory", "redis"])
async def state(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "memory":
        return {}
    server: RedisServer = request.getfixturevalue("server")
    store = RedisStore(server.url, bound=10)
    await store.flush()
    await store.close()
    return {"redis": server.url, "redis_bound_ms": 10_000}


def numbered(**more: Any) -> FakeBackend:
    """A backend whose every candidate is another."""
    return FakeBackend(lambda sample, number: Reply.of(f"draw {number}", **more))


async def ask(served: Served, n: int, cache: str = "pool", key: str = "sk", **body: Any) -> Any:
    client = served.client(api_key=key)
    headers = {
        "x-its-cache": cache,
        "x-its-strategy": "best_of_n",
        "x-its-budget": str(n),
        **DETAIL,
    }
    messages: Any = body.pop("messages", user("2 + 2?"))
    return await client.chat.completions.with_raw_response.create(
        model="fake", messages=messages, extra_headers=headers, **body
    )


def texts(raw: Any) -> dict[int, str]:
    """Candidates by their place in the draw."""
    block = json.loads(raw.http_response.text)["its"]
    return {each["index"]: each["text"] for each in block["candidates"]}


async def test_what_is_there_is_taken_and_only_the_rest_drawn(
    serve: Serve, state: dict[str, Any]
) -> None:
    backend = numbered()
    served = await serve(backend, **state)
    first = await ask(served, 4)
    assert first.headers["x-its-cache"] == "miss"
    second = await ask(served, 6)
    assert second.headers["x-its-cache"] == "pool:4"
    assert backend.begun == 6
    third = await ask(served, 2)
    assert third.headers["x-its-cache"] == "pool:2"
    assert texts(second) == {i: f"draw {i}" for i in range(6)}
    assert texts(third) == {0: "draw 0", 1: "draw 1"}
    # A request is told of all its samples' tokens, whoever drew them.
    assert [r.parse().usage.completion_tokens for r in (first, second, third)] == [8, 12, 4]


async def test_off_is_off(serve: Serve) -> None:
    backend = numbered()
    served = await serve(backend)
    for cache in ("pool", "off", "off"):
        told = await ask(served, 3, cache)
    assert told.headers["x-its-cache"] == "off"
    assert backend.begun == 9


async def test_the_same_index_is_the_same_draw_and_another_a_fresh_one(serve: Serve) -> None:
    """Over all requests together a place has one text, and no text has two places."""
    backend = numbered()
    served = await serve(backend)
    told = await asyncio.gather(*(ask(served, n) for n in (1, 7, 3, 5, 7, 2, 6)))
    seen = Counter((place, text) for raw in told for place, text in texts(raw).items())
    assert {place for place, _ in seen} == set(range(7))
    assert len(seen) == len({text for _, text in seen}) == 7 == backend.begun


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1}, {"temperature": 0.5}, {"messages": user("2 + 3?")}, {"max_tokens": 9},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "2 + 2?"}, {
            "type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]},
    ],
)  # fmt: skip
async def test_whatever_changes_the_draw_is_another_pool(serve: Serve, change: Any) -> None:
    backend = numbered()
    served = await serve(backend)
    await ask(served, 2)
    assert (await ask(served, 2, **change)).headers["x-its-cache"] == "miss"
    assert (await ask(served, 2, **change)).headers["x-its-cache"] == "pool:2"
    assert (await ask(served, 2, user="me")).headers["x-its-cache"] == "pool:2"
    assert backend.begun == 4


async def test_keys_do_not_share_unless_the_operator_says_so(serve: Serve) -> None:
    backend = numbered()
    for shared, want in ((False, "miss"), (True, "pool:2")):
        served = await serve(backend, api_key=("sk-a", "sk-b"), share_samples=shared)
        await ask(served, 2, key="sk-a")
        assert (await ask(served, 2, key="sk-b")).headers["x-its-cache"] == want
        assert (await ask(served, 2, key="sk-a")).headers["x-its-cache"] == "pool:2"


async def test_a_new_revision_of_a_model_begins_anew(server: RedisServer, serve: Serve) -> None:
    backend = numbered()
    state = {"redis": server.url, "redis_bound_ms": 10_000}
    for revision, want in (("r1", "miss"), ("r1", "pool:2"), ("r2", "miss")):
        served = await serve(backend, revisions={"fake": revision}, **state)
        told = await ask(served, 2, messages=user("revisions"))
        assert told.headers["x-its-cache"] == want
        assert await settles(lambda: served.host.later.idle, 10)  # noqa: B023


async def test_equal_requests_at_once_draw_once_whoever_they_ask(
    server: RedisServer, serve: Serve
) -> None:
    backend = numbered(delay=0.02)
    state = {"redis": server.url, "redis_bound_ms": 20_000}
    both = [await serve(backend, **state) for _ in range(2)]
    asked = [ask(both[i % 2], 16, messages=user("at once")) for i in range(40)]
    told = await asyncio.gather(*asked)
    assert backend.begun == 16
    assert len({json.dumps(sorted(texts(raw).items())) for raw in told}) == 1


async def test_who_hangs_up_hands_over(serve: Serve, state: dict[str, Any]) -> None:
    backend = FakeBackend(lambda sample, number: Reply.of("a b", delay=0.3))
    served = await serve(backend, **state)
    drawing = asyncio.create_task(ask(served, 2))
    assert await settles(lambda: backend.live == 1, 10)
    waiting = asyncio.create_task(ask(served, 2))
    drawing.cancel()
    assert len(texts(await waiting)) == 2
    assert backend.begun == 4
    assert backend.aborted == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_log_probabilities_and_token_counts_come_back(
    serve: Serve, state: dict[str, Any], stream: bool
) -> None:
    backend = FakeBackend(lambda *_: Reply.of("a b", logprobs=(-0.1, -0.2)))
    served = await serve(backend, **state)
    client = served.client()
    for _ in range(2):
        messages: Any = user("logprobs")
        answer: Any = await client.chat.completions.create(
            model="fake", messages=messages, logprobs=True, stream=stream,
            extra_headers={"x-its-cache": "pool"},
        )  # fmt: skip
        if stream:
            chunks = [chunk async for chunk in answer]
            told = [choice.logprobs for chunk in chunks for choice in chunk.choices]
            content = [part for each in told if each for part in each.content]
            text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
            assert chunks[-1].choices[0].finish_reason == "stop"
        else:
            content = answer.choices[0].logprobs.content
            text = answer.choices[0].message.content
        assert text == "a b"
        assert [each.logprob for each in content] == [-0.1, -0.2]
    assert backend.begun == 1

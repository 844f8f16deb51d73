"""Receipts for whose requests they are of, and replaying them; on a real Redis."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.__main__ import main
from gateway.stores.redis import RedisStore
from gateway.testing import FakeBackend, Reply, user
from tests.conftest import Serve, Served, settles
from tests.redis_servers import RedisServer

ANSWERS = ("5", "4", "4", "4", "7", "4", "4", "4")
"""What samples say: one is wrong, two disagree, of four most are right."""


@pytest.fixture
async def state(server: RedisServer) -> dict[str, Any]:
    store = RedisStore(server.url, bound=10)
    await store.flush()
    await store.close()
    return {"redis": server.url, "redis_bound_ms": 10_000}


def backend() -> FakeBackend:
    return FakeBackend(
        lambda sample, number: Reply.of(
            f"so \\boxed{{{ANSWERS[(sample.first or 0) + number % 8]}}}"
        )
    )


async def ask(served: Served, key: str = "sk-a", **its: Any) -> str:
    client = served.client(api_key=key)
    messages: Any = user("2 + 2?")
    body = {"its": {"strategy": "best_of_n", "budget": 8, "reference": "4", **its}}
    raw = await client.chat.completions.with_raw_response.create(
        model="fake", messages=messages, extra_body=body
    )
    assert await settles(lambda: served.host.later.idle, 10)
    return str(raw.headers["x-request-id"])


async def fetch(served: Served, id: str, key: str = "sk-a") -> Any:
    client = served.client(api_key=key)._client
    return await client.get(
        f"{served.url}/v1/its/requests/{id}", headers={"authorization": f"Bearer {key}"}
    )


async def test_its_owner_and_nobody_else_reads_a_receipt(serve: Serve, state: Any) -> None:
    served = await serve(backend(), api_key=("sk-a", "sk-b"), **state)
    id = await ask(served)
    told = await fetch(served, id)
    assert told.status_code == 200
    receipt = told.json()
    assert receipt["id"] == id
    assert receipt["policy"]["strategy"] == "best_of_n"
    assert receipt["policy"]["params"]["n"] == 8
    assert receipt["stop"] == "complete"
    assert receipt["usage"]["total"]["completion_tokens"] == 16
    assert [each["index"] for each in receipt["candidates"]] == list(range(8))
    assert [each["answer"] for each in receipt["candidates"]] == list(ANSWERS)
    assert receipt["candidates"][receipt["answers"][0]]["answer"] == "4"
    for path, key, status in ((id, "sk-b", 404), ("none", "sk-a", 404), (id, "sk-c", 401)):
        refused = await fetch(served, path, key)
        assert refused.status_code == status
        assert "error" in refused.json()


async def test_receipts_can_be_off(serve: Serve, state: Any) -> None:
    served = await serve(backend(), receipt_hours=0, **state)
    told = await fetch(served, await ask(served))
    assert told.status_code == 404
    assert "keeps no receipts" in told.json()["error"]["message"]


async def test_replay_tells_what_fewer_samples_would_have_come_to(
    serve: Serve, state: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    served = await serve(backend(), **state)
    for seed in range(3):
        await ask(served, params={"n": 8}, max_tokens=1000 + seed)
    command = ["replay", "--budget=1,4,8,16", "--json", f"--redis={state['redis']}"]
    assert await asyncio.to_thread(main, command) == 0
    one, four, eight, more = json.loads(capsys.readouterr().out)
    assert (one["requests"], one["graded"], one["failed"]) == (3, 3, 0)
    assert [r["accuracy"] for r in (one, four, eight)] == [0.0, 1.0, 1.0]
    assert [r["same_answer"] for r in (one, four, eight)] == [0.0, 1.0, 1.0]
    assert [r["samples"] for r in (one, four, eight)] == [1.0, 4.0, 8.0]
    assert [r["tokens"] for r in (one, four, eight)] == [2.0, 8.0, 16.0]
    assert eight["accuracy_then"] == 1.0
    assert eight["tokens_then"] == 16.0
    assert [r["short"] for r in (one, eight, more)] == [0, 0, 3]


async def test_replay_says_what_cannot_be(state: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["replay"]) == 2
    assert "give --redis" in capsys.readouterr().err
    command = ["replay", f"--redis={state['redis']}", "--params=="]
    assert await asyncio.to_thread(main, command) == 2

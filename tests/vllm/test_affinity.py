"""Turns of one conversation share a cache: vLLM's own counters say so."""

from __future__ import annotations

from typing import Any

from tests.vllm.client import sent
from tests.vllm.conftest import Fleet
from tests.vllm.servers import Gateway

HITS = "vllm:prefix_cache_hits_total"
LONG = "Add these numbers, please: " + ", ".join(str(number) for number in range(100, 180))
"""Longer than a block of the cache, which is 128 tokens at most."""


async def test_the_second_turn_hits_the_cache_of_the_replica_that_served_the_first(
    gateway: Gateway, fleet: Fleet
) -> None:
    first: list[dict[str, Any]] = [{"role": "user", "content": LONG}]
    answer = await _asked(gateway, first)
    served = [server.metric(HITS) for server in fleet.writers]
    second = [*first, answer, {"role": "user", "content": "And 1 more?"}]
    await _asked(gateway, second)
    hits = [server.metric(HITS) - was for server, was in zip(fleet.writers, served, strict=True)]
    assert sum(hits) >= 128
    assert sum(hit > 0 for hit in hits) == 1


async def _asked(gateway: Gateway, messages: list[dict[str, Any]]) -> dict[str, Any]:
    body = {"model": "its-demo", "messages": messages, "max_tokens": 8}
    status, told = await sent(f"{gateway.base}/v1/chat/completions", body)
    assert status == 200, told
    message: dict[str, Any] = told["choices"][0]["message"]
    return {"role": "assistant", "content": message["content"]}

"""Clients that ask, and what they were told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Load:
    """`requests` of best_of_n, `concurrency` at once, `n` candidates of exactly `tokens` tokens.

    Every second one has a deadline, for which the gateway streams from its upstreams.
    """

    model: str
    requests: int
    concurrency: int
    n: int = 8
    tokens: int = 24
    seconds: float = 300.0


@dataclass(slots=True)
class Told:
    """All that came back; `faults` are what should not have."""

    faults: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    drawn_again: int = 0


async def run_load(base: str, load: Load) -> Told:
    """Ask until all requests are answered."""
    told, numbers = Told(), iter(range(load.requests))
    timeout = aiohttp.ClientTimeout(total=load.seconds)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(base, timeout=timeout, connector=connector) as client:
        workers = (_worker(client, load, numbers, told) for _ in range(load.concurrency))
        await asyncio.gather(*workers)
    return told


async def _worker(
    client: aiohttp.ClientSession, load: Load, numbers: Iterator[int], told: Told
) -> None:
    for number in numbers:
        began = time.monotonic()
        try:
            async with client.post("/v1/chat/completions", json=_body(load, number)) as response:
                body = await response.json(content_type=None)
                _check(load, number, response, body, told)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            told.faults.append(f"request {number}: {error!r}")
        told.seconds.append(time.monotonic() - began)


def _body(load: Load, number: int) -> dict[str, Any]:
    question = f"Ana has {number % 50} apples. She buys {number // 50 + 2} more. How many now?"
    its: dict[str, Any] = {"strategy": "best_of_n", "params": {"n": load.n}, "detail": "candidates"}
    if number % 2:
        its["deadline_ms"] = int(load.seconds * 1000)
    return {
        "model": load.model,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": load.tokens,
        "ignore_eos": True,
        "its": its,
    }


def _check(
    load: Load, number: int, response: aiohttp.ClientResponse, body: Any, told: Told
) -> None:
    if response.status != 200:
        told.faults.append(f"request {number}: {response.status} {body}")
        return
    usage, its = body["usage"], body["its"]
    told.prompt_tokens += usage["prompt_tokens"]
    told.completion_tokens += usage["completion_tokens"]
    said = [candidate.get("tokens", load.tokens) for candidate in its["candidates"]]
    expected = load.n * load.tokens
    wrong = {
        "candidates": len(said) != load.n,
        "samples": its["samples"] != load.n,
        "sum of candidates": sum(said) != expected,
        "usage": usage["completion_tokens"] != expected,
        "total": usage["total_tokens"] != usage["prompt_tokens"] + usage["completion_tokens"],
        "degraded": bool(its["degraded"]),
        "stop": its["stop"] != "complete",
    }
    for what in (what for what, is_wrong in wrong.items() if is_wrong):
        told.faults.append(f"request {number}: {what}: {usage} {its['degraded']} {its['stop']}")

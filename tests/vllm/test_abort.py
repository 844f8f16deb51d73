"""Whatever ends a request ends its work in vLLM, within a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from gateway.backends.vllm import VLLMBackend
from gateway.ledger import Ledger
from gateway.registry import Registry
from gateway.session import Means, Session
from gateway.testing import InlineCompute
from gateway.trace import Trace
from gateway.types import Budget, Request
from tests.vllm.client import sent
from tests.vllm.conftest import Fleet
from tests.vllm.servers import Gateway

RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"
LONG = {"max_tokens": 1000, "ignore_eos": True}
"""Fields of an answer that goes on until it is stopped: 8 of these take the demo model seconds."""
PROMPT = [{"role": "user", "content": "What is 12 + 30?"}]
ASK = {"model": "its-demo", "messages": PROMPT}
WITHIN = 1.0
ATTEMPTS = 5
"""Of which one has to be in time: a first batch of its shape is compiled, which takes seconds."""


async def _busy(fleet: Fleet) -> float:
    told = await asyncio.gather(
        *(asyncio.to_thread(server.metric, RUNNING, WAITING) for server in fleet.writers)
    )
    return sum(told)


async def _until(fleet: Fleet, wanted: Callable[[float], bool], seconds: float) -> float:
    """How long it takes until the number of requests is as wanted; fails after `seconds`."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    while not wanted(busy := await _busy(fleet)):
        assert loop.time() - start < seconds, f"{busy} requests after {seconds} s"
        await asyncio.sleep(0.02)
    return loop.time() - start


@pytest.fixture(autouse=True)
async def _idle(fleet: Fleet) -> AsyncIterator[None]:
    await _until(fleet, lambda busy: busy == 0, 30.0)
    yield
    await _until(fleet, lambda busy: busy == 0, 30.0)


@pytest.fixture
async def session(fleet: Fleet) -> AsyncIterator[Session]:
    backend = VLLMBackend(fleet.writers[0].base, name="writer")
    means = Means(backend, Registry("verifier"), InlineCompute(), {})
    yield Session(Request("its-demo", PROMPT, fields=LONG), means, Ledger(Budget()), Trace())
    await backend.close()


async def _ends(fleet: Fleet, work: Callable[[], Awaitable[bool | None]]) -> None:
    """Assert that nothing of `work` is left in vLLM within the time, once it is over.

    Work that tells `False` was not seen in vLLM before it ended, which says nothing.
    """
    taken: list[float] = []
    for _ in range(ATTEMPTS):
        seen = await work()
        taken.append(await _until(fleet, lambda busy: busy == 0, 30.0))
        if seen is False:
            continue
        if taken[-1] < WITHIN:
            return
    raise AssertionError(f"requests ended after {taken} s")


@pytest.mark.parametrize("apart", [False, True])
async def test_leaving_drafts_aborts_them(session: Session, fleet: Fleet, apart: bool) -> None:
    async def leave() -> None:
        async with session.drafts(8, apart=apart) as drafts:
            async for draft in drafts:
                if draft.tokens >= 3:
                    break
            await _until(fleet, lambda busy: busy > 0, 10.0)

    await _ends(fleet, leave)


async def test_stopping_one_draft_of_several_ends_that_one(session: Session, fleet: Fleet) -> None:
    async def stop_two() -> bool:
        async with session.drafts(3, apart=True) as drafts:
            stopped: set[str] = set()
            async for draft in drafts:
                if draft.tokens >= 3 and draft.id not in stopped and len(stopped) < 2:
                    await drafts.stop(draft.id)
                    stopped.add(draft.id)
                if len(stopped) == 2:
                    await _until(fleet, lambda busy: busy <= 1, 30.0)
                    return await _busy(fleet) == 1
        return False

    await _ends(fleet, stop_two)


async def _post(gateway: Gateway, **body: Any) -> dict[str, Any]:
    status, told = await sent(f"{gateway.base}/v1/chat/completions", {**ASK, **body})
    assert status == 200, told
    return told


async def test_a_verdict_aborts_what_still_grows(gateway: Gateway, fleet: Fleet) -> None:
    """With `math`, the first candidate that ends and is right; the others cannot end."""
    its = {
        "strategy": "best_of_n",
        "verifier": "math",
        "budget": 32,
        "params": {"early_exit": True},
        "reference": "42",
    }

    async def answer() -> None:
        told = await _post(gateway, its=its, max_tokens=300)
        assert told["choices"][0]["message"]["content"]

    await _ends(fleet, answer)


async def test_a_deadline_aborts_what_still_grows(gateway: Gateway, fleet: Fleet) -> None:
    deadlines = iter((1500, 2000, 3000, 4000, 6000))
    its = {"strategy": "best_of_n", "budget": 8}

    async def answer() -> bool:
        whole = {**ASK, **LONG, "its": {**its, "deadline_ms": next(deadlines)}}
        status, told = await sent(f"{gateway.base}/v1/chat/completions", whole)
        if status == 504:  # true on a machine too busy for a first word by then
            return False
        assert status == 200, told
        assert told["choices"][0]["finish_reason"] == "length"
        assert told["usage"]["completion_tokens"] < 8000
        return True

    await _ends(fleet, answer)


async def _read(client: aiohttp.ClientSession, gateway: Gateway, body: dict[str, Any]) -> None:
    async with client.post(f"{gateway.base}/v1/chat/completions", json=body) as response:
        assert response.status == 200, await response.text()
        await response.read()


async def _seen(fleet: Fleet, asking: asyncio.Task[None]) -> bool:
    """Whether vLLM tells of work before `asking` is over; what `asking` raises is raised."""
    while not asking.done():
        if await _busy(fleet) > 0:
            return True
        await asyncio.sleep(0.02)
    await asking
    return False


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("its", [{}, {"strategy": "best_of_n", "budget": 8}], ids=["one", "eight"])
async def test_a_hang_up_aborts_it_all(
    gateway: Gateway, fleet: Fleet, stream: bool, its: dict[str, Any]
) -> None:
    body = {**ASK, **LONG, "stream": stream, "its": its}

    async def hang_up() -> bool:
        async with aiohttp.ClientSession() as client:
            asking = asyncio.create_task(_read(client, gateway, body))
            seen = await _seen(fleet, asking)
        asking.cancel()
        await asyncio.wait([asking])
        return seen

    await _ends(fleet, hang_up)

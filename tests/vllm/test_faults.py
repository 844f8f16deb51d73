"""Replicas that die without a word and come back, under load; the others must not be felt to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.backends.vllm import VLLMBackend
from gateway.errors import UpstreamError
from tests.conftest import settles
from tests.vllm.client import sent
from tests.vllm.conftest import Fleet
from tests.vllm.servers import STARTUP, Gateway
from tests.vllm.test_abort import RUNNING

BODY: dict[str, Any] = {
    "model": "its-demo",
    "messages": [{"role": "user", "content": "What is 12 + 30?"}],
    "max_tokens": 32,
    "its": {"strategy": "best_of_n", "budget": 4, "detail": "summary"},
}
LANES = 4
PAUSE = 0.2
"""Seconds between a lane's requests: a machine whose every cycle is taken starts no server."""
SERVED = "vllm:request_success_total"


@pytest.fixture
def pair(fleet: Fleet, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway before the two replicas of the demo model."""
    flags = tuple(f"--backend={server.base}" for server in fleet.writers)
    gateway = Gateway(log=tmp_path / "gateway.log", flags=flags)
    gateway.start()
    yield gateway
    gateway.stop()


@pytest.mark.timeout(STARTUP + 300)
async def test_a_replica_dies_under_load_and_comes_back(pair: Gateway, fleet: Fleet) -> None:
    """No request fails or is miscounted, nothing is left running, and what returned is used."""
    kept, dying = fleet.writers
    over = asyncio.Event()
    told: list[tuple[int, dict[str, Any]]] = []

    async def lane() -> None:
        while not over.is_set():
            told.append(await sent(f"{pair.base}/v1/chat/completions", BODY))
            await asyncio.sleep(PAUSE)

    lanes = [asyncio.create_task(lane()) for _ in range(LANES)]
    try:
        await _more(told, 8)
        dying.kill()
        await _more(told, 16)
        dying.start()
        await asyncio.to_thread(dying.wait)
        assert await settles(lambda: dying.metric(SERVED) > 0, 120.0)
    finally:
        over.set()
        await asyncio.gather(*lanes)
    assert {status for status, _ in told} == {200}, [body for status, body in told if status != 200]
    for _, body in told:
        assert len(body["choices"]) == 1
        assert 4 <= body["usage"]["completion_tokens"] <= 4 * 32
    assert await asyncio.to_thread(kept.metric, RUNNING) == 0
    assert await asyncio.to_thread(dying.metric, RUNNING) == 0


async def _more(told: list[Any], count: int) -> None:
    """Until so many more requests have been answered."""
    wanted = len(told) + count
    assert await settles(lambda: len(told) >= wanted, 120.0), f"{len(told)} of {wanted}"


@pytest.mark.timeout(STARTUP + 300)
async def test_a_restarted_server_is_probed_again(fleet: Fleet) -> None:
    """It comes back without the whole vocabulary's log-probabilities, and that is found out."""
    server = fleet.writers[1]
    flags = server.flags
    backend = VLLMBackend(server.base, name="restarted")
    try:
        assert (await backend._known.sure("its-demo")).all_logprobs
        server.flags = ()
        server.stop()
        with pytest.raises(UpstreamError):
            await backend.models()
        server.start()
        await asyncio.to_thread(server.wait)
        await backend.models()
        assert await settles(lambda: not backend.capabilities("its-demo").all_logprobs, 60.0)
    finally:
        server.flags = flags
        await backend.close()

"""A gateway of several worker processes, and what can be seen of it from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.test_serve import PROMPT, Gateway, Slow, upstream

__all__ = ["upstream"]

Counts = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Fleet:
    """A gateway of workers, each asked over new connections, of which the kernel says who has them.

    `told` are all lines of its log so far, as objects.
    """

    gateway: Gateway
    client: aiohttp.ClientSession

    @property
    def pid(self) -> int:
        return self.gateway.process.pid

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.gateway.lines]

    def workers(self) -> set[int]:
        """The process ids of its children."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return {int(word) for word in path.read_text().split()}

    async def ask(self, **headers: str) -> int:
        """The status of an answer."""
        body = {"model": "m", "messages": [{"role": "user", "content": PROMPT}]}
        url = f"{self.gateway.base}/v1/chat/completions"
        async with self.client.post(url, json=body, headers=headers) as response:
            await response.read()
            return response.status

    async def get(self, path: str) -> tuple[int, str]:
        async with self.client.get(f"{self.gateway.base}{path}") as response:
            return response.status, await response.text()

    async def page(self) -> str:
        status, page = await self.get("/metrics")
        assert status == 200, page
        return page

    async def counts(self) -> Counts:
        families = text_string_to_metric_families(await self.page())
        return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}

    async def count(self, name: str) -> float:
        """The sum of a metric's series."""
        return sum(value for (of, _), value in (await self.counts()).items() if of == name)

    async def up(self, worker: int | None = None, seconds: float = 10.0) -> int:
        """The process id of the next worker that the log says is up, or of that very one."""
        while True:
            line = await self.gateway.until("worker", seconds)
            if worker in (None, line["worker"]):
                return int(line["pid"])

    async def ended(self) -> int:
        """Its exit status; no process is left then."""
        left = self.workers()
        status = await self.gateway.end()
        assert living(left) == set()
        return status


Start = Callable[..., Awaitable[Fleet]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """`await start(*flags, **environment)`: a gateway whose workers are all up."""
    fleets: list[Fleet] = []

    async def begin(*flags: str, workers: int = 2, **environment: str) -> Fleet:
        gateway = await Gateway.start(f"--workers={workers}", *flags, **environment)
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        fleets.append(Fleet(gateway, aiohttp.ClientSession(connector=connector)))
        for _ in range(workers - 1):  # the first was up before the gateway listened
            await fleets[-1].up()
        return fleets[-1]

    yield begin
    for fleet in fleets:
        await fleet.client.close()
        if fleet.gateway.process.returncode is None:
            os.killpg(fleet.pid, signal.SIGKILL)
            await fleet.gateway.process.wait()


@pytest.fixture
async def fleet(start: Start, upstream: Slow) -> Fleet:
    """Two workers before `upstream`."""
    return await start(f"--backend={upstream.base}/v1")


def living(pids: set[int]) -> set[int]:
    """Those of them that have not ended, waited for or not."""

    def lives(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    return set(filter(lives, pids))


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait for `condition`."""
    for _ in range(round(seconds / 0.01)):
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError

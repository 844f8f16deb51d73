"""A Redis, an upstream that counts, and gateways on both, each a process of its own."""

from __future__ import annotations

import asyncio
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.faults.processes import Server

PYTHON = shlex.quote(sys.executable)
CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Parts:
    """The processes of one measurement."""

    redis: Server
    upstream: Server
    gateways: list[Server]

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis.port}/0"

    async def begin(self) -> None:
        """Start all that has not been, and wait until each answers."""
        if not self.redis.starts:
            self.redis.start()
        self.upstream.start()
        await asyncio.gather(answers(self.redis), self.upstream.ready("/v1/models", 60))
        for gateway in self.gateways:
            gateway.start()
        await asyncio.gather(*(each.ready("/ready", 120) for each in self.gateways))

    async def drawn(self) -> int:
        """Candidates that the upstream wrote."""
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"{self.upstream.url}/drawn") as response,
        ):
            return int((await response.json())["drawn"])

    def keys(self, *words: str) -> str:
        """What `its-gateway keys …` prints."""
        command = [sys.executable, "-m", "gateway", "keys", *words, "--redis", self.redis_url]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def parts(gateways: int, *flags: str, upstream_seconds: float = 0.0) -> Iterator[Parts]:
    """Processes that are killed with the block; gateways get `flags`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # With a log of what was written, as one that must not forget its keys has it.
        kept = f"--save '' --appendonly yes --dir {folder}"
        store = f"redis-server --port {{port}} --bind 127.0.0.1 {kept}"
        redis = Server(store, folder / "redis")
        told = f"{PYTHON} -m benchmarks.state.upstream {{port}} {upstream_seconds}"
        upstream = Server(told, folder / "upstream")
        serve = (
            f"{PYTHON} -m gateway serve --port {{port}} --backend {upstream.url} "
            f"--redis redis://127.0.0.1:{redis.port}/0 --log-level error {' '.join(flags)}"
        )
        made = [Server(serve, folder / f"gateway-{number}") for number in range(gateways)]
        for server in (redis, upstream, *made):
            stack.callback(server.kill)
        yield Parts(redis, upstream, made)


async def answers(redis: Server, seconds: float = 30.0) -> None:
    """Wait until the Redis takes connections."""
    for _ in range(round(seconds / 0.01)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", redis.port)) == 0:
                return
        await asyncio.sleep(0.01)
    raise TimeoutError("redis-server does not answer")


def client() -> aiohttp.ClientSession:
    """A client with as many connections as it asks for."""
    timeout = aiohttp.ClientTimeout(total=300)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)


def body(text: str = "2 + 2?", **its: Any) -> dict[str, Any]:
    """A request's body."""
    return {"model": "counted", "messages": [{"role": "user", "content": text}], "its": its}


def quantile(values: list[float], share: float) -> float:
    """Of milliseconds, rounded."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 2)

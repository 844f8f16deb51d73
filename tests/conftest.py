"""Fixtures: a gateway on a real port, and the real OpenAI client for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from hypothesis import settings as hypothesis_settings
from openai import AsyncOpenAI

from gateway.app import create_app
from gateway.backends import Backend
from gateway.host import Host
from gateway.registry import load
from gateway.settings import Settings
from tests.redis_servers import RedisServer, redis_server

if TYPE_CHECKING:
    from gateway.tracing import Tracing

# The same examples each time, in whatever time they take: whether a change is sound is no chance.
hypothesis_settings.register_profile("the same", derandomize=True, deadline=None)
hypothesis_settings.load_profile("the same")


@dataclass
class Served:
    """A gateway that listens; `url` has no path."""

    url: str
    host: Host
    clients: list[AsyncOpenAI] = field(default_factory=list)

    def client(self, **options: Any) -> AsyncOpenAI:
        """A client that is closed with the gateway."""
        options = {"api_key": "sk-test", "max_retries": 0, **options}
        self.clients.append(AsyncOpenAI(base_url=f"{self.url}/v1", **options))
        return self.clients[-1]


@asynccontextmanager
async def serving(
    backend: Backend, *, tracing: Tracing | None = None, **settings: Any
) -> AsyncIterator[Served]:
    """Serve `backend` on a free loopback port."""
    host = Host.build(
        Settings(**settings),
        [backend],
        load("strategy", "strategies", "its_gateway.strategies"),
        load("verifier", "verifiers", "its_gateway.verifiers"),
        tracing,
    )
    config = uvicorn.Config(
        create_app(host),
        port=0,
        log_config=None,
        access_log=False,
        http="httptools",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    assert await settles(lambda: server.started, 5.0)
    port = server.servers[0].sockets[0].getsockname()[1]
    served = Served(f"http://127.0.0.1:{port}", host)
    try:
        yield served
    finally:
        for client in served.clients:
            await client.close()
        server.should_exit = True
        await running


Serve = Callable[..., Coroutine[Any, Any, Served]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """`await serve(backend, **settings)`: a gateway that ends with the test."""
    async with AsyncExitStack() as stack:

        async def start(backend: Backend, **settings: Any) -> Served:
            return await stack.enter_async_context(serving(backend, **settings))

        yield start


async def settles(condition: Callable[[], bool], seconds: float = 0.2) -> bool:
    """Whether `condition` becomes true within `seconds`."""
    for _ in range(max(1, round(seconds / 0.005))):
        if condition():
            return True
        await asyncio.sleep(0.005)
    return condition()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that the tests share; whoever needs it empty flushes it."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """Finds a file of real data; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        folder = os.environ.get("ITS_DATA") or Path(__file__).parents[2] / "shared" / "data"
        path = Path(folder) / name
        if not path.exists():
            pytest.skip(f"needs {name} (set ITS_DATA to the folder of real data)")
        return path

    return find

"""Real servers for the session: two of the demo model, and one of each reward model.

Without an interpreter that has vLLM, which `make test-vllm` finds or makes, none is collected.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.backends import Backend
from gateway.backends.embedded.backend import MODEL, REWARDS, shipped
from gateway.backends.vllm import VLLMBackend
from gateway.types import Call, Capabilities, Event, Passthrough, Relayed
from tests import reward_models
from tests.vllm.client import sent
from tests.vllm.servers import Gateway, Server

PYTHON = "TEST_VLLM_PYTHON"
RUNNING = "TEST_VLLM_RUNNING"
"""For work on these tests: ports of servers that are up already and stay so, two writers', then the
outcome and the process reward model's, with commas between."""

if PYTHON not in os.environ:
    collect_ignore_glob = ["test_*.py"]

WRITER = ("--max-logprobs", "-1")
READER = ("--runner", "pooling", "--dtype", "float32")


@dataclass(frozen=True)
class Fleet:
    """The servers: `writers` are replicas of the demo model, `readers` reward models by name."""

    writers: tuple[Server, ...]
    readers: Mapping[str, Server]
    rewards: Mapping[str, Path]

    def all(self) -> list[Server]:
        return [*self.writers, *self.readers.values()]


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    at = tmp_path_factory.mktemp("vllm")
    if PYTHON not in os.environ:
        pytest.skip("needs a real vLLM: make test-vllm")
    python = Path(os.environ[PYTHON])
    replicas = int(os.environ.get("TEST_VLLM_REPLICAS", "2"))
    rewards = {**reward_models.write(at), **shipped()}
    fleet = Fleet(
        tuple(
            Server(
                python=python,
                model="its-demo",
                directory=MODEL,
                log=at / f"writer-{number}.log",
                flags=WRITER,
            )
            for number in range(replicas)
        ),
        {
            REWARDS[role]: Server(
                python=python,
                model=REWARDS[role],
                directory=path,
                log=at / f"{role}.log",
                flags=READER,
            )
            for role, path in rewards.items()
        },
        rewards,
    )
    if running := os.environ.get(RUNNING):
        for server, port in zip(fleet.all(), running.split(","), strict=True):
            server.port = int(port)
        yield fleet
        return
    try:
        for server in fleet.all():
            server.start()
        for server in fleet.all():
            server.wait()
        for server in fleet.writers:
            _warm(server)
        yield fleet
    finally:
        for server in fleet.all():
            server.stop()


def _warm(server: Server) -> None:
    """Have it write batches of the sizes that the tests ask for: a first one takes seconds."""
    for n in (1, 2, 3, 4, 8, 16):
        ask = {"model": server.model, "messages": [{"role": "user", "content": "What is 12 + 30?"}]}
        body = {**ask, "n": n, "max_tokens": 200, "ignore_eos": True, "seed": 1, "logprobs": True}
        status, told = asyncio.run(sent(f"{server.base}/v1/chat/completions", body))
        assert status == 200, told


class ByModel:
    """The seam over several servers of one model each: the first that has it."""

    name = "fleet"

    def __init__(self, servers: Mapping[str, Backend]):
        self._servers = servers

    def capabilities(self, model: str) -> Capabilities:
        return self._servers[model].capabilities(model)

    async def models(self) -> list[str]:
        return [name for each in self._servers.values() for name in await each.models()]

    async def call(self, request: Call) -> AsyncIterator[Event]:
        async for event in self._servers[request.model].call(request):
            yield event

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        return self._servers[request.model].relay(request)

    async def close(self) -> None:
        for each in self._servers.values():
            await each.close()


@pytest.fixture
async def backend(fleet: Fleet) -> AsyncIterator[Backend]:
    """The writer's and the reward models' servers behind one seam."""
    servers = {"its-demo": fleet.writers[0], **fleet.readers}
    backend = ByModel({n: VLLMBackend(s.base, name=n) for n, s in servers.items()})
    yield backend  # type: ignore[misc]
    await backend.close()


@pytest.fixture(scope="session")
def gateway(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway process in front of all servers, with every role assigned."""
    at = tmp_path_factory.mktemp("gateway")
    config = at / "gateway.toml"
    roles = "\n".join(f'{role} = "{REWARDS[role]}"' for role in fleet.rewards)
    config.write_text(f'[roles]\njudge = "its-demo"\n{roles}\n')
    flags = [f"--backend={server.base}" for server in fleet.all()]
    gateway = Gateway(log=at / "gateway.log", flags=(f"--config={config}", *flags))
    gateway.start()
    yield gateway
    gateway.stop()

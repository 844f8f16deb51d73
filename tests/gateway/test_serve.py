"""`its-gateway serve` as a process: signals, exit codes, and what it logs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

COMMAND = (sys.executable, "-m", "gateway")
CLIENT_KEY = "sk-client-secret"
UPSTREAM_KEY = "sk-upstream-secret"
PROMPT = "the-prompt-is-private"
ANSWER = "the-answer-is-private"
STARTUP = 60.0


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ITS_")}
    return {**kept, **more}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=STARTUP,
        env=_environment(),
        check=False,
    )


@dataclass
class Slow:
    """An upstream of one model whose answers wait for `go`."""

    base: str = ""
    begun: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m"}]})

    async def chat(self, request: web.Request) -> web.Response:
        self.begun += 1
        self.asked.set()
        await self.go.wait()
        message = {"role": "assistant", "content": ANSWER}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 2}
        return web.json_response({"model": "m", "choices": [choice], "usage": usage})


@pytest.fixture
async def upstream() -> AsyncIterator[Slow]:
    upstream = Slow()
    app = web.Application()
    app.router.add_get("/v1/models", upstream.models)
    app.router.add_post("/v1/chat/completions", upstream.chat)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield upstream
    await runner.cleanup()


class Gateway:
    """A gateway process, started with `serve` and the given flags."""

    def __init__(self, process: asyncio.subprocess.Process):
        self.process = process
        self.lines: list[str] = []
        self.base = ""

    @classmethod
    async def start(cls, *flags: str, **environment: str) -> Gateway:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            "serve",
            "--port=0",
            *flags,
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            env=_environment(**environment),
            start_new_session=True,  # so that a terminal's signals can be sent to all its processes
        )
        gateway = cls(process)
        line = await gateway.until("listening", STARTUP)
        gateway.base = f"http://127.0.0.1:{line['port']}"
        async with aiohttp.ClientSession() as client:
            for _ in range(200):
                try:
                    async with client.get(f"{gateway.base}/health") as response:
                        assert response.status == 200
                        return gateway
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)
        raise AssertionError("the gateway does not answer")

    async def until(self, message: str, seconds: float = 10.0) -> dict[str, Any]:
        """The next line of the log with this message."""
        assert self.process.stderr is not None
        async with asyncio.timeout(seconds):
            while raw := await self.process.stderr.readline():
                self.lines.append(raw.decode())
                line: dict[str, Any] = json.loads(raw)
                if line["message"] == message:
                    return line
        raise AssertionError(f"no {message!r} in {self.lines}")

    async def end(self, seconds: float = 15.0) -> int:
        """Its exit status; all of its log is in `lines` then."""
        assert self.process.stderr is not None
        async with asyncio.timeout(seconds):
            self.lines += (await self.process.stderr.read()).decode().splitlines(keepends=True)
            return await self.process.wait()


@pytest.fixture
async def gateway(upstream: Slow) -> AsyncIterator[Gateway]:
    gateway = await Gateway.start(
        f"--backend={upstream.base}/v1",
        "--redis=redis://localhost:6379/0",
        "--log-level=debug",
        ITS_API_KEY=CLIENT_KEY,
        ITS_BACKEND_KEY=UPSTREAM_KEY,
    )
    yield gateway
    if gateway.process.returncode is None:
        gateway.process.kill()
        await gateway.process.wait()


async def _ask(client: aiohttp.ClientSession, gateway: Gateway, **more: Any) -> tuple[int, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": PROMPT}], **more}
    url = f"{gateway.base}/v1/chat/completions"
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "x-request-id": "my-request"}
    async with client.post(url, json=body, headers=headers) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_a_request_in_flight_finish(
    gateway: Gateway, upstream: Slow, number: signal.Signals
) -> None:
    async with aiohttp.ClientSession() as client:
        first = asyncio.create_task(_ask(client, gateway))
        await asyncio.wait_for(upstream.asked.wait(), 10)
        gateway.process.send_signal(number)
        draining = await gateway.until("draining")
        assert draining["signal"] == number.name
        await asyncio.sleep(0.3)
        assert gateway.process.returncode is None
        try:
            status, body = await _ask(client, gateway)
            assert (status, body["error"]["code"]) == (503, "draining")
        except aiohttp.ClientConnectionError:
            pass  # refused
        assert not first.done()
        upstream.go.set()
        status, body = await asyncio.wait_for(first, 10)
    assert status == 200
    assert body["choices"][0]["message"]["content"] == ANSWER
    assert await gateway.end() == 0


async def test_a_request_that_outlives_the_drain_is_dropped(upstream: Slow) -> None:
    gateway = await Gateway.start(f"--backend={upstream.base}", "--drain-seconds=1")
    async with aiohttp.ClientSession() as client:
        asking = asyncio.create_task(_ask(client, gateway))
        await asyncio.wait_for(upstream.asked.wait(), 10)
        gateway.process.send_signal(signal.SIGTERM)
        assert await gateway.end() == 0
        try:
            status, _ = await asking
        except aiohttp.ClientError:
            status = 503
    assert status >= 500
    assert [line for line in map(json.loads, gateway.lines) if line["message"] == "request"]


async def test_the_log_is_one_json_object_a_line_and_tells_no_secrets(
    gateway: Gateway, upstream: Slow
) -> None:
    upstream.go.set()
    async with aiohttp.ClientSession() as client:
        assert (await _ask(client, gateway))[0] == 200
        assert (await _ask(client, gateway, its={"budget": 2, "verifier": "agreement"}))[0] == 200
        assert (await _ask(client, gateway, model="unknown"))[0] == 404
        wrong = {"authorization": "Bearer sk-wrong"}
        async with client.get(f"{gateway.base}/v1/models", headers=wrong) as response:
            assert response.status == 401
    gateway.process.send_signal(signal.SIGTERM)
    assert await gateway.end() == 0
    lines = [json.loads(line) for line in gateway.lines]
    assert all(isinstance(line, dict) and line["message"] for line in lines)
    chats = [line for line in lines if line["message"] == "request"]
    assert [chat["outcome"] for chat in chats] == ["ok", "ok", "model_not_found"]
    assert [chat["request_id"] for chat in chats] == ["my-request"] * 3
    assert [chat["strategy"] for chat in chats] == ["direct", "best_of_n", "direct"]
    whole = "".join(gateway.lines)
    for secret in (PROMPT, ANSWER, CLIENT_KEY, UPSTREAM_KEY, "sk-wrong"):
        assert secret not in whole
    assert [line for line in lines if "redis" in line["message"]]


async def test_a_port_in_use_is_one_clear_line(upstream: Slow) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flags = [f"--port={port}", f"--backend={upstream.base}"]
        done = await asyncio.to_thread(_run, "serve", *flags)
    assert done.returncode == 1
    assert done.stderr == f"its-gateway: 127.0.0.1:{port}: Address already in use\n"


def test_listening_beyond_loopback_without_keys_is_refused() -> None:
    done = _run("serve", "--host=0.0.0.0", "--port=0")
    assert done.returncode == 2
    assert done.stderr.startswith("its-gateway: host: 0.0.0.0 is reachable from outside")
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_flag_is_refused() -> None:
    done = _run("serve", "--prot=1")
    assert done.returncode == 2
    assert "--prot" in done.stderr
    assert "Traceback" not in done.stderr


def test_version() -> None:
    done = _run("--version")
    assert done.returncode == 0
    assert done.stdout.split()[0] == "its-gateway"
    assert done.stdout.split()[1][0].isdigit()


def test_help_lists_the_commands() -> None:
    done = _run("--help")
    assert done.returncode == 0
    assert "serve" in done.stdout


def test_an_unknown_command_is_refused() -> None:
    done = _run("sevre")
    assert done.returncode == 2
    assert "serve" in done.stderr
    assert done.stdout == ""


def _mapped(process: int, names: Sequence[str]) -> list[str]:
    mapped = Path(f"/proc/{process}/maps").read_text()
    return [name for name in names if name in mapped]


async def test_what_no_request_has_needed_is_not_loaded(upstream: Slow) -> None:
    gateway = await Gateway.start(f"--backend={upstream.base}")
    try:
        ready = f"{gateway.base}/ready"
        async with aiohttp.ClientSession() as client, client.get(ready) as response:
            assert response.status == 200
        # orjson, as it is, so that the libraries of packages do show there.
        names = ("orjson", "numpy", "llguidance", "torch")
        assert _mapped(gateway.process.pid, names) == ["orjson"]
    finally:
        gateway.process.kill()
        await gateway.process.wait()

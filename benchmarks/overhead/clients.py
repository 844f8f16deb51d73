"""`python -m benchmarks.overhead.clients`: HTTP clients towards an upstream, cost and conduct.

Runs itself in an environment of its own in which the clients are installed, and prints a table.
Conduct is what a gateway stands on: a call that is cancelled, or whose stream is left, closes its
connection at once, so that the upstream stops; a timeout holds; a 503 is told with its body; a
connection that the upstream closed while it was idle is not a failure of the next call.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from benchmarks.ports import free_port

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ("aiohttp>=3.14,<4", "httpx-aiohttp==0.2.*", "pyreqwest==0.15.*", "uvloop")
INSIDE = "--inside"
BODY = b'{"model":"mock","messages":[{"role":"user","content":"What is 12 + 30?"}]}'
CALLS, AT_ONCE = 4000, 16
NOTICE = 2.0
"""Seconds that a client has to close a connection which it has left."""


class Client(Protocol):
    """A client of one upstream."""

    async def post(self, url: str, seconds: float) -> tuple[int, bytes]:
        """Status and body; whatever error the client has for a failure."""

    def stream(self, url: str) -> AsyncGenerator[bytes]:
        """The body as it arrives."""


@asynccontextmanager
async def _aiohttp() -> AsyncIterator[Client]:
    import aiohttp

    class Own:
        async def post(self, url: str, seconds: float) -> tuple[int, bytes]:
            limit = aiohttp.ClientTimeout(total=seconds)
            async with session.post(url, data=BODY, timeout=limit) as response:
                return response.status, await response.read()

        async def stream(self, url: str) -> AsyncGenerator[bytes]:
            async with session.post(url, data=BODY) as response:
                async for part in response.content.iter_any():
                    yield part

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Own()


@asynccontextmanager
async def _httpx() -> AsyncIterator[Client]:
    import httpx
    from httpx_aiohttp import AiohttpTransport

    class Own:
        async def post(self, url: str, seconds: float) -> tuple[int, bytes]:
            response = await client.post(url, content=BODY, timeout=seconds)
            return response.status_code, response.content

        async def stream(self, url: str) -> AsyncGenerator[bytes]:
            async with client.stream("POST", url, content=BODY) as response:
                async for part in response.aiter_raw():
                    yield part

    async with httpx.AsyncClient(transport=AiohttpTransport()) as client:
        yield Own()


@asynccontextmanager
async def _pyreqwest() -> AsyncIterator[Client]:
    from pyreqwest.client import ClientBuilder

    class Own:
        async def post(self, url: str, seconds: float) -> tuple[int, bytes]:
            request = client.post(url).body_bytes(BODY).timeout(timedelta(seconds=seconds))
            response = await request.build().send()
            return response.status, bytes(await response.bytes())

        async def stream(self, url: str) -> AsyncGenerator[bytes]:
            request = client.post(url).body_bytes(BODY).streamed_read_buffer_limit(0)
            async with request.build_streamed() as response:
                while (part := await response.body_reader.read_chunk()) is not None:
                    yield bytes(part)

    async with ClientBuilder().error_for_status(False).no_proxy().build() as client:
        yield Own()


CLIENTS: dict[str, Callable[[], AbstractAsyncContextManager[Client]]] = {
    "aiohttp": _aiohttp,
    "httpx over aiohttp": _httpx,
    "pyreqwest": _pyreqwest,
}


@dataclass
class Faults:
    """A server whose paths misbehave: /silent, /endless, /503, /once (closes after its answer)."""

    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                if await self._answered(head.split()[1].decode(), reader, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # cancelled at the end of the run, where a client has left a connection open
        finally:
            self.open.discard(writer)
            writer.close()

    async def _answered(
        self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer as the path says; whether the connection is to be closed now."""
        if path == "/silent":
            await reader.read()  # until the client closes
            return True
        if path == "/endless":
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            gone = asyncio.ensure_future(reader.read())
            while not gone.done():
                writer.write(b"5\r\ndata:\r\n")
                await asyncio.wait([gone], timeout=0.01)
            return True
        status = "503 Service Unavailable" if path == "/503" else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\ntold".encode())
        return path == "/once"


async def _closes(faults: Faults) -> str:
    started = time.perf_counter()
    while faults.open and time.perf_counter() - started < NOTICE:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    return f"not in {NOTICE:.0f} s" if faults.open else _ms(time.perf_counter() - started)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


async def _cancelled(client: Client, base: str, faults: Faults) -> str:
    calling = asyncio.create_task(_awaited(client.post(f"{base}/silent", 60.0)))
    while not faults.open:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    calling.cancel()
    await asyncio.wait([calling])
    return await _closes(faults)


async def _awaited(work: Awaitable[Any]) -> None:
    await work


async def _left(client: Client, base: str, faults: Faults) -> str:
    try:
        async with asyncio.timeout(NOTICE), aclosing(client.stream(f"{base}/endless")) as parts:
            await anext(parts)
    except TimeoutError:
        return f"no first byte in {NOTICE:.0f} s"
    return await _closes(faults)


async def _timed_out(client: Client, base: str, faults: Faults) -> str:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(NOTICE):
            await client.post(f"{base}/silent", 0.2)
    except Exception as error:  # noqa: BLE001 - each client has its own
        took = time.perf_counter() - started
        return f"{type(error).__name__} after {_ms(took)}, closed {await _closes(faults)}"
    return "none"


async def _unavailable(client: Client, base: str, faults: Faults) -> str:
    status, body = await client.post(f"{base}/503", 5.0)
    return f"{status} {body.decode()}"


async def _half_closed(client: Client, base: str, faults: Faults) -> str:
    """20 calls, each over a connection that the server has closed, or is about to."""
    failed: dict[str, int] = {}
    for index in range(20):
        try:
            await client.post(f"{base}/once", 5.0)
        except Exception as error:  # noqa: BLE001 - each client has its own
            failed[type(error).__name__] = failed.get(type(error).__name__, 0) + 1
        await asyncio.sleep(0.01 * (index % 2))
    return ", ".join(f"{n} {name}" for name, n in failed.items()) or "no failure"


CONDUCT: dict[str, Callable[[Client, str, Faults], Awaitable[str]]] = {
    "cancelled: closed after": _cancelled,
    "stream left: closed after": _left,
    "timeout of 200 ms": _timed_out,
    "503": _unavailable,
    "closed by the upstream while idle": _half_closed,
}


async def _cost(client: Client, url: str) -> str:
    async def calls() -> None:
        for _ in range(CALLS // AT_ONCE):
            await client.post(url, 60.0)

    await client.post(url, 60.0)
    before = time.process_time()
    await asyncio.gather(*(calls() for _ in range(AT_ONCE)))
    return f"{1e6 * (time.process_time() - before) / CALLS:.0f}"


async def _inside(upstream: str) -> None:
    """Print one line of the table for every client."""
    faults = Faults()
    server = await asyncio.start_server(faults.serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print("| |", "CPU µs a call |", " | ".join(CONDUCT), "|")
    print("| --- |", "---: |", " | ".join("---" for _ in CONDUCT), "|")
    for name, opened in CLIENTS.items():
        async with opened() as client:
            cells = [await _cost(client, f"http://127.0.0.1:{upstream}/v1/chat/completions")]
        for check in CONDUCT.values():
            async with opened() as client:
                cells.append(await check(client, base, faults))
            await _closes(faults)
        print(f"| {name} |", " | ".join(cells), "|", flush=True)
    server.close()


def main(argv: Sequence[str]) -> int:
    """Install the clients, start the upstream, and compare."""
    if argv[:1] == [INSIDE]:
        import uvloop

        uvloop.run(_inside(argv[1]))
        return 0
    from benchmarks.overhead.processes import LOADING, SERVED, running, wait_for
    from benchmarks.overhead.rounds import built
    from benchmarks.overhead.scenarios import Upstream
    from benchmarks.scaling.peers.environments import environment

    programs = environment("http-clients", [REQUIREMENTS])
    with tempfile.TemporaryDirectory() as told:
        folder, port = Path(told), free_port()
        log = folder / "log"
        upstream = [str(built(folder)), str(port), *Upstream().flags()]
        with running(upstream, LOADING, log):
            wait_for(f"http://127.0.0.1:{port}/stats", log)
            inside = [str(programs / "python"), "-m", "benchmarks.overhead.clients", INSIDE]
            command = ["taskset", "-c", SERVED, *inside, str(port)]
            done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

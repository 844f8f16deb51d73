"""A relay of uvicorn and aiohttp that does nothing else: what our gateway's libraries cost alone.

python -m benchmarks.overhead.floor PORT UPSTREAM_PORT
"""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

JSON = {"content-type": "application/json"}


class Relay:
    """Answers each POST with what the upstream says, as it comes; all else with `{}`."""

    def __init__(self, upstream: str):
        self._upstream = upstream
        self._client: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=jar, headers=JSON
        ) as self._client:
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await Starlette(lifespan=self.lifespan)(scope, receive, send)
        if scope["method"] != "POST":
            return await _answer(send, b"{}")
        assert self._client is not None
        body = await _body(receive)
        async with self._client.post(self._upstream + scope["path"], data=body) as response:
            if response.content_length is not None:
                return await _answer(send, await response.read())
            await send({"type": "http.response.start", "status": 200, "headers": []})
            async for chunk in response.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _answer(send: Send, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main(port: int, upstream: int) -> None:
    """Serve until SIGTERM, as `gateway.serve` does, which is not loaded: that would be a cost."""
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)
    uvicorn.run(
        Relay(f"http://127.0.0.1:{upstream}"),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

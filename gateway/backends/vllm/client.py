"""HTTP to one server: its answers below 400, and its refusals as errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp
import orjson

from gateway.errors import Unsupported, UpstreamError, UpstreamRejected, UpstreamUnavailable
from gateway.types import Json

Headers = Callable[[], Mapping[str, str]]
"""What else a request carries, asked for when it is made."""

LARGEST_ANSWER = 256 * 2**20
"""Bytes of an answer in one piece: a whole vocabulary's log-probabilities at many places."""


class Client:
    """One server at `base` (no `/v1`); its key goes nowhere else, and no redirect is followed.

    One HTTP client is kept for its lifetime. Dropping a call closes its connection, on which vLLM
    aborts the work. `failures` counts the times that the server could not be reached or failed.
    `headers` are asked for whenever a request is made, and go with it.
    """

    def __init__(
        self,
        base: str,
        name: str,
        key: str | None,
        silence_seconds: float,
        headers: Headers | None = None,
    ) -> None:
        self.failures = 0
        self._base = base
        self._name = name
        self._headers = {"content-type": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=5.0, sock_read=silence_seconds
        )
        self._more = headers
        self._client: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def exchange(
        self, method: str, path: str, body: bytes | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response below 400; leaving the context before its end closes the connection."""
        if self._client is None:
            # vLLM's server closes a connection after 5 idle seconds; who keeps one longer writes
            # into it just as it goes.
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4)
            # DummyCookieJar: nothing that one client's answer sets may reach another's request.
            self._client = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        url = self._base + path
        headers = {**self._more(), **self._headers} if self._more else self._headers
        try:
            async with self._client.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status >= 300:
                    raise await self._refusal(response)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def post(self, path: str, body: Json) -> Json:
        """The JSON object that answers a body; `UpstreamError` where it is none, or too large."""
        async with self.exchange("POST", path, orjson.dumps(body)) as response:
            return await whole(response)

    async def translated(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """`chunks`, with errors of the connection as ours."""
        try:
            async for chunk in chunks:
                yield chunk
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _unavailable(self, error: BaseException) -> UpstreamUnavailable:
        self.failures += 1
        # The error's own text names addresses, which are not the client's business.
        return UpstreamUnavailable(f"backend {self._name} is unavailable: {type(error).__name__}")

    async def _refusal(self, response: aiohttp.ClientResponse) -> UpstreamError:
        """A 4xx is the client's, with the upstream's words; all else is the upstream's failure."""
        status = response.status
        if status == 501:
            return Unsupported(f"backend {self._name} cannot do this")
        if status in (401, 403) or not 400 <= status < 500:
            self.failures += 1
            return UpstreamUnavailable(f"backend {self._name} answered {status}")
        try:
            body = orjson.loads(await response.read())
        except orjson.JSONDecodeError:
            body = {}
        error = UpstreamRejected(status, body if isinstance(body, dict) else {})
        if "retry-after" in response.headers:
            error.headers["retry-after"] = response.headers["retry-after"]
        return error


async def whole(response: aiohttp.ClientResponse) -> Json:
    """The JSON object of a whole answer."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise UpstreamError(f"the upstream's answer is larger than {LARGEST_ANSWER} bytes")
        pieces.append(piece)
    return parsed(b"".join(pieces))


def parsed(body: bytes) -> Json:
    """A JSON object; `UpstreamError` where it is none."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UpstreamError("the upstream's answer is not JSON") from None
    if not isinstance(found, dict):
        raise UpstreamError("the upstream's answer is not a JSON object")
    return found


def objects(body: Json, name: str) -> list[Json]:
    """The list of objects under `name`, empty where there is none."""
    listed = body.get(name) or []
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise UpstreamError(f"the upstream's answer has malformed {name}")
    return listed

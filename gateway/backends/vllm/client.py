"""HTTP to one server: its answers below 400, and its refusals as errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import orjson

from gateway.errors import Unsupported, UpstreamError, UpstreamRejected, UpstreamUnavailable
from gateway.types import Json

Headers = Callable[[], Mapping[str, str]]
"""What else a request carries, asked for when it is made."""

LARGEST_ANSWER = 256 * 2**20
"""Bytes of an answer in one piece: a whole vocabulary's log-probabilities at many places."""


BROKEN = (aiohttp.ClientError, TimeoutError)
"""What aiohttp raises where a connection fails."""


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

    def exchange(
        self, method: str, path: str, body: bytes | None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """A response below 400; leaving the context before its end closes the connection."""
        return _Exchange(self, method, path, body)

    def request(
        self, method: str, path: str, body: bytes | None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Any response, and errors as aiohttp has them."""
        if self._client is None:
            # vLLM's server closes a connection after 5 idle seconds; who keeps one longer writes
            # into it just as it goes.
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4)
            # DummyCookieJar: nothing that one client's answer sets may reach another's request.
            self._client = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        more = self._more() if self._more else None
        return self._client.request(
            method, self._base + path, data=body, headers=more, allow_redirects=False
        )

    async def post(self, path: str, body: Json) -> Json:
        """The JSON object that answers a body; `UpstreamError` where it is none, or too large."""
        async with self.exchange("POST", path, orjson.dumps(body)) as response:
            return await whole(response)

    async def translated(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """`chunks`, with errors of the connection as ours."""
        try:
            async for chunk in chunks:
                yield chunk
        except BROKEN as error:
            raise self.unavailable(error) from error

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def unavailable(self, error: BaseException) -> UpstreamUnavailable:
        """What a client is told where the connection failed."""
        self.failures += 1
        # The error's own text names addresses, which are not the client's business.
        return UpstreamUnavailable(f"backend {self._name} is unavailable: {type(error).__name__}")

    async def refusal(self, response: aiohttp.ClientResponse) -> UpstreamError:
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


class _Exchange:
    """A request and its response. A class, as a generator would cost a call more than its work."""

    __slots__ = ("_client", "_entered")

    def __init__(self, client: Client, method: str, path: str, body: bytes | None):
        self._client = client
        self._entered = client.request(method, path, body)

    async def __aenter__(self) -> aiohttp.ClientResponse:
        try:
            response = await self._entered.__aenter__()
            if response.status < 300:
                return response
            async with response:
                raise await self._client.refusal(response)
        except BROKEN as error:
            raise self._client.unavailable(error) from error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: Any
    ) -> None:
        try:
            await self._entered.__aexit__(kind, error, at)
        except BROKEN as broken:
            raise self._client.unavailable(broken) from broken
        if isinstance(error, BROKEN):
            raise self._client.unavailable(error) from error


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

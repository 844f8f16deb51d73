"""What vLLM says of its own load, on its page of metrics."""

from __future__ import annotations

import re
from dataclasses import dataclass

import aiohttp

from gateway.backends.pool.choice import work_of

LARGEST_PAGE = 4 * 2**20
SAMPLE = re.compile(
    rb"^vllm:(num_requests_waiting|kv_cache_usage_perc)(?:\{[^}]*\})? ([0-9.eE+-]+)", re.M
)


@dataclass(frozen=True, slots=True)
class Load:
    """`waiting` requests over all engines of a server, and the fullest cache's share in use.

    `at` is when this was asked, in the loop's time.
    """

    waiting: float
    cache_usage: float
    at: float = 0.0

    def work(self, outstanding: int) -> float:
        return work_of(outstanding, self.waiting, self.cache_usage)


def read_load(page: bytes, at: float) -> Load | None:
    """The load that a Prometheus page tells; None where it does not."""
    told: dict[bytes, list[float]] = {}
    for name, value in SAMPLE.findall(page):
        told.setdefault(name, []).append(float(value))
    if not told:
        return None
    waiting = sum(told.get(b"num_requests_waiting", ()))
    usage = max(told.get(b"kv_cache_usage_perc", ()), default=0.0)
    return Load(waiting, min(max(usage, 0.0), 1.0), at)


class Scraper:
    """Asks servers for their metrics; sends no key, and follows no redirect."""

    def __init__(self, seconds: float = 2.0) -> None:
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._client: aiohttp.ClientSession | None = None

    async def load(self, base: str, now: float) -> Load | None:
        """The load of the server at `base`; None where it cannot be had."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        try:
            async with self._client.get(f"{base}/metrics", allow_redirects=False) as response:
                page = b"" if response.status != 200 else await _bounded(response)
                return read_load(page, now)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    page = bytearray()
    async for part in response.content.iter_any():
        page += part
        if len(page) > LARGEST_PAGE:
            return b""
    return bytes(page)

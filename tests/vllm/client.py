"""The simplest of HTTP clients."""

from __future__ import annotations

from typing import Any

import aiohttp


async def sent(url: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Status and body of a GET, or of a POST where there is a body to send."""
    method = "GET" if body is None else "POST"
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, url, json=body) as response,
    ):
        return response.status, await response.json()

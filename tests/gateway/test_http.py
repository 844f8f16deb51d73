"""ASGI below the routes."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.http import WATCHED_AFTER, Asked, unless_gone


async def _nothing() -> dict[str, Any]:
    raise AssertionError("nobody has to look whether the client is there")


async def _gone() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def test_of_two_headers_with_one_name_the_first_counts() -> None:
    sent = [(b"host", b"a"), (b"x-its-strategy", b"direct"), (b"x-its-strategy", b"best_of_n")]
    headers = Asked({"type": "http", "headers": sent}, _nothing).headers
    assert headers == {"host": "a", "x-its-strategy": "direct"}


async def test_work_that_is_done_at_once_is_not_watched() -> None:
    done: list[bool] = []

    async def work() -> None:
        done.append(True)

    assert await unless_gone(_nothing, work())
    await asyncio.sleep(2 * WATCHED_AFTER)
    assert done == [True]


async def test_a_client_that_has_hung_up_ends_the_work() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with asyncio.timeout(10):
        assert not await unless_gone(_gone, work())
    assert ended.is_set()


async def test_a_cancellation_from_elsewhere_is_passed_on() -> None:
    running = asyncio.create_task(unless_gone(_gone, asyncio.sleep(60)))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()

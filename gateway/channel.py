"""Between a running strategy and the client's event stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from gateway.openai import delta
from gateway.types import Usage

CAPACITY = 64
"""Choices that may wait for a slow client before the upstream is read more slowly."""

Choice = Mapping[str, Any]
Told = tuple[Choice, Usage]
"""A choice, and what its candidate has cost so far."""


class Channel:
    """The session's sink: choices in order, for one reader, until it is closed.

    With `progress`, a strategy's lines go to the reasoning channel of choice 0.
    """

    def __init__(self, *, progress: bool = False):
        self._queue: asyncio.Queue[Told | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(CAPACITY)
        self._progress = progress

    async def choice(self, choice: Choice, usage: Usage) -> None:
        await self._room.acquire()
        self._queue.put_nowait((choice, usage))

    async def progress(self, text: str) -> None:
        if self._progress:
            await self.choice(delta(0, reasoning_content=text + "\n"), Usage())

    def close(self) -> None:
        """End the reader's iteration, after what still waits."""
        self._queue.put_nowait(None)

    async def batches(self, patience: float, silence: float) -> AsyncGenerator[list[Told]]:
        """All choices that wait, whenever there are any; an empty list after each silence.

        The first silence is `patience` seconds, the others `silence`.
        """
        while True:
            batch: list[Told] = []
            try:
                async with asyncio.timeout(patience):
                    item = await self._queue.get()
                while item is not None:
                    batch.append(item)
                    self._room.release()
                    item = self._queue.get_nowait()
            except (TimeoutError, asyncio.QueueEmpty):
                yield batch
                patience = silence
                continue
            if batch:
                yield batch
            return

"""Between a running strategy and the client's event stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from gateway.openai import delta

CAPACITY = 64
"""Choices that may wait for a slow client before the upstream is read more slowly."""

Choice = Mapping[str, Any]
Told = tuple[Choice, int, int]
"""A choice, and the prompt's and the completion's tokens that its candidate has cost so far."""


class Channel:
    """The session's sink: choices in order, for one reader, until it is closed.

    With `progress`, a strategy's lines go to the reasoning channel of choice 0.
    """

    def __init__(self, *, progress: bool = False):
        self._queue: asyncio.Queue[Told | tuple[()] | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(CAPACITY)
        self._progress = progress

    async def choice(self, choice: Choice, prompt_tokens: int, tokens: int) -> None:
        await self._room.acquire()
        self._queue.put_nowait((choice, prompt_tokens, tokens))

    async def progress(self, text: str) -> None:
        if self._progress:
            await self.choice(delta(0, reasoning_content=text + "\n"), 0, 0)

    def close(self) -> None:
        """End the reader's iteration, after what still waits."""
        self._queue.put_nowait(None)

    async def batches(self, patience: float, silence: float) -> AsyncGenerator[list[Told]]:
        """All choices that wait, whenever there are any; an empty list after each silence.

        The first silence is `patience` seconds, the others `silence`.
        """
        watch = _Watch(lambda: self._queue.put_nowait(()), patience)
        try:
            item = await self._queue.get()
            while item is not None:
                batch: list[Told] = []
                while item is not None:
                    if item:
                        batch.append(item)
                        self._room.release()
                    if self._queue.empty():
                        break
                    item = self._queue.get_nowait()
                if batch or item is not None:
                    yield batch
                if item is not None:
                    watch.heard(silence)
                    item = await self._queue.get()
        finally:
            watch.stop()


class _Watch:
    """Calls `tell` once nothing was heard for some seconds, and again only after something was.

    One timer serves for many words: it is set again when it runs out, not at each of them.
    """

    def __init__(self, tell: Callable[[], None], seconds: float):
        self._loop = asyncio.get_running_loop()
        self._tell = tell
        self._due = self._loop.time() + seconds
        self._timer: asyncio.TimerHandle | None = self._loop.call_at(self._due, self._look)

    def heard(self, seconds: float) -> None:
        """Wait for `seconds` from now on."""
        self._due = self._loop.time() + seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._look)

    def stop(self) -> None:
        """Say nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._timer = None
            self._tell()

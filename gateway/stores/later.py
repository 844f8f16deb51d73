"""What is told to the store beside the requests, which do not wait for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

from gateway.stores.guard import patiently
from gateway.stores.seam import StoreUnavailable

Errand = Callable[[], Awaitable[object]]

MOST = 10_000
"""So many errands wait; more are dropped, and counted."""
AT_ONCE = 8
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 2.0
"""How long what must be done waits for a store that is slow, each time."""
LAST_SECONDS = 1.0
"""How long a gateway that stops still tries to say what it must."""


class Later:
    """Errands that are run in the background by `keep`, in about the order in which they came.

    What `must` be done is tried until the store takes it; the rest is tried once. `dropped` is told
    of each errand that was given up.
    """

    def __init__(self, dropped: Callable[[], None] = lambda: None):
        self._waiting: deque[tuple[Errand, bool]] = deque()
        self._news = asyncio.Event()
        self._dropped = dropped
        self._running = 0

    def must(self, errand: Errand) -> bool:
        """Have `errand` done, however often it fails; False where too much waits already."""
        return self._put(errand, must=True)

    def may(self, errand: Errand) -> bool:
        """Have `errand` tried once; False where too much waits already."""
        return self._put(errand, must=False)

    async def keep(self) -> None:
        """Run errands until cancelled, and then what must be done for a moment longer."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(AT_ONCE):
                    tasks.create_task(self._work())
        except asyncio.CancelledError:
            await self._finish()
            raise

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not (self._waiting or self._running)

    def _put(self, errand: Errand, *, must: bool) -> bool:
        if len(self._waiting) >= MOST:
            self._dropped()
            return False
        self._waiting.append((errand, must))
        self._news.set()
        return True

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            if not await self._one():
                await asyncio.sleep(PAUSE_SECONDS)

    async def _one(self) -> bool:
        errand, must = self._waiting.popleft()
        self._running += 1
        done = False
        try:
            # What is not said to a slow store in time is gone; what must be said can wait for it.
            with patiently(PATIENCE_SECONDS) if must else nullcontext():
                await errand()
            done = True
        except StoreUnavailable:
            if not must:
                self._dropped()
                done = True
        finally:
            self._running -= 1
            if must and not done:
                self._waiting.append((errand, must))
        return done

    async def _finish(self) -> None:
        """Tell the store what it must know, for as long as it listens."""
        try:
            async with asyncio.timeout(LAST_SECONDS):
                while self._waiting and await self._one():
                    pass
        except TimeoutError:
            pass
        for _ in self._waiting:
            self._dropped()

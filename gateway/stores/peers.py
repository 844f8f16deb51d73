"""How many gateways are on one store: each says again and again that it is there."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from gateway.stores.seam import Store, StoreUnavailable

TABLE = "gateways"
EVERY_SECONDS = 2.0
GONE_SECONDS = 10.0
"""Who was silent for so long is not counted any more."""


class Peers:
    """`count` is how many gateways, this one included, were there when the store last told."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time):
        self.count = 1
        self._store = store
        self._clock = clock
        self._name = os.urandom(6).hex()

    async def keep(self) -> None:
        """Say and count, until cancelled; then say goodbye."""
        try:
            while True:
                await self._greet()
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            await self._leave()

    async def _greet(self) -> None:
        now = self._clock()
        try:
            await self._store.write(TABLE, self._name, repr(now).encode())
            rows = await self._store.rows(TABLE)
            gone = [name for name, at in rows.items() if float(at) < now - GONE_SECONDS]
            for name in gone:
                await self._store.erase(TABLE, name)
        except StoreUnavailable:
            return  # the last count stands
        self.count = max(1, len(rows) - len(gone))

    async def _leave(self) -> None:
        try:
            await self._store.erase(TABLE, self._name)
        except StoreUnavailable:
            return

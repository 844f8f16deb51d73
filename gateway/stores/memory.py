"""A store in this process's memory: for one gateway alone, and for tests."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from gateway.stores.accounts import MemoryAccounts
from gateway.stores.seam import State
from gateway.stores.shelves import MemoryShelves

MOST_BYTES = 64 * 2**20
"""Records of more bytes than this in all are not kept: the oldest go first."""


@dataclass(slots=True)
class _Record:
    content: bytes
    until: float


class MemoryStore(MemoryAccounts, MemoryShelves):
    """See `Store`. No method waits, so that each is atomic on one event loop."""

    state = "ok"

    def __init__(self, clock: Callable[[], float] = time.time, most_bytes: int = MOST_BYTES):
        MemoryAccounts.__init__(self, clock)
        MemoryShelves.__init__(self, clock)
        self._tables: dict[str, dict[str, bytes]] = {}
        self._states: dict[str, State] = {}
        self._records: OrderedDict[tuple[str, str], _Record] = OrderedDict()
        self._bytes = 0
        self._most_bytes = most_bytes

    async def read(self, key: str) -> State:
        return self._states.get(key, State())

    async def add(self, key: str, delta: Mapping[str, float], decay: float = 1.0) -> State:
        old = self._states.get(key, State())
        values = {name: value * decay for name, value in old.values.items()}
        for name, more in delta.items():
            values[name] = values.get(name, 0.0) + more
        self._states[key] = State(values, old.version + 1)
        return self._states[key]

    async def swap(self, key: str, version: int, values: Mapping[str, float]) -> bool:
        if self._states.get(key, State()).version != version:
            return False
        self._states[key] = State(dict(values), version + 1)
        return True

    async def states(self) -> AsyncIterator[str]:
        for key in list(self._states):
            yield key

    async def get(self, kind: str, name: str) -> bytes | None:
        record = self._records.get((kind, name))
        if record is None or record.until <= self._clock():
            return None
        return record.content

    async def put(self, kind: str, name: str, record: bytes, seconds: float) -> None:
        self._drop((kind, name))
        self._records[kind, name] = _Record(record, self._clock() + seconds)
        self._bytes += len(record)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._records)))

    async def names(self, kind: str, prefix: str = "") -> AsyncIterator[str]:
        now = self._clock()
        for (of, name), record in list(self._records.items()):
            if of == kind and name.startswith(prefix) and record.until > now:
                yield name

    async def rows(self, table: str) -> Mapping[str, bytes]:
        return dict(self._tables.get(table, {}))

    async def write(self, table: str, row: str, content: bytes, *, fresh: bool = False) -> bool:
        rows = self._tables.setdefault(table, {})
        if fresh and row in rows:
            return False
        rows[row] = content
        return True

    async def erase(self, table: str, row: str) -> None:
        self._tables.get(table, {}).pop(row, None)

    async def keep(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        return None

    def _drop(self, place: tuple[str, str]) -> None:
        if (record := self._records.pop(place, None)) is not None:
            self._bytes -= len(record.content)

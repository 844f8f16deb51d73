"""Shelves in this process's memory: what `lua/take.lua` and its kin do in Redis."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.stores.seam import Claim

MOST_BYTES = 64 * 2**20
"""Shelves of more bytes in all are not kept: the one that was asked for longest ago goes first."""


@dataclass(slots=True)
class _Shelf:
    until: float = float("inf")
    places: dict[int, bytes] = field(default_factory=dict)
    claims: dict[int, tuple[float, str]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(map(len, self.places.values()))


class MemoryShelves:
    """See `Shelves`. Nothing here waits."""

    def __init__(self, clock: Callable[[], float], most_bytes: int = MOST_BYTES):
        self._clock = clock
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()
        self._most = most_bytes
        self._size = 0

    async def take(
        self, shelf: str, places: Sequence[int], owner: str, lease: float
    ) -> list[bytes | Claim]:
        now, mine = self._clock(), self._shelf(shelf)
        told: list[bytes | Claim] = []
        for place in places:
            ends, holder = mine.claims.get(place, (0.0, ""))
            if place in mine.places:
                told.append(mine.places[place])
            elif ends > now and holder != owner:
                told.append(Claim.OTHERS)
            else:
                mine.claims[place] = (now + lease, owner)
                told.append(Claim.MINE)
        return told

    async def fill(self, shelf: str, items: Mapping[int, bytes], seconds: float) -> None:
        mine = self._shelf(shelf)
        if not mine.places:
            mine.until = self._clock() + seconds
        for place, content in items.items():
            if place not in mine.places:
                mine.places[place] = content
                self._size += len(content)
            mine.claims.pop(place, None)
        while self._size > self._most and len(self._shelves) > 1:
            self._clear(next(iter(self._shelves)))

    async def leave(self, shelf: str, places: Sequence[int], owner: str) -> None:
        mine = self._shelf(shelf)
        for place in places:
            if mine.claims.get(place, (0.0, ""))[1] == owner:
                del mine.claims[place]

    def _shelf(self, name: str) -> _Shelf:
        if name in self._shelves and self._shelves[name].until <= self._clock():
            self._clear(name)
        shelf = self._shelves.setdefault(name, _Shelf())
        self._shelves.move_to_end(name)
        return shelf

    def _clear(self, name: str) -> None:
        self._size -= self._shelves.pop(name).size

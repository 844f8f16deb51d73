"""Single flight: what several want at once is made once, in this process and on all gateways."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field

from gateway.stores import Claim, Store, StoreUnavailable
from gateway.stores.guard import unhurried
from gateway.stores.later import Later

LEASE_SECONDS = 5.0
"""How long a gateway that was killed keeps others from drawing what it had claimed."""
POLL_SECONDS = (0.01, 0.02, 0.05, 0.1)
"""How often is looked for what another gateway draws; the last for ever."""

Place = tuple[str, int]


@dataclass(slots=True)
class Taken:
    """What came of a look: content by place, places to fill, and places that others fill."""

    found: dict[int, bytes] = field(default_factory=dict)
    mine: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)


class Flights:
    """Places of shelves in `store`, each filled by one request while the others wait for it.

    Where the store is away, still one request of this process fills a place.
    """

    def __init__(self, store: Store, later: Later, seconds: float, lease: float = LEASE_SECONDS):
        self._store = store
        self._later = later
        self._seconds = seconds
        self._lease = lease
        self._owner = os.urandom(8).hex()
        self._here: dict[Place, asyncio.Future[bytes | None]] = {}

    @asynccontextmanager
    async def flight(self, shelf: str) -> AsyncIterator[Flight]:
        """One request's interest in `shelf`; what it leaves unfilled another may fill."""
        flight = Flight(self, shelf)
        try:
            yield flight
        finally:
            if flight.renewing is not None:
                flight.renewing.cancel()
            self._leave(flight)

    async def look(self, flight: Flight, places: Sequence[int]) -> Taken:
        """What is to be had of `places` now; those that nobody fills, `flight` is to fill."""
        taken, ask = Taken(), []
        for place in places:
            here = self._here.get((flight.shelf, place))
            if here is None or place in flight.led:
                ask.append(place)
                self._lead(flight, place)
            elif here.done() and (content := here.result()) is not None:
                taken.found[place] = content
            else:
                taken.others.append(place)
        if ask:
            await self._ask(flight, ask, taken)
        if taken.mine and flight.renewing is None:
            flight.renewing = asyncio.create_task(self._renew(flight))
        return taken

    async def news(self, flight: Flight, places: Sequence[int], round: int) -> None:
        """Wait until it may be worth looking at `places` again."""
        here = [
            self._here[flight.shelf, place]
            for place in places
            if place not in flight.led and (flight.shelf, place) in self._here
        ]
        elsewhere = any(place in flight.led for place in places)
        pause = POLL_SECONDS[min(round, len(POLL_SECONDS) - 1)] if elsewhere else None
        if here:
            await asyncio.wait(here, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(pause or 0)

    def fill(self, flight: Flight, items: Mapping[int, bytes]) -> None:
        """Have what was drawn; the store gets it beside the request."""
        for place, content in items.items():
            flight.led.discard(place)
            # Until the store has it, it is had from here.
            self._here.setdefault((flight.shelf, place), _future()).set_result(content)

        async def stored() -> None:
            try:
                await self._store.fill(flight.shelf, items, self._seconds)
            finally:
                self._forget(flight.shelf, items)

        if not self._later.may(stored):
            self._forget(flight.shelf, items)

    async def _ask(self, flight: Flight, places: Sequence[int], taken: Taken) -> None:
        # Only the first look is a wait for the store; the others are for who draws.
        patience = unhurried() if flight.looked else nullcontext()
        flight.looked = True
        try:
            with patience:
                told = await self._store.take(flight.shelf, places, self._owner, self._lease)
        except StoreUnavailable:
            taken.mine += places
            return
        for place, content in zip(places, told, strict=True):
            if isinstance(content, bytes):
                taken.found[place] = content
                self._landed(flight, place, content)
            else:
                (taken.mine if content is Claim.MINE else taken.others).append(place)

    def _lead(self, flight: Flight, place: int) -> None:
        if place not in flight.led:
            flight.led.add(place)
            self._here[flight.shelf, place] = _future()

    def _landed(self, flight: Flight, place: int, content: bytes | None) -> None:
        flight.led.discard(place)
        self._here.pop((flight.shelf, place)).set_result(content)

    def _forget(self, shelf: str, places: Iterable[int]) -> None:
        for place in places:
            self._here.pop((shelf, place), None)

    def _leave(self, flight: Flight) -> None:
        left = sorted(flight.led)
        for place in left:
            self._landed(flight, place, None)
        if left:
            self._later.may(lambda: self._store.leave(flight.shelf, left, self._owner))

    async def _renew(self, flight: Flight) -> None:
        """Keep the claims for as long as the flight lasts."""
        while True:
            await asyncio.sleep(self._lease / 3)
            if flight.led:
                places = sorted(flight.led)
                with suppress(StoreUnavailable), unhurried():
                    await self._store.take(flight.shelf, places, self._owner, self._lease)


class Flight:
    """One request's interest in a shelf: `led` are the places for which others here wait."""

    def __init__(self, flights: Flights, shelf: str):
        self.shelf = shelf
        self.led: set[int] = set()
        self.renewing: asyncio.Task[None] | None = None
        self.looked = False
        self._flights = flights

    async def look(self, places: Sequence[int]) -> Taken:
        """See `Flights`."""
        return await self._flights.look(self, places)

    async def news(self, places: Sequence[int], round: int) -> None:
        """See `Flights`."""
        await self._flights.news(self, places, round)

    def fill(self, items: Mapping[int, bytes]) -> None:
        """See `Flights`."""
        self._flights.fill(self, items)


def _future() -> asyncio.Future[bytes | None]:
    return asyncio.get_running_loop().create_future()

"""Where requests reserve what they may spend, and settle what they spent."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from gateway.accounts.keys import Key, Limits
from gateway.errors import RateLimited, StateUnavailable
from gateway.stores import Store, StoreUnavailable
from gateway.stores.later import Later
from gateway.stores.memory import MemoryStore
from gateway.stores.seam import Ask, Granted, Left, Window

logger = logging.getLogger("its_gateway.accounts")

KINDS = ("requests", "samples", "tokens")
MINUTE = 60.0
LEASE_SECONDS = 10.0
"""How long a gateway that was killed keeps what it had reserved."""


@dataclass(frozen=True, slots=True)
class Costs:
    """An amount of each kind; `assumed` says that nobody asked for so many tokens."""

    requests: int = 1
    samples: int = 0
    tokens: int = 0
    assumed: bool = False


NOTHING = Costs(0)
WORTH = 4
"""A request for which nobody limited tokens makes do with one part in so many of what it might
take, or of the quota where that is less."""


class Booking:
    """One request's reservation. `costs` is what it may spend; `headers` tell what is left.

    `local` is set where it was granted from this gateway's own share of the quotas.
    """

    def __init__(self, desk: Desk, key: Key, model: str, costs: Costs):
        self.id = os.urandom(9).hex()
        self.account = key.account
        self.costs = costs
        self.local = False
        self.headers: dict[str, str] = {}
        self._desk = desk
        self._key = key
        self._model = model

    def limited(self, what: str) -> bool:
        """Whether a quota limits `what`."""
        limits = self._key.limits_for(self._model).values()
        return any(each.of(what) != (None, None) for each in limits)

    async def settle(self, spent: Costs) -> None:
        """Book what was spent; where the store is away, as soon as it is back."""
        await self._desk.settle(self, spent)

    def settle_later(self, spent: Costs) -> None:
        """Book what was spent without waiting, for who is being cancelled."""
        self._desk.settle_later(self, spent)

    def ask(self, costs: Costs, *, share: float = 1.0) -> Ask:
        """The reservation of `costs`, under `share` of each limit."""
        limits = self._key.limits_for(self._model)
        windows = [
            Window(scope, what, getattr(costs, what), *(_part(x, share) for x in of.of(what)))
            for scope, of in limits.items()
            for what in KINDS
        ]
        open = {scope: _part(of.concurrent, share) for scope, of in limits.items()}
        return Ask(self.id, windows, open)


class Desk:
    """Grants requests from the store's quotas, or from a local share of them while it is away.

    `gateways` tells how many share the store, and `refused` is told of each refusal, by kind.
    """

    def __init__(
        self,
        store: Store,
        later: Later,
        *,
        gateways: Callable[[], int] = lambda: 1,
        refused: Callable[[str], None] = lambda what: None,
        lease: float = LEASE_SECONDS,
    ):
        self._store = store
        self._later = later
        self._gateways = gateways
        self._refused = refused
        self._lease = lease
        self._away = MemoryStore()
        self._lent: set[str] = set()
        self._days: dict[tuple[str, str], tuple[int, float]] = {}
        # Weakly, so that one whose request never came to run is not renewed for ever.
        self._open: WeakValueDictionary[str, Booking] = WeakValueDictionary()

    async def open(self, key: Key, model: str, costs: Costs) -> Booking:
        """Reserve `costs` for a request of a key with an account.

        `RateLimited` where a quota has not so much left; `StateUnavailable` where it cannot be
        asked and the key would rather fail.
        """
        booking = Booking(self, key, model, costs)
        granted = await self._granted(booking, key)
        if fewer := _fewer(granted, costs):
            booking.costs = fewer
            granted = await self._granted(booking, key)
        booking.headers = _headers(granted.left)
        if not granted.ok:
            self._refused(granted.what)
            raise _refusal(granted, booking, key.limits_for(model))
        self._open[booking.id] = booking
        return booking

    async def settle(self, booking: Booking, spent: Costs) -> None:
        """See `Booking`."""
        self._open.pop(booking.id, None)
        ask = self._settling(booking, spent)
        if booking.local:
            await self._away.settle(booking.account, self._local(booking, spent))
            self._later.must(lambda: self._made_up(booking, ask))
            return
        try:
            await self._store.settle(booking.account, ask)
        except StoreUnavailable:
            self._later.must(lambda: self._store.settle(booking.account, ask))

    def settle_later(self, booking: Booking, spent: Costs) -> None:
        """See `Booking`."""
        self._later.must(lambda: self.settle(booking, spent))

    async def keep(self) -> None:
        """Renew what is reserved for requests that go on, until cancelled."""
        while True:
            await asyncio.sleep(self._lease / 3)
            accounts: dict[str, list[str]] = {}
            for booking in list(self._open.values()):
                accounts.setdefault(booking.account, []).append(booking.id)
            for account, ids in accounts.items():
                try:
                    await self._away.renew(account, ids, self._lease)
                    await self._store.renew(account, ids, self._lease)
                except StoreUnavailable:
                    break

    async def _granted(self, booking: Booking, key: Key) -> Granted:
        try:
            granted = await self._store.reserve(
                booking.account, booking.ask(booking.costs), self._lease
            )
            self._told(booking.account, granted)
            return granted
        except StoreUnavailable as error:
            if key.fail == "closed":
                # It may have been done all the same, by a store that was slow to say so.
                nothing = booking.ask(NOTHING)
                self._later.must(lambda: self._store.settle(booking.account, nothing))
                message = f"this key's quotas cannot be asked for now ({error.reason})"
                raise StateUnavailable(message) from None
        booking.local = True
        ask = self._local(booking, booking.costs)
        granted = await self._away.reserve(booking.account, ask, self._lease)
        if granted.ok:
            self._lent.add(booking.id)
        return granted

    def _settling(self, booking: Booking, spent: Costs) -> Ask:
        """What the store is told. A request was counted when it was granted, here or there."""
        return booking.ask(replace(spent, requests=1))

    def _local(self, booking: Booking, costs: Costs) -> Ask:
        """What is asked of this gateway's share: of a day's quota, its part of what was left."""
        share = 1.0 / max(1, self._gateways())
        ask = booking.ask(costs, share=share)
        now = time.time()
        windows = []
        for window in ask.windows:
            remaining, until = self._days.get((booking.account, window.what), (0, 0.0))
            if window.day is not None and until > now:
                window = replace(window, day=min(window.day, math.floor(remaining * share)))
            windows.append(window)
        return replace(ask, windows=windows)

    async def _made_up(self, booking: Booking, ask: Ask) -> None:
        """Tell the store of what was granted here. Once it knows of all, a share begins anew."""
        await self._store.settle(booking.account, ask)
        self._lent.discard(booking.id)
        if not self._lent:
            self._away = MemoryStore()

    def _told(self, account: str, granted: Granted) -> None:
        """Note what the store says is left of a day, once it knows of all that was granted here."""
        if self._lent:
            return
        for what, left in granted.left.items():
            if left.reset > MINUTE:
                self._days[account, what] = (left.remaining, time.time() + left.reset)
            else:
                self._days.pop((account, what), None)


def _fewer(granted: Granted, costs: Costs) -> Costs | None:
    """What is left, where nobody asked for more and it is still worth an answer."""
    left = granted.left.get("tokens")
    if granted.ok or granted.what != "tokens" or not costs.assumed or left is None:
        return None
    enough = left.remaining >= max(costs.samples, min(costs.tokens, left.limit) // WORTH)
    return replace(costs, tokens=left.remaining) if enough else None


def _part(limit: int | None, share: float) -> int | None:
    """At least one, where there is any: a share of nothing would be an outage."""
    return None if limit is None else max(min(1, limit), math.floor(limit * share))


def _headers(left: Mapping[str, Left]) -> dict[str, str]:
    headers = {}
    for what, each in left.items():
        headers[f"x-ratelimit-limit-{what}"] = str(each.limit)
        headers[f"x-ratelimit-remaining-{what}"] = str(each.remaining)
        headers[f"x-ratelimit-reset-{what}"] = f"{each.reset:.3f}s"
    return headers


def _refusal(granted: Granted, booking: Booking, limits: Mapping[str, Limits]) -> RateLimited:
    what = granted.what
    if what == "concurrent":
        message = "this key has as many requests under way as it may"
    else:
        cost = getattr(booking.costs, what, 0)
        per = f"{what} a {granted.window}"
        message = f"this key's quota of {per} has not {cost} left"
        if math.isinf(granted.retry):
            message = f"this request may need {cost} {what}, more than this key's {per}"
    error = RateLimited(message)
    error.headers.update(booking.headers)
    if math.isfinite(granted.retry):
        error.headers["retry-after"] = str(max(1, math.ceil(granted.retry)))
        error.headers["retry-after-ms"] = str(max(1, math.ceil(granted.retry * 1000)))
    else:
        error.headers["x-should-retry"] = "false"
    return error

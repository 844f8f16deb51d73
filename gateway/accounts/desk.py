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

from gateway.accounts.keys import EVERYTHING, Key, Limits
from gateway.accounts.lending import RENEWALS, Lending, Loan
from gateway.errors import RateLimited, StateUnavailable
from gateway.stores import Store, StoreUnavailable
from gateway.stores.guard import last_word, patiently
from gateway.stores.later import PATIENCE_SECONDS, Later
from gateway.stores.seam import Ask, Granted, Left, Window

logger = logging.getLogger("its_gateway.accounts")

KINDS = ("requests", "samples", "tokens")
LEASE_SECONDS = 30.0
"""How long a gateway that was killed keeps what it had reserved, and what was set aside for it; and
how long one that is cut off from the store knows that nobody else gets what was set aside."""


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

    `loan` is set where it was granted from what is set aside for this gateway.
    """

    def __init__(self, desk: Desk, key: Key, model: str, costs: Costs):
        self.id = os.urandom(9).hex()
        self.account = key.account
        self.costs = costs
        self.loan: Loan | None = None
        self.headers: dict[str, str] = {}
        self._desk = desk
        self._key = key
        self.model = model

    def limited(self, what: str) -> bool:
        """Whether a quota limits `what`."""
        limits = self._key.limits_for(self.model).values()
        return any(each.of(what) != (None, None) for each in limits)

    async def settle(self, spent: Costs) -> None:
        """Book what was spent; where the store is away, as soon as it is back."""
        await self._desk.settle(self, spent)

    def settle_later(self, spent: Costs) -> None:
        """Book what was spent without waiting, for who is being cancelled."""
        self._desk.settle_later(self, spent)

    def ask(self, costs: Costs) -> Ask:
        """The reservation of `costs`."""
        limits = self._key.limits_for(self.model)
        windows = [
            Window(scope, what, getattr(costs, what), *of.of(what))
            for scope, of in limits.items()
            for what in KINDS
        ]
        return Ask(self.id, windows, {scope: of.concurrent for scope, of in limits.items()})


class Desk:
    """Grants requests from the store's quotas, or from what was set aside there for this gateway
    while the store is away.

    `gateways` tells how many share the store, None where it is this one's own; `refused` is told of
    each refusal, by kind.
    """

    def __init__(
        self,
        store: Store,
        later: Later,
        *,
        gateways: Callable[[], int] | None = None,
        refused: Callable[[str], None] = lambda what: None,
        lease: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._store = store
        self._later = later
        self._gateways = gateways or (lambda: 1)
        self._refused = refused
        self._lease = lease
        self._shared = gateways is not None
        self._lending = Lending(store, later, self._gateways, lease, clock)
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
            booking = Booking(self, key, model, fewer)
            granted = await self._granted(booking, key)
        if not granted.ok:
            self._refused(granted.what)
            raise _refusal(granted, booking, key.limits_for(model))
        self._open[booking.id] = booking
        return booking

    async def settle(self, booking: Booking, spent: Costs) -> None:
        """See `Booking`."""
        ask = booking.ask(replace(spent, requests=1))
        self._open.pop(booking.id, None)
        last_word()
        if booking.loan is not None:
            await self._lending.report(booking.loan, ask)
            return
        try:
            await self._store.settle(booking.account, ask)
        except StoreUnavailable:
            self._later.must(lambda: self._store.settle(booking.account, ask))

    def settle_later(self, booking: Booking, spent: Costs) -> None:
        """See `Booking`."""
        self._later.must(lambda: self.settle(booking, spent))

    async def keep(self) -> None:
        """Renew what is reserved and set aside, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew())
            if self._shared:
                tasks.create_task(self._lending.keep())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease / RENEWALS)
            accounts: dict[str, list[str]] = {}
            for booking in list(self._open.values()):
                accounts.setdefault(booking.account, []).append(booking.id)
            for account, ids in accounts.items():
                try:
                    with patiently(PATIENCE_SECONDS):
                        await self._store.renew(account, ids, self._lease)
                except StoreUnavailable:
                    break

    async def _granted(self, booking: Booking, key: Key) -> Granted:
        ask = booking.ask(booking.costs)
        try:
            granted = await self._reserved(booking.account, ask)
            booking.headers = _headers(granted.left)
            return granted
        except StoreUnavailable as error:
            if error.asked:
                # It may have been done all the same, or be done yet, by a store slow to say so.
                nothing = booking.ask(NOTHING)
                self._later.must(lambda: self._store.settle(booking.account, nothing))
            lent = self._lent(booking, ask) if key.fail == "open" else None
            if lent is None:
                message = f"this key's quotas cannot be asked for now ({error.reason})"
                raise StateUnavailable(message) from None
            return lent

    async def _reserved(self, account: str, ask: Ask) -> Granted:
        """What the store says; what it lacks may be set aside for this very gateway."""
        if not self._shared:
            return await self._store.reserve(account, ask, self._lease)
        allotment = self._lending.allotment(account, ask)
        returned = allotment.returned
        granted = await self._store.reserve(account, ask, self._lease)
        if granted.ok or not allotment.may_be_back(granted.what, returned):
            return granted
        await self._lending.give_back(account, allotment)
        return await self._store.reserve(account, ask, self._lease)

    def _lent(self, booking: Booking, ask: Ask) -> Granted | None:
        """What this gateway says by itself; None where nothing was ever set aside for it."""
        if self._crowded(booking, ask):
            return Granted(False, "concurrent", "concurrent", 1.0)
        loan = self._lending.lend(booking.account, ask, booking)
        allotment = self._lending.allotment(booking.account, ask)
        if isinstance(loan, Loan):
            booking.loan = loan
            return Granted(True)
        return Granted(False, loan, "", 1.0, allotment.left(ask)) if allotment.told else None

    def _crowded(self, booking: Booking, ask: Ask) -> bool:
        """Whether this gateway has its part of an account's requests at once under way."""
        gateways = max(1, self._gateways())
        for scope, limit in ask.open.items():
            if limit is not None:
                here = [o for o in self._open.values() if o.account == booking.account]
                under = [o for o in here if scope in (EVERYTHING, o.model)]
                # At least one, where there is any: a part of nothing would be an outage.
                if len(under) >= max(min(1, limit), limit // gateways):
                    return True
        return False


def _fewer(granted: Granted, costs: Costs) -> Costs | None:
    """What is left, where nobody asked for more and it is still worth an answer."""
    left = granted.left.get("tokens")
    if granted.ok or granted.what != "tokens" or not costs.assumed or left is None:
        return None
    enough = left.free >= max(costs.samples, min(costs.tokens, left.limit) // WORTH)
    return replace(costs, tokens=left.free) if enough else None


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
        per = f"{what} a {granted.window}" if granted.window else what
        message = f"this key's quota of {per} has not {cost} left"
        if not granted.window:
            message = f"{message} that this gateway may grant while it cannot ask for more"
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

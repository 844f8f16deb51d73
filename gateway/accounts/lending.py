"""What this gateway lends to requests while the store cannot be asked, by account."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from weakref import finalize

from gateway.accounts.allotment import Allotment, part_of
from gateway.stores import Store, StoreUnavailable
from gateway.stores.later import Later
from gateway.stores.seam import Ask

RENEWALS = 6
"""So often a lease is renewed before it would end."""
IDLE_SECONDS = 600.0
"""Nothing stays set aside for an account that nobody used here for so long."""


@dataclass(slots=True)
class Loan:
    """What one request took of an allotment; it comes back, unspent, when `owner` is forgotten."""

    account: str
    allotment: Allotment
    taken: Ask
    forgotten: finalize[..., object]

    def end(self, spent: Ask) -> None:
        """Account for what was spent; doing it twice is doing it once."""
        if self.forgotten.detach() is not None:
            self.allotment.end(self.taken, spent)


class Lending:
    """This gateway's allotments: set aside in the store, renewed, and reported on.

    `gateways` tells how many share the store. A request waits for nothing here but `give_back` and
    `report`, which are bounded as all commands are.
    """

    def __init__(
        self,
        store: Store,
        later: Later,
        gateways: Callable[[], int],
        lease: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._store = store
        self._later = later
        self._gateways = gateways
        self._lease = lease
        self._clock = clock
        self._allotments: dict[str, Allotment] = {}

    def allotment(self, account: str, ask: Ask) -> Allotment:
        """The account's, to which what `ask` needs is known; the store is asked for it soon."""
        if (allotment := self._allotments.get(account)) is None:
            # A name of its own, so that the store never takes an old statement for a new one.
            allotment = Allotment(os.urandom(6).hex(), self._lease, self._clock)
            self._allotments[account] = allotment
        if allotment.note(ask):
            self._tell_soon(account, allotment)
        return allotment

    def lend(self, account: str, ask: Ask, owner: object) -> Loan | str:
        """A loan of all that `ask` needs, or the kind of which not enough is set aside."""
        allotment = self.allotment(account, ask)
        if (short := allotment.short(ask, part_of(self._gateways()))) is not None:
            return short
        nothing = replace(ask, windows=[replace(each, cost=0) for each in ask.windows])
        forgotten = finalize(owner, allotment.end, ask, nothing)
        forgotten.atexit = False
        return Loan(account, allotment, ask, forgotten)

    async def give_back(self, account: str, allotment: Allotment) -> None:
        """Have the store know that nothing is free here."""
        allotment.returning += 1
        try:
            await self._tell(account, allotment, 0.0)
        finally:
            allotment.returning -= 1
            allotment.returned += 1

    async def report(self, loan: Loan, spent: Ask) -> None:
        """End a loan, and tell the store, at once where that can be."""
        loan.end(spent)
        try:
            await self._tell(loan.account, loan.allotment)
        except StoreUnavailable:
            self._tell_soon(loan.account, loan.allotment)

    async def keep(self) -> None:
        """Renew until cancelled; then give back what is free."""
        try:
            while True:
                await asyncio.sleep(self._lease / RENEWALS)
                for account, allotment in list(self._allotments.items()):
                    self._look_after(account, allotment)
        finally:
            await self._close()

    def _look_after(self, account: str, allotment: Allotment) -> None:
        if allotment.idle and self._clock() - allotment.used > IDLE_SECONDS:
            del self._allotments[account]
            self._later.must(lambda: self._tell(account, allotment, 0.0))
        elif allotment.quotas or allotment.news:
            self._tell_soon(account, allotment)

    def _tell_soon(self, account: str, allotment: Allotment) -> None:
        if allotment.queued:
            return

        async def tell() -> None:
            await self._tell(account, allotment)
            allotment.queued = False
            if allotment.news:  # which came meanwhile
                self._tell_soon(account, allotment)

        allotment.queued = self._later.must(tell)

    async def _tell(self, account: str, allotment: Allotment, part: float | None = None) -> None:
        said = self._clock()
        wanted = part_of(self._gateways()) if part is None else part
        statement = allotment.statement(wanted)
        try:
            told = await self._store.allot(account, statement, self._lease)
        except StoreUnavailable as error:
            if not error.asked:
                allotment.unsaid(statement)
            raise
        allotment.heard(statement, told, said)

    async def _close(self) -> None:
        for account, allotment in self._allotments.items():
            try:
                await self._tell(account, allotment, 0.0)
            except StoreUnavailable:
                return  # the leases end it

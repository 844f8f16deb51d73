"""The seam: what a store can do (pure)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class StoreUnavailable(Exception):
    """The store is slow, full or gone; `reason` is one of few words, for metrics.

    Where it was `asked`, it may have done what it was asked for, or do it yet.
    """

    def __init__(self, reason: str, *, asked: bool = True):
        super().__init__(f"the store cannot be used now ({reason})")
        self.reason = reason
        self.asked = asked


@dataclass(frozen=True, slots=True)
class State:
    """Numbers that were learned, by name; `version` counts the updates, 0 before the first."""

    values: Mapping[str, float] = field(default_factory=dict)
    version: int = 0


class LearnedStates(Protocol):
    """States by key. Names of values are not empty."""

    async def read(self, key: str) -> State:
        """The state at `key`; empty where nothing was learned yet."""
        ...

    async def add(self, key: str, delta: Mapping[str, float], decay: float = 1.0) -> State:
        """Multiply all values at `key` by `decay` (in (0, 1]), add `delta`; the state after that.

        Without decay, updates commute.
        """
        ...

    async def swap(self, key: str, version: int, values: Mapping[str, float]) -> bool:
        """Put `values` in the place of the state at `key` if it is still the one of `version`."""
        ...

    def states(self) -> AsyncIterator[str]:
        """The keys of all states, in no order."""
        ...


class Records(Protocol):
    """Bytes by name, in `kind`s that do not mix."""

    async def get(self, kind: str, name: str) -> bytes | None:
        """The record, or None where there is none (any more)."""
        ...

    async def put(self, kind: str, name: str, record: bytes, seconds: float) -> None:
        """Keep `record` for `seconds` from now, in the place of what was there."""
        ...

    def names(self, kind: str, prefix: str = "") -> AsyncIterator[str]:
        """Names of the records of `kind` that begin with `prefix`, in no order."""
        ...


class Tables(Protocol):
    """Small tables that are read whole."""

    async def rows(self, table: str) -> Mapping[str, bytes]:
        """All rows of `table`, by name."""
        ...

    async def write(self, table: str, row: str, content: bytes, *, fresh: bool = False) -> bool:
        """Write a row; with `fresh` only where there is none of its name. Whether it was done."""
        ...

    async def erase(self, table: str, row: str) -> None:
        """Drop a row, if it is there."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """What a request asks of one quota: `cost` of `what` (requests, samples, tokens) in `scope`.

    `minute` and `day` are its limits; None is without limit, and counted all the same.
    """

    scope: str
    what: str
    cost: int
    minute: int | None = None
    day: int | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request's reservation: `id` is its own, `open` are limits of requests at once, by scope."""

    id: str
    windows: Sequence[Window]
    open: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Left:
    """What the narrowest quota of one kind still has; `reset` seconds until it is whole again.

    So much of it is `free`: the rest is set aside for gateways.
    """

    limit: int
    remaining: int
    reset: float
    free: int = 0


@dataclass(frozen=True, slots=True)
class Granted:
    """Whether a reservation was made; where not, `what` was short, for `retry` seconds at least.

    `window` is `minute`, `day` or `concurrent`; `retry` is infinite where it can never be made.
    `left` tells of each kind that has limits.
    """

    ok: bool
    what: str = ""
    window: str = ""
    retry: float = 0.0
    left: Mapping[str, Left] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a holder says of the part of an account's quotas that is set aside for it.

    It still counts on each of `holds`' costs, and would have up to `part` of what is left. `spent`
    is to be booked beside that. Of two statements the one with the higher `number` is the later.
    """

    holder: str
    number: int
    holds: Sequence[Window]
    spent: Sequence[Ask] = ()
    part: float = 0.0


@dataclass(frozen=True, slots=True)
class Allotted:
    """Of one quota: what is set aside for a holder, what is left for all, and of that today.

    `today` is None where no day is limited.
    """

    held: int
    left: int
    today: int | None = None


class Accounts(Protocol):
    """Quotas by account: a rate a minute (GCRA, with a burst of a minute's worth) and UTC days.

    What is reserved counts as spent until it is settled, or until nobody has renewed it for `lease`
    seconds: then its samples and tokens are given back, and its place among requests at once. What
    is set aside for a holder nobody else gets, for `lease` seconds from its last statement on.
    """

    async def reserve(self, account: str, ask: Ask, lease: float) -> Granted:
        """Reserve all of `ask` or nothing."""
        ...

    async def settle(self, account: str, ask: Ask) -> None:
        """Put `ask.windows`' costs in the place of what was reserved under `ask.id`.

        Where nothing is reserved any more they are booked, without limit. Doing it twice is doing
        it once.
        """
        ...

    async def allot(
        self, account: str, statement: Statement, lease: float
    ) -> Mapping[str, Allotted] | None:
        """Book what was spent and set aside what is held, and as much more as there is and as
        `part` allows; by `scope|what`. Nothing is done, and None told, after a later statement.

        What a holder counts on is only ever cut where its lease ended before.
        """
        ...

    async def renew(self, account: str, ids: Sequence[str], lease: float) -> None:
        """Keep these reservations for `lease` seconds from now; forget others whose time is up."""
        ...

    async def usage(self, account: str, day: int) -> Mapping[str, int]:
        """What was booked on a day (days since 1970, UTC), by `scope|what`."""
        ...


class Claim(Enum):
    """Whose it is to fill an empty place."""

    MINE = 1
    OTHERS = 0


class Shelves(Protocol):
    """Bytes in numbered places of a shelf, each filled once, by whoever has claimed it."""

    async def take(
        self, shelf: str, places: Sequence[int], owner: str, lease: float
    ) -> list[bytes | Claim]:
        """For each place what lies there, or else who has claimed it.

        What nobody has claimed, or who claimed it did not renew by taking again within `lease`
        seconds, `owner` has claimed with this.
        """
        ...

    async def fill(self, shelf: str, items: Mapping[int, bytes], seconds: float) -> None:
        """Put items into their places and end the claims; what lies there already stays.

        A shelf lives for `seconds` from its first item on.
        """
        ...

    async def leave(self, shelf: str, places: Sequence[int], owner: str) -> None:
        """End `owner`'s claims without filling the places."""
        ...


class Store(LearnedStates, Records, Tables, Accounts, Shelves, Protocol):
    """All that a store can do."""

    @property
    def state(self) -> str:
        """`ok`, or in few words why it cannot be used; never waits."""
        ...

    async def keep(self) -> None:
        """Look after itself until cancelled: a store that failed is tried again here."""
        ...

    async def close(self) -> None: ...

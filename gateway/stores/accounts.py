"""Accounts in this process's memory: what `lua/accounts.lua` and its kin do in Redis."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.stores.seam import Ask, Granted, Left, Window

DAY, MINUTE = 86400.0, 60.0
KEPT_DAYS = 35
REMEMBERED = 10_000
"""So many settled ids are remembered, to tell a second settling."""


@dataclass(slots=True)
class _Held:
    ask: Ask
    day: int
    until: float


@dataclass(slots=True)
class _Account:
    tat: dict[str, float] = field(default_factory=dict)
    open: Counter[str] = field(default_factory=Counter)
    held: dict[str, _Held] = field(default_factory=dict)
    days: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    settled: dict[str, None] = field(default_factory=dict)


class MemoryAccounts:
    """See `Accounts`. Nothing here waits."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._accounts: dict[str, _Account] = defaultdict(_Account)

    async def reserve(self, account: str, ask: Ask, lease: float) -> Granted:
        now, mine = self._clock(), self._accounts[account]
        self._sweep(mine, now)
        short = self._short(mine, ask, now)
        if short is None:
            for window in ask.windows:
                self._book(mine, int(now // DAY), window, window.cost, now)
            mine.open.update(ask.open.keys())
            mine.held[ask.id] = _Held(ask, int(now // DAY), now + lease)
        left = _left(mine, ask, now)
        if short is None:
            return Granted(True, left=left)
        what, which, retry = short
        return Granted(False, what, which, retry, left)

    async def settle(self, account: str, ask: Ask) -> None:
        now, mine = self._clock(), self._accounts[account]
        if ask.id in mine.settled:
            return
        mine.settled[ask.id] = None
        if len(mine.settled) > REMEMBERED:
            del mine.settled[next(iter(mine.settled))]
        spent = {_name(window): window.cost for window in ask.windows}
        if not self._release(mine, ask.id, spent, now):
            for window in ask.windows:
                self._book(mine, int(now // DAY), window, window.cost, now)

    async def renew(self, account: str, ids: Sequence[str], lease: float) -> None:
        now, mine = self._clock(), self._accounts[account]
        for id in ids:
            if id in mine.held:
                mine.held[id].until = now + lease
        self._sweep(mine, now)

    async def usage(self, account: str, day: int) -> Mapping[str, int]:
        return dict(self._accounts[account].days.get(day, {}))

    def _short(self, mine: _Account, ask: Ask, now: float) -> tuple[str, str, float] | None:
        """What lacks longest: its kind, its window, and for how many seconds."""
        lacking: list[tuple[float, str, str]] = []
        booked = mine.days.get(int(now // DAY), Counter())
        for w in ask.windows:
            if w.minute is not None:
                each = MINUTE / w.minute
                ahead = max(mine.tat.get(_name(w), 0.0), now) + w.cost * each - now
                if w.cost > w.minute:
                    lacking.append((math.inf, w.what, "minute"))
                elif ahead > MINUTE + each / 100:
                    lacking.append((ahead - MINUTE, w.what, "minute"))
            if w.day is not None and booked[_name(w)] + w.cost > w.day:
                retry = math.inf if w.cost > w.day else DAY - now % DAY
                lacking.append((retry, w.what, "day"))
        for scope, limit in ask.open.items():
            if limit is not None and mine.open[scope] >= limit:
                lacking.append((1.0, "concurrent", "concurrent"))
        if ask.id in mine.settled:
            lacking.append((math.inf, "id", ""))
        if not lacking:
            return None
        retry, what, window = max(lacking)
        return what, window, retry

    def _book(self, mine: _Account, day: int, window: Window, amount: int, now: float) -> None:
        if amount == 0:
            return
        mine.days[day][_name(window)] += amount
        while len(mine.days) > KEPT_DAYS:
            del mine.days[min(mine.days)]
        if window.minute is not None:
            tat = max(mine.tat.get(_name(window), 0.0), now if amount > 0 else 0.0)
            mine.tat[_name(window)] = tat + amount * MINUTE / window.minute

    def _release(
        self, mine: _Account, id: str, spent: Mapping[str, int] | None, now: float
    ) -> bool:
        held = mine.held.pop(id, None)
        if held is None:
            return False
        for window in held.ask.windows:
            kept = window.cost if window.what == "requests" else 0
            actual = kept if spent is None else spent.get(_name(window), kept)
            self._book(mine, held.day, window, actual - window.cost, now)
        mine.open.subtract(held.ask.open.keys())
        return True

    def _sweep(self, mine: _Account, now: float) -> None:
        for id in [id for id, held in mine.held.items() if held.until <= now]:
            self._release(mine, id, None, now)


def _left(mine: _Account, ask: Ask, now: float) -> dict[str, Left]:
    left: dict[str, Left] = {}
    booked = mine.days.get(int(now // DAY), Counter())
    for w in ask.windows:
        told = []
        if w.minute is not None:
            ahead = max(mine.tat.get(_name(w), 0.0), now) - now
            remaining = math.floor((MINUTE - ahead) * w.minute / MINUTE + 0.01)
            told.append(Left(w.minute, max(0, remaining), ahead))
        if w.day is not None:
            told.append(Left(w.day, max(0, w.day - booked[_name(w)]), DAY - now % DAY))
        for each in told:
            if w.what not in left or each.remaining < left[w.what].remaining:
                left[w.what] = each
    return left


def _name(window: Window) -> str:
    return f"{window.scope}|{window.what}"

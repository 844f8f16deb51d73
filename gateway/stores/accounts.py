"""Accounts in this process's memory: what `lua/accounts.lua` and its kin do in Redis."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.stores.seam import Allotted, Ask, Granted, Left, Statement, Window

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
class _Aside:
    number: int = 0
    until: float = 0.0
    held: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Account:
    tat: dict[str, float] = field(default_factory=dict)
    aside: Counter[str] = field(default_factory=Counter)
    holders: dict[str, _Aside] = field(default_factory=dict)
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

    async def allot(
        self, account: str, statement: Statement, lease: float
    ) -> Mapping[str, Allotted] | None:
        now, mine = self._clock(), self._accounts[account]
        self._sweep(mine, now)
        old = mine.holders.get(statement.holder, _Aside())
        if statement.number <= old.number:
            return None
        for ask in statement.spent:
            await self.settle(account, ask)
        kept = _Aside(statement.number, now + lease)
        told: dict[str, Allotted] = {}
        for window in statement.holds:
            name = _name(window)
            before = old.held.pop(name, 0)
            everything = self._free(mine, window, now)[0] + before
            wanted = max(window.cost, math.floor(statement.part * everything))
            held = max(0, min(window.cost, before), min(wanted, everything))
            mine.aside[name] += held - before
            kept.held[name] = held
            told[name] = Allotted(held, *self._free(mine, window, now))
        mine.aside.subtract(old.held)
        if any(kept.held.values()):
            mine.holders[statement.holder] = kept
        else:
            mine.holders.pop(statement.holder, None)
        return told

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
                each = _each(w)
                taken = w.cost + mine.aside[_name(w)]
                ahead = max(mine.tat.get(_name(w), 0.0), now) + taken * each - now
                if w.cost > w.minute:
                    lacking.append((math.inf, w.what, "minute"))
                elif ahead > MINUTE + each / 100:
                    lacking.append((ahead - MINUTE, w.what, "minute"))
            total = booked[_name(w)] + w.cost
            if w.day is not None and total + mine.aside[_name(w)] > w.day:
                retry = DAY - now % DAY if total > w.day else 1.0
                lacking.append((math.inf if w.cost > w.day else retry, w.what, "day"))
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
            mine.tat[_name(window)] = tat + amount * _each(window)

    def _free(self, mine: _Account, window: Window, now: float) -> tuple[int, int | None]:
        """What may still be spent of a window or set aside, and what of that is a day's."""
        aside = mine.aside[_name(window)]
        minute, day = math.inf, None
        if window.minute is not None:
            ahead = max(mine.tat.get(_name(window), 0.0) - now, 0.0)
            minute = math.floor((MINUTE - ahead) * window.minute / MINUTE + 0.01) - aside
        if window.day is not None:
            booked = mine.days.get(int(now // DAY), Counter())
            day = window.day - booked[_name(window)] - aside
        return int(min(minute, minute if day is None else day)), day

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
        for name in [name for name, each in mine.holders.items() if each.until <= now]:
            mine.aside.subtract(mine.holders.pop(name).held)


def _left(mine: _Account, ask: Ask, now: float) -> dict[str, Left]:
    left: dict[str, Left] = {}
    booked = mine.days.get(int(now // DAY), Counter())
    for w in ask.windows:
        told, aside = [], mine.aside[_name(w)]
        if w.minute is not None:
            ahead = max(mine.tat.get(_name(w), 0.0), now) - now
            remaining = math.floor((MINUTE - ahead) * w.minute / MINUTE + 0.01)
            told.append(Left(w.minute, max(0, remaining), ahead))
        if w.day is not None:
            told.append(Left(w.day, max(0, w.day - booked[_name(w)]), DAY - now % DAY))
        for each in told:
            each = replace(each, free=each.remaining - aside)
            known = left.get(w.what, each)
            narrower = min(known, each, key=lambda one: one.remaining)
            left[w.what] = replace(narrower, free=min(known.free, each.free))
    return left


def _each(window: Window) -> float:
    """For how long one of a window's kind counts; a limit of none is never come to."""
    return MINUTE / window.minute if window.minute else 0.0


def _name(window: Window) -> str:
    return f"{window.scope}|{window.what}"

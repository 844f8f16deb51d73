"""What one gateway may spend of an account while the store cannot be asked (pure).

It is set aside in the store beforehand, so that nobody else gets it. At any time, whatever became
of what was said and answered: what is free here, under way, and spent but not told is no more than
what the store counts as set aside for this gateway. What is given back is forgotten here before it
is said; what is got is had once the store has answered; of several answers only that to the last
statement counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from gateway.stores.seam import Allotted, Ask, Left, Statement, Window

MINUTE = 60.0
MARGIN = 0.1
"""This part of its lease a gateway leaves unused, as its clock may go slower than the store's."""


def part_of(gateways: int) -> float:
    """The part of what is left that is set aside for one of so many: a quarter for them all."""
    return 0.25 / max(1, gateways)


@dataclass(slots=True)
class Allotment:
    """One gateway's part of one account. `lease` in seconds; `holder` is the gateway's name.

    A holder that heard nothing for as long as its lease has nothing any more, as the store may have
    given it to others by then. From then on, as long as it hears nothing, it takes the part that it
    would have had of what it last saw left, once a lease.
    """

    holder: str
    lease: float
    clock: Callable[[], float]
    used: float = 0.0
    told: bool = False
    """Whether the store has ever said what is set aside."""
    returning: int = 0
    returned: int = 0
    """How often all that was free is being given back now, and was given back."""
    queued: bool = False
    _until: float = 0.0
    _number: int = 0
    _windows: dict[str, Window] = field(default_factory=dict)
    _seen: dict[str, Allotted] = field(default_factory=dict)
    _free: Counter[str] = field(default_factory=Counter)
    _under_way: Counter[str] = field(default_factory=Counter)
    _spent: Counter[str] = field(default_factory=Counter)
    _telling: dict[str, Ask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.used = self.clock()
        self._until = self.used + self.lease

    @property
    def quotas(self) -> list[Window]:
        """The limited windows that were asked for so far."""
        return [w for w in self._windows.values() if _limited(w)]

    @property
    def news(self) -> bool:
        """Whether something was spent that the store was not told of."""
        return bool(self._spent or self._telling)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, and the store knows all."""
        return not self.news and not any(self._under_way.values())

    def note(self, ask: Ask) -> bool:
        """Learn of what may be asked for; whether a quota is new among it."""
        self.used = self.clock()
        fresh = any(_limited(w) and _name(w) not in self._windows for w in ask.windows)
        self._windows.update({_name(w): w for w in ask.windows})
        return fresh

    def short(self, ask: Ask, part: float) -> str | None:
        """The first kind that is not free as `ask` has it; where none is, it is taken."""
        if self.clock() >= self._until:
            self._on_its_own(part)
        for window in ask.windows:
            if _limited(window) and self._free[_name(window)] < window.cost:
                return window.what
        for window in ask.windows:
            self._under_way[_name(window)] += window.cost
            self._free[_name(window)] -= window.cost
        return None

    def end(self, taken: Ask, spent: Ask) -> None:
        """What was taken is not under way any more; only what was spent of it is gone."""
        valid = self.clock() < self._until
        costs = {_name(w): w.cost for w in spent.windows}
        for window in taken.windows:
            name = _name(window)
            self._under_way[name] -= window.cost
            self._spent[name] += costs[name]
            if valid:
                self._free[name] += window.cost - costs[name]

    def left(self, ask: Ask) -> dict[str, Left]:
        """What is free of each limited kind."""
        left: dict[str, Left] = {}
        for w in filter(_limited, ask.windows):
            free = max(0, self._free[_name(w)])
            limit = min(limit for limit in (w.minute, w.day) if limit is not None)
            if w.what not in left or free < left[w.what].free:
                left[w.what] = Left(limit, free, 0.0, free)
        return left

    def may_be_back(self, what: str, returned: int) -> bool:
        """Whether the store may have `what` it lacked, asked when `returned` was the count, once
        all that is free here is given back."""
        here = any(w.what == what and self._free[_name(w)] > 0 for w in self.quotas)
        return here or self.returning > 0 or self.returned != returned

    def statement(self, part: float) -> Statement:
        """What to tell the store; all that is free beyond `part` of what is left is given back."""
        if self.clock() >= self._until:
            self._free.clear()
        self._number += 1
        if self._spent:
            batch = self._batch(self._number)
            windows = [replace(self._windows[n], cost=c) for n, c in self._spent.items() if c]
            self._telling[batch] = Ask(batch, windows)
            self._spent.clear()
        holds = []
        for window in self.quotas:
            name = _name(window)
            if (seen := self._seen.get(name)) is None or part == 0:
                most = 0
            else:
                most = math.floor(part * (seen.left + self._free[name] + self._under_way[name]))
            spare = self._free[name] + self._under_way[name] - most
            self._free[name] -= max(0, min(spare, self._free[name]))
            holds.append(replace(window, cost=self._free[name] + self._under_way[name]))
        return Statement(self.holder, self._number, holds, tuple(self._telling.values()), part)

    def unsaid(self, statement: Statement) -> None:
        """The statement never left: what it was the first to tell goes with others to come."""
        batch = self._telling.pop(self._batch(statement.number), None)
        if batch is not None:
            self._spent.update({_name(w): w.cost for w in batch.windows})

    def heard(self, statement: Statement, told: Mapping[str, Allotted] | None, said: float) -> None:
        """The store's answer to what was said at `said`, by this one's clock."""
        if told is None or statement.number != self._number:
            return  # a later statement tells all of it again
        for ask in statement.spent:
            self._telling.pop(ask.id, None)
        for window in statement.holds:
            name = _name(window)
            self._seen[name] = told[name]
            self._free[name] += told[name].held - window.cost
        self.told = True
        self._until = said + self.lease * (1 - MARGIN)

    def _batch(self, number: int) -> str:
        return f"{self.holder}-{number}"

    def _on_its_own(self, part: float) -> None:
        self._free.clear()
        self._until = self.clock() + self.lease
        for window in self.quotas:
            name = _name(window)
            seen = self._seen.get(name) or Allotted(0, 0, window.day)
            parts = []
            if window.minute is not None:
                parts.append(math.floor(part * window.minute * self.lease / MINUTE))
            if window.day is not None:
                today = seen.today or 0
                parts.append(math.floor(part * today))
                # The others are taken to do the same.
                self._seen[name] = replace(seen, today=math.floor(today * 0.75))
            self._free[name] = min(parts)


def _limited(window: Window) -> bool:
    return window.minute is not None or window.day is not None


def _name(window: Window) -> str:
    return f"{window.scope}|{window.what}"

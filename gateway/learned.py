"""Learned state as guests see it: it never fails, and survives a store that is away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.stores import State, Store, StoreUnavailable

MOST_KEYS = 4096
"""Keys whose last known state, or updates that a store could not take, are kept here."""


class Learned:
    """States in `store`, which all gateways on it share.

    Where the store is away, what was last read stands, with this process's own updates; those
    without decay reach the store once it is back.
    """

    def __init__(self, store: Store):
        self._store = store
        self._known: dict[str, State] = {}
        self._owed: dict[str, dict[str, float]] = {}

    async def read(self, key: str) -> State:
        """The state at `key`: numbers by name, empty before the first update."""
        try:
            await self._pay(key)
            state = await self._store.read(key)
        except StoreUnavailable:
            return self._known.get(key, State())
        self._know(key, state)
        return state

    async def add(self, key: str, delta: Mapping[str, float], decay: float = 1.0) -> None:
        """Multiply the values at `key` by `decay` (in (0, 1]) and add `delta`, as one step.

        Updates without decay commute, so that gateways which learn side by side lose nothing.
        """
        if "" in delta or not 0 < decay <= 1:
            raise ValueError("values have names, and decay lies in (0, 1]")
        try:
            await self._pay(key)
            state = await self._store.add(key, delta, decay)
        except StoreUnavailable:
            state = self._grown(key, delta, decay)
            if decay == 1.0 and (key in self._owed or len(self._owed) < MOST_KEYS):
                owed = self._owed.setdefault(key, {})
                for name, more in delta.items():
                    owed[name] = owed.get(name, 0.0) + more
        self._know(key, state)

    async def _pay(self, key: str) -> None:
        """Give the store what it could not take before."""
        if (owed := self._owed.pop(key, None)) is None:
            return
        try:
            await self._store.add(key, owed)
        except StoreUnavailable:
            later = self._owed.setdefault(key, {})
            for name, more in owed.items():
                later[name] = later.get(name, 0.0) + more
            raise

    def _grown(self, key: str, delta: Mapping[str, float], decay: float) -> State:
        old = self._known.get(key, State())
        values = {name: value * decay for name, value in old.values.items()}
        for name, more in delta.items():
            values[name] = values.get(name, 0.0) + more
        return replace(old, values=values)

    def _know(self, key: str, state: State) -> None:
        self._known.pop(key, None)
        self._known[key] = state
        while len(self._known) > MOST_KEYS:
            del self._known[next(iter(self._known))]

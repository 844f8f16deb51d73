"""The seam: what a store can do (pure)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class StoreUnavailable(Exception):
    """The store is slow, full or gone; `reason` is one of few words, for metrics."""

    def __init__(self, reason: str):
        super().__init__(f"the store cannot be used now ({reason})")
        self.reason = reason


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


class Store(LearnedStates, Records, Protocol):
    """All that a store can do."""

    @property
    def state(self) -> str:
        """`ok`, or in few words why it cannot be used; never waits."""
        ...

    async def keep(self) -> None:
        """Look after itself until cancelled: a store that failed is tried again here."""
        ...

    async def close(self) -> None: ...

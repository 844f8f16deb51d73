"""Which of several replicas takes a call (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from gateway.backends.pool.affinity import preference


class Loaded(Protocol):
    """What is chosen between; `place` tells them apart, for every gateway in the same way."""

    @property
    def place(self) -> str: ...
    @property
    def work(self) -> float: ...


L = TypeVar("L", bound=Loaded)


def work_of(outstanding: int, waiting: float = 0.0, cache_usage: float = 0.0) -> float:
    """Work in line for each free share of the cache.

    `outstanding` are our own candidates there, `waiting` is the server's `num_requests_waiting`,
    `cache_usage` its `kv_cache_usage_perc` in [0, 1]: a full cache preempts, so it weighs twenty
    times an empty one.
    """
    return (outstanding + waiting) / max(0.05, 1.0 - cache_usage)


def choose(
    replicas: Sequence[L], key: bytes | None, *, slack: float, spread: float
) -> tuple[L, str]:
    """One of `replicas` (at least one), and why: `home`, `spilled`, `least`, `only`.

    With a key: the first in the key's order of preference whose work is at most `slack` plus
    `spread` times the mean (consistent hashing with bounded loads, Mirrokni et al., arXiv
    1608.01350). Without one, or where all are beyond that: the one with the least work.
    """
    if len(replicas) == 1:
        return replicas[0], "only"
    if key is not None:
        bound = slack + spread * sum(each.work for each in replicas) / len(replicas)
        by_place = {each.place: each for each in replicas}
        for rank, place in enumerate(preference(key, by_place)):
            if by_place[place].work <= bound:
                return by_place[place], "spilled" if rank else "home"
    return min(replicas, key=lambda each: each.work), "least"

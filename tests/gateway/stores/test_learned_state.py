"""Learned state: the same on every store, whoever updates it side by side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import pytest

from gateway.learned import Learned
from gateway.stores import State, Store, StoreUnavailable
from gateway.stores.command import exported, imported
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import RedisStore
from tests.redis_servers import RedisServer


async def test_updates_add_up_and_are_counted(store: Store) -> None:
    assert await store.read("cell") == State()
    await store.add("cell", {"right": 1, "all": 1})
    told = await store.add("cell", {"all": 1, "seconds": 0.1})
    assert told == State({"right": 1.0, "all": 2.0, "seconds": 0.1}, 2)
    assert await store.read("cell") == told
    assert await store.read("other") == State()


async def test_decay_comes_before_what_is_added(store: Store) -> None:
    await store.add("cell", {"a": 8, "b": 4})
    assert (await store.add("cell", {"a": 1}, 0.5)).values == {"a": 5.0, "b": 2.0}


async def test_updates_side_by_side_are_all_there(store: Store) -> None:
    await asyncio.gather(*(store.add("cell", {str(i % 3): 1, "all": 0.5}) for i in range(90)))
    assert await store.read("cell") == State({"0": 30, "1": 30, "2": 30, "all": 45}, 90)


async def test_swapping_needs_the_version_that_was_read(store: Store) -> None:
    assert await store.swap("cell", 0, {"a": 0.1, "gone": 1})
    assert not await store.swap("cell", 0, {"a": 9})
    assert await store.swap("cell", 1, {"a": 0.2})
    assert await store.read("cell") == State({"a": 0.2}, 2)
    await store.add("cell", {"a": 1})
    assert not await store.swap("cell", 2, {"a": 9})


async def test_of_swaps_side_by_side_one_wins(store: Store) -> None:
    won = await asyncio.gather(*(store.swap("cell", 0, {"a": i}) for i in range(20)))
    assert won.count(True) == 1
    assert (await store.read("cell")).version == 1


async def test_states_can_be_listed(store: Store) -> None:
    for key in ("a*", "a:{b}", "ü"):
        await store.add(key, {"x": 1})
    assert {key async for key in store.states()} == {"a*", "a:{b}", "ü"}


class Away(MemoryStore):
    """A store that is away while `away`."""

    away = False

    async def read(self, key: str) -> State:
        self._check()
        return await super().read(key)

    async def add(self, key: str, delta: Mapping[str, float], decay: float = 1.0) -> State:
        self._check()
        return await super().add(key, delta, decay)

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("gone")


async def test_guests_go_on_while_the_store_is_away_and_nothing_is_lost() -> None:
    store = Away()
    learned, other = Learned(store), Learned(store)
    await learned.add("cell", {"all": 1})
    store.away = True
    await learned.add("cell", {"all": 1})
    assert (await learned.read("cell")).values == {"all": 2.0}
    assert (await learned.read("new")).values == {}
    store.away = False
    await other.add("cell", {"all": 1})
    assert (await learned.read("cell")).values == {"all": 3.0}
    assert (await other.read("cell")).values == {"all": 3.0}


async def test_bad_updates_are_refused(store: Store) -> None:
    for delta, decay in (({"": 1.0}, 1.0), ({"a": 1.0}, 0.0), ({"a": 1.0}, 1.5)):
        with pytest.raises(ValueError, match="decay lies in"):
            await Learned(store).add("cell", delta, decay)


async def test_states_go_from_one_store_to_another(store: Store) -> None:
    await store.add("cell", {"a": 0.1, "b": 2})
    other = MemoryStore()
    await other.add("cell", {"a": 5, "old": 1})
    assert await imported(other, json.loads(json.dumps(await exported(store)))) == 1
    assert (await other.read("cell")).values == {"a": 0.1, "b": 2.0}
    with pytest.raises(ValueError, match="not an export"):
        await imported(other, {"version": 2})


async def test_numbers_survive_exactly(server: RedisServer) -> None:
    store = RedisStore(server.url, bound=10)
    await store.flush()
    for number in (0.1, 1 / 3, 1e-300, 123456789.123456789, -0.0):
        await store.swap("exact", (await store.read("exact")).version, {"x": number})
        assert (await store.read("exact")).values["x"] == number
    await store.close()

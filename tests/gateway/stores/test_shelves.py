"""Shelves: a place is filled once, by whoever has claimed it; the same on every store."""

from __future__ import annotations

import asyncio

import pytest

from gateway.stores import Claim, Store

MINE, OTHERS = Claim.MINE, Claim.OTHERS


async def test_who_asks_first_is_to_fill(store: Store) -> None:
    assert await store.take("s", [0, 1], "a", 5) == [MINE, MINE]
    assert await store.take("s", [0, 1, 2], "b", 5) == [OTHERS, OTHERS, MINE]
    assert await store.take("s", [0], "a", 5) == [MINE]
    await store.fill("s", {0: b"x", 2: b"z"}, 60)
    assert await store.take("s", [0, 1, 2], "b", 5) == [b"x", OTHERS, b"z"]
    assert await store.take("t", [0], "b", 5) == [MINE]


async def test_a_place_is_one_draw_for_ever(store: Store) -> None:
    await store.fill("s", {0: b"first"}, 60)
    await store.fill("s", {0: b"second", 1: b"\x00\xff"}, 60)
    assert await store.take("s", [0, 1], "a", 5) == [b"first", b"\x00\xff"]


async def test_a_claim_ends_with_its_lease_or_when_it_is_left(store: Store) -> None:
    await store.take("s", [0, 1], "a", 0.1)
    assert await store.take("s", [0], "b", 5) == [OTHERS]
    await store.leave("s", [0, 1], "b")  # which are not b's to leave
    assert await store.take("s", [0], "b", 5) == [OTHERS]
    await asyncio.sleep(0.15)
    assert await store.take("s", [0], "b", 5) == [MINE]
    await store.leave("s", [0], "b")
    assert await store.take("s", [0], "c", 5) == [MINE]


async def test_a_shelf_lives_from_its_first_item_on(store: Store) -> None:
    await store.fill("s", {0: b"x"}, 0.5)
    await store.fill("s", {1: b"y"}, 600)
    for _ in range(1000):
        if await store.take("s", [0, 1], "a", 5) == [MINE, MINE]:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the second item gave the shelf more time")


async def test_of_many_at_once_each_place_has_one_owner(store: Store) -> None:
    asked = (store.take("s", range(20), str(i), 5) for i in range(10))
    told = await asyncio.gather(*asked)
    assert all(sum(each[place] is MINE for each in told) == 1 for place in range(20))

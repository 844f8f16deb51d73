"""Accounts: the same on every store, at any interleaving."""

from __future__ import annotations

import asyncio
import math
import time

from gateway.stores import Store
from gateway.stores.seam import Allotted, Ask, Statement, Window

LEASE = 30.0


def ask(id: str, *windows: Window, **open: int | None) -> Ask:
    return Ask(id, windows, open)


def requests(minute: int | None = None, day: int | None = None, cost: int = 1) -> Window:
    return Window("*", "requests", cost, minute, day)


def tokens(cost: int, minute: int | None = None, day: int | None = None) -> Window:
    return Window("*", "tokens", cost, minute, day)


def states(number: int, holds: Window, *spent: Ask, by: str = "h", part: float = 0.0) -> Statement:
    return Statement(by, number, [holds], spent, part)


def today() -> int:
    return int(time.time() // 86400)


async def test_a_minutes_worth_at_once_and_then_one_by_one(store: Store) -> None:
    told = [await store.reserve("a", ask(str(i), requests(minute=6)), LEASE) for i in range(8)]
    assert [each.ok for each in told] == [True] * 6 + [False] * 2
    assert [each.left["requests"].remaining for each in told] == [5, 4, 3, 2, 1, 0, 0, 0]
    assert (told[6].what, told[6].window) == ("requests", "minute")
    assert 8 < told[6].retry <= 10
    assert told[6].left["requests"].limit == 6
    assert 58 < told[6].left["requests"].reset <= 60


async def test_the_rate_refills(store: Store) -> None:
    fast = requests(minute=600)
    for i in range(600):
        await store.reserve("a", ask(f"a{i}", fast), LEASE)
    denied = await store.reserve(
        "a",
        ask(
            "x",
            fast,
        ),
        LEASE,
    )
    while not denied.ok:
        await asyncio.sleep(denied.retry)
        denied = await store.reserve("a", ask("x", fast), LEASE)
    assert denied.retry == 0


async def test_many_at_once_never_get_one_too_many(store: Store) -> None:
    asks = [ask(str(i), requests(day=100), tokens(7, day=650)) for i in range(150)]
    told = await asyncio.gather(*(store.reserve("a", each, LEASE) for each in asks))
    assert sum(each.ok for each in told) == 92  # 92 * 7 = 644; one more would be 651
    used = await store.usage("a", today())
    assert used == {"*|requests": 92, "*|tokens": 644}


async def test_all_or_nothing(store: Store) -> None:
    await store.reserve("a", ask("1", requests(day=10), tokens(5, minute=8)), LEASE)
    told = await store.reserve("a", ask("2", requests(day=10), tokens(5, minute=8)), LEASE)
    assert (told.ok, told.what) == (False, "tokens")
    assert await store.usage("a", today()) == {"*|requests": 1, "*|tokens": 5}


async def test_what_can_never_be_granted_says_so(store: Store) -> None:
    told = await store.reserve("a", ask("1", tokens(9, minute=8)), LEASE)
    assert (told.ok, told.retry) == (False, math.inf)


async def test_settling_gives_back_what_was_not_spent(store: Store) -> None:
    await store.reserve("a", ask("1", requests(minute=5), tokens(100, minute=100, day=300)), LEASE)
    assert not (await store.reserve("a", ask("2", tokens(50, minute=100)), LEASE)).ok
    for _ in range(2):  # settling twice is settling once
        await store.settle("a", ask("1", requests(minute=5), tokens(30, minute=100, day=300)))
    assert (await store.usage("a", today())) == {"*|requests": 1, "*|tokens": 30}
    told = await store.reserve("a", ask("3", tokens(70, minute=100, day=300)), LEASE)
    assert told.ok
    assert told.left["tokens"].remaining == 0


async def test_more_than_was_reserved_is_booked_all_the_same(store: Store) -> None:
    await store.reserve("a", ask("1", tokens(10, day=100)), LEASE)
    await store.settle("a", ask("1", tokens(120, day=100)))
    assert (await store.usage("a", today())) == {"*|tokens": 120}
    assert not (await store.reserve("a", ask("2", tokens(1, day=100)), LEASE)).ok


async def test_so_many_at_once(store: Store) -> None:
    both = {"*": 2, "model": 1}
    assert (await store.reserve("a", Ask("1", (), both), LEASE)).ok
    told = await store.reserve("a", Ask("2", (), both), LEASE)
    assert (told.ok, told.what, told.window) == (False, "concurrent", "concurrent")
    assert (await store.reserve("a", Ask("3", (), {"*": 2, "other": 1}), LEASE)).ok
    assert not (await store.reserve("a", Ask("4", (), {"*": 2}), LEASE)).ok
    await store.settle("a", Ask("1", ()))
    assert (await store.reserve("a", Ask("5", (), both), LEASE)).ok


async def test_what_nobody_renews_is_released_but_the_request_was_made(store: Store) -> None:
    for id in ("dead", "live"):
        await store.reserve("a", ask(id, requests(day=9), tokens(5, day=10), **{"*": 2}), 0.2)
    assert not (await store.reserve("a", Ask("x", (), {"*": 2}), LEASE)).ok
    for _ in range(3):
        await asyncio.sleep(0.1)
        await store.renew("a", ["live"], 0.25)
    assert (await store.usage("a", today())) == {"*|requests": 2, "*|tokens": 5}
    assert (await store.reserve("a", Ask("y", (), {"*": 2}), LEASE)).ok
    assert not (await store.reserve("a", Ask("z", (), {"*": 2}), LEASE)).ok


async def test_settling_after_the_lease_books_what_was_spent(store: Store) -> None:
    await store.reserve("a", ask("1", requests(), tokens(5)), 0.01)
    await asyncio.sleep(0.05)
    await store.renew("a", [], 1)
    await store.settle("a", ask("1", requests(cost=0), tokens(3)))
    assert (await store.usage("a", today())) == {"*|requests": 1, "*|tokens": 3}


async def test_a_reservation_that_comes_after_its_settling_is_refused(store: Store) -> None:
    """As when a Redis that hung works through what it was sent meanwhile."""
    await store.settle("a", ask("1", requests(), tokens(3)))
    assert not (await store.reserve("a", ask("1", requests(), tokens(9)), LEASE)).ok
    assert (await store.usage("a", today())) == {"*|requests": 1, "*|tokens": 3}


async def test_accounts_do_not_mix(store: Store) -> None:
    assert (await store.reserve("a", ask("1", requests(day=1)), LEASE)).ok
    assert (await store.reserve("b", ask("1", requests(day=1)), LEASE)).ok
    assert not (await store.reserve("a", ask("2", requests(day=1)), LEASE)).ok


async def test_what_is_set_aside_nobody_else_gets(store: Store) -> None:
    told = await store.allot("a", states(1, requests(day=10, cost=0), part=0.5), LEASE)
    assert told == {"*|requests": Allotted(5, 5, 5)}
    other = states(1, requests(day=10, cost=0), by="other", part=0.5)
    assert await store.allot("a", other, LEASE) == {"*|requests": Allotted(2, 3, 3)}
    granted = [await store.reserve("a", ask(str(i), requests(day=10)), LEASE) for i in range(4)]
    assert [each.ok for each in granted] == [True] * 3 + [False]
    assert granted[2].left["requests"].remaining == 7  # as that is not spent
    assert granted[2].left["requests"].free == 0
    assert granted[3].retry == 1.0  # as it may be given back at any time
    assert await store.usage("a", today()) == {"*|requests": 3}


async def test_of_a_minute_too(store: Store) -> None:
    told = await store.allot("a", states(1, requests(minute=60, cost=0), part=0.5), LEASE)
    assert told == {"*|requests": Allotted(30, 30)}
    asks = [ask(str(i), requests(minute=60)) for i in range(40)]
    assert sum([(await store.reserve("a", each, LEASE)).ok for each in asks]) in (30, 31, 32)


async def test_a_holder_keeps_what_it_counts_on_and_gives_back_the_rest(store: Store) -> None:
    await store.allot("a", states(1, requests(day=10, cost=0), part=0.5), LEASE)
    batch = ask("batch", requests(cost=2))
    told = await store.allot("a", states(2, requests(day=10, cost=1), batch), LEASE)
    assert told == {"*|requests": Allotted(1, 7, 7)}
    assert await store.usage("a", today()) == {"*|requests": 2}
    again = await store.allot("a", states(3, requests(day=10, cost=1), batch), LEASE)
    assert again == told  # what was told twice is booked once
    await store.allot("a", states(4, requests(day=10, cost=0)), LEASE)
    assert (await store.reserve("a", ask("all", requests(day=10, cost=8)), LEASE)).ok


async def test_an_earlier_statement_that_comes_later_does_nothing(store: Store) -> None:
    await store.allot("a", states(2, requests(day=10, cost=0), part=0.5), LEASE)
    late = states(1, requests(day=10, cost=0), ask("b", requests(cost=1)))
    assert await store.allot("a", late, LEASE) is None
    assert not (await store.reserve("a", ask("x", requests(day=10, cost=6)), LEASE)).ok
    assert (await store.reserve("a", ask("y", requests(day=10, cost=5)), LEASE)).ok


async def test_no_more_is_set_aside_than_there_is(store: Store) -> None:
    await store.reserve("a", ask("1", requests(day=10, cost=8)), LEASE)
    told = await store.allot("a", states(1, requests(day=10, cost=5)), LEASE)
    assert told == {"*|requests": Allotted(2, 0, 0)}
    await store.settle("a", ask("2", requests(day=10, cost=4)))  # which is booked without limit
    less = await store.allot("a", states(2, requests(day=10, cost=-1), part=1.0), LEASE)
    assert less == {"*|requests": Allotted(0, -2, -2)}


async def test_what_is_set_aside_is_free_again_when_its_holder_is_silent(store: Store) -> None:
    await store.allot("a", states(1, requests(day=10, cost=0), part=0.5), 0.1)
    assert not (await store.reserve("a", ask("x", requests(day=10, cost=6)), LEASE)).ok
    await asyncio.sleep(0.15)
    assert (await store.reserve("a", ask("y", requests(day=10, cost=10)), LEASE)).ok


async def test_a_limit_of_none_grants_nothing(store: Store) -> None:
    for window in (requests(minute=0), requests(day=0)):
        told = await store.reserve("a", ask("1", window), LEASE)
        assert (told.ok, told.retry) == (False, math.inf)
    assert (await store.reserve("a", ask("2", tokens(0, minute=0)), LEASE)).ok

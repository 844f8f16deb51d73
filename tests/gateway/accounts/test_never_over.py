"""No quota is passed, whatever becomes of what gateways say to the store and it to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.accounts.desk import Booking, Costs, Desk
from gateway.accounts.keys import EVERYTHING, Key, Limits
from gateway.errors import GatewayError, RateLimited, StateUnavailable
from gateway.stores import StoreUnavailable
from gateway.stores.later import Errand, Later
from gateway.stores.memory import MemoryStore
from gateway.testing import FakeBackend, Reply, user
from tests.conftest import Serve, Served, settles
from tests.redis_servers import RedisServer
from tests.slow_redis import slow_redis

LEASE = 30.0
NOON = 20_000.5 * 86400
MOST = 60

LIMITS = {
    "a day": Limits(tokens_per_day=MOST, requests_per_day=40),
    "a minute": Limits(tokens_per_minute=MOST, samples_per_minute=MOST),
    "both": Limits(tokens_per_minute=MOST, tokens_per_day=MOST + 20),
}


@dataclass
class Command:
    """What a gateway sent to the store; `done` where the store has worked on it."""

    work: Callable[[], Any]
    answer: asyncio.Future[Any]
    done: bool = False
    result: Any = None

    def do(self) -> None:
        if not self.done:
            self.done = True
            with pytest.raises(StopIteration) as ended:
                self.work().send(None)  # nothing in the memory's store waits
            self.result = ended.value.value


class Wire(MemoryStore):
    """A gateway's way to `store`, on which each command waits for what the test makes of it."""

    def __init__(self, store: MemoryStore, commands: list[Command]):
        super().__init__()
        self._store = store
        self._sent = commands
        self.away = False

    async def _send(self, work: Callable[[], Any]) -> Any:
        if self.away:
            raise StoreUnavailable("gone", asked=False)
        command = Command(work, asyncio.get_running_loop().create_future())
        self._sent.append(command)
        return await command.answer

    async def reserve(self, *told: Any) -> Any:
        return await self._send(lambda: self._store.reserve(*told))

    async def settle(self, *told: Any) -> Any:
        return await self._send(lambda: self._store.settle(*told))

    async def allot(self, *told: Any) -> Any:
        return await self._send(lambda: self._store.allot(*told))


class Errands(Later):
    """Errands that the test runs."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Errand] = []

    def _put(self, errand: Errand, *, must: bool) -> bool:
        self.waiting.append(errand)
        return True


class Gateways(RuleBasedStateMachine):
    """Three gateways on one store, whose commands are done, answered, or not, in any order."""

    @initialize(kind=st.sampled_from(sorted(LIMITS)))
    def begin(self, kind: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.key = Key(id="k", account="k", limits={EVERYTHING: LIMITS[kind]})
        self.store = MemoryStore(lambda: NOON)
        self.sent: list[Command] = []
        self.late: list[Command] = []
        self.later = Errands()
        self.wires = [Wire(self.store, self.sent) for _ in range(3)]
        self.desks = [
            Desk(wire, self.later, gateways=lambda: 3, lease=LEASE, clock=lambda: 0.0)
            for wire in self.wires
        ]
        self.open: list[tuple[Desk, Booking]] = []
        self.spent = 0
        self.requests = 0
        self.refusals = 0

    @rule(which=st.integers(0, 2), tokens=st.integers(1, 12))
    def ask(self, which: int, tokens: int) -> None:
        async def ask() -> None:
            try:
                booking = await self.desks[which].open(self.key, "m", Costs(1, 1, tokens))
            except GatewayError:
                self.refusals += 1
            else:
                self.requests += 1
                self.open.append((self.desks[which], booking))

        self._run(ask())

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        desk, booking = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        tokens = data.draw(st.integers(0, booking.costs.tokens))
        self.spent += tokens
        self._run(desk.settle(booking, Costs(1, 1, tokens)))

    @precondition(lambda self: self.later.waiting)
    @rule()
    def run_an_errand(self) -> None:
        errand = self.later.waiting.pop(0)

        async def run() -> None:
            try:
                await errand()
            except StoreUnavailable:
                self.later.waiting.append(errand)

        self._run(run())

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), fate=st.sampled_from(("answer", "do", "time out", "do and time out")))
    def go_on(self, data: st.DataObject, fate: str) -> None:
        command = self.sent[data.draw(st.integers(0, len(self.sent) - 1))]
        if fate != "time out":
            command.do()
        if fate == "do":
            return
        self.sent.remove(command)
        if fate == "answer":
            command.answer.set_result(command.result)
        else:
            command.answer.set_exception(StoreUnavailable("slow"))
            self.late.append(command)
        self._turn()

    @precondition(lambda self: self.late)
    @rule(data=st.data(), lost=st.booleans())
    def arrive_late(self, data: st.DataObject, lost: bool) -> None:
        command = self.late.pop(data.draw(st.integers(0, len(self.late) - 1)))
        if not lost:
            command.do()

    @rule(which=st.integers(0, 2))
    def cut_off_or_heal(self, which: int) -> None:
        self.wires[which].away = not self.wires[which].away

    @invariant()
    def nothing_is_over(self) -> None:
        if hasattr(self, "loop"):
            under_way = sum(booking.costs.tokens for _, booking in self.open)
            assert self.spent + under_way <= MOST
            assert self.requests <= 40 or not self.key.limits[EVERYTHING].requests_per_day

    def teardown(self) -> None:
        """Once all is said, the store knows of exactly what was spent, and nothing is held."""
        if not hasattr(self, "loop"):
            return
        for wire in self.wires:
            wire.away = False
        self._quiet()
        self.nothing_is_over()
        for desk, booking in self.open:
            self.spent += booking.costs.tokens
            self._run(desk.settle(booking, booking.costs))
        self._quiet()
        for desk in self.desks:
            self._run(desk._lending._close())
        self._quiet()
        [used] = self._run(self.store.usage("k", int(NOON // 86400))) or [{}]
        assert used.get("*|tokens", 0) == self.spent
        assert used.get("*|requests", 0) == self.requests
        account = self.store._accounts["k"]
        assert not account.held
        assert not any(account.aside.values())
        self.loop.close()

    def _quiet(self) -> None:
        for _ in range(300):
            while self.sent:
                command = self.sent.pop(0)
                command.do()
                command.answer.set_result(command.result)
                self._turn()
            if not self.later.waiting:
                return
            self.run_an_errand()
        raise AssertionError("there is no end to what is said")

    def _run(self, work: Any) -> list[Any]:
        """Begin `work`; what it came to, where it did not have to wait."""
        task = self.loop.create_task(work)
        self._tasks = [each for each in getattr(self, "_tasks", []) if not each.done()] + [task]
        self._turn()
        return [task.result()] if task.done() else []

    def _turn(self) -> None:
        for _ in range(12):
            self.loop.run_until_complete(asyncio.sleep(0))


TestGateways = Gateways.TestCase
TestGateways.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def desk_on(wire: MemoryStore, clock: Callable[[], float]) -> tuple[Desk, Errands]:
    later = Errands()
    return Desk(wire, later, gateways=lambda: 1, lease=LEASE, clock=clock), later


class Cut(MemoryStore):
    """A store that can be cut off; `asked` where it does what it is asked for all the same."""

    cut = False
    asked = False

    async def reserve(self, *told: Any) -> Any:
        result = await super().reserve(*told) if self.asked or not self.cut else None
        if self.cut:
            raise StoreUnavailable("slow", asked=self.asked)
        return result

    async def allot(self, *told: Any) -> Any:
        if self.cut:
            raise StoreUnavailable("gone", asked=False)
        return await super().allot(*told)

    async def settle(self, *told: Any) -> Any:
        if self.cut:
            raise StoreUnavailable("gone", asked=False)
        return await super().settle(*told)


async def pump(later: Errands) -> None:
    waiting, later.waiting = later.waiting, []
    for errand in waiting:
        try:
            await errand()
        except StoreUnavailable:
            later.waiting.append(errand)


async def granted(desk: Desk, key: Key, most: int = 100) -> list[Booking]:
    """As many as are granted, one by one."""
    told: list[Booking] = []
    for _ in range(most):
        try:
            told.append(await desk.open(key, "m", Costs(1, 1, 1)))
        except (RateLimited, StateUnavailable):
            return told
    return told


def a_day(requests: int, **more: Any) -> Key:
    return Key(id="k", account="k", limits={EVERYTHING: Limits(requests_per_day=requests)}, **more)


async def used(store: MemoryStore) -> Mapping[str, int]:
    return await store.usage("k", int(NOON // 86400))


async def test_a_grant_that_was_not_heard_is_not_made_twice() -> None:
    """The store grants all, and says so too late: what was lent counts, and nothing else."""
    store = Cut(lambda: NOON)
    desk, later = desk_on(store, lambda: 0.0)
    first = await granted(desk, a_day(100), 1)
    await pump(later)
    store.cut = store.asked = True
    lent = await granted(desk, a_day(100))
    assert len(lent) == 24  # a quarter of the 99 that were left
    store.cut = False
    for booking in first + lent:
        await desk.settle(booking, Costs(1, 1, 1))
    await pump(later)
    assert (await used(store))["*|requests"] == 25
    assert len(await granted(desk, a_day(100))) == 75


async def test_nothing_is_lent_that_was_not_set_aside() -> None:
    store = Cut(lambda: NOON)
    desk, _ = desk_on(store, lambda: 0.0)
    store.cut = True
    with pytest.raises(StateUnavailable):
        await desk.open(a_day(100), "m", Costs(1, 1, 1))
    unlimited = Key(id="k", account="k", limits={EVERYTHING: Limits()})
    await desk.open(unlimited, "m", Costs(1, 1, 1))


async def test_a_key_that_fails_closed_is_lent_nothing() -> None:
    store = Cut(lambda: NOON)
    desk, later = desk_on(store, lambda: 0.0)
    key = a_day(100, fail="closed")
    await granted(desk, key, 1)
    await pump(later)
    store.cut = True
    with pytest.raises(StateUnavailable):
        await desk.open(key, "m", Costs(1, 1, 1))


async def test_what_was_set_aside_is_not_lent_after_its_lease() -> None:
    """The store gives it to others then; a lease later the gateway must help itself."""
    now = 0.0
    store = Cut(lambda: NOON + now)
    one, later = desk_on(store, lambda: now)
    two, _ = desk_on(store, lambda: now)
    for booking in await granted(one, a_day(100), 1):
        await one.settle(booking, Costs(1, 1, 1))
    await pump(later)
    store.cut = True
    for booking in await granted(one, a_day(100), 4):
        await one.settle(booking, Costs(1, 1, 1))
    now = LEASE * 0.95
    late = await granted(one, a_day(100))
    assert len(late) == 18  # a quarter of the 75 that it last saw left for all
    store.cut = False
    now = LEASE
    assert len(await granted(two, a_day(100))) == 99  # as the store knows of the first alone
    await pump(later)
    assert (await used(store))["*|requests"] == 104


async def test_the_last_of_a_quota_is_had_though_it_was_set_aside() -> None:
    """Many at once, as many as there are: what is set aside for this very gateway is given back."""
    store = Cut(lambda: NOON)
    desk, later = desk_on(store, lambda: 0.0)
    await granted(desk, a_day(100), 1)
    await pump(later)
    told = await asyncio.gather(*(granted(desk, a_day(100), 1) for _ in range(120)))
    assert sum(map(len, told)) == 99


async def ask(served: Served, key: str) -> bool:
    """Whether a request is answered; it may be refused, and nothing else."""
    messages: Any = user("2 + 2?")
    try:
        await served.client(api_key=key).chat.completions.create(model="fake", messages=messages)
    except Exception as error:
        if getattr(error, "status_code", None) not in (429, 503):
            raise
        return False
    return True


@pytest.mark.parametrize("how", ["slow", "cut"])
async def test_a_gateway_that_hears_redis_too_late_adds_nothing_to_what_it_grants(
    serve: Serve, server: RedisServer, how: str
) -> None:
    """One gateway hears each answer after its bound, the other at once: both spend one quota."""
    most = 60
    limits = {"*": {"requests_per_day": most}}
    async with slow_redis(server.port) as slow:
        options = {"api_key": (f"sk-{how}",), "limits": limits}
        far = await serve(fake(), redis=slow.url, redis_bound_ms=100, **options)
        near = await serve(fake(), redis=server.url, redis_bound_ms=10_000, **options)
        assert await settles(lambda: far.host.peers.count == 2, 20)
        answered = sum([await ask(far, f"sk-{how}"), await ask(near, f"sk-{how}")])
        assert answered == 2
        assert await settles(lambda: far.host.later.idle and near.host.later.idle, 20)
        if how == "slow":
            slow.seconds = 0.3
        else:
            slow.cut()
        lent = [await ask(far, f"sk-{how}") for _ in range(7)]
        assert all(lent)  # of what was set aside for it
        answered += sum(lent)
        answered += sum([await ask(near, f"sk-{how}") for _ in range(most)])
        answered += sum([await ask(far, f"sk-{how}") for _ in range(10)])
        assert answered <= most
        slow.seconds, slow.open = 0.0, True
        assert await settles(lambda: far.host.store.state == "ok" and far.host.later.idle, 20)
        for gateway in (far, near, far, near):
            while await ask(gateway, f"sk-{how}"):
                answered += 1
        assert answered == most


def fake() -> FakeBackend:
    return FakeBackend(lambda sample, number: Reply.of("It is 4."))

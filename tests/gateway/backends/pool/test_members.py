"""Who belongs to the pool: flags, file and DNS, at run time; and what is known of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from aiohttp import web

from gateway.backends.pool.addresses import Address, Directory, ResolutionError, resolved
from gateway.metrics import Metrics
from gateway.testing import user
from gateway.types import Sample
from tests.conftest import settles
from tests.gateway.backends.pool.parts import Clock, Listed, pool_of, text_of


class Places:
    """What backends were made, by address."""

    def __init__(self, delay: float = 0.0) -> None:
        self.made: list[Listed] = []
        self._delay = delay

    def __call__(self, address: Address) -> Listed:
        self.made.append(Listed(address.name, delay=self._delay))
        return self.made[-1]


def _at(*ports: int) -> list[Address]:
    return [Address(f"backend-{at}", f"http://127.0.0.1:{port}") for at, port in enumerate(ports)]


# Members come and go.


async def test_one_that_is_taken_away_finishes_its_calls_and_is_closed_then() -> None:
    metrics, places = Metrics(), Places()
    pool = pool_of(metrics=metrics)
    pool.members.follow(_at(1), places)
    await pool.members.refresh(now=True)
    events = pool.call(Sample("m", user("hi"), stream=True))
    await anext(events)
    pool.members.follow(_at(2), places)
    await pool.members.refresh(now=True)
    old, new = places.made
    assert [each.state for each in pool.members.replicas] == ["draining", "up"]
    assert not old.closed
    assert await text_of(pool) == f"by {new.name}"
    assert [event async for event in events]
    await pool.members.refresh(now=True)
    assert old.closed
    assert [each.backend.name for each in pool.members.replicas] == [new.name]
    pool.members.report()
    page = metrics.page().decode()
    assert f'backend="{new.name}"' in page
    assert f'backend="{old.name}"' not in page


async def test_those_that_stay_are_not_touched_whatever_their_place_in_the_list() -> None:
    places = Places()
    pool = pool_of()
    pool.members.follow(_at(1, 2, 3), places)
    pool.members.follow(_at(3, 4, 2), places)
    assert len(places.made) == 4
    names = [each.name for each in pool.members.replicas]
    assert len(set(names)) == 4
    draining = [each for each in pool.members.replicas if each.draining]
    assert [each.place for each in draining] == ["http://127.0.0.1:1"]


async def test_one_that_comes_back_while_it_drains_is_taken_up_again() -> None:
    places = Places()
    pool = pool_of()
    pool.members.follow(_at(1, 2), places)
    pool.members.follow(_at(1), places)
    pool.members.follow(_at(1, 2), places)
    assert len(places.made) == 2
    assert not any(each.draining for each in pool.members.replicas)


async def test_models_that_were_given_are_not_asked_for() -> None:
    pool = pool_of()
    pool.members.follow([Address("a", "http://127.0.0.1:1", models=("given",))], Places())
    assert pool.members.knows("given")
    assert await text_of(pool, "given") == "by a"
    await pool.members.refresh(now=True)
    assert pool.members.models() == ["given"]


async def test_a_call_in_line_gets_a_replica_that_joins() -> None:
    places = Places()
    pool = pool_of(limit=1)
    pool.members.follow(_at(1), places)
    await pool.members.refresh(now=True)
    holding = pool.call(Sample("m", user("hi"), stream=True))
    await anext(holding)
    waiting = asyncio.create_task(text_of(pool))
    await asyncio.sleep(0)
    pool.members.follow(_at(1, 2), places)
    await pool.members.refresh(now=True)
    assert await asyncio.wait_for(waiting, 1) == "by backend-1"
    await holding.aclose()


async def test_a_call_in_line_for_a_model_that_is_gone_hears_of_it() -> None:
    pool = pool_of(limit=1)
    pool.members.follow(_at(1), Places())
    await pool.members.refresh(now=True)
    holding = pool.call(Sample("m", user("hi"), stream=True))
    await anext(holding)
    waiting = asyncio.create_task(text_of(pool))
    await asyncio.sleep(0)
    pool.members.follow([Address("x", "http://127.0.0.1:9", models=("x",))], Places())
    with pytest.raises(Exception, match="'m' does not exist"):
        await asyncio.wait_for(waiting, 1)
    await holding.aclose()


# DNS.


async def test_all_addresses_of_a_host_are_servers() -> None:
    [address] = await resolved(Address("v", "dns+http://127.0.0.1:8000", "key", ("m",)))
    assert address == Address("v", "http://127.0.0.1:8000", "key", ("m",))
    [address] = await resolved(Address("v", "dns+http://[::1]:8000/base"))
    assert address.url == "http://[::1]:8000/base"
    with pytest.raises(ResolutionError):
        await resolved(Address("v", "dns+http://no-such-host.invalid:8000"))


class Zone(asyncio.DatagramProtocol):
    """A name server that knows one name."""

    def __init__(self) -> None:
        self.records: list[str] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if self.records:
            name = question.question[0].name
            answer.answer.append(dns.rrset.from_text(name, 1, "IN", "SRV", *self.records))
        assert self.transport is not None
        self.transport.sendto(answer.to_wire(), addr)


@pytest.fixture
async def zone(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Zone]:
    loop = asyncio.get_running_loop()
    transport, zone = await loop.create_datagram_endpoint(Zone, ("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = transport.get_extra_info("sockname")[1]
    resolver.lifetime = 1.0
    monkeypatch.setattr("dns.asyncresolver.Resolver", lambda: resolver)
    yield zone
    transport.close()


async def test_servers_of_an_srv_record_follow_its_answer(zone: Zone) -> None:
    clock, places = Clock(), Places()
    pool = pool_of(clock=clock, resolve_seconds=10)
    pool.members.follow([Address("v", "srv+http://_http._tcp.vllm.test")], places)

    async def now() -> list[str]:
        clock.now += 10.1
        await pool.members.refresh(now=True)
        return sorted(each.place for each in pool.members.replicas if not each.draining)

    assert await now() == []
    zone.records = ["1 1 8000 a.test.", "1 1 8001 b.test.", "2 1 8002 spare.test."]
    assert await now() == ["http://a.test:8000", "http://b.test:8001"]
    assert [each.name for each in places.made] == ["v", "v-2"]
    zone.records = ["1 1 8001 b.test.", "1 1 8003 c.test."]
    assert await now() == ["http://b.test:8001", "http://c.test:8003"]
    zone.records = []  # a zone that says nothing is no reason to be without any
    assert await now() == ["http://b.test:8001", "http://c.test:8003"]
    assert len(places.made) == 3


async def test_fixed_addresses_need_no_look_up(zone: Zone) -> None:
    directory = Directory([*_at(1), Address("v", "srv+http://_http._tcp.vllm.test")])
    assert directory.known() == _at(1)
    [failure] = await directory.look_up()
    assert "_http._tcp.vllm.test" in failure
    zone.records = ["1 1 8000 a.test."]
    assert await directory.look_up() == []
    assert [each.url for each in directory.known()] == ["http://127.0.0.1:1", "http://a.test:8000"]


# Load.


@asynccontextmanager
async def _page(text: str) -> AsyncIterator[tuple[str, list[str]]]:
    """The base URL of a server with this page of metrics, and what it was sent."""
    sent: list[str] = []

    async def metrics(request: web.Request) -> web.Response:
        sent.append(request.headers.get("authorization", ""))
        return web.Response(text=text) if text else web.Response(status=500)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", sent
    await runner.cleanup()


BUSY = "vllm:num_requests_waiting{} 40\nvllm:kv_cache_usage_perc{} 0.9\n"


async def test_a_server_that_says_it_is_busy_gets_fewer_calls() -> None:
    clock, places, metrics = Clock(), Places(), Metrics()
    async with _page(BUSY) as (busy, sent), _page("") as (silent, _):
        pool = pool_of(clock=clock, metrics=metrics, load_seconds=2)
        addresses = [Address("busy", busy, "secret"), Address("silent", silent)]
        pool.members.follow(addresses, places)
        await pool.members.refresh(now=True)
        await pool.members.weigh()
        assert [each.work for each in pool.members.replicas] == [pytest.approx(400), 0]
        for number in range(20):
            assert await text_of(pool, prompt=f"{number}") == "by silent"
        assert sent == [""]
        pool.members.report()
        assert 'its_backend_waiting{backend="busy"} 40.0' in metrics.page().decode()
        pool.members.replicas[0].address = addresses[1]  # its page is no longer to be had
        clock.now += 5.9
        await pool.members.weigh()
        assert pool.members.replicas[0].load is not None
        clock.now += 0.2
        await pool.members.weigh()
        assert pool.members.replicas[0].work == 0
        await pool.close()


async def test_it_keeps_itself_informed_until_it_is_cancelled() -> None:
    places = Places()
    pool = pool_of(probe_seconds=0.01, load_seconds=0.01)
    pool.members.follow(_at(1), places)
    keeping = asyncio.create_task(pool.members.keep())
    assert await settles(lambda: places.made[0].asked >= 3, 5.0)
    keeping.cancel()
    await asyncio.wait([keeping])
    assert keeping.cancelled()

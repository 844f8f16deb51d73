"""Workers under signals: they drain, are told of a new configuration, and are replaced."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.gateway.processes.conftest import Fleet, Start, living, until
from tests.gateway.test_serve import Slow


async def _held(fleet: Fleet, upstream: Slow, count: int) -> list[asyncio.Task[int]]:
    """So many requests that wait for the upstream."""
    begun = upstream.begun
    asking = [asyncio.create_task(fleet.ask()) for _ in range(count)]

    async def all_there() -> bool:
        return upstream.begun == begun + count

    await until(all_there)
    return asking


async def _status(asking: asyncio.Task[int]) -> int:
    """What came of it; 0 where the connection broke."""
    try:
        return await asking
    except aiohttp.ClientConnectionError:
        return 0


async def _refuses(fleet: Fleet) -> bool:
    try:
        await fleet.get("/health")
    except aiohttp.ClientConnectionError:
        return True
    return False


@pytest.mark.parametrize("to_all", [False, True], ids=["supervisor", "group"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_what_is_under_way_finish(
    fleet: Fleet, upstream: Slow, number: signal.Signals, to_all: bool
) -> None:
    asking = await _held(fleet, upstream, 8)
    workers = fleet.workers()
    (os.killpg if to_all else os.kill)(fleet.pid, number)
    assert (await fleet.gateway.until("draining"))["signal"] in (number.name, "SIGTERM")
    await until(lambda: _refuses(fleet))
    await asyncio.sleep(0.3)
    assert fleet.workers() == workers
    assert not any(each.done() for each in asking)
    upstream.go.set()
    assert await asyncio.gather(*asking) == [200] * 8
    assert await fleet.ended() == 0
    assert [line for line in fleet.told if line["level"] in ("ERROR", "CRITICAL")] == []
    draining = [line.get("worker") for line in fleet.told if line["message"] == "draining"]
    assert draining.count(None) == 1
    assert {1, 2} <= set(draining)


async def test_a_second_interrupt_waits_for_nobody(fleet: Fleet, upstream: Slow) -> None:
    asking = await _held(fleet, upstream, 4)
    os.killpg(fleet.pid, signal.SIGINT)
    await fleet.gateway.until("draining")
    await until(lambda: _refuses(fleet))
    os.killpg(fleet.pid, signal.SIGINT)
    async with asyncio.timeout(5):
        assert await fleet.ended() == 0
    assert 200 not in [await _status(each) for each in asking]


async def test_what_outlives_the_drain_is_dropped(start: Start, upstream: Slow) -> None:
    fleet = await start(f"--backend={upstream.base}", "--drain-seconds=1")
    asking = await _held(fleet, upstream, 4)
    fleet.gateway.process.terminate()
    assert await fleet.ended() == 0
    assert 200 not in [await _status(each) for each in asking]


async def test_a_hangup_reaches_every_worker(start: Start, upstream: Slow, tmp_path: Path) -> None:
    path = tmp_path / "its.toml"
    head = "workers = 2\n[pool]\nresolve_seconds = 600\n[[backends]]\nurl = "
    path.write_text(f'{head}"http://127.0.0.1:9"\n')
    fleet = await start(f"--config={path}")
    path.write_text(f'{head}"{upstream.base}"\n')
    os.kill(fleet.pid, signal.SIGHUP)
    told = [await fleet.gateway.until("configuration reloaded") for _ in range(2)]
    assert {line["worker"] for line in told} == {1, 2}
    upstream.go.set()
    assert [await fleet.ask() for _ in range(12)] == [200] * 12
    # Who comes later has it as well: the supervisor had read the file as it was before.
    os.kill(min(fleet.workers()), signal.SIGKILL)
    await fleet.gateway.until("configuration reloaded")
    assert [await fleet.ask() for _ in range(12)] == [200] * 12


async def test_a_killed_worker_takes_only_its_own_requests_with_it(
    fleet: Fleet, upstream: Slow
) -> None:
    asking = await _held(fleet, upstream, 32)
    killed = min(fleet.workers())
    os.kill(killed, signal.SIGKILL)
    fresh = await fleet.up()
    assert fresh not in (0, killed)
    assert fleet.workers() >= {fresh}
    assert killed not in fleet.workers()
    upstream.go.set()
    assert [await fleet.ask() for _ in range(20)] == [200] * 20
    statuses = [await _status(each) for each in asking]
    assert set(statuses) == {0, 200}
    fleet.gateway.process.terminate()
    assert await fleet.ended() == 0
    survivor = {line["worker"] for line in fleet.told if line["message"] == "a worker died"}
    assert len(survivor) == 1
    served = [line for line in fleet.told if line["message"] == "request"]
    assert len(served) == 20 + statuses.count(200)


async def test_one_that_dies_again_and_again_waits_and_takes_no_connections(
    fleet: Fleet, upstream: Slow
) -> None:
    upstream.go.set()
    victim, pauses, gone = min(fleet.workers()), [], 0
    for _ in range(3):
        os.kill(victim, signal.SIGKILL)
        died = await fleet.gateway.until("a worker died")
        pauses.append(died["again_in_seconds"])
        os.kill(fleet.pid, signal.SIGSTOP)  # so that nobody comes in its place
        try:
            if pauses[-1] and len(fleet.workers()) == 1:
                gone += 1
                assert [await fleet.ask() for _ in range(8)] == [200] * 8
        finally:
            os.kill(fleet.pid, signal.SIGCONT)
        victim = await fleet.up(died["worker"])
    assert pauses == [0.0, 0.5, 1.0]
    assert gone
    assert await fleet.count("its_workers") == 2


async def test_one_that_is_told_to_end_drains_while_another_takes_its_place(
    fleet: Fleet, upstream: Slow
) -> None:
    asking = await _held(fleet, upstream, 8)
    before = fleet.workers()
    os.kill(min(before), signal.SIGTERM)
    await fleet.up()
    assert len(fleet.workers()) == 3
    upstream.go.set()
    assert [await fleet.ask() for _ in range(12)] == [200] * 12
    assert await asyncio.gather(*asking) == [200] * 8

    async def gone() -> bool:
        return len(fleet.workers()) == 2

    await until(gone)
    assert await fleet.count("its_requests_total") == 20
    assert await fleet.count("its_workers_lost_total") == 0


async def test_without_their_supervisor_workers_drain(fleet: Fleet, upstream: Slow) -> None:
    workers = fleet.workers()
    asking = await _held(fleet, upstream, 8)
    fleet.gateway.process.kill()
    await until(lambda: _refuses(fleet))
    assert not any(each.done() for each in asking)
    upstream.go.set()
    assert await asyncio.gather(*asking) == [200] * 8

    async def all_gone() -> bool:
        return not living(workers)

    await until(all_gone)

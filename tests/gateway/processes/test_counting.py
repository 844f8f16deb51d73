"""One page of metrics for all workers, whichever of them is asked for it."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import subprocess

import pytest

from tests.gateway.processes.conftest import Fleet, until
from tests.gateway.test_serve import Slow

ASKED = 60


def _backwards(before: dict[str, float], after: dict[str, float]) -> list[str]:
    return [name for name, value in before.items() if after.get(name, 0.0) < value]


async def _counters(fleet: Fleet) -> dict[str, float]:
    """Every series that may only grow."""
    ends = ("_total", "_count", "_sum", "_bucket")
    return {
        f"{name}{sorted(labels)}": value
        for (name, labels), value in (await fleet.counts()).items()
        if name.endswith(ends)
    }


async def test_every_scrape_has_the_sum_of_all_workers(fleet: Fleet, upstream: Slow) -> None:
    upstream.go.set()
    assert await asyncio.gather(*(fleet.ask() for _ in range(ASKED))) == [200] * ASKED
    for _ in range(10):
        counts = await fleet.counts()
        ended = {"strategy": "direct", "model": "m", "outcome": "ok", "stop": "complete"}
        assert counts["its_requests_total", frozenset(ended.items())] == ASKED
        for name in ("its_samples_total", "its_request_seconds_count", "its_upstream_calls_total"):
            assert await fleet.count(name) == ASKED, name
        assert counts["its_requests_in_flight", frozenset()] == 0
        assert counts["its_workers", frozenset()] == 2
    fleet.gateway.process.terminate()
    assert await fleet.ended() == 0
    served = [line["worker"] for line in fleet.told if line["message"] == "request"]
    assert len(served) == ASKED
    assert set(served) == {1, 2}


async def test_what_is_under_way_is_the_sum_too(fleet: Fleet, upstream: Slow) -> None:
    asking = [asyncio.create_task(fleet.ask()) for _ in range(8)]

    async def all_there() -> bool:
        return upstream.begun == 8

    await until(all_there)
    for name in ("its_requests_in_flight", "its_upstream_in_flight", "its_backend_outstanding"):
        assert await fleet.count(name) == 8, name
    assert await fleet.count("its_backend_state") == 1
    upstream.go.set()
    assert await asyncio.gather(*asking) == [200] * 8
    assert await fleet.count("its_requests_in_flight") == 0


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: NOT CHECKED")
async def test_promtool_finds_nothing_to_complain_of(fleet: Fleet, upstream: Slow) -> None:
    upstream.go.set()
    await asyncio.gather(*(fleet.ask() for _ in range(8)))
    page = await fleet.page()
    done = await asyncio.to_thread(
        subprocess.run,
        ["promtool", "check", "metrics"],
        input=page,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


async def test_no_counter_goes_back_when_a_worker_is_killed(fleet: Fleet, upstream: Slow) -> None:
    upstream.go.set()
    await asyncio.gather(*(fleet.ask() for _ in range(ASKED)))
    seen = [await _counters(fleet)]
    for pid in sorted(fleet.workers()):
        os.kill(pid, signal.SIGKILL)
        for _ in range(3):
            seen.append(await _counters(fleet))
            assert await fleet.ask() == 200
        await fleet.up()
        seen.append(await _counters(fleet))
    for before, after in itertools.pairwise(seen):
        assert _backwards(before, after) == []
    assert await fleet.count("its_requests_total") == ASKED + 6
    assert await fleet.count("its_workers_lost_total") == 2
    assert await fleet.count("its_workers") == 2


async def test_a_worker_that_hangs_is_told_of_by_what_it_last_said(
    fleet: Fleet, upstream: Slow
) -> None:
    upstream.go.set()
    await asyncio.gather(*(fleet.ask() for _ in range(ASKED)))
    assert await fleet.count("its_requests_total") == ASKED
    stopped = min(fleet.workers())
    os.kill(stopped, signal.SIGSTOP)
    asking = [asyncio.create_task(fleet.count("its_requests_total")) for _ in range(40)]
    try:  # the other one has the half of them
        done, _ = await asyncio.wait(asking, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert {each.result() for each in done} == {ASKED}
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert set(await asyncio.gather(*asking)) == {ASKED}

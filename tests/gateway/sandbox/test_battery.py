"""Hostile programs, sent through a gateway as a model's answers: none escapes, none passes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.testing import FakeBackend, Reply, user
from gateway.types import Sample
from tests.conftest import Served, serving, settles
from tests.gateway.sandbox.hostile import EXHAUSTION, FORGERIES, PROBED, PROBES, TESTS
from tests.needed import needed, open_folder

pytestmark = pytest.mark.timeout(900)

PROGRAMS = {**FORGERIES, **EXHAUSTION, **PROBES}
RIGHT = "def f(x): return x + 1\n"
AT_ONCE = 4
SLOWEST_HEALTH = 2.0
"""Seconds; an idle machine answers in a few milliseconds, and this one may be busy."""


def _says(sample: Sample, number: int) -> Reply:
    """The program that the last message names."""
    return Reply([PROGRAMS.get(str(sample.messages[-1]["content"]), RIGHT)])


async def _judged(client: aiohttp.ClientSession, url: str, name: str, tests: str) -> dict[str, Any]:
    its = {"strategy": "best_of_n", "budget": 1, "verifier": "code;seconds=0.5", "tests": tests,
           "detail": "candidates"}  # fmt: skip
    body = {"model": "fake", "messages": user(name), "its": its}
    async with client.post(f"{url}/v1/chat/completions", json=body) as response:
        answer = await response.json()
        assert response.status == 200, (name, answer)
        [candidate] = answer["its"]["candidates"]
        told: dict[str, Any] = candidate
        return told


def _ours() -> set[int]:
    """Processes that this one started, however far down."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        try:
            stat = (folder / "stat").read_text()
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found, fresh = set[int](), {os.getpid()}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


@contextmanager
def _nothing_left(folder: Path) -> Iterator[None]:
    """No process, descriptor, mount or file is there after that was not before."""
    before = _ours(), len(os.listdir("/proc/self/fd")), Path("/proc/self/mounts").read_text()
    yield
    assert _ours() <= before[0]
    assert len(os.listdir("/proc/self/fd")) <= before[1]
    assert Path("/proc/self/mounts").read_text() == before[2]
    assert list(folder.iterdir()) == []


async def _all(served: Served) -> tuple[dict[str, dict[str, Any]], list[float]]:
    """Each program's judged candidate, and how long `/health` took meanwhile."""
    tests = {name: PROBED if name in PROBES else TESTS for name in PROGRAMS}
    places = asyncio.Semaphore(AT_ONCE)
    took: list[float] = []
    async with aiohttp.ClientSession() as client:

        async def one(name: str) -> dict[str, Any]:
            async with places:
                return await _judged(client, served.url, name, tests[name])

        async def poll() -> None:
            while True:
                began = time.monotonic()
                async with client.get(f"{served.url}/health") as response:
                    assert response.status == 200
                took.append(time.monotonic() - began)
                await asyncio.sleep(0.05)

        polling = asyncio.create_task(poll())
        told = await asyncio.gather(*(one(name) for name in PROGRAMS))
        assert not polling.done()
        polling.cancel()
        assert (await _judged(client, served.url, "right", TESTS))["passed"] is True
    return dict(zip(PROGRAMS, told, strict=True)), took


@pytest.fixture(scope="module")
def battery() -> Any:
    """What became of every program, and how the gateway fared."""
    needed("bwrap", "bubblewrap", "libseccomp2")

    async def run() -> Any:
        async with serving(FakeBackend(_says)) as served:
            if problem := await served.host.sandbox.problem():
                pytest.skip(f"code cannot be run here: {problem}")
            return await _all(served)

    with open_folder() as folder, pytest.MonkeyPatch.context() as patch, _nothing_left(folder):
        patch.setattr("tempfile.tempdir", str(folder))
        return asyncio.run(run())


def test_there_are_enough() -> None:
    assert len(PROGRAMS) == len(FORGERIES) + len(EXHAUSTION) + len(PROBES) >= 90


@pytest.mark.parametrize("name", [*FORGERIES, *EXHAUSTION])
def test_no_program_passes_without_computing(battery: Any, name: str) -> None:
    told = battery[0][name]
    assert told["passed"] is False, told
    assert told["score"] < 1
    assert told["reason"].split(":")[0] in ("fail", "runtime", "compile", "timeout")


@pytest.mark.parametrize("name", PROBES)
def test_no_probe_finds_anything(battery: Any, name: str) -> None:
    """A probe passes only by running to its end and coming back with nothing."""
    assert battery[0][name]["passed"] is True, battery[0][name]["reason"]


def test_the_gateway_answers_all_along(battery: Any) -> None:
    assert len(battery[1]) > 20
    assert max(battery[1]) < SLOWEST_HEALTH


async def test_a_request_that_is_cancelled_takes_its_sandboxes_along() -> None:
    needed("bwrap", "bubblewrap", "libseccomp2")
    async with serving(FakeBackend(_says)) as served:
        if problem := await served.host.sandbox.problem():
            pytest.skip(f"code cannot be run here: {problem}")
        gauge = served.host.metrics.sandbox_in_flight
        async with aiohttp.ClientSession() as client:
            await _judged(client, served.url, "right", TESTS)
            asking = asyncio.create_task(_judged(client, served.url, "endless sleep", TESTS))
            assert await settles(lambda: gauge._value.get() == 1, 30)
            await asyncio.sleep(0.1)
            asking.cancel()
            assert await settles(lambda: gauge._value.get() == 0, 5)
        runs = served.host.metrics.sandbox_runs
        assert runs.labels("cancelled")._value.get() == 1
        assert runs.labels("pass")._value.get() == 1

"""Runs through a real Redis to a real worker process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from benchmarks.ports import free_port
from gateway.errors import InvalidRequest, SandboxUnavailable
from gateway.sandbox.verdict import Limits
from gateway.settings import ConfigError, load
from tests.conftest import settles
from tests.gateway.sandbox.conftest import Booked
from tests.needed import needed

pytest.importorskip("saq")

from gateway.sandbox.queued import QueuedSandbox

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

LIMITS = Limits(seconds=1.0)
RIGHT = "def f(x): return x + 1"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a Redis of our own."""
    program, port = needed("redis-server", "redis-server"), free_port()
    folder = tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = await asyncio.create_subprocess_exec(program, *options, stdout=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    assert await settles(answers, 30)
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    await process.wait()


def _worker(url: str, *flags: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ITS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "verify-worker", f"--redis={url}", *flags],
        stderr=subprocess.PIPE, text=True, env=kept,
    )  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(redis: str) -> AsyncIterator[subprocess.Popen[str]]:
    needed("bwrap", "bubblewrap", "libseccomp2")
    process = _worker(redis, "--sandbox-concurrency=2")
    assert process.stderr is not None
    line = await asyncio.to_thread(process.stderr.readline)
    if "cannot be run here" in line:
        process.wait()
        pytest.skip(line)
    assert json.loads(line)["message"] == "working"
    yield process
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 60) == 0
    assert process.stderr.read() == ""


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(redis: str, worker: object) -> AsyncIterator[QueuedSandbox]:
    sandbox = QueuedSandbox(Booked(), redis, patience=120)
    yield sandbox
    await sandbox.close()


async def test_verdicts_come_back(sandbox: QueuedSandbox) -> None:
    tests = "assert f(1) == 2\nassert f(2) == 9\n"
    runs = [sandbox.execute(p, tests, LIMITS) for p in (RIGHT, "def f(x):", RIGHT, "import nope")]
    told = [(v.how, v.passed, v.total) for v in await asyncio.gather(*runs)]
    assert told == [("fail", 1, 2), ("compile", 0, 2), ("fail", 1, 2), ("runtime", 0, 2)]


async def test_unusable_tests_are_the_clients_fault_here_too(
    sandbox: QueuedSandbox,
) -> None:
    with pytest.raises(InvalidRequest, match=r"its\.tests"):
        await sandbox.execute(RIGHT, "assert f(", LIMITS)


async def test_a_run_that_is_given_up_is_ended(
    sandbox: QueuedSandbox, worker: subprocess.Popen[str]
) -> None:
    def boxes() -> int:
        """Sandboxes under the worker; two programs at once and as many warm ones have 8."""
        children = Path(f"/proc/{worker.pid}/task").glob("*/children")
        return sum(len(each.read_text().split()) for each in children)

    await sandbox.execute(RIGHT, "assert f(1) == 2", LIMITS)
    endless = "import time\nwhile True: time.sleep(1)"
    long = Limits(seconds=1.0, wall=3600)
    running = asyncio.create_task(sandbox.execute(endless, "assert f(1) == 2", long))
    assert await settles(lambda: boxes() == 6, 60)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert await settles(lambda: boxes() == 4, 60)


async def test_what_is_in_redis_is_json_and_does_nothing_by_itself(
    redis: str, sandbox: QueuedSandbox, worker: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Whoever writes to the queue can ask for runs, and for nothing else."""
    import pickle

    from redis import asyncio as client

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'harm'}",)

    async with client.from_url(redis) as store:
        await store.set("saq:job:its-sandbox:bomb", pickle.dumps(Bomb()))
        queue = "saq:its-sandbox:queued"
        await cast(Awaitable[int], store.rpush(queue, "saq:job:its-sandbox:bomb"))
        for function in ("os.system", "run"):
            job = {"function": function, "kwargs": {"command": "true"}, "key": "x",
                   "queue": "its-sandbox", "status": "queued"}  # fmt: skip
            await store.set(f"saq:job:its-sandbox:{function}", json.dumps(job))
            await cast(Awaitable[int], store.rpush(queue, f"saq:job:its-sandbox:{function}"))
        verdict = await sandbox.execute(RIGHT, "assert f(1) == 2", LIMITS)
        assert verdict.how == "pass"
        keys = [key async for key in store.scan_iter("saq:job:its-sandbox:*")]
        stored = [await store.get(key) for key in keys if not key.endswith(b"bomb")]
        assert all(json.loads(value) for value in stored if value)
    assert worker.poll() is None
    assert not (tmp_path / "harm").exists()


async def test_without_a_worker_the_request_fails_in_time(redis: str) -> None:
    lonely = QueuedSandbox(Booked(), redis, patience=0.1)
    lonely._queue.name = "nobody-listens"
    with pytest.raises(SandboxUnavailable, match="no worker answered"):
        await lonely.execute(RIGHT, "assert f(1) == 2", Limits(seconds=0.01, wall=0.1))
    await lonely.close()


async def test_without_redis_the_request_fails_with_the_reason() -> None:
    lost = QueuedSandbox(Booked(), f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(SandboxUnavailable, match="the queue cannot be reached"):
        await lost.execute(RIGHT, "assert f(1) == 2", LIMITS)
    await lost.close()


async def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="sandbox: queue needs --redis"):
        load(["--sandbox=queue"])
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "gateway", "verify-worker"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "its-gateway: redis: a worker needs --redis\n")

"""Workers: results, errors, hard limits, and nothing left behind."""

from __future__ import annotations

import asyncio
import multiprocessing
import operator
import os
import time
from collections.abc import Iterator

import pytest

from gateway.workers import Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(1, preload=())
    yield workers
    workers.close()


async def test_computes_in_another_process(workers: Workers) -> None:
    assert await workers.run(operator.add, 2, 3, seconds=5) == 5
    assert await workers.run(os.getpid, seconds=5) != os.getpid()


async def test_starts_no_process_before_the_first_call() -> None:
    before = multiprocessing.active_children()
    workers = Workers(1)
    assert multiprocessing.active_children() == before
    workers.close()


async def test_what_the_function_raises_is_raised(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError):
        await workers.run(operator.truediv, 1, 0, seconds=5)
    assert await workers.run(operator.add, 1, 1, seconds=5) == 2


@pytest.mark.parametrize("forever", [(time.sleep, 60), (operator.pow, 7, 10**9)])
async def test_a_call_out_of_time_is_killed_and_the_next_one_works(
    workers: Workers, forever: tuple[object, ...]
) -> None:
    pid = await workers.run(os.getpid, seconds=5)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await workers.run(*forever, seconds=0.3)  # type: ignore[arg-type]
    assert time.monotonic() - began < 2
    assert await workers.run(os.getpid, seconds=5) != pid


async def test_waiting_for_a_processor_does_not_count(workers: Workers) -> None:
    await workers.run(os.getpid, seconds=5)
    await workers.run(time.sleep, 0.5, seconds=0.25)


async def test_a_call_out_of_memory_is_a_timeout(workers: Workers) -> None:
    with pytest.raises(TimeoutError):
        await workers.run(operator.mul, b"x", 8 << 30, seconds=5)
    assert await workers.run(operator.add, 1, 1, seconds=5) == 2


async def test_a_worker_that_dies_is_a_timeout_and_is_replaced(workers: Workers) -> None:
    with pytest.raises(TimeoutError):
        await workers.run(os._exit, 3, seconds=5)
    assert await workers.run(operator.add, 1, 1, seconds=5) == 2


async def test_cancelling_the_caller_kills_the_work(workers: Workers) -> None:
    await workers.run(os.getpid, seconds=5)
    call = asyncio.create_task(workers.run(time.sleep, 60, seconds=60))
    await asyncio.sleep(0.3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    # One worker only: this would wait a minute, had the sleep gone on.
    assert await asyncio.wait_for(workers.run(operator.add, 1, 1, seconds=5), 10) == 2


async def test_close_ends_calls_under_way_and_leaves_no_process() -> None:
    workers = Workers(2, preload=())
    before = set(multiprocessing.active_children())
    await workers.run(os.getpid, seconds=5)
    calls = [asyncio.create_task(workers.run(time.sleep, 60, seconds=60)) for _ in range(3)]
    await asyncio.sleep(0.3)
    await asyncio.to_thread(workers.close)
    for ended in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(ended, TimeoutError)
    assert set(multiprocessing.active_children()) == before
    with pytest.raises(RuntimeError):
        await workers.run(operator.add, 1, 1, seconds=5)

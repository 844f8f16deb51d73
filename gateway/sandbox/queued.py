"""Sandboxes elsewhere: runs go through a Redis queue to `its-gateway verify-worker`.

The queue is SAQ's. What travels is JSON, and a worker calls the one function that it was given, so
that nothing in Redis can make either side run what it brings along.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from typing import Any

from redis.exceptions import RedisError
from saq import Job, Queue
from saq.job import Status

from gateway.errors import InvalidRequest, SandboxUnavailable
from gateway.sandbox.local import Books
from gateway.sandbox.verdict import LONGEST_TEXT, Executor, Limits, Verdict

NAME = "its-sandbox"
FUNCTION = "run"
POLL = 0.25
"""Seconds after which a notice that was missed no longer matters."""
KEPT = 60
"""Seconds for which a result stays in Redis."""


def queue_at(url: str) -> Queue:
    """The queue of runs in the Redis at `url`; nothing is contacted yet."""
    # SAQ logs whole jobs where it fails, and jobs hold what clients and models wrote.
    logging.getLogger("saq").setLevel(logging.CRITICAL + 1)
    return Queue.from_url(url, name=NAME)


class QueuedSandbox:
    """Sends runs to workers; one that no worker takes within `patience` seconds fails."""

    def __init__(self, books: Books, url: str, *, patience: float = 30.0):
        self._books = books
        self._queue = queue_at(url)
        self._patience = patience

    async def execute(
        self, program: str, tests: str, limits: Limits, *, prompt: str = ""
    ) -> Verdict:
        """See `Executor`. A worker that has begun has the limits' time, and no more, to answer."""
        if len(program) + len(tests) + len(prompt) > LONGEST_TEXT:
            return Verdict("compile", 0, 1, "too long to be run")
        loop = asyncio.get_running_loop()
        self._books.sandbox_began()
        began, how = loop.time(), "unavailable"
        try:
            verdict = _read(await self._result(_job(program, tests, limits, prompt), limits))
            how = verdict.how
            return verdict
        except asyncio.CancelledError:
            how = "cancelled"
            raise
        except (RedisError, OSError) as error:
            name = type(error).__name__
            raise SandboxUnavailable(f"the queue cannot be reached ({name})") from None
        finally:
            self._books.sandbox_ended(how, loop.time() - began)

    async def problem(self) -> str:
        """Why nothing can be sent; whether a worker listens shows only when one answers."""
        try:
            await self._queue.count("queued")
        except (RedisError, OSError) as error:
            return f"the queue cannot be reached ({type(error).__name__})"
        return ""

    async def close(self) -> None:
        """Leave the queue; runs of requests that were cancelled have been taken back."""
        with contextlib.suppress(RedisError, OSError):
            await self._queue.disconnect()

    async def _result(self, job: Job, limits: Limits) -> Any:
        loop = asyncio.get_running_loop()
        await self._queue.enqueue(job)
        ends = loop.time() + self._patience + limits.deadline
        try:
            while not job.completed:
                if loop.time() > ends:
                    raise SandboxUnavailable("no worker answered in time")
                with contextlib.suppress(TimeoutError):
                    await job.refresh(until_complete=POLL)
        finally:
            if not job.completed:
                with contextlib.suppress(RedisError, OSError):
                    await asyncio.shield(self._queue.abort(job, "given up", ttl=KEPT))
        if job.status is not Status.COMPLETE:
            raise SandboxUnavailable("a worker failed")
        return job.result


def _job(program: str, tests: str, limits: Limits, prompt: str) -> Job:
    most = {"seconds": limits.seconds, "memory": limits.memory, "files": limits.files}
    return Job(
        function=FUNCTION,
        kwargs={"program": program, "tests": tests, "prompt": prompt, "limits": most},
        timeout=math.ceil(limits.deadline) + KEPT,
        ttl=KEPT,
        retries=1,
    )


def _read(result: Any) -> Verdict:
    """The verdict that a worker sent; raises what it was to raise."""
    if not isinstance(result, dict):
        raise SandboxUnavailable("a worker sent what cannot be read")
    if "unusable" in result:
        message = str(result["unusable"])
        raise InvalidRequest(message, param="its.tests", code="invalid_value")
    if "unavailable" in result:
        raise SandboxUnavailable(str(result["unavailable"]))
    try:
        return Verdict.read(*(result.get(key) for key in ("how", "passed", "total", "detail")))
    except ValueError:
        raise SandboxUnavailable("a worker sent what cannot be read") from None


async def answered(sandbox: Executor, kwargs: dict[str, Any]) -> dict[str, Any]:
    """What a worker sends back for a job's arguments: the other side of `_read`."""
    try:
        most = kwargs["limits"]
        limits = Limits(float(most["seconds"]), int(most["memory"]), files=int(most["files"]))
        texts = [str(kwargs[name]) for name in ("program", "tests", "prompt")]
    except (KeyError, TypeError, ValueError):
        return {"unavailable": "a job that cannot be read"}
    try:
        verdict = await sandbox.execute(texts[0], texts[1], limits, prompt=texts[2])
    except InvalidRequest as error:
        return {"unusable": error.message}
    except SandboxUnavailable as error:
        return {"unavailable": error.reason}
    return {"how": verdict.how, "passed": verdict.passed, "total": verdict.total,
            "detail": verdict.detail}  # fmt: skip

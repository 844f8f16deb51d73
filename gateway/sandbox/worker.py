"""`its-gateway verify-worker`: runs programs that gateways put into a Redis queue."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

from gateway.logs import configure_logging
from gateway.sandbox.local import LocalSandbox
from gateway.settings import ConfigError, Settings, load

logger = logging.getLogger("its_gateway")

ABORT_SECONDS = 0.2
"""How soon a run ends whose request has gone."""


class _Unbooked:
    """A worker has no page of metrics: the gateways that ask count their runs."""

    def sandbox_began(self) -> None: ...

    def sandbox_ended(self, how: str, seconds: float) -> None: ...


def main(argv: Sequence[str]) -> int:
    """Work until SIGTERM; 2 where the settings cannot be used, 1 where no code can be run."""
    try:
        settings = load(argv)
        configure_logging(settings.log_level)
        if settings.redis is None:
            raise ConfigError("redis: a worker needs --redis")
    except ConfigError as error:
        print(f"its-gateway: {error}", file=sys.stderr)
        return 2
    return asyncio.run(work(settings, settings.redis))


async def work(settings: Settings, url: str) -> int:
    """Take runs from the queue at `url` until a signal comes."""
    try:
        from saq import Worker

        from gateway.sandbox.queued import FUNCTION, answered, queue_at
    except ImportError as error:
        print(f"its-gateway: {error}: pip install 'its-gateway[queue]'", file=sys.stderr)
        return 2
    most = settings.sandbox_concurrency or os.cpu_count() or 1
    sandbox = LocalSandbox(_Unbooked(), concurrency=most)
    if problem := await sandbox.problem():
        print(f"its-gateway: code cannot be run here: {problem}", file=sys.stderr)
        await sandbox.close()
        return 1

    async def run(context: Any, **job: Any) -> dict[str, Any]:
        return await answered(sandbox, job)

    timers: Any = {"abort": ABORT_SECONDS}  # SAQ says whole seconds, and only sleeps them
    worker = Worker(queue_at(url), [(FUNCTION, run)], concurrency=most, timers=timers)
    logger.info("working", extra={"places": most})
    try:
        await worker.start()
    finally:
        await worker.queue.disconnect()
        await sandbox.close()
    return 0

"""What has been found out of one server's models, and when that has to be asked again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from gateway.backends.vllm.client import Client
from gateway.backends.vllm.probe import probe
from gateway.errors import UpstreamError
from gateway.types import Capabilities

logger = logging.getLogger("its_gateway.backends")

LONGEST_PROBE = 120.0
"""Seconds: a server compiles on its first requests."""


class Known:
    """Capabilities by model. A model is probed when it is first seen, and again when it is seen
    after its server failed or could not be reached, as it may have been restarted as another.

    Where `probing` is off, every model is taken to be able to do everything.
    """

    def __init__(self, client: Client, name: str, *, probing: bool) -> None:
        self._client = client
        self._name = name
        self._probing = probing
        self._found: dict[str, Capabilities] = {}
        self._failures: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def of(self, model: str) -> Capabilities:
        """What is known now; everything, where nothing is."""
        return self._found.get(model, Capabilities())

    async def sure(self, model: str) -> Capabilities:
        """The same, once the probing of `model` has ended."""
        if model not in self._found:
            self.seen([model])
        if (task := self._tasks.get(model)) is not None:
            await asyncio.wait([task])
        return self.of(model)

    def seen(self, models: Sequence[str]) -> None:
        """Probe, in the background, those of `models` that need it."""
        if not self._probing:
            return
        for model in models:
            if self._failures.get(model) == self._client.failures or model in self._tasks:
                continue
            self._tasks[model] = asyncio.create_task(self._probe(model))

    async def close(self) -> None:
        """End what is being probed."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()  # one that had not begun could not take itself out

    async def _probe(self, model: str) -> None:
        failures = self._client.failures
        try:
            async with asyncio.timeout(LONGEST_PROBE):
                found = await probe(self._client, model)
        except (UpstreamError, TimeoutError):
            return  # it is asked again when it is next seen
        finally:
            self._tasks.pop(model, None)
        fresh = found != self._found.get(model)
        self._found[model], self._failures[model] = found, failures
        if fresh:
            names = {"backend": self._name, "model": model}
            logger.info("model probed", extra={**names, "lacks": found.lacking()})

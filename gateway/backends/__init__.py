"""Where candidates come from: one seam, `Backend`, and layers of the same shape around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gateway.types import Capabilities, Event, Passthrough, Relayed, Sample


class Backend(Protocol):
    """One upstream, or a layer around others.

    Closing the iterator of `call` (`aclose`, or cancelling the task that reads it) aborts the call
    upstream. Errors are `UpstreamError`s, raised from the iterator.
    """

    name: str
    capabilities: Capabilities

    async def models(self) -> list[str]:
        """Names of the models served here; `UpstreamError` if that cannot be told now."""
        ...

    def call(self, request: Sample) -> AsyncGenerator[Event]:
        """`Delta`s only where `request.stream`; one `Finished` a candidate; `Spent` last."""
        ...

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        """Send a body as it is; leaving the context aborts what is still under way."""
        ...

    async def close(self) -> None: ...

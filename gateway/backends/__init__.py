"""Where candidates come from: one seam, `Backend`, and layers of the same shape around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gateway.types import Call, Capabilities, Event, Passthrough, Relayed


class Backend(Protocol):
    """One upstream, or a layer around others.

    Closing the iterator of `call` (`aclose`, or cancelling the task that reads it) aborts the call
    upstream. Errors are `UpstreamError`s, raised from the iterator.
    """

    name: str

    def capabilities(self, model: str) -> Capabilities:
        """What is known now of `model` here; never waits."""
        ...

    async def models(self) -> list[str]:
        """Names of the models served here; `UpstreamError` if that cannot be told now."""
        ...

    def call(self, request: Call) -> AsyncGenerator[Event]:
        """To a `Sample`, one `Finished` a candidate, and `Delta`s only where `request.stream`; to
        any other request one `Rows`. `Spent` is last. `Unsupported` where it cannot be done here.
        """
        ...

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        """Send a body as it is; leaving the context aborts what is still under way."""
        ...

    async def close(self) -> None: ...

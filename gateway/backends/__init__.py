"""Where candidates come from: one seam, `Backend`, and layers of the same shape around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gateway.types import Call, Capabilities, Event, Passthrough, Relayed, Sample

Whole = Callable[[Sample], Awaitable[list[Event]]]
"""All events of a `Sample` that does not stream, or its error: nothing in between."""


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


def whole_of(backend: Backend) -> Whole | None:
    """The backend's `whole`, where it has one: the short way for calls that come in one piece.

    Each generator on a call's way costs as much as the work of the layer that it is for.
    """
    whole: Whole | None = getattr(backend, "whole", None)
    return whole

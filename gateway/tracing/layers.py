"""What a traced request is lent: a backend and verifiers that note what they did."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import Any

from opentelemetry.trace import Span, use_span

from gateway.backends import Backend
from gateway.errors import GatewayError
from gateway.registry import Registry, Spec
from gateway.tracing.spans import Drawn, Spans
from gateway.types import (
    Call,
    Candidate,
    Capabilities,
    Delta,
    Event,
    Finished,
    Passthrough,
    Relayed,
    Sample,
    Score,
)


class Traced:
    """A layer that gives each candidate a span, and the upstream a parent for its own.

    That parent is the candidate's span; a call for several belongs to no single one of them, so
    that the upstream's span then stands beside theirs, below the request's.
    """

    def __init__(self, below: Backend, spans: Spans):
        self.name = below.name
        self._below = below
        self._spans = spans

    def capabilities(self, model: str) -> Capabilities:
        return self._below.capabilities(model)

    async def models(self) -> list[str]:
        return await self._below.models()

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        drawn = self._spans.begin(request) if isinstance(request, Sample) else []
        parent = drawn[0].span if len(drawn) == 1 else self._spans.parent
        error: GatewayError | None = None
        try:
            async with aclosing(self._below.call(request)) as events:
                while (event := await _next(events, parent)) is not None:
                    self._note(drawn, event)
                    yield event
        except GatewayError as failure:
            error = failure
            raise
        finally:
            self._spans.left(drawn, error)

    def _note(self, drawn: Sequence[Drawn], event: Event) -> None:
        # An upstream may count wrongly; what it says of candidates never asked for is not told.
        if isinstance(event, Delta) and event.index < len(drawn):
            self._spans.grew(drawn[event.index])
        elif isinstance(event, Finished) and event.index < len(drawn):
            self._spans.finished(drawn[event.index], event.candidate)

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        return self._below.relay(request)

    async def close(self) -> None:
        await self._below.close()


async def _next(events: AsyncGenerator[Event], parent: Span) -> Event | None:
    """The next event, awaited with `parent` as the current span; None at the end.

    It is current for the wait alone: what a generator leaves set between two events, its reader
    would have.
    """
    with use_span(parent, record_exception=False, set_status_on_exception=False):
        return await anext(events, None)


class Evaluated(Registry):
    """Verifiers whose scores become events."""

    def __init__(self, verifiers: Registry, spans: Spans):
        super().__init__(verifiers.kind, verifiers.values())
        self._spans = spans

    def __getitem__(self, name: str) -> Spec:
        spec = super().__getitem__(name)

        async def noted(
            session: Any, candidates: Sequence[Candidate], **params: object
        ) -> list[Score]:
            scores: list[Score] = await spec.run(session, candidates, **params)
            for candidate, score in zip(candidates, scores, strict=False):
                self._spans.evaluated(spec.name, candidate, score)
            return scores

        return replace(spec, run=noted)

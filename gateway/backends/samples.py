"""A layer that takes samples which were drawn before, and draws the rest."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, replace
from typing import Any

from gateway.backends import Backend
from gateway.openai import candidate_chunks
from gateway.reuse.flights import Flight, Flights
from gateway.reuse.identity import shelf_of
from gateway.reuse.packing import Unreadable, pack, plain, unpack
from gateway.trace import Trace
from gateway.types import (
    Call,
    Candidate,
    Capabilities,
    Delta,
    Event,
    Finished,
    Passthrough,
    Relayed,
    Restarted,
    Sample,
    Spent,
    Usage,
)

MOST_BYTES = 4 * 2**20
"""A candidate that takes more is not kept."""
MOST_PLACES = 4096
"""Samples beyond this many of one request are not kept."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Whose samples they are (`scope`), of which revision of its model, and who draws them."""

    scope: str
    revision: str
    provenance: Mapping[str, Any]


class Pooled:
    """Sample i of a request is what sample i of an equal one was; another is a draw of its own.

    Only the request's own samples are shared: judges' calls and continuations pass through.
    """

    def __init__(self, below: Backend, flights: Flights, keeping: Keeping, trace: Trace):
        self.name = below.name
        self._below = below
        self._flights = flights
        self._keeping = keeping
        self._trace = trace

    def capabilities(self, model: str) -> Capabilities:
        return self._below.capabilities(model)

    async def models(self) -> list[str]:
        return await self._below.models()

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        return self._below.relay(request)

    async def close(self) -> None:
        await self._below.close()

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        if (
            not isinstance(request, Sample)
            or request.first is None
            or request.first + request.n > MOST_PLACES
        ):
            async with aclosing(self._below.call(request)) as events:
                async for event in events:
                    yield event
            return
        shelf = shelf_of(request, self._keeping.scope, self._keeping.revision)
        async with (
            self._flights.flight(shelf) as flight,
            aclosing(self._pooled(request, flight)) as events,
        ):
            async for event in events:
                yield event

    async def _pooled(self, request: Sample, flight: Flight) -> AsyncGenerator[Event]:
        assert request.first is not None
        wanted = list(range(request.first, request.first + request.n))
        reused: list[Candidate] = []
        drawn: list[Usage] = []
        round = 0
        while wanted:
            taken = await flight.look(wanted)
            for place, packed in taken.found.items():
                try:
                    candidate = unpack(packed)
                except Unreadable:  # another version's; what it holds is not ours to replace
                    taken.mine.append(place)
                    continue
                reused.append(candidate)
                self._trace.samples_reused += 1
                for event in _told(candidate, place - request.first, request):
                    yield event
            if taken.mine:
                async with aclosing(self._draw(request, sorted(taken.mine), flight)) as events:
                    async for event in events:
                        if isinstance(event, Spent):
                            drawn.append(event.usage)
                        else:
                            yield event
            wanted = taken.others
            if wanted:
                await flight.news(wanted, round)
                round += 1
        usage = _usage_of(reused, fresh=not drawn)
        self._trace.reused += usage
        yield Spent(sum(drawn, usage))

    async def _draw(
        self, request: Sample, places: Sequence[int], flight: Flight
    ) -> AsyncGenerator[Event]:
        """Draw `places` of the request's samples, and keep them."""
        assert request.first is not None
        index = [place - request.first for place in places]
        uncounted: dict[int, Candidate] = {}
        call = replace(request, n=len(places), first=places[0])
        async with aclosing(self._below.call(call)) as events:
            async for event in events:
                if isinstance(event, Finished) and event.index < len(places):
                    if event.candidate.usage is None:
                        uncounted[places[event.index]] = event.candidate
                    else:
                        self._keep(flight, {places[event.index]: event.candidate})
                elif isinstance(event, Spent):
                    self._keep(flight, _shared(uncounted, event.usage))
                yield _moved(event, index)

    def _keep(self, flight: Flight, candidates: Mapping[int, Candidate]) -> None:
        packed = {
            place: pack(candidate, self._keeping.provenance)
            for place, candidate in candidates.items()
        }
        items = {place: each for place, each in packed.items() if len(each) <= MOST_BYTES}
        if items:
            flight.fill(items)


def _moved(event: Event, index: Sequence[int]) -> Event:
    """An event of the smaller call, as one of the call that was asked for."""
    match event:
        case Delta() if event.index < len(index):
            at = index[event.index]
            return replace(event, index=at, choice={**event.choice, "index": at})
        case Finished() if event.index < len(index):
            return replace(event, index=index[event.index])
        case Restarted():
            return replace(event, indices=tuple(index[at] for at in event.indices))
    return event


def _told(candidate: Candidate, index: int, request: Sample) -> list[Event]:
    """What the seam says of a candidate that is there already."""
    finished = Finished(index, candidate)
    if not request.stream:
        return [finished]
    tokens = candidate.usage.completion_tokens if candidate.usage else 0
    prompt = candidate.usage.prompt_tokens if candidate.usage else 0
    asked = bool(request.fields.get("logprobs"))
    held = replace(candidate, logprobs=plain(candidate.logprobs)) if asked else candidate
    chunks = candidate_chunks(held, index, logprobs=asked, token_ids=bool(candidate.token_ids))
    return [*(Delta(index, chunk, tokens, prompt) for chunk in chunks), finished]


def _shared(candidates: Mapping[int, Candidate], usage: Usage) -> dict[int, Candidate]:
    """Candidates that the upstream counted together, each with its part of what it said."""
    told = {}
    left, heads = usage.completion_tokens, len(candidates)
    for place, candidate in candidates.items():
        part = len(candidate.token_ids) or left // heads
        told[place] = replace(candidate, usage=Usage(usage.prompt_tokens, min(part, left)))
        left, heads = left - min(part, left), heads - 1
    return told


def _usage_of(reused: Sequence[Candidate], *, fresh: bool) -> Usage:
    """What reused candidates once cost; their prompt is counted once, as for one call."""
    usages = [candidate.usage for candidate in reused if candidate.usage is not None]
    prompt = max((each.prompt_tokens for each in usages), default=0) if fresh else 0
    return Usage(prompt, sum(each.completion_tokens for each in usages))

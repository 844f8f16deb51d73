"""Exactly equal requests under the same policy have one answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.errors import DeadlineExceeded
from gateway.policy import Policy
from gateway.reading import Sink
from gateway.reuse.flights import Flight, Flights
from gateway.reuse.identity import answer_of
from gateway.reuse.packing import Unreadable, pack_answer, unpack_answer
from gateway.run import Answer, Run
from gateway.session import Means
from gateway.trace import Trace
from gateway.types import Request

MOST_BYTES = 4 * 2**20
"""An answer that takes more is not kept."""
LASTING = frozenset({"deadline", "upstream_error", "strategy_error"})
"""Reasons to stop that say nothing of the request, so that such an answer is not kept."""

PLACE = 0


def remembered(runner: Run, flights: Flights, scope: str, revision: str) -> Run:
    """`runner`, for `scope`, unless the answer is there already or somebody is at it."""

    async def run(
        request: Request, policy: Policy, means: Means, trace: Trace, sink: Sink | None = None
    ) -> Answer:
        began = trace.clock()
        async with flights.flight(answer_of(request, policy, scope, revision)) as flight:
            try:
                async with asyncio.timeout(policy.budget.seconds):
                    found = await _known(flight)
            except TimeoutError:
                raise DeadlineExceeded("no answer before the deadline") from None
            if found is not None:
                trace.cached = True
                return found
            answer = await runner(request, _less(policy, trace.clock() - began), means, trace, sink)
            if not (answer.outcome.degraded or answer.outcome.stop in LASTING):
                packed = pack_answer(answer)
                if len(packed) <= MOST_BYTES:
                    flight.fill({PLACE: packed})
            return answer

    return run


async def _known(flight: Flight) -> Answer | None:
    """The answer, waited for where somebody is at it; None where this request is to find it."""
    round = 0
    while True:
        taken = await flight.look([PLACE])
        if PLACE in taken.found:
            try:
                return unpack_answer(taken.found[PLACE])
            except Unreadable:
                return None
        if taken.mine:
            return None
        await flight.news([PLACE], round)
        round += 1


def _less(policy: Policy, seconds: float) -> Policy:
    """The policy, with the time that is left after `seconds` of waiting."""
    if policy.budget.seconds is None:
        return policy
    left = max(0.001, policy.budget.seconds - seconds)
    return replace(policy, budget=replace(policy.budget, seconds=left))

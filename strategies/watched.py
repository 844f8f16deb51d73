"""A round whose candidates are looked at, and stopped, while they grow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gateway import (
    UNJUDGED,
    BudgetExhausted,
    Candidate,
    DeadlineExceeded,
    Draft,
    Drafts,
    GatewayError,
    Sampling,
    Score,
    Session,
)
from strategies.rules.watching import Growing, Watch

PROBE_TOKENS = 32
"""Most tokens of the end that a probed candidate is made to write."""


async def watched(
    session: Session, n: int, watch: Watch, *, by: str, sampling: Sampling
) -> list[Candidate]:
    """Of up to `n` new candidates those that `watch` let end, in the order of their beginning.

    The others were aborted upstream; where the watch forces ends, they end in words that were put
    into their mouths. Where nothing is left to judge with, or no time, all go on. Raises as
    sampling does where none was stopped and none ended.
    """
    async with session.drafts(n, apart=True, **sampling) as drafts:
        watching = _Watched(session, drafts, watch, by)
        async for draft in drafts:
            await watching.grew(draft)
    return watching.ended()


class _Watched:
    def __init__(self, session: Session, drafts: Drafts, watch: Watch, by: str):
        self._session = session
        self._drafts = drafts
        self._watch = watch
        self._by = by
        self._checkpoints = list(watch.at)
        self._ended: dict[int, Candidate] = {}
        self._live: dict[int, Draft] = {}
        self._reached: dict[int, Candidate] = {}
        self._heard: dict[int, int] = {}
        self._forced: dict[str, Candidate] = {}

    def ended(self) -> list[Candidate]:
        return [self._ended[index] for index in sorted(self._ended)]

    async def grew(self, draft: Draft) -> None:
        """Take note of a draft's growth, and do what the rule says."""
        if draft.candidate is not None:
            self._ended[draft.index] = draft.candidate
            self._forget(draft.index)
        elif self._hears(draft):
            await self._stop(draft)
        else:
            self._live[draft.index] = draft
            self._mark(draft)
        if self._checkpoints and self._live and self._all_there():
            await self._look()

    def _hears(self, draft: Draft) -> bool:
        known = self._heard.get(draft.index, 0)
        fresh = draft.logprobs[known:] if known <= len(draft.logprobs) else list(draft.logprobs)
        self._heard[draft.index] = len(draft.logprobs)
        return bool(fresh) and self._watch.hear(draft.index, fresh)

    def _mark(self, draft: Draft) -> None:
        """Keep what it had written when it came to the checkpoint: it goes on growing meanwhile."""
        if self._checkpoints and draft.tokens >= self._checkpoints[0]:
            model = self._session.request.model
            cut = Candidate(draft.id, draft.text, model=model, finish_reason="length")
            self._reached.setdefault(draft.index, cut)

    def _all_there(self) -> bool:
        """Whether all that grow, those included of which nothing was heard yet, got so far."""
        reached = len(self._reached)
        return reached == len(self._live) and reached >= self._drafts.growing

    async def _look(self) -> None:
        del self._checkpoints[0]
        reached, self._reached = {**self._ended, **self._reached}, {}
        try:
            scores = await self._scores(list(reached.values()))
        except (BudgetExhausted, DeadlineExceeded):
            self._session.degrade("watch")
            self._checkpoints.clear()
            return
        growing = [
            Growing(index, score, index in self._ended)
            for index, score in zip(reached, scores, strict=True)
        ]
        for index in self._watch.look(growing):
            if (draft := self._live.get(index)) is not None:
                await self._stop(draft)
                if self._watch.forced and draft.id in self._forced:
                    self._ended[index] = self._forced[draft.id]

    async def _scores(self, reached: Sequence[Candidate]) -> list[Score]:
        """Of the candidates as they stand, or as they would end if they had to end now."""
        if not self._watch.probe:
            return await self._session.score(reached, by=self._by)
        found = await asyncio.gather(*(self._probed(candidate) for candidate in reached))
        told = [candidate for candidate in found if candidate is not None]
        self._forced = {candidate.id: candidate for candidate in told}
        scores = iter(await self._session.score(told, by=self._by))
        return [UNJUDGED if candidate is None else next(scores) for candidate in found]

    async def _probed(self, candidate: Candidate) -> Candidate | None:
        """`candidate` made to end; as it is where it has ended, None where it cannot be asked."""
        if candidate in self._ended.values():
            return candidate
        begun = candidate.text + self._watch.probe
        try:
            [end] = await self._session.sample(
                1, prefix=begun, temperature=0.0, max_tokens=PROBE_TOKENS
            )
        except (BudgetExhausted, DeadlineExceeded):
            raise
        except GatewayError:
            return None
        return replace(candidate, text=begun + end.text, finish_reason=end.finish_reason)

    async def _stop(self, draft: Draft) -> None:
        self._forget(draft.index)
        await self._drafts.stop(draft.id)

    def _forget(self, index: int) -> None:
        self._live.pop(index, None)
        self._reached.pop(index, None)

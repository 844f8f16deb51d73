"""Receipts as they lie in the store, each under its owner's key."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import zstandard

from gateway.policy import Policy
from gateway.receipt import cache_word
from gateway.reuse.packing import LARGEST, candidate_json
from gateway.run import Answer
from gateway.stores import Store, StoreUnavailable
from gateway.stores.later import Later
from gateway.trace import Trace
from gateway.types import UNJUDGED, Candidate, Json, Request, Score, Usage

KIND = "receipt"
VERSION = 1
MOST_BYTES = 4 * 2**20
"""A receipt that takes more, compressed, is not kept."""


class History:
    """Receipts in `store`, for `seconds` each; none where that is 0."""

    def __init__(self, store: Store, later: Later, seconds: float):
        self._store = store
        self._later = later
        self._seconds = seconds

    @property
    def kept(self) -> bool:
        """Whether receipts are kept at all."""
        return self._seconds > 0

    def keep(
        self, owner: str, id: str, request: Request, policy: Policy, answer: Answer, trace: Trace
    ) -> None:
        """Keep what became of a request, beside it."""

        async def put() -> None:
            record = orjson.dumps(receipt(id, request, policy, answer, trace))
            packed = zstandard.ZstdCompressor(level=3).compress(record)
            if len(packed) <= MOST_BYTES:
                await self._store.put(KIND, f"{owner}:{id}", packed, self._seconds)

        self._later.may(put)

    async def get(self, owner: str, id: str) -> Json | None:
        """The receipt of `owner`'s request, or None; `StoreUnavailable` where that is unknown."""
        packed = await self._store.get(KIND, f"{owner}:{id}")
        return None if packed is None else unpacked(packed)

    async def all(self, owner: str | None = None) -> AsyncIterator[Json]:
        """All receipts, or those of one owner, in no order."""
        prefix = "" if owner is None else f"{owner}:"
        async for name in self._store.names(KIND, prefix):
            try:
                packed = await self._store.get(KIND, name)
            except StoreUnavailable:
                continue
            if packed is not None:
                yield unpacked(packed)


def unpacked(packed: bytes) -> Json:
    """A receipt as JSON."""
    record: Json = orjson.loads(
        zstandard.ZstdDecompressor().decompress(packed, max_output_size=LARGEST)
    )
    return record


def receipt(id: str, request: Request, policy: Policy, answer: Answer, trace: Trace) -> Json:
    """What became of a request, as JSON; its candidates are in the order in which they were drawn,
    and `answers` are the indices of those that were answered with, best first."""
    outcome, budget = answer.outcome, policy.budget
    places = {id: place for place, id in enumerate(answer.drawn)}
    scores = [*outcome.scores, *[UNJUDGED] * len(outcome.candidates)]
    told = [
        _candidate(candidate, score, places.get(candidate.id))
        for candidate, score in zip(outcome.candidates, scores, strict=False)
    ]
    return {
        "version": VERSION,
        "id": id,
        "at": round(time.time(), 3),
        "request": {
            "model": request.model, "messages": request.messages, "choices": request.choices,
            "reference": request.reference, "tests": request.tests, "fields": request.fields,
        },
        "policy": {
            "strategy": policy.strategy.name, "params": policy.params, "abstain": policy.abstain,
            "cache": policy.cache,
            "budget": {
                "samples": budget.samples, "tokens": budget.tokens, "seconds": budget.seconds,
            },
        },
        "answers": [place.get("index") for place in told[: request.choices]],
        "candidates": sorted(told, key=lambda each: (each["index"] is None, each["index"] or 0)),
        "stop": outcome.stop,
        "confidence": outcome.confidence,
        "support": outcome.support,
        "degraded": outcome.degraded,
        "evidence": outcome.evidence,
        "samples": answer.samples,
        "cache": cache_word(policy, trace),
        "usage": {
            "total": _usage(answer.usage), "sampling": _usage(trace.sampling),
            "judging": _usage(trace.judging), "reused": _usage(trace.reused),
        },
    }  # fmt: skip


def _candidate(candidate: Candidate, score: Score, index: int | None) -> Json:
    told = candidate_json(candidate)
    for heavy in ("logprobs", "prompt_token_ids", "token_ids", "extra", "usage"):
        told.pop(heavy, None)
    counted = candidate.usage.completion_tokens if candidate.usage else len(candidate.token_ids)
    return {
        **told, "text": candidate.text, "index": index, "tokens": counted or None,
        "score": score.value if score.judged else None, "passed": score.passed,
        "answer": score.key, "reason": score.reason,
    }  # fmt: skip


def _usage(usage: Usage) -> dict[str, Any]:
    return {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}

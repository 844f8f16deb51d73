"""A stored request under another policy: what the same candidates would have come to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from gateway import answers
from gateway.errors import GatewayError, Unsupported, UpstreamRejected
from gateway.policy import Rules
from gateway.run import run
from gateway.session import Means
from gateway.trace import Trace
from gateway.types import (
    Call,
    Candidate,
    Capabilities,
    Delta,
    Event,
    Finished,
    Json,
    Passthrough,
    Relayed,
    Request,
    Sample,
    Spent,
    Usage,
)
from gateway.wishes import Wishes


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one request came to, then and now; `right` is None without a reference.

    `short` says that the policy asked for more candidates than are stored. `error` is why there is
    no answer now.
    """

    then_right: bool | None
    then_samples: int
    then_tokens: int
    right: bool | None = None
    same: bool | None = None
    samples: int = 0
    tokens: int = 0
    short: bool = False
    error: str | None = None


class Stored:
    """A backend that draws the stored candidates of one request, each at its own place."""

    name = "stored"

    def __init__(self, record: Json):
        self._model = record["request"]["model"]
        told = [each for each in record["candidates"] if each["index"] is not None]
        mean = record["usage"]["sampling"]["completion_tokens"] / max(1, record["samples"])
        self._tokens = {each["index"]: each.get("tokens") or round(mean) for each in told}
        self._candidates = {each["index"]: _candidate(each) for each in told}
        self._prompt = record["usage"]["sampling"]["prompt_tokens"]
        self.short = False

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities(logprobs=False, continuation=False)

    async def models(self) -> list[str]:
        return [self._model]

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        if not isinstance(request, Sample) or request.first is None:
            raise Unsupported("only candidates are stored: no model can be asked here")
        places = [request.first + i for i in range(request.n)]
        there = [(i, place) for i, place in enumerate(places) if place in self._candidates]
        self.short |= len(there) < len(places)
        if not there:
            raise UpstreamRejected(404, {"error": {"message": "no more candidates are stored"}})
        for i, place in there:
            await asyncio.sleep(0)
            candidate = self._candidates[place]
            if request.stream:
                delta = {"content": candidate.text}
                choice = {"index": i, "delta": delta, "finish_reason": candidate.finish_reason}
                yield Delta(i, choice, self._tokens[place], self._prompt)
            yield Finished(i, candidate)
        yield Spent(Usage(self._prompt, sum(self._tokens[place] for _, place in there)))

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        raise Unsupported("only candidates are stored")

    async def close(self) -> None:
        return None


async def again(record: Json, wishes: Wishes, rules: Rules, means: Mapping[str, Any]) -> Replayed:
    """The stored request `record` under what `wishes` change of its policy."""
    asked = record["request"]
    request = Request(
        asked["model"], asked["messages"], asked["choices"], asked["reference"], asked["tests"],
        {k: v for k, v in asked["fields"].items() if k not in ("logprobs", "top_logprobs")},
    )  # fmt: skip
    then = [each["text"] for each in record["candidates"] if each["index"] in record["answers"][:1]]
    sampled = record["usage"]["total"]["completion_tokens"]
    before = {
        "then_right": _right(then, request.reference),
        "then_samples": record["samples"],
        "then_tokens": sampled,
    }
    backend, trace = Stored(record), Trace()
    try:
        policy = rules.resolve({}, _wishes(record, wishes), None, request.choices)
        answer = await run(request, policy, Means(backend, **means), trace)
    except GatewayError as error:
        return Replayed(**before, short=backend.short, error=error.message)
    now = [answer.outcome.candidates[0].text]
    return Replayed(
        **before,
        right=_right(now, request.reference),
        same=bool(then) and _key(now[0]) == _key(then[0]),
        samples=answer.samples,
        tokens=answer.usage.completion_tokens,
        short=backend.short,
    )


def _wishes(record: Json, wishes: Wishes) -> Wishes:
    """The stored policy, where `wishes` name no other strategy, and `wishes` over it."""
    if wishes.strategy is not None:
        return wishes
    policy = record["policy"]
    params = dict(policy["params"])
    if wishes.budget is not None:
        params.pop("n", None)
    if wishes.verifier is not None:
        params.pop("verifier", None)
    return wishes.model_copy(
        update={"strategy": policy["strategy"], "params": {**params, **(wishes.params or {})}}
    )


def _candidate(told: Json) -> Candidate:
    return Candidate(
        told["id"], told["text"], told.get("reasoning", ""), model=told.get("model", ""),
        finish_reason=told.get("finish_reason", "stop"),
        tool_calls=tuple(told.get("tool_calls", ())),
    )  # fmt: skip


def _right(texts: list[str], reference: str | None) -> bool | None:
    if reference is None or not texts:
        return None
    return _key(texts[0]) == answers.canonical(answers.extract(reference) or reference)


def _key(text: str) -> str:
    found = answers.extract(text)
    return answers.text_key(text) if found is None else answers.canonical(found)

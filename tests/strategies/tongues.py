"""A backend of several models for the tests of `multilingual`, and requests on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.registry import load, spec_of
from gateway.run import Answer, run
from gateway.session import Means
from gateway.testing import FakeBackend, InlineCompute, Measure, Reply, policy_of, told, user
from gateway.trace import Trace
from gateway.types import Request, Sample
from gateway.wishes import Wishes
from strategies.multilingual import multilingual

SPEC = spec_of(multilingual)
VERIFIERS = load("verifier", "verifiers", "its_gateway.verifiers")
GERMAN = "Janets Enten legen 16 Eier pro Tag. Wie viel Dollar nimmt sie täglich ein?"
ENGLISH = "Janet's ducks lay 16 eggs per day. How much in dollars does she make every day?"
Answering = Callable[[Sample, int], Reply | str]


def writer(
    candidates: Sequence[Reply | str],
    *,
    evidence: Sequence[str] = (),
    others: Mapping[str, Answering] | None = None,
    measure: Measure = told,
) -> FakeBackend:
    """Writes `candidates` in turn, `evidence` where more is asked than the question alone.

    `others` answer for models of their own.
    """
    counts = {"candidate": 0, "evidence": 0}

    def handler(sample: Sample, number: int) -> Reply | str:
        if others and sample.model in others:
            return others[sample.model](sample, number)
        kind = "evidence" if is_evidence(sample) else "candidate"
        texts: Sequence[Reply | str] = evidence if kind == "evidence" else candidates
        counts[kind] += 1
        return texts[(counts[kind] - 1) % len(texts)]

    return FakeBackend(handler, measure=measure)


def is_evidence(sample: Sample) -> bool:
    return "Answer in English" in str(sample.messages) or "中文" in str(sample.messages)


async def asked(
    backend: FakeBackend,
    question: str = GERMAN,
    *,
    trace: Trace | None = None,
    roles: Mapping[str, str] | None = None,
    fields: Mapping[str, Any] | None = None,
    budget: int | None = None,
    max_tokens: int | None = None,
    **params: Any,
) -> Answer:
    """What the gateway makes of `question`; `params` are the strategy's.

    Where `backend` serves no models but `fake`, it serves those of the roles too.
    """
    if backend._models == ["fake"]:
        backend._models = ["fake", *(roles or {}).values()]
    wishes = Wishes(budget=budget, max_tokens=max_tokens, params=params)
    policy = policy_of(SPEC, VERIFIERS, wishes)
    means = Means(backend, VERIFIERS, InlineCompute(), dict(roles or {}))
    request = Request("fake", user(question), fields=dict(fields or {}))
    return await run(request, policy, means, trace or Trace())


def text_of(answer: Answer) -> str:
    return answer.outcome.candidates[0].text

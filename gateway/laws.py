"""What every strategy and every verifier must hold to, as checks that a test suite can run.

Each law is an async function that raises AssertionError where it is broken. They run on a
`FakeBackend`, in well under a second each::

    @pytest.mark.parametrize("law", STRATEGY_LAWS)
    async def test_law(law):
        await law(spec_of(my_strategy), verifiers)
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from gateway.errors import GatewayError, UpstreamUnavailable
from gateway.metrics import Metrics
from gateway.openai import parse_chat
from gateway.receipt import Receipts
from gateway.registry import Registry, Spec
from gateway.serving import Exchange
from gateway.session import Means
from gateway.testing import (
    FakeBackend,
    InlineCompute,
    Reply,
    answer_of,
    policy_of,
    session_on,
    user,
)
from gateway.types import Candidate, Capabilities, Json, Request, Sample, Score
from gateway.wishes import Wishes

ANSWERS = (
    "2 + 2 = 4\nAnswer: 4",
    "2 + 2 = 5\nAnswer: 5",
    "2 + 2 = 4\nAnswer: 4",
    "2 * 2 = 4\nAnswer: 4",
)
APART = Capabilities(n=False)


def _answer(sample: Sample, number: int) -> Reply:
    return Reply.of(ANSWERS[number % len(ANSWERS)], logprobs=(-0.1,) * 6)


def _seeded(sample: Sample, number: int) -> Reply:
    draw = random.Random(sample.fields.get("seed", number)).randrange(3, 6)
    return Reply.of(f"2 + 2 = {draw}\nAnswer: {draw}", logprobs=(-0.1,) * 6)


def _slow(sample: Sample, number: int) -> Reply:
    return Reply.of("word " * 1000, delay=0.005)


@asynccontextmanager
async def _nothing_left(backend: FakeBackend) -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"tasks outlive the request: {left}"
    assert backend.live == 0, f"{backend.live} upstream calls outlive the request"


async def keeps_its_budget(spec: Spec, verifiers: Registry) -> None:
    """Neither more samples nor more completion tokens than the policy allows."""
    for samples, tokens in ((1, 3), (2, 40), (5, 7), (16, 1000)):
        backend = FakeBackend(_answer)
        wishes = Wishes(budget=samples, max_tokens=tokens)
        answer = await answer_of(spec, backend, verifiers=verifiers, wishes=wishes)
        assert backend.begun <= samples, f"{backend.begun} samples with a budget of {samples}"
        assert answer.samples <= samples
        assert backend.written <= tokens, f"{backend.written} tokens with a budget of {tokens}"
        assert answer.usage.completion_tokens == backend.written, "usage is not what was written"


async def answers_with_what_it_sampled(spec: Spec, verifiers: Registry) -> None:
    """The answer is a candidate of the backend's, or is declared as fused."""
    backend = FakeBackend(_answer)
    outcome = (await answer_of(spec, backend, verifiers=verifiers)).outcome
    assert outcome.fused or outcome.candidates[0].text in ANSWERS


async def gives_the_choices_asked_for(spec: Spec, verifiers: Registry) -> None:
    """A client that asks for three choices gets three."""
    request = Request("fake", user("2 + 2?"), choices=3)
    answer = await answer_of(spec, FakeBackend(_answer), verifiers=verifiers, request=request)
    assert len(answer.outcome.candidates) >= 3


async def survives_partial_failure(spec: Spec, verifiers: Registry) -> None:
    """Every second upstream call fails, and there is an answer all the same."""

    def handler(sample: Sample, number: int) -> Reply:
        error = UpstreamUnavailable("down") if number % 2 == 0 else None
        return Reply.of(ANSWERS[number % 4], error=error)

    backend = FakeBackend(handler, capabilities=APART)
    async with _nothing_left(backend):
        request = Request("fake", user("2 + 2?"), choices=2)
        wishes = Wishes(budget=4)
        answer = await answer_of(spec, backend, verifiers=verifiers, wishes=wishes, request=request)
    assert answer.outcome.candidates
    assert "partial" in answer.outcome.degraded


async def fails_with_a_typed_error(spec: Spec, verifiers: Registry) -> None:
    """Where every upstream call fails, so does the request, with the upstream's error."""

    def handler(sample: Sample, number: int) -> Reply:
        return Reply(["x"], error=UpstreamUnavailable("down"))

    backend = FakeBackend(handler)
    async with _nothing_left(backend):
        try:
            await answer_of(spec, backend, verifiers=verifiers)
        except GatewayError:
            return
    raise AssertionError("a request without any candidate was answered")


async def ends_at_the_deadline(spec: Spec, verifiers: Registry) -> None:
    """At the deadline there is an answer, of what was written, and nothing goes on upstream."""
    backend = FakeBackend(_slow)
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with _nothing_left(backend):
        wishes = Wishes(deadline_ms=150)
        answer = await answer_of(spec, backend, verifiers=verifiers, wishes=wishes)
    assert loop.time() - started < 0.6, "the deadline was not kept"
    assert answer.outcome.stop == "deadline"
    assert answer.outcome.candidates[0].finish_reason == "length"


async def ends_when_cancelled(spec: Spec, verifiers: Registry) -> None:
    """A client that hangs up leaves nothing behind."""
    backend = FakeBackend(_slow)
    async with _nothing_left(backend):
        running = asyncio.create_task(answer_of(spec, backend, verifiers=verifiers))
        await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.wait([running])
    assert backend.begun, "the strategy had not begun"
    assert running.cancelled()


async def streams_what_it_answers(spec: Spec, verifiers: Registry) -> None:
    """With one seed, the streamed text is the text of the answer that is not streamed."""
    whole = json.loads((await _exchange(spec, verifiers, stream=False).whole())[0])
    raw = b"".join([part async for part in _exchange(spec, verifiers, stream=True).events()])
    lines = [line[6:] for line in raw.decode().splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    told: dict[int, str] = {}
    ended: dict[int, str] = {}
    for line in lines[:-1]:
        for choice in json.loads(line)["choices"]:
            index = choice["index"]
            told[index] = told.get(index, "") + (choice["delta"].get("content") or "")
            ended.setdefault(index, choice["finish_reason"] or "")
            ended[index] = choice["finish_reason"] or ended[index]
    expected = {choice["index"]: choice for choice in whole["choices"]}
    assert told == {index: choice["message"]["content"] for index, choice in expected.items()}
    assert ended == {index: choice["finish_reason"] for index, choice in expected.items()}


async def repeats_under_a_seed(spec: Spec, verifiers: Registry) -> None:
    """The same seed gives the same candidates in the same order."""
    request = Request("fake", user("2 + 2?"), fields={"seed": 7})
    told = []
    for _ in range(2):
        backend = FakeBackend(_seeded)
        answer = await answer_of(spec, backend, verifiers=verifiers, request=request)
        told.append([candidate.text for candidate in answer.outcome.candidates])
    assert told[0] == told[1]


async def keeps_concurrent_requests_apart(spec: Spec, verifiers: Registry) -> None:
    """Eight requests at once: each is answered with its own prompt's text."""

    def handler(sample: Sample, number: int) -> Reply:
        return Reply.of(f"Answer: {sample.messages[0]['content']}", delay=0.001)

    backend = FakeBackend(handler)
    requests = [Request("fake", user(f"{number}")) for number in range(8)]
    answers = await asyncio.gather(
        *(answer_of(spec, backend, verifiers=verifiers, request=each) for each in requests)
    )
    for number, answer in enumerate(answers):
        assert answer.outcome.candidates[0].text == f"Answer: {number}"


async def describes_its_parameters(spec: Spec, verifiers: Registry) -> None:
    """Every parameter has a description and a default, and the strategy a docstring."""
    assert spec.doc
    for name, info in spec.params.model_fields.items():
        assert info.description, name
        assert not info.is_required(), f"{name} has no default"


STRATEGY_LAWS: tuple[Callable[[Spec, Registry], Any], ...] = (
    keeps_its_budget,
    answers_with_what_it_sampled,
    gives_the_choices_asked_for,
    survives_partial_failure,
    fails_with_a_typed_error,
    ends_at_the_deadline,
    ends_when_cancelled,
    streams_what_it_answers,
    repeats_under_a_seed,
    keeps_concurrent_requests_apart,
    describes_its_parameters,
)


def _exchange(spec: Spec, verifiers: Registry, *, stream: bool) -> Exchange:
    body: Json = {"model": "fake", "messages": user("2 + 2?"), "seed": 3, "stream": stream, "n": 2}
    means = Means(FakeBackend(_seeded), verifiers, InlineCompute(), {})
    policy = policy_of(spec, verifiers, choices=2)
    chat = parse_chat(json.dumps(body).encode())
    return Exchange("r", chat, policy, means, Metrics(), Receipts(), "fake", 5.0)


HOSTILE = (
    "",
    " ",
    "Answer: 4",
    "2 + 2 = 4\nAnswer: 4",
    "\\boxed{",
    "\\boxed{" * 500,
    "####",
    "\x00\ufffd",
    "{" * 2000,
    '{"a": NaN}',
    "9" * 5000,
    "9**9**9**9 = 1",
    "Answer: " + "(" * 900,
    "½ = ٣",
)


def _some(count: int, seed: int) -> list[Candidate]:
    rng = random.Random(seed)
    texts = [rng.choice(HOSTILE) for _ in range(count)]
    logprobs = {"content": [{"token": "a", "logprob": -1.0, "top_logprobs": []}]}
    return [
        Candidate(f"c{i}", text, logprobs=logprobs if i % 2 else None)
        for i, text in enumerate(texts)
    ]


async def _scores(spec: Spec, verifiers: Registry, candidates: Sequence[Candidate]) -> list[Score]:
    session = session_on(FakeBackend(_answer), verifiers=verifiers)
    return await session.score(candidates, by=spec.name)


async def scores_each_in_order(spec: Spec, verifiers: Registry) -> None:
    """One score a candidate, whatever it holds; NaN and not an exception; none for none."""
    params = spec.params()
    for seed in range(5):
        candidates = _some(7, seed)
        session = session_on(FakeBackend(_answer), verifiers=verifiers)
        scores = await spec.run(session, candidates, **dict(params))
        assert len(scores) == len(candidates)
        assert all(isinstance(score, Score) for score in scores)
    session = session_on(FakeBackend(_answer), verifiers=verifiers)
    assert await spec.run(session, [], **dict(params)) == []


async def is_permutation_equivariant(spec: Spec, verifiers: Registry) -> None:
    """Shuffling the candidates shuffles the scores and changes none."""
    if spec.order_sensitive:
        return
    candidates = _some(9, 1)
    scores = dict(
        zip((c.id for c in candidates), await _scores(spec, verifiers, candidates), strict=True)
    )
    for seed in range(4):
        shuffled = random.Random(seed).sample(candidates, len(candidates))
        for candidate, score in zip(
            shuffled, await _scores(spec, verifiers, shuffled), strict=True
        ):
            assert _same(score, scores[candidate.id]), candidate


async def scores_each_alone_if_it_says_so(spec: Spec, verifiers: Registry) -> None:
    """A pointwise verifier's scores are the same whether candidates come together or one by one."""
    if not spec.pointwise:
        return
    candidates = _some(9, 2)
    together = await _scores(spec, verifiers, candidates)
    for candidate, score in zip(candidates, together, strict=True):
        [alone] = await _scores(spec, verifiers, [candidate])
        assert _same(score, alone), candidate


def _same(a: Score, b: Score) -> bool:
    values = a.value == b.value or (math.isnan(a.value) and math.isnan(b.value))
    return values and (a.key, a.passed, a.steps) == (b.key, b.passed, b.steps)


VERIFIER_LAWS: tuple[Callable[[Spec, Registry], Any], ...] = (
    scores_each_in_order,
    is_permutation_equivariant,
    scores_each_alone_if_it_says_so,
    describes_its_parameters,
)

__all__ = ["STRATEGY_LAWS", "VERIFIER_LAWS"]

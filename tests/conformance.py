"""What every backend does with the demo model and reward models of its shape: one seam, one suite.

`tests/gateway/backends/embedded` runs it on the embedded models, `tests/vllm` on real servers.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from gateway.backends import Backend
from gateway.errors import UpstreamRejected
from gateway.inquiries import Likelihood, Pool, Probabilities, Rows
from gateway.testing import user
from gateway.types import Call, Candidate, Delta, Event, Finished, Message, Sample, Spent, Usage

QUESTION = user("What is 12 + 30?")
ANSWER = "12 + 30 = 42\nAnswer: 42"
STEPS = (len("12 + 30 = 42\n"), len(ANSWER))


@dataclass(frozen=True)
class Served:
    """A backend, and the names of the models behind it."""

    backend: Backend
    model: str = "its-demo"
    outcome: str = "its-demo-orm"
    process: str = "its-demo-prm"


Law = Callable[[Served], Awaitable[None]]


async def events_of(backend: Backend, call: Call) -> list[Event]:
    async with aclosing(backend.call(call)) as events:
        return [event async for event in events]


async def rows_of(backend: Backend, call: Call) -> tuple[Rows, Usage]:
    rows, spent = await events_of(backend, call)
    assert isinstance(rows, Rows)
    assert isinstance(spent, Spent)
    return rows, spent.usage


async def candidates_of(backend: Backend, call: Sample) -> list[Candidate]:
    found = [e for e in await events_of(backend, call) if isinstance(e, Finished)]
    return [event.candidate for event in sorted(found, key=lambda event: event.index)]


def greedy(**more: object) -> dict[str, object]:
    return {"temperature": 0.0, "max_tokens": 8, "return_token_ids": True, **more}


def answered(text: str = ANSWER) -> list[Message]:
    return [*QUESTION, {"role": "assistant", "content": text}]


async def one_call_for_n(served: Served) -> None:
    """One streaming call: `n` candidates, whose deltas join to their texts, and exact usage."""
    fields = {"max_tokens": 12, "return_token_ids": True}
    call = Sample(served.model, QUESTION, n=4, stream=True, fields=fields)
    events = await events_of(served.backend, call)
    finished = {e.index: e.candidate for e in events if isinstance(e, Finished)}
    assert sorted(finished) == [0, 1, 2, 3]
    for index, candidate in finished.items():
        deltas = [e for e in events if isinstance(e, Delta) and e.index == index]
        said = [delta.choice["delta"].get("content") or "" for delta in deltas]
        assert "".join(said) == candidate.text
        assert candidate.prompt_token_ids == finished[0].prompt_token_ids != ()
    tokens = sum(len(candidate.token_ids) for candidate in finished.values())
    assert 4 <= tokens <= 48
    assert events[-1] == Spent(Usage(len(finished[0].prompt_token_ids), tokens))


async def text_is_continued(served: Served) -> None:
    """A prefix of text is continued where it stops, not answered anew."""
    [whole] = await candidates_of(served.backend, Sample(served.model, QUESTION, fields=greedy()))
    at = whole.text.index(" ")  # a space belongs to the token behind it
    call = Sample(served.model, QUESTION, prefix=whole.text[:at], fields=greedy(max_tokens=4))
    [rest] = await candidates_of(served.backend, call)
    assert whole.text.startswith(whole.text[:at] + rest.text)
    assert rest.text


async def ids_are_continued(served: Served) -> None:
    """A prefix of token ids is continued by the very tokens that followed them, streamed or not."""
    [whole] = await candidates_of(served.backend, Sample(served.model, QUESTION, fields=greedy()))
    for stream, known in ((False, whole.prompt_token_ids), (True, ())):
        call = Sample(
            served.model,
            QUESTION,
            stream=stream,
            prefix=whole.token_ids[:3],
            prompt_token_ids=known,
            fields=greedy(max_tokens=4, logprobs=True, top_logprobs=2),
        )
        [rest] = await candidates_of(served.backend, call)
        assert rest.token_ids == whole.token_ids[3:7]
        assert rest.prompt_token_ids == whole.prompt_token_ids + whole.token_ids[:3]
        assert rest.logprobs is not None
        assert "".join(entry["token"] for entry in rest.logprobs["content"]) == rest.text


async def probabilities_are_exact(served: Served) -> None:
    """Those of single tokens are what sampling says of them, and all digits sum to at most 1."""
    fields = greedy(max_tokens=1, logprobs=True, top_logprobs=5)
    [sampled] = await candidates_of(served.backend, Sample(served.model, QUESTION, fields=fields))
    assert sampled.logprobs is not None
    top = {e["token"]: e["logprob"] for e in sampled.logprobs["content"][0]["top_logprobs"]}
    digits = tuple("0123456789")
    rows, usage = await rows_of(served.backend, Probabilities(served.model, QUESTION, digits))
    assert rows.degraded == ()
    told = dict(zip(digits, rows.values[0], strict=True))
    assert sum(told.values()) <= 1 + 1e-4
    for token in top.keys() & told.keys():
        assert told[token] == pytest.approx(math.exp(top[token]), abs=1e-3)
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens <= 1


async def probabilities_follow_a_prefix(served: Served) -> None:
    """They are those of what follows the beginning of an answer."""
    call = Probabilities(served.model, QUESTION, ("4", "5"), prefix="12 + 30 = ")
    rows, _ = await rows_of(served.backend, call)
    [row] = rows.values
    assert row[0] > row[1]


async def a_choice_is_one_token(served: Served) -> None:
    call = Probabilities(served.model, QUESTION, ("1", "a long choice"))
    with pytest.raises(UpstreamRejected, match="a long choice") as caught:
        await events_of(served.backend, call)
    assert caught.value.status == 400


async def likelihood_is_that_of_sampling(served: Served) -> None:
    """By token ids exactly the sampled tokens', and by text the same tokens' where they end so."""
    call = Sample(served.model, QUESTION, fields=greedy(logprobs=True))
    [sampled] = await candidates_of(served.backend, call)
    assert sampled.logprobs is not None
    expected = [entry["logprob"] for entry in sampled.logprobs["content"]]
    by_ids = Likelihood(
        served.model, QUESTION, sampled.text, sampled.prompt_token_ids, sampled.token_ids
    )
    by_text = Likelihood(served.model, QUESTION, sampled.text)
    for asked in (by_ids, by_text):
        rows, usage = await rows_of(served.backend, asked)
        assert rows.values[0] == pytest.approx(expected, abs=1e-2)
        assert usage.completion_tokens <= 1


async def likelihood_has_a_temperature(served: Served) -> None:
    """At a higher temperature what was unlikely is likelier."""
    text = "7"
    plain, _ = await rows_of(served.backend, Likelihood(served.model, QUESTION, text))
    hot, _ = await rows_of(
        served.backend, Likelihood(served.model, QUESTION, text, temperature=4.0)
    )
    assert plain.values[0][0] < hot.values[0][0] < 0


async def an_outcome_is_one_row(served: Served) -> None:
    rows, usage = await rows_of(served.backend, Pool(served.outcome, answered()))
    [[value]] = rows.values
    assert 0 < value < 1
    assert usage.prompt_tokens > 20
    assert usage.completion_tokens == 0


async def a_process_is_a_row_a_token(served: Served) -> None:
    rows, usage = await rows_of(served.backend, Pool(served.process, answered()))
    assert len(rows.values) == usage.prompt_tokens
    assert all(sum(row) == pytest.approx(1, abs=1e-3) for row in rows.values)
    assert all(len(row) == 2 for row in rows.values)


async def steps_end_where_they_are_said_to(served: Served) -> None:
    """The row at an end is the last one of the conversation cut there, as nothing looks ahead."""
    whole, _ = await rows_of(served.backend, Pool(served.process, answered()))
    rows, _ = await rows_of(served.backend, Pool(served.process, answered(), ends=STEPS))
    assert len(rows.values) == 2
    assert rows.values[1] == pytest.approx(whole.values[-2], abs=1e-4)  # before <|end|>
    assert rows.values[0] in whole.values


async def only_a_reward_model_rewards(served: Served) -> None:
    with pytest.raises(UpstreamRejected):
        await events_of(served.backend, Pool(served.model, answered()))
    with pytest.raises(UpstreamRejected):
        await events_of(served.backend, Sample(served.outcome, QUESTION))


LAWS: Sequence[Law] = (
    one_call_for_n,
    text_is_continued,
    ids_are_continued,
    probabilities_are_exact,
    probabilities_follow_a_prefix,
    a_choice_is_one_token,
    likelihood_is_that_of_sampling,
    likelihood_has_a_temperature,
    an_outcome_is_one_row,
    a_process_is_a_row_a_token,
    steps_end_where_they_are_said_to,
    only_a_reward_model_rewards,
)
"""Embeddings are not among them: the servers of the others do not embed."""

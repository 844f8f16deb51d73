"""Recorded answers behind the gateway, by OpenAI's own client."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import openai
import pytest

from gateway.backends.replay import ReplayBackend, load
from gateway.backends.vllm import VLLMBackend
from gateway.testing import user
from tests.conftest import Serve, Served, settles

ASK: Any = {"model": "sums_small", "messages": user("What is $1 + 1$?")}


@pytest.fixture
def backend(recorded: Path) -> ReplayBackend:
    return ReplayBackend(load(recorded), seed=0)


def record(choice: Any) -> int:
    return int(choice.model_extra["replay"]["record"])


async def test_answers_with_a_record_and_its_tokens(serve: Serve, backend: ReplayBackend) -> None:
    client = (await serve(backend)).client()
    assert "sums_small" in [model.id async for model in await client.models.list()]
    answer = await client.chat.completions.create(**ASK, seed=3)
    [choice], usage = answer.choices, answer.usage
    assert choice.message.content == f"\\boxed{{{record(choice)}}}"
    assert choice.finish_reason == "stop"
    assert usage is not None
    assert usage.completion_tokens == 100 * (record(choice) + 1)
    assert usage.prompt_tokens == 0


async def test_a_seed_repeats_and_choices_of_a_call_are_distinct(
    serve: Serve, backend: ReplayBackend
) -> None:
    client = (await serve(backend)).client()
    drawn = []
    for _ in range(2):
        answer = await client.chat.completions.create(**ASK, n=10)
        drawn.append([record(choice) for choice in answer.choices])
    assert drawn[0] == drawn[1], "ten records were walked through once"
    assert sorted(drawn[0]) == list(range(10))
    seeded = [
        record((await client.chat.completions.create(**ASK, seed=seed)).choices[0])
        for seed in (1, 2, 3, 4, 1, 2, 3, 4)
    ]
    assert seeded[:4] == seeded[4:]


async def test_a_stream_tells_its_cost_as_it_grows(serve: Serve, backend: ReplayBackend) -> None:
    client = (await serve(backend)).client()
    options: Any = {"include_usage": True, "continuous_usage_stats": True}
    stream: Any = await client.chat.completions.create(
        **ASK, seed=1, n=3, stream=True, stream_options=options
    )
    told: dict[int, list[int]] = {}
    said: dict[int, str] = {}
    chunks = [chunk async for chunk in stream]
    for chunk in chunks[:-1]:
        assert chunk.usage is not None
        told.setdefault(chunk.choices[0].index, []).append(chunk.usage.completion_tokens)
        index = chunk.choices[0].index
        said[index] = said.get(index, "") + (chunk.choices[0].delta.content or "")
    ends = [grown[-1] for _, grown in sorted(told.items())]
    assert len(told) == 3
    assert all(len(grown) > 1 and grown == sorted(grown) for grown in told.values())
    assert [said[index] for index in range(3)] == [f"\\boxed{{{end // 100 - 1}}}" for end in ends]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == sum(ends)


async def test_a_limit_below_the_record_cuts_it_before_its_answer(
    serve: Serve, backend: ReplayBackend
) -> None:
    client = (await serve(backend)).client()
    answer = await client.chat.completions.create(**ASK, n=10, max_tokens=400)
    for choice in answer.choices:
        whole = 100 * (record(choice) + 1) <= 400
        assert choice.finish_reason == ("stop" if whole else "length")
        assert bool(choice.message.content) is whole
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 100 + 200 + 300 + 7 * 400


async def test_an_empty_record_is_an_empty_text(serve: Serve, backend: ReplayBackend) -> None:
    client = (await serve(backend)).client()
    asked: Any = {"model": "sums_small", "messages": user("sums/2"), "n": 10}
    answer = await client.chat.completions.create(**asked)
    by_record = {record(choice): choice for choice in answer.choices}
    assert [by_record[j].message.content for j in (2, 3, 4)] == ["\\boxed{22}", "", ""]
    assert by_record[3].finish_reason == by_record[4].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5500 - 400 - 500 + 7


@pytest.mark.parametrize(
    ("changes", "status", "param", "says"),
    [
        ({"messages": user("How are you?")}, 400, "messages", "sums/0 to sums/2"),
        ({"messages": [{"role": "system", "content": "sums/1"}]}, 400, "messages", "the text of"),
        ({"messages": [*user("sums/1"), *user("and now?")]}, 400, "messages", "last user"),
        ({"logprobs": True}, 400, "logprobs", "no logprobs"),
        ({"response_format": {"type": "json_object"}}, 400, "response_format", "no format"),
        ({"extra_body": {"continue_final_message": True}}, 400, "continue_final_message", "prefix"),
        ({"model": "sums"}, 404, "model", "sums_small"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_not_recorded_is_refused_by_name(
    serve: Serve,
    backend: ReplayBackend,
    changes: dict[str, Any],
    status: int,
    param: str,
    says: str,
    stream: bool,
) -> None:
    client = (await serve(backend)).client()
    with pytest.raises(openai.APIStatusError, match=says) as refused:
        await client.chat.completions.create(**{**ASK, **changes}, stream=stream)
    assert refused.value.status_code == status
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"


async def test_no_other_endpoint_was_recorded(serve: Serve, backend: ReplayBackend) -> None:
    client = (await serve(backend)).client()
    with pytest.raises(openai.NotFoundError, match="only chat completions"):
        await client.completions.create(model="sums_small", prompt="sums/1")


async def test_parts_of_a_message_are_read_too(serve: Serve, backend: ReplayBackend) -> None:
    client = (await serve(backend)).client()
    parts: Any = [{"type": "text", "text": "Answer this:"}, {"type": "text", "text": "sums/1"}]
    answer = await client.chat.completions.create(
        model="sums_small", messages=[{"role": "user", "content": parts}]
    )
    assert answer.choices[0].model_extra is not None
    assert answer.choices[0].model_extra["replay"]["problem"] == "sums/1"


async def test_the_pace_is_kept_and_leaving_saves_tokens(recorded: Path, serve: Serve) -> None:
    backend = ReplayBackend(load(recorded), rate=2_000, seed=0)
    upstream = await serve(backend)
    served = await serve(VLLMBackend(upstream.url, name="upstream"))
    started = time.monotonic()
    whole = await upstream.client().chat.completions.create(**ASK, n=10)
    assert time.monotonic() - started >= 1000 / 2_000
    raw = await served.client().chat.completions.with_raw_response.create(
        **ASK, n=10, extra_headers={"x-its-deadline-ms": "250"}
    )
    assert whole.usage is not None
    assert 0 < int(raw.headers["x-its-tokens"]) < whole.usage.completion_tokens
    assert await settles(lambda: in_flight(upstream) == 0, 2.0)
    # The gateway in front counts tokens as its upstream does, not chunks; that the upstream hears
    # of the hang-up a little later may cost more on a busy machine.
    booked = completion_tokens(upstream) - whole.usage.completion_tokens
    assert booked / 4 < int(raw.headers["x-its-tokens"]) <= booked + 10 * 128


def in_flight(served: Served) -> float:
    return sum(s.value for m in served.host.metrics.requests_in_flight.collect() for s in m.samples)


def completion_tokens(served: Served) -> int:
    [family] = served.host.metrics.tokens.collect()
    return int(
        sum(
            sample.value
            for sample in family.samples
            if sample.name == "its_tokens_total" and sample.labels["kind"] == "completion"
        )
    )

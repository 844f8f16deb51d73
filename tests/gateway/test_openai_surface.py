"""OpenAI's surface over real HTTP, by OpenAI's own client."""

from __future__ import annotations

from typing import Any

import aiohttp
import openai
import pytest

from gateway.errors import UpstreamRejected, UpstreamUnavailable
from gateway.testing import FakeBackend, Reply, user
from gateway.types import Sample
from tests.conftest import Serve, settles

ASK: Any = {"model": "fake", "messages": user("2 + 2?")}
VOTES = ("Answer: 4", "Answer: 5", "It is so.\nAnswer: 4", "Answer: 4.0")
BEST: Any = {"extra_headers": {"X-ITS-Strategy": "best_of_n", "X-ITS-Budget": "4"}}


def votes(sample: Sample, number: int) -> str:
    return VOTES[number % len(VOTES)]


def slow(sample: Sample, number: int) -> Reply:
    return Reply.of("word " * 500, delay=0.01)


async def post(url: str, body: Any, **headers: str) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else None
    json = None if data else body
    async with (
        aiohttp.ClientSession() as client,
        client.post(url, json=json, data=data, headers=headers) as response,
    ):
        return response.status, await response.json()


async def test_direct_answer(serve: Serve) -> None:
    served = await serve(FakeBackend(lambda *_: "It is 4."))
    completion = await served.client().chat.completions.create(**ASK)
    assert completion.object == "chat.completion"
    assert completion.model == "fake"
    assert completion.choices[0].message.content == "It is 4."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (5, 3)


async def test_selection_answers_with_the_majority_and_counts_every_sample(serve: Serve) -> None:
    backend = FakeBackend(votes)
    served = await serve(backend)
    raw = await served.client().chat.completions.with_raw_response.create(**ASK, **BEST)
    completion = raw.parse()
    assert completion.choices[0].message.content == "Answer: 4"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == backend.written
    assert raw.headers["x-its-strategy"] == "best_of_n"
    assert raw.headers["x-its-samples"] == "4"
    assert raw.headers["x-its-tokens"] == str(backend.written)
    assert raw.headers["x-its-stop"] == "complete"
    assert raw.headers["x-request-id"]
    assert "x-its-confidence" not in raw.headers, "a share of votes is no probability"


async def test_n_gives_that_many_choices_best_first(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    completion = await served.client().chat.completions.create(**ASK, **BEST, n=4)
    texts = [choice.message.content for choice in completion.choices]
    assert [choice.index for choice in completion.choices] == [0, 1, 2, 3]
    assert texts[-1] == "Answer: 5"
    direct = await served.client().chat.completions.create(**ASK, n=3)
    assert len(direct.choices) == 3


async def test_stream_is_relayed_under_direct(serve: Serve) -> None:
    served = await serve(FakeBackend(lambda *_: "one two three"))
    stream = await served.client().chat.completions.create(
        **ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert [c.choices[0].delta.content for c in chunks[:3]] == ["one ", "two ", "three"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks[:3]] == [None, None, "stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
    assert len({chunk.id for chunk in chunks}) == 1


async def test_stream_without_include_usage_has_no_usage(serve: Serve) -> None:
    served = await serve(FakeBackend(lambda *_: "one two"))
    stream = await served.client().chat.completions.create(**ASK, stream=True)
    chunks = [chunk async for chunk in stream]
    assert chunks
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


async def test_direct_stream_is_not_buffered(serve: Serve) -> None:
    backend = FakeBackend(slow)
    served = await serve(backend)
    stream = await served.client().chat.completions.create(**ASK, stream=True)
    chunk = await anext(aiter(stream))
    assert chunk.choices[0].delta.content == "word "
    assert backend.written < 100
    await stream.close()


async def test_stream_under_selection_begins_at_once_and_ends_with_the_winner(serve: Serve) -> None:
    served = await serve(FakeBackend(lambda s, n: Reply.of(votes(s, n), delay=0.15)))
    served.host.settings.keep_alive_seconds = 0.05
    async with (
        aiohttp.ClientSession() as client,
        client.post(
            f"{served.url}/v1/chat/completions",
            json={**ASK, "stream": True, "its": {"strategy": "best_of_n", "budget": 4}},
        ) as response,
    ):
        lines = [line.strip() async for line in response.content if line.strip()]
    assert b'"role":"assistant"' in lines[0]
    assert lines[1] == b": keep-alive"
    assert b"Answer: 4" in lines[-3]
    assert b'"finish_reason":"stop"' in lines[-2]
    assert lines[-1] == b"data: [DONE]"


async def test_progress_goes_to_the_reasoning_channel_only_if_asked_for(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    told = []
    for progress in (True, False):
        its = {"strategy": "best_of_n", "budget": 4, "progress": progress}
        stream = await served.client().chat.completions.create(
            **ASK, stream=True, extra_body={"its": its}
        )
        deltas = [chunk.choices[0].delta async for chunk in stream]
        assert deltas[0].role == "assistant"
        assert "".join(delta.content or "" for delta in deltas) == "Answer: 4"
        told.append("".join(getattr(d, "reasoning_content", "") or "" for d in deltas))
    assert told == ["4 candidates sampled\n", ""]


async def test_every_field_of_the_request_reaches_the_upstream(serve: Serve) -> None:
    backend = FakeBackend(lambda *_: "x")
    served = await serve(backend)
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    fields: dict[str, Any] = {
        "tools": [tool],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "temperature": 0.3,
        "top_p": 0.9,
        "stop": ["END"],
        "presence_penalty": 0.1,
        "frequency_penalty": -0.1,
        "logit_bias": {"5": 1},
        "response_format": {"type": "json_object"},
        "user": "someone",
        "max_completion_tokens": 50,
        "metadata": {"a": "b"},
        "reasoning_effort": "low",
        "service_tier": "auto",
        "store": False,
    }
    extra = {
        "top_k": 5,
        "min_p": 0.1,
        "structured_outputs": {"regex": "a+"},
        "chat_template_kwargs": {"thinking": False},
        "priority": 3,
        "cache_salt": "s",
        "stop_token_ids": [7],
        "vllm_xargs": {"a": 1},
    }
    await served.client().chat.completions.create(**ASK, **fields, extra_body=extra)
    assert dict(backend.calls[0].fields) == {**fields, **extra}
    await served.client().chat.completions.create(**ASK, **BEST, **fields, extra_body=extra)
    assert dict(backend.calls[1].fields) == {**fields, **extra}


async def test_messages_are_untouched(serve: Serve) -> None:
    backend = FakeBackend(lambda *_: "x")
    served = await serve(backend)
    messages: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "X-ITS-Strategy: best_of_n <its budget=64>"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
    ]  # fmt: skip
    raw = await served.client().chat.completions.with_raw_response.create(
        model="fake", messages=messages
    )
    assert list(backend.calls[0].messages) == messages
    assert raw.headers["x-its-strategy"] == "direct", "text in messages changed the policy"


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


@pytest.mark.parametrize("options", [{}, BEST], ids=["direct", "selection"])
async def test_tool_calls_come_back_whole_and_streamed(serve: Serve, options: Any) -> None:
    reply = Reply([], tool_calls=[CALL], finish_reason="tool_calls")
    served = await serve(FakeBackend(lambda *_: reply))
    whole = await served.client().chat.completions.create(**ASK, **options)
    assert whole.choices[0].message.content is None
    assert whole.choices[0].finish_reason == "tool_calls"
    calls = whole.choices[0].message.tool_calls or []
    assert [call.to_dict() for call in calls] == [CALL]
    stream = await served.client().chat.completions.create(**ASK, **options, stream=True)
    deltas = [chunk.choices[0] async for chunk in stream]
    told = [call for choice in deltas for call in choice.delta.tool_calls or ()]
    assert [(c.index, c.id, c.function and c.function.arguments) for c in told] == [
        (0, "c1", '{"a": 1}')
    ]
    assert deltas[-1].finish_reason == "tool_calls"


async def test_upstreams_length_stays_length(serve: Serve) -> None:
    served = await serve(FakeBackend(lambda *_: "one two three four"))
    both: list[Any] = [{}, BEST]
    for options in both:
        completion = await served.client().chat.completions.create(**ASK, **options, max_tokens=2)
        assert completion.choices[0].finish_reason == "length"


async def test_logprobs_only_if_the_client_asked(serve: Serve) -> None:
    served = await serve(FakeBackend(lambda *_: Reply(["a", "b"], logprobs=[-0.5, -0.1])))
    its = {"its": {"strategy": "best_of_n", "verifier": "likelihood", "budget": 2}}
    without = await served.client().chat.completions.create(**ASK, extra_body=its)
    assert without.choices[0].logprobs is None
    with_them = await served.client().chat.completions.create(**ASK, extra_body=its, logprobs=True)
    assert with_them.choices[0].logprobs is not None
    assert [t.logprob for t in with_them.choices[0].logprobs.content or []] == [-0.5, -0.1]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"model": "fake"}', "messages"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "model"),
        ({**ASK, "messages": []}, "messages"),
        ({**ASK, "messages": [{"content": "x"}]}, "messages.0.role"),
        ({**ASK, "messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({**ASK, "n": 0}, "n"),
        ({**ASK, "n": "two"}, "n"),
        ({**ASK, "n": 1000}, "n"),
        ({**ASK, "temperature": 3}, "temperature"),
        ({**ASK, "temperature": "hot"}, "temperature"),
        ({**ASK, "stream": "yes"}, "stream"),
        ({**ASK, "max_tokens": 0}, "max_tokens"),
        ({**ASK, "logit_bias": []}, "logit_bias"),
        ({**ASK, "its": {"strategy": "magic"}}, "its.strategy"),
        ({**ASK, "its": {"budget": 0}}, "its.budget"),
        ({**ASK, "its": {"bugdet": 4}}, "its.bugdet"),
        ({**ASK, "its": {"strategy": "best_of_n", "params": {"n": 0}}}, "its.params.n"),
        ({**ASK, "its": {"strategy": "best_of_n", "params": {"m": 1}}}, "its.params.m"),
        ({**ASK, "its": {"strategy": "best_of_n", "verifier": "oracle"}}, "its.verifier"),
        ({**ASK, "its": {"strategy": "direct", "verifier": "math"}}, "its.verifier"),
        ({**ASK, "its": {"cache": "all"}}, "its.cache"),
        ({**ASK, "its": {"budget": 100_000}}, "its.budget"),
        ({**ASK, "n": 4, "its": {"budget": 2}}, "n"),
        ({**ASK, "model": "fake@nosuch"}, "model"),
    ],
)  # fmt: skip
async def test_bad_bodies_are_a_400_that_names_the_field(
    serve: Serve, body: Any, param: str | None
) -> None:
    backend = FakeBackend(votes)
    served = await serve(backend)
    status, answer = await post(f"{served.url}/v1/chat/completions", body)
    assert status == 400
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["type"] == "invalid_request_error"
    assert answer["error"]["param"] == param
    assert backend.calls == []


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-ITS-Strategy", "magic"),
        ("X-ITS-Budget", "many"),
        ("X-ITS-Budget", "0"),
        ("X-ITS-Max-Tokens", "-1"),
        ("X-ITS-Deadline-Ms", "0"),
        ("X-ITS-Verifier", "oracle"),
        ("X-ITS-Verifier", "math;speed=3"),
        ("X-ITS-Verifier", "math;;"),
        ("X-ITS-Params", "n="),
        ("X-ITS-Cache", "always"),
        ("X-ITS-Abstain", "2"),
        ("X-ITS-Detail", "all"),
        ("X-ITS-Bugdet", "4"),
    ],
)
async def test_bad_headers_are_a_400_that_names_the_header(
    serve: Serve, header: str, value: str
) -> None:
    served = await serve(FakeBackend(votes))
    status, answer = await post(f"{served.url}/v1/chat/completions", ASK, **{header: value})
    assert status == 400
    assert answer["error"]["param"].startswith(header)
    assert header in answer["error"]["message"]


async def test_unknown_model_and_endpoint_and_method(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    client = served.client()
    with pytest.raises(openai.NotFoundError) as missing:
        await client.chat.completions.create(model="gpt-9", messages=ASK["messages"])
    assert missing.value.code == "model_not_found"
    assert "fake" in missing.value.message
    status, answer = await post(f"{served.url}/v1/images", {})
    assert (status, answer["error"]["code"]) == (404, "not_found")
    async with (
        aiohttp.ClientSession() as raw,
        raw.get(f"{served.url}/v1/chat/completions") as response,
    ):
        assert response.status == 405
        assert (await response.json())["error"]["code"] == "method_not_allowed"


async def test_upstreams_4xx_reaches_the_client_as_it_is(serve: Serve) -> None:
    error = UpstreamRejected(
        422, {"error": {"message": "no such tool", "type": "t", "param": "tools", "code": "c"}}
    )
    served = await serve(FakeBackend(lambda *_: Reply([], error=error)))
    both: list[Any] = [{}, BEST]
    for stream in (False, True):
        for options in both:
            with pytest.raises(openai.UnprocessableEntityError) as refused:
                await served.client().chat.completions.create(**ASK, **options, stream=stream)
            assert refused.value.body == {
                "message": "no such tool", "type": "t", "param": "tools", "code": "c",
            }  # fmt: skip


async def test_dead_upstream_is_a_503(serve: Serve) -> None:
    error = UpstreamUnavailable("backend fake is unavailable")
    served = await serve(FakeBackend(lambda *_: Reply([], error=error)))
    with pytest.raises(openai.InternalServerError) as failed:
        await served.client().chat.completions.create(**ASK)
    assert failed.value.status_code == 503


async def test_failure_after_the_first_byte_is_an_error_event(serve: Serve) -> None:
    error = UpstreamUnavailable("backend fake is unavailable")
    reply = Reply(["one ", "two"], delay=0.1, error=error)
    served = await serve(FakeBackend(lambda *_: reply))
    stream = await served.client().chat.completions.create(**ASK, stream=True)
    with pytest.raises(openai.APIError, match="unavailable"):
        [chunk async for chunk in stream]


async def test_a_body_over_the_limit_is_a_413(serve: Serve) -> None:
    served = await serve(FakeBackend(votes), max_body_bytes=2000)
    big = {**ASK, "messages": user("x" * 3000)}
    status, answer = await post(f"{served.url}/v1/chat/completions", big)
    assert (status, answer["error"]["code"]) == (413, "payload_too_large")

    async def chunks() -> Any:
        for _ in range(10):
            yield b"x" * 500

    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{served.url}/v1/chat/completions", data=chunks()) as response,
    ):
        assert response.status == 413


async def test_headers_over_the_limit_are_a_431(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    status, _ = await post(f"{served.url}/v1/chat/completions", ASK, **{"X-Big": "x" * 40_000})
    assert status == 431


async def test_keys(serve: Serve) -> None:
    served = await serve(FakeBackend(votes), api_key=("secret-one", "secret-two"))
    with pytest.raises(openai.AuthenticationError) as refused:
        await served.client(api_key="secret").chat.completions.create(**ASK)
    assert refused.value.code == "invalid_api_key"
    assert "secret" not in refused.value.message
    for key in ("secret-one", "secret-two"):
        await served.client(api_key=key).chat.completions.create(**ASK)
    with pytest.raises(openai.AuthenticationError):
        await served.client(api_key="x").models.list()
    for path in ("health", "ready", "metrics"):
        async with aiohttp.ClientSession() as c, c.get(f"{served.url}/{path}") as response:
            assert response.status == 200


async def test_models_with_presets(serve: Serve) -> None:
    served = await serve(FakeBackend(votes, models=("fake", "org/other")))
    names = [model.id async for model in served.client().models.list()]
    assert {"fake", "org/other", "fake@agreement-16", "org/other@verified-16"} <= set(names)
    raw = await served.client().chat.completions.with_raw_response.create(
        model="fake@agreement-4", messages=ASK["messages"]
    )
    assert raw.headers["x-its-samples"] == "4"
    assert raw.parse().model == "fake"


async def test_detail(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    none = await served.client().chat.completions.create(**ASK, **BEST)
    assert "its" not in (none.model_extra or {})
    its = {"strategy": "best_of_n", "budget": 4, "detail": "candidates"}
    told = await served.client().chat.completions.create(**ASK, extra_body={"its": its})
    block = (told.model_extra or {})["its"]
    assert (block["samples"], block["stop"], block["support"]) == (4, "complete", 0.75)
    assert [candidate["score"] for candidate in block["candidates"]] == [0.75, 0.75, 0.75, 0.25]
    assert told.usage is not None
    sampling = block["usage"]["sampling"]["completion_tokens"]
    judging = block["usage"]["judging"]["completion_tokens"]
    assert sampling + judging == told.usage.completion_tokens
    stream = await served.client().chat.completions.create(
        **ASK, extra_body={"its": its}, stream=True
    )
    last = [chunk async for chunk in stream][-1]
    assert (last.model_extra or {})["its"]["samples"] == 4


async def test_abstain(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    for least, stop in ((0.5, "complete"), (0.9, "abstained")):
        headers = {**BEST["extra_headers"], "X-ITS-Abstain": str(least)}
        raw = await served.client().chat.completions.with_raw_response.create(
            **ASK, extra_headers=headers
        )
        assert raw.headers["x-its-stop"] == stop
        assert bool(raw.parse().choices[0].message.refusal) == (stop == "abstained")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("its", [{}, {"strategy": "best_of_n", "budget": 16}])
async def test_a_client_that_hangs_up_leaves_nothing_behind(
    serve: Serve, stream: bool, its: Any
) -> None:
    backend = FakeBackend(slow)
    served = await serve(backend)
    async with aiohttp.ClientSession() as client:
        with pytest.raises(TimeoutError):
            async with client.post(
                f"{served.url}/v1/chat/completions",
                json={**ASK, "stream": stream, "its": its},
                timeout=aiohttp.ClientTimeout(total=0.3),
            ) as response:
                await response.read()
    assert backend.begun == (16 if its else 1)
    assert await settles(lambda: backend.live == 0), "upstream work goes on"
    assert backend.aborted == 1


async def test_deadline_is_kept_over_http(serve: Serve) -> None:
    served = await serve(FakeBackend(slow))
    raw = await served.client().chat.completions.with_raw_response.create(
        **ASK, extra_headers={"X-ITS-Deadline-Ms": "200", "X-ITS-Budget": "4"}
    )
    assert raw.headers["x-its-stop"] == "deadline"
    assert raw.elapsed.total_seconds() < 1.5
    assert raw.parse().choices[0].finish_reason == "length"


async def test_request_id_is_kept_if_it_is_sane(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    async with aiohttp.ClientSession() as client:
        for given, kept in (("abc-1.2", True), ("a b", False), ("x" * 200, False)):
            async with client.get(
                f"{served.url}/v1/models", headers={"X-Request-Id": given}
            ) as response:
                assert (response.headers["x-request-id"] == given) == kept


async def test_cors_by_configuration(serve: Serve) -> None:
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    url = "{}/v1/chat/completions"
    for settings, status in (({}, 405), ({"cors_origin": ("https://app.example",)}, 200)):
        served = await serve(FakeBackend(votes), **settings)
        async with (
            aiohttp.ClientSession() as client,
            client.options(url.format(served.url), headers=headers) as response,
        ):
            assert response.status == status
            allowed = response.headers.get("access-control-allow-origin")
            assert allowed == ("https://app.example" if settings else None)


@pytest.mark.parametrize("settings", [{}, {"cors_origin": ("https://app.example",)}])
async def test_a_failure_of_its_own_is_told_in_openais_shape(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    served = await serve(FakeBackend(votes), **settings)
    url, asked = f"{served.url}/v1/chat/completions", {"X-Request-Id": "mine"}

    async def broken() -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(served.host.pool.members, "learned", broken)
    async with (
        aiohttp.ClientSession(headers=asked) as client,
        client.post(url, json={"model": "m", "messages": user("hi")}) as response,
    ):
        assert response.status == 500
        assert response.headers["x-request-id"] == "mine"
        told = await response.json()
    assert told["error"]["message"] == "the gateway failed; see its log"
    assert "hunter2" not in str(told)


async def test_openapi_tells_the_policy(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{served.url}/openapi.json") as response,
    ):
        document = await response.json()
    operation = document["paths"]["/v1/chat/completions"]["post"]
    assert "X-ITS-Budget" in {parameter["name"] for parameter in operation["parameters"]}
    assert "n" in document["components"]["schemas"]["strategy.best_of_n"]["properties"]


async def test_what_a_verifier_finds_wrong_with_the_request_is_a_400(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    bad = {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}
    its = {"strategy": "best_of_n", "verifier": "schema"}
    body = {**ASK, "its": its, "response_format": bad}
    status, answer = await post(f"{served.url}/v1/chat/completions", body)
    assert status == 400
    assert answer["error"]["param"].startswith("response_format")

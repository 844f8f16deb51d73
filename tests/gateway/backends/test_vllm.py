"""VLLMBackend against a real HTTP server on a loopback port, whose handlers each test writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.backends.vllm import VLLMBackend
from gateway.errors import UpstreamError, UpstreamRejected, UpstreamUnavailable
from gateway.testing import user
from gateway.types import Candidate, Delta, Event, Finished, Json, Passthrough, Sample, Spent, Usage

KEY = "sk-very-secret"
CHAT = "/v1/chat/completions"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Upstream:
    """A server that answers every path with `handler`, and remembers what it was sent."""

    handler: Handler | None = None
    port: int = 0
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[Json] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.requests.append(request)
        if raw:
            self.bodies.append(orjson.loads(raw))
        assert self.handler is not None
        try:
            return await self.handler(request)
        except asyncio.CancelledError:
            self.gone.set()
            raise

    def replies(self, body: Any, *, status: int = 200, **headers: str) -> None:
        """Answer everything with `body`: bytes as they are, all else as JSON."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        kind = {"content-type": "application/json"}

        async def handler(request: web.Request) -> web.StreamResponse:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(body=raw, status=status, headers={**kind, **named})

        self.handler = handler

    def streams(self, *pieces: bytes, reset: bool = False) -> None:
        """Answer everything with an event stream, each piece in a write of its own."""

        async def handler(request: web.Request) -> web.StreamResponse:
            response = await _begun(request)
            for piece in pieces:
                await response.write(piece)
                await asyncio.sleep(0)
            if reset:
                assert request.transport is not None
                request.transport.abort()
            return response

        self.handler = handler


async def _begun(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    return response


async def _serve(upstream: Upstream) -> web.AppRunner:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", upstream.answer)
    # Cancelling its handler is how the server tells that the client has hung up.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    upstream.port = runner.addresses[0][1]
    return runner


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    runner = await _serve(upstream)
    yield upstream
    await runner.cleanup()


@pytest.fixture
async def backend(upstream: Upstream) -> AsyncIterator[VLLMBackend]:
    backend = VLLMBackend(upstream.base, name="gpu-0", key=KEY)
    yield backend
    await backend.close()


async def _events(backend: VLLMBackend, sample: Sample) -> list[Event]:
    async with aclosing(backend.call(sample)) as events:
        return [event async for event in events]


def _asked(**more: Any) -> Sample:
    return Sample("m", user("2 + 2?"), **more)


def _finished(events: Sequence[Event]) -> list[Candidate]:
    return [event.candidate for event in events if isinstance(event, Finished)]


def _choice(text: str, index: int = 0, **more: Any) -> Json:
    message = {"role": "assistant", "content": text}
    return {"index": index, "message": message, "finish_reason": "stop", **more}


def _whole(*texts: str, **more: Any) -> Json:
    usage = {"prompt_tokens": 7, "completion_tokens": 5 * len(texts), "total_tokens": 0}
    choices = [_choice(text, index) for index, text in enumerate(texts)]
    return {"model": "m-served", "choices": choices, "usage": usage, **more}


def _sse(data: Any, end: bytes = b"\n\n") -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else orjson.dumps(data)) + end


def _chunk(
    delta: Json,
    index: int = 0,
    *,
    finish: str | None = None,
    usage: Json | None = None,
    **more: Any,
) -> Json:
    choice = {"index": index, "delta": delta, "finish_reason": finish, **more}
    return {"model": "m-served", "choices": [choice], "usage": usage}


DONE = _sse(b"[DONE]")
TEXTS = ("Zwei plus zwei", " ist natürlich", " 4 — 四 🙂", ".")


def _stream_of(texts: Sequence[str], end: bytes = b"\n\n") -> bytes:
    chunks = [_chunk({"role": "assistant"}), *(_chunk({"content": text}) for text in texts)]
    chunks.append(_chunk({}, finish="stop"))
    return b"".join([*(_sse(chunk, end) for chunk in chunks), b"data: [DONE]" + end])


# One answer in one piece.


async def test_three_choices_are_three_candidates_and_exact_usage(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 42,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    upstream.replies({**_whole("a", "b", "c"), "usage": usage, "prompt_token_ids": [1, 2]})
    *finished, spent = await _events(backend, _asked(n=3))
    assert [type(event) for event in finished] == [Finished] * 3
    candidates = _finished(finished)
    assert [candidate.text for candidate in candidates] == ["a", "b", "c"]
    assert {candidate.model for candidate in candidates} == {"m-served"}
    assert candidates[2].prompt_token_ids == (1, 2)
    assert candidates[0].usage is None  # counted together
    assert spent == Spent(Usage(11, 42, 8, 30))


async def test_one_choice_carries_all_that_the_upstream_said_of_it(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "reasoning": "hm", "tool_calls": [call]}
    logprobs = {"content": [{"token": "x", "logprob": -0.5, "top_logprobs": []}]}
    choice = _choice("", message=message, logprobs=logprobs, token_ids=[5], finish_reason="length")
    upstream.replies({**_whole("x"), "choices": [choice]})
    [candidate] = _finished(await _events(backend, _asked()))
    assert (candidate.text, candidate.reasoning) == ("", "hm")
    assert candidate.tool_calls == (call,)
    assert candidate.logprobs == logprobs
    assert (candidate.token_ids, candidate.finish_reason) == ((5,), "length")
    assert candidate.usage == Usage(7, 5)


async def test_what_stands_around_the_choices_is_kept(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    upstream.replies(_whole("x", prompt_logprobs=[None], system_fingerprint="fp", object="o"))
    [candidate] = _finished(await _events(backend, _asked()))
    assert candidate.extra["answer"] == {"prompt_logprobs": [None], "system_fingerprint": "fp"}


async def test_the_body_carries_every_field_of_the_client(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    upstream.replies(_whole("a", "b"))
    fields = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "top_k": 20,
        "min_p": 0.05,
        "structured_outputs": {"regex": "[0-9]+"},
        "chat_template_kwargs": {"enable_thinking": False},
        "logit_bias": {"5": -100},
        "unheard_of": {"by": ["the", "gateway"]},
    }
    await _events(backend, _asked(n=2, fields=fields))
    [body] = upstream.bodies
    assert body == {**fields, "model": "m", "messages": user("2 + 2?"), "n": 2}


async def test_a_prefix_is_a_final_turn_to_continue(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    upstream.replies(_whole("4"))
    asked = _asked(prefix="The answer is ")
    await _events(backend, asked)
    [body] = upstream.bodies
    turn = {"role": "assistant", "content": "The answer is "}
    assert body["messages"] == [*user("2 + 2?"), turn]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert asked.messages == user("2 + 2?")
    await _events(backend, _asked())
    assert "continue_final_message" not in upstream.bodies[1]


async def test_lists_models(upstream: Upstream, backend: VLLMBackend) -> None:
    upstream.replies({"object": "list", "data": [{"id": "a"}, {"id": "b"}]})
    assert await backend.models() == ["a", "b"]
    assert upstream.requests[0].path == "/v1/models"


@pytest.mark.parametrize("body", [{"data": {"a": 1}}, {"data": ["id"]}, {"data": 5}, [], b"<html>"])
async def test_a_model_list_that_is_none_is_an_upstream_error(
    upstream: Upstream, backend: VLLMBackend, body: Any
) -> None:
    upstream.replies(body)
    with pytest.raises(UpstreamError):
        await backend.models()


# Streams.


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("size", [1, 3, 7, 64, 10**6])
async def test_deltas_come_in_order_however_the_bytes_are_cut(
    upstream: Upstream, backend: VLLMBackend, size: int, end: bytes
) -> None:
    upstream.streams(*_cut(_stream_of(TEXTS, end), size))
    events = await _events(backend, _asked(stream=True))
    deltas = [event for event in events if isinstance(event, Delta)]
    texts = [delta.choice["delta"].get("content") for delta in deltas]
    assert texts == [None, *TEXTS, None]
    assert [delta.tokens for delta in deltas] == [1, 2, 3, 4, 5, 6]
    [candidate] = _finished(events)
    assert candidate.text == "".join(TEXTS)
    assert candidate.finish_reason == "stop"
    assert isinstance(events[-2], Finished)
    assert isinstance(events[-1], Spent)
    assert upstream.bodies[0]["stream"] is True
    assert upstream.bodies[0]["stream_options"]["include_usage"] is True


async def test_a_stream_read_to_its_end_leaves_its_connection_for_the_next(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    upstream.streams(_stream_of(TEXTS))
    await _events(backend, _asked(stream=True))
    await _events(backend, _asked(stream=True))
    first, second = upstream.requests
    assert first.transport is second.transport is not None


async def test_a_stream_that_stays_open_after_done_does_not_hold_the_answer_up(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await _begun(request)
        await response.write(_stream_of(TEXTS))
        await asyncio.sleep(30)
        return response

    upstream.handler = handler
    async with asyncio.timeout(1):
        events = await _events(backend, _asked(stream=True))
    assert isinstance(events[-1], Spent)
    await asyncio.wait_for(upstream.gone.wait(), 0.5)


async def test_comments_and_other_fields_of_a_stream_are_skipped(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    noise = b": keep-alive\n\nevent: message\nid: 3\n"
    upstream.streams(noise, _stream_of(TEXTS).replace(b"data: {", b"data:{"))
    [candidate] = _finished(await _events(backend, _asked(stream=True)))
    assert candidate.text == "".join(TEXTS)


async def test_fragments_of_tool_calls_and_logprobs_are_joined(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    def call(index: int, arguments: str, **more: Any) -> Json:
        name = {"name": more.pop("name")} if "name" in more else {}
        return {"index": index, "function": {**name, "arguments": arguments}, **more}

    def logprobs(token: str) -> Json:
        return {"content": [{"token": token, "logprob": -0.5, "top_logprobs": []}]}

    chunks = [
        _chunk({"tool_calls": [call(0, "", id="c0", type="function", name="add")]}),
        _chunk({"tool_calls": [call(0, '{"a":')]}, logprobs=logprobs("x")),
        _chunk({"tool_calls": [call(1, "{}", id="c1", type="function", name="now")]}),
        _chunk({"tool_calls": [call(0, " 1}")]}, logprobs=logprobs("y")),
        _chunk({}, finish="tool_calls"),
    ]
    upstream.streams(*map(_sse, chunks), DONE)
    [candidate] = _finished(await _events(backend, _asked(stream=True)))
    add = {"name": "add", "arguments": '{"a": 1}'}
    now = {"name": "now", "arguments": "{}"}
    assert candidate.tool_calls == (
        {"function": add, "id": "c0", "type": "function"},
        {"function": now, "id": "c1", "type": "function"},
    )
    assert candidate.logprobs == {"content": [*logprobs("x")["content"], *logprobs("y")["content"]]}
    assert candidate.finish_reason == "tool_calls"


async def test_choices_of_a_stream_do_not_mix(upstream: Upstream, backend: VLLMBackend) -> None:
    upstream.streams(
        _sse(_chunk({"content": "b1"}, 1)),
        _sse(_chunk({"content": "a1"}, 0)),
        _sse(_chunk({"content": "b2"}, 1, finish="stop")),
        _sse(_chunk({"content": "a2"}, 0, finish="length")),
        DONE,
    )
    events = await _events(backend, _asked(n=2, stream=True))
    finished = [event for event in events if isinstance(event, Finished)]
    assert [(e.index, e.candidate.text) for e in finished] == [(1, "b1b2"), (0, "a1a2")]
    assert [e.candidate.finish_reason for e in finished] == ["stop", "length"]


async def test_usage_is_that_of_continuous_stats(upstream: Upstream, backend: VLLMBackend) -> None:
    def stats(completion: int) -> Json:
        return {"prompt_tokens": 9, "completion_tokens": completion}

    upstream.streams(
        _sse(_chunk({"content": "ab"}, 0, usage=stats(3))),
        _sse(_chunk({"content": "cd"}, 1, usage=stats(2))),
        _sse(_chunk({"content": "ef"}, 0, finish="stop", usage=stats(8))),
        _sse(_chunk({}, 1, finish="stop", usage=stats(4))),
        DONE,
    )
    events = await _events(backend, _asked(n=2, stream=True))
    deltas = [event for event in events if isinstance(event, Delta)]
    assert [(delta.index, delta.tokens) for delta in deltas] == [(0, 3), (1, 2), (0, 8), (1, 4)]
    assert {delta.prompt_tokens for delta in deltas} == {9}
    assert [candidate.usage for candidate in _finished(events)] == [Usage(9, 8), Usage(9, 4)]
    assert events[-1] == Spent(Usage(9, 12))


async def test_usage_of_the_last_chunk_goes_before_counting(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    details = {"cached_tokens": 16}
    usage = {"prompt_tokens": 21, "completion_tokens": 33, "prompt_tokens_details": details}
    stream = _stream_of(TEXTS).removesuffix(DONE)
    upstream.streams(stream, _sse({"choices": [], "usage": usage}), DONE)
    events = await _events(backend, _asked(stream=True))
    assert events[-1] == Spent(Usage(21, 33, 16))


async def test_what_comes_after_the_end_of_a_choice_does_not_end_it_twice(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    usage = {"prompt_tokens": 21, "completion_tokens": 33}
    late = _sse(_chunk({"content": ""}, usage=usage))
    upstream.streams(_stream_of(TEXTS).removesuffix(DONE), late, DONE)
    *_, finished, spent = await _events(backend, _asked(stream=True))
    assert isinstance(finished, Finished)
    assert spent == Spent(Usage(21, 33))


@pytest.mark.parametrize("reset", [False, True], ids=["ended", "reset"])
async def test_a_stream_that_stops_before_done_is_a_failure(
    upstream: Upstream, backend: VLLMBackend, reset: bool
) -> None:
    upstream.streams(_sse(_chunk({"content": "half"})), reset=reset)
    seen: list[Event] = []

    async def read() -> None:
        async for event in backend.call(_asked(stream=True)):
            seen.append(event)

    with pytest.raises(UpstreamUnavailable):
        await read()
    assert all(isinstance(event, Delta) for event in seen)


async def test_a_whole_answer_without_done_is_a_failure_too(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    upstream.streams(_stream_of(TEXTS).removesuffix(DONE))
    with pytest.raises(UpstreamUnavailable, match="ended early"):
        await _events(backend, _asked(stream=True))


async def test_a_stream_without_an_answer_is_a_failure(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    upstream.streams(DONE)
    with pytest.raises(UpstreamError, match="choices"):
        await _events(backend, _asked(stream=True))
    upstream.streams(_sse(_chunk({"content": "half"})), DONE)
    with pytest.raises(UpstreamError, match="ended"):
        await _events(backend, _asked(stream=True))


async def test_an_event_without_end_is_a_failure(
    upstream: Upstream, backend: VLLMBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.backends.sse.LONGEST_LINE", 1000)
    upstream.streams(b"data: " + b"x" * 2000)
    with pytest.raises(UpstreamError):
        await _events(backend, _asked(stream=True))


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b"null", b'{"choices":[null]}'])
async def test_a_chunk_that_is_not_one_is_an_upstream_error(
    upstream: Upstream, backend: VLLMBackend, data: bytes
) -> None:
    upstream.streams(_sse(data), DONE)
    with pytest.raises(UpstreamError):
        await _events(backend, _asked(stream=True))


async def test_an_error_in_the_middle_of_a_stream(upstream: Upstream, backend: VLLMBackend) -> None:
    before = _sse(_chunk({"content": "half"}))
    rejected = {"message": "too long", "type": "BadRequestError", "param": None, "code": 400}
    upstream.streams(before, _sse({"error": rejected}), DONE)
    with pytest.raises(UpstreamRejected, match="too long") as caught:
        await _events(backend, _asked(stream=True))
    assert caught.value.status == 400
    for error in ({"message": f"at {upstream.base}", "code": 500}, "engine dead"):
        upstream.streams(before, _sse({"error": error}), DONE)
        with pytest.raises(UpstreamUnavailable) as failed:
            await _events(backend, _asked(stream=True))
        assert str(upstream.port) not in failed.value.message


# Refusals and failures.


@pytest.mark.parametrize("stream", [False, True])
async def test_a_400_reaches_the_client_in_the_upstream_s_words(
    upstream: Upstream, backend: VLLMBackend, stream: bool
) -> None:
    error = {"message": "max_tokens is 9", "type": "Bad", "param": "max_tokens", "code": "too_big"}
    upstream.replies({"error": error}, status=400)
    with pytest.raises(UpstreamRejected) as caught:
        await _events(backend, _asked(stream=stream))
    assert caught.value.status == 400
    assert caught.value.body() == {"error": error}


async def test_a_4xx_in_other_shapes(upstream: Upstream, backend: VLLMBackend) -> None:
    upstream.replies({"detail": "no such thing"}, status=404)
    with pytest.raises(UpstreamRejected, match="no such thing") as caught:
        await _events(backend, _asked())
    assert caught.value.status == 404
    for body in (b"<html>nope</html>", b"[1]", b""):
        upstream.replies(body, status=422)
        with pytest.raises(UpstreamRejected, match="rejected") as caught:
            await _events(backend, _asked())
        assert caught.value.status == 422


async def test_429_keeps_retry_after(upstream: Upstream, backend: VLLMBackend) -> None:
    upstream.replies({"error": {"message": "slow down"}}, status=429, retry_after="7")
    with pytest.raises(UpstreamRejected, match="slow down") as caught:
        await _events(backend, _asked())
    assert caught.value.status == 429
    assert caught.value.headers == {"retry-after": "7"}


@pytest.mark.parametrize("status", [401, 403, 500, 502, 503])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_gateway_s_own_trouble_tells_no_secrets(
    upstream: Upstream, backend: VLLMBackend, status: int, stream: bool
) -> None:
    message = f"{KEY} is wrong for {upstream.base}"
    upstream.replies({"error": {"message": message}}, status=status)
    with pytest.raises(UpstreamUnavailable) as caught:
        await _events(backend, _asked(stream=stream))
    assert caught.value.status == 503
    assert str(status) in caught.value.message
    assert "gpu-0" in caught.value.message
    _tells_nothing(caught.value, upstream)


def _tells_nothing(error: UpstreamError, upstream: Upstream) -> None:
    told = str(error.body()) + str(error.headers)
    assert KEY not in told
    assert "127.0.0.1" not in told
    assert str(upstream.port) not in told


@pytest.mark.parametrize(
    "body", [b"<html>hi</html>", b"", b'{"choices"', b"[]", {"choices": []}, {}, {"choices": [1]}]
)
async def test_an_answer_that_is_none_is_an_upstream_error(
    upstream: Upstream, backend: VLLMBackend, body: Any
) -> None:
    upstream.replies(body)
    with pytest.raises(UpstreamError, match="upstream's answer") as caught:
        await _events(backend, _asked())
    assert type(caught.value) is UpstreamError
    assert caught.value.status == 502


async def test_a_refused_connection(upstream: Upstream, unused_tcp_port: int) -> None:
    backend = VLLMBackend(f"http://127.0.0.1:{unused_tcp_port}", name="gone", key=KEY)
    with pytest.raises(UpstreamUnavailable, match="backend gone is unavailable") as caught:
        await _events(backend, _asked())
    assert "127.0.0.1" not in caught.value.message
    assert str(unused_tcp_port) not in caught.value.message
    await backend.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_silent_upstream_times_out(upstream: Upstream, stream: bool) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if stream:
            response = await _begun(request)
            await response.write(_sse(_chunk({"content": "and then"})))
        await asyncio.sleep(60)
        return web.Response()

    upstream.handler = handler
    backend = VLLMBackend(upstream.base, name="mute", silence_seconds=0.2)
    started = time.monotonic()
    with pytest.raises(UpstreamUnavailable, match="mute"):
        await _events(backend, _asked(stream=stream))
    assert 0.15 < time.monotonic() - started < 5
    await backend.close()


# Dropped calls.


async def _endless(request: web.Request) -> web.StreamResponse:
    response = await _begun(request)
    while True:
        await response.write(_sse(_chunk({"content": "more"})))
        await asyncio.sleep(0.01)


async def test_closing_the_iterator_closes_the_connection(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    upstream.handler = _endless
    events = backend.call(_asked(stream=True))
    assert isinstance(await anext(events), Delta)
    await events.aclose()
    await asyncio.wait_for(upstream.gone.wait(), 0.2)


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelling_the_reader_closes_the_connection(
    upstream: Upstream, backend: VLLMBackend, stream: bool
) -> None:
    begun = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        begun.set()
        if stream:
            return await _endless(request)
        await asyncio.sleep(60)
        return web.Response()

    upstream.handler = handler
    task = asyncio.create_task(_events(backend, _asked(stream=stream)))
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    await asyncio.wait_for(upstream.gone.wait(), 0.2)
    await asyncio.wait([task])
    assert task.cancelled()


# Where the key goes, and what is kept.


async def test_the_key_goes_in_the_authorization_header_alone(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    upstream.replies(_whole("a"))
    await _events(backend, _asked())
    [request] = upstream.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    others = {name: v for name, v in request.headers.items() if name.lower() != "authorization"}
    assert KEY not in str(others) + str(upstream.bodies) + str(request.url)


async def test_each_backend_gets_its_own_key_or_none(upstream: Upstream) -> None:
    other = Upstream()
    runner = await _serve(other)
    for each in (upstream, other):
        each.replies(_whole("a"))
    mine = VLLMBackend(upstream.base, name="mine", key=KEY)
    keyless = VLLMBackend(other.base, name="keyless")
    for backend in (mine, keyless):
        await _events(backend, _asked())
        await backend.close()
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in other.requests[0].headers
    await runner.cleanup()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(
    upstream: Upstream, backend: VLLMBackend, status: int
) -> None:
    target = Upstream()
    runner = await _serve(target)
    target.replies(_whole("stolen"))
    upstream.replies({}, status=status, location=f"{target.base}{CHAT}")
    with pytest.raises(UpstreamUnavailable, match=str(status)) as caught:
        await _events(backend, _asked())
    assert target.requests == []
    assert str(target.port) not in caught.value.message
    await runner.cleanup()


async def test_cookies_are_not_kept(upstream: Upstream) -> None:
    upstream.replies(_whole("a"), set_cookie="session=1; Path=/")
    # A name: cookies of plain addresses are dropped by any jar.
    backend = VLLMBackend(f"http://localhost:{upstream.port}", name="cookies")
    for _ in range(2):
        await _events(backend, _asked())
    assert len(upstream.requests) == 2
    assert "cookie" not in upstream.requests[1].headers
    await backend.close()


async def test_a_closed_backend_holds_no_connection(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    upstream.replies(_whole("a"))
    for _ in range(2):
        await _events(backend, _asked())
    first, second = upstream.requests
    assert first.transport is second.transport is not None  # kept alive between calls
    await backend.close()
    await asyncio.sleep(0.05)
    assert first.transport is None or first.transport.is_closing()


# Relays.


async def test_a_relay_streams_bytes_as_they_come(upstream: Upstream, backend: VLLMBackend) -> None:
    go_on = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/x-odd"})
        await response.prepare(request)
        await response.write(b"first\xff")
        await go_on.wait()
        await response.write(b"second\n")
        return response

    upstream.handler = handler
    passthrough = Passthrough("/v1/embeddings", b'{"input": "x",  "model":"m"}', "m")
    async with backend.relay(passthrough) as relayed:
        assert (relayed.status, relayed.content_type) == (200, "text/x-odd")
        chunks = aiter(relayed.chunks)
        assert await anext(chunks) == b"first\xff"
        go_on.set()
        assert b"".join([chunk async for chunk in chunks]) == b"second\n"
    assert upstream.requests[0].path == "/v1/embeddings"
    assert await upstream.requests[0].read() == passthrough.body


async def test_leaving_a_relay_closes_the_connection(
    upstream: Upstream, backend: VLLMBackend
) -> None:
    upstream.handler = _endless
    async with backend.relay(Passthrough("/v1/completions", b"{}", "m")) as relayed:
        assert await anext(aiter(relayed.chunks))
    await asyncio.wait_for(upstream.gone.wait(), 0.2)


async def test_a_relay_s_failures_are_typed(upstream: Upstream, backend: VLLMBackend) -> None:
    passthrough = Passthrough("/v1/completions", b"{}", "m")
    upstream.replies({"error": {"message": "no prompt", "param": "prompt"}}, status=400)
    with pytest.raises(UpstreamRejected, match="no prompt"):
        async with backend.relay(passthrough):
            pytest.fail("a refusal is not an answer")

    was_read = asyncio.Event()

    async def resets(request: web.Request) -> web.StreamResponse:
        response = await _begun(request)
        await response.write(b"half")
        await was_read.wait()
        assert request.transport is not None
        request.transport.abort()
        return response

    upstream.handler = resets
    async with backend.relay(passthrough) as relayed:
        chunks = aiter(relayed.chunks)
        assert await anext(chunks) == b"half"
        was_read.set()
        with pytest.raises(UpstreamUnavailable) as caught:
            await anext(chunks)
    _tells_nothing(caught.value, upstream)

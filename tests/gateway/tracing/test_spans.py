"""What a traced request's spans say, read from the SDK's in-memory exporter."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from gateway.errors import UpstreamUnavailable
from gateway.testing import FakeBackend, Reply, user
from gateway.tracing import Tracing
from gateway.types import Sample
from tests.conftest import Serve, settles

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
SECRET = "the-prompt-is-private"
RIGHT = "4 + 4 = 8\nAnswer: 8"
WRONG = "4 + 4 = 9\nAnswer: 9"


class Collected:
    """Tracing into memory."""

    def __init__(self, **options: Any):
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider, **options)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def of(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self.spans if span.kind is kind]

    async def request(self) -> ReadableSpan:
        """The request's span, which ends just after the client has its last byte."""
        assert await settles(lambda: bool(self.of(SpanKind.SERVER)), 2.0)
        [span] = self.of(SpanKind.SERVER)
        return span

    def candidates(self) -> list[ReadableSpan]:
        return self.of(SpanKind.CLIENT)


def _told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def _ask(serve: Serve, collected: Collected, backend: FakeBackend, **options: Any) -> Any:
    served = await serve(backend, tracing=collected.tracing)
    options = {"model": "fake", "messages": user(SECRET), **options}
    answer = await served.client().chat.completions.create(**options)
    if options.get("stream"):
        return [chunk async for chunk in answer]
    return answer


BEST_OF_2 = {"X-ITS-Strategy": "best_of_n", "X-ITS-Budget": "2", "X-ITS-Verifier": "math"}


def _right_then_wrong(sample: Sample, number: int) -> str:
    return RIGHT if number % 2 == 0 else WRONG


async def test_a_request_has_a_server_span_and_each_candidate_one_below_it(serve: Serve) -> None:
    collected = Collected()
    await _ask(
        serve,
        collected,
        FakeBackend(_right_then_wrong),
        extra_headers={**BEST_OF_2, "traceparent": PARENT, "x-request-id": "r-1"},
        temperature=0.5,
        max_tokens=50,
    )
    request = await collected.request()
    assert request.name == "POST /v1/chat/completions"
    assert request.parent is not None
    assert f"{request.parent.trace_id:032x}" == TRACE
    told = _told(request)
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.request.model"] == "fake"
    assert told["gen_ai.usage.input_tokens"] == 5
    assert told["gen_ai.usage.output_tokens"] == 12
    assert told["http.response.status_code"] == 200
    assert (told["its.strategy"], told["its.samples"]) == ("best_of_n", 2)
    assert (told["its.outcome"], told["its.stop"]) == ("ok", "complete")
    assert told["its.request_id"] == "r-1"

    candidates = collected.candidates()
    assert len(candidates) == 2
    for span in candidates:
        assert span.name == "chat fake"
        assert span.parent is not None
        assert span.parent.span_id == _context(request).span_id
        told = _told(span)
        assert told["gen_ai.provider.name"] == "vllm"
        assert told["gen_ai.request.choice.count"] == 2
        assert told["gen_ai.request.temperature"] == 0.5
        assert told["gen_ai.request.max_tokens"] == 50
        assert told["gen_ai.response.finish_reasons"] == ("stop",)
        assert told["gen_ai.usage.output_tokens"] == 6
        assert span.status.status_code is StatusCode.UNSET


async def test_a_verifiers_scores_are_events_on_the_candidates_they_judge(serve: Serve) -> None:
    collected = Collected()
    await _ask(serve, collected, FakeBackend(_right_then_wrong), extra_headers=BEST_OF_2)
    await collected.request()
    labels = []
    for span in collected.candidates():
        [event] = span.events
        assert event.name == "gen_ai.evaluation.result"
        told = dict(event.attributes or {})
        assert told["gen_ai.evaluation.name"] == "math"
        assert told["gen_ai.response.id"] == _told(span)["gen_ai.response.id"]
        assert math.isfinite(float(str(told["gen_ai.evaluation.score.value"])))
        labels.append(told["gen_ai.evaluation.score.label"])
    assert labels == ["pass", "fail"]


@pytest.mark.parametrize("stream", [False, True])
async def test_content_stays_out_unless_it_is_asked_for(serve: Serve, stream: bool) -> None:
    collected = Collected()
    backend = FakeBackend(_right_then_wrong)
    await _ask(
        serve, collected, backend, extra_headers=BEST_OF_2, stream=stream, stop=["stop-here"]
    )
    await collected.request()
    written = "".join(span.to_json() for span in collected.spans)
    assert len(collected.spans) == 3
    for content in (SECRET, "Answer", "stop-here"):
        assert content not in written


async def test_content_is_there_for_an_operator_who_asks_for_it(serve: Serve) -> None:
    collected = Collected(content=True)
    await _ask(serve, collected, FakeBackend(_right_then_wrong), extra_headers=BEST_OF_2)
    await collected.request()
    first, second = map(_told, collected.candidates())
    [asked] = json.loads(first["gen_ai.input.messages"])
    assert asked == {"role": "user", "parts": [{"type": "text", "content": SECRET}]}
    assert "gen_ai.input.messages" not in second  # once a call, not once a candidate
    texts = [json.loads(told["gen_ai.output.messages"])[0] for told in (first, second)]
    assert [text["parts"][0]["content"] for text in texts] == [RIGHT, WRONG]


async def test_an_answer_that_streams_is_told_with_its_first_chunk(serve: Serve) -> None:
    collected = Collected()
    await _ask(serve, collected, FakeBackend(lambda *_: "one two three"), stream=True)
    request = await collected.request()
    assert _told(request)["gen_ai.usage.output_tokens"] == 3
    [candidate] = collected.candidates()
    told = _told(candidate)
    assert told["gen_ai.request.stream"] is True
    assert 0 <= told["gen_ai.response.time_to_first_chunk"] < 60
    assert candidate.end_time is not None
    assert candidate.start_time is not None
    assert candidate.end_time >= candidate.start_time


async def test_a_failed_call_is_an_error_without_the_upstreams_words(serve: Serve) -> None:
    collected = Collected()
    gone = Reply(["a"], error=UpstreamUnavailable(SECRET))
    with pytest.raises(openai.InternalServerError):
        await _ask(serve, collected, FakeBackend(lambda *_: gone))
    assert _told(await collected.request())["its.outcome"] == "upstream_unavailable"
    [candidate] = collected.candidates()
    assert candidate.status.status_code is StatusCode.ERROR
    assert _told(candidate)["error.type"] == "upstream_unavailable"
    assert SECRET not in "".join(span.to_json() for span in collected.spans)


async def test_a_client_that_hangs_up_leaves_ended_spans(serve: Serve) -> None:
    collected = Collected()
    slow = FakeBackend(lambda *_: Reply(["a", "b"], delay=30))
    served = await serve(slow, tracing=collected.tracing)
    asking = asyncio.create_task(
        served.client().chat.completions.create(model="fake", messages=user("?"))  # type: ignore[arg-type]
    )
    assert await settles(lambda: slow.live == 1, 5.0)
    asking.cancel()
    assert _told(await collected.request())["its.outcome"] == "client_gone"
    [candidate] = collected.candidates()
    assert _told(candidate)["its.aborted"] is True
    assert candidate.status.status_code is StatusCode.UNSET


async def test_the_upstream_is_told_its_parent(serve: Serve) -> None:
    collected = Collected()
    told: list[str] = []

    def note(sample: Sample, number: int) -> str:
        told.append(collected.tracing.propagated()["traceparent"])
        return RIGHT

    backend = FakeBackend(note)
    await _ask(serve, collected, backend, extra_headers={**BEST_OF_2, "traceparent": PARENT})
    await _ask_again(serve, collected, backend)
    request, second = collected.of(SpanKind.SERVER)
    [_, _, candidate] = collected.candidates()
    together, alone = told[0], told[2]  # two candidates of one call, then one alone
    assert together == _traceparent(request)
    assert alone == _traceparent(candidate)
    assert second.parent is None


async def _ask_again(serve: Serve, collected: Collected, backend: FakeBackend) -> None:
    await _ask(serve, collected, backend)
    assert await settles(lambda: len(collected.of(SpanKind.SERVER)) == 2, 2.0)


def _context(span: ReadableSpan) -> SpanContext:
    context: SpanContext | None = span.context
    assert context is not None
    return context


def _traceparent(span: ReadableSpan) -> str:
    context = _context(span)
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


async def test_operations_have_no_spans(serve: Serve) -> None:
    collected = Collected()
    served = await serve(FakeBackend(lambda *_: "a"), tracing=collected.tracing)
    client = served.client()._client
    for path in ("/health", "/ready", "/metrics"):
        assert (await client.get(served.url + path)).status_code == 200
    await served.client().models.list()
    assert [span.name for span in collected.spans] == ["GET /v1/models"]


async def test_a_clients_words_are_cut_short(serve: Serve) -> None:
    collected = Collected()
    with pytest.raises(openai.NotFoundError):
        await _ask(serve, collected, FakeBackend(lambda *_: "a"), model="m" * 10_000)
    await collected.request()
    for span in collected.spans:
        assert len(span.name) < 200
        assert all(len(str(value)) < 200 for value in _told(span).values())
